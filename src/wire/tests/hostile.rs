//! What no exporter should send: cuts, lies and noise.

use proptest::prelude::*;

use super::golden::RFC_3954;
use super::golden::RFC_7011;
use super::*;

/// IPFIX with every kind of length there is.
fn all_lengths() -> Vec<u8> {
    #[rustfmt::skip]
    let sets = [
        0x00, 0x02, 0x00, 0x10, // 16: Template Set
        0x01, 0x00, 0x00, 0x02, // 20: template 256, two fields
        0x00, 0x04, 0x00, 0x01,
        0x00, 0x52, 0xff, 0xff,
        0x00, 0x03, 0x00, 0x12, // 32: Options Template Set
        0x01, 0x01, 0x00, 0x02, // 36: template 257, two fields, one scope
        0x00, 0x01, 0x00, 0x8d, 0x00, 0x04, 0x00, 0x29, 0x00, 0x02,
        0x01, 0x00, 0x00, 0x0a, // 50: Data Set
        0x06, 0x01, 0x61, 0x11, 0x00, 0x00,
        0x01, 0x01, 0x00, 0x0a, // 60: Data Set
        0x00, 0x00, 0x00, 0x01, 0x00, 0x02,
    ];
    ipfix(&sets)
}

fn with_u16(datagram: &[u8], offset: usize, value: u16) -> Vec<u8> {
    let mut bad = datagram.to_vec();
    bad[offset..offset + 2].copy_from_slice(&value.to_be_bytes());
    bad
}

/// P-927: what is left of a good Message is refused or means less, never more.
#[test]
fn a_message_cut_anywhere_never_gains() {
    let mut v5 = v5(2, 96);
    v5[24..28].copy_from_slice(&[192, 0, 2, 1]);
    for datagram in [&RFC_3954[..], &RFC_7011, &all_lengths(), &v5] {
        let whole = survey(datagram);
        assert_eq!(whole.errors, []);
        for cut in 0..datagram.len() {
            let found = survey(&datagram[..cut]);
            assert!(found.records <= whole.records && found.templates <= whole.templates);
            let is_complete = found.errors.is_empty();
            assert!(
                !is_complete || datagram[1] == 9 && found.sets < whole.sets,
                "cut at {cut}"
            );
            assert!(found.errors.iter().all(|error| error.offset <= cut));
        }
    }
}

/// A Message of known length is refused as a whole, v5's by its Count.
#[test]
fn a_cut_message_names_the_length_that_lied() {
    for cut in 16..RFC_7011.len() {
        let refused = error(2, Reason::MessageTooLong(152, cut));
        assert_eq!(survey(&RFC_7011[..cut]).errors, [refused]);
    }
    let datagram = v5(2, 96);
    for cut in 24..datagram.len() {
        let refused = error(2, Reason::CountTooLong(2, (cut - 24) / 48));
        assert_eq!(survey(&datagram[..cut]).errors, [refused]);
    }
}

#[test]
fn every_length_that_lies_is_named() {
    let good = all_lengths();
    assert_eq!(survey(&good).errors, []);
    assert_eq!(survey(&good).records, 3);
    let too_short = [0, 1, 3].map(|length| (length, Reason::SetTooShort(length)));
    for (set, left) in [(16, 54), (32, 38), (50, 20), (60, 10)] {
        for (length, reason) in too_short {
            let found = survey(&with_u16(&good, set + 2, length));
            assert_eq!(found.errors.last(), Some(&error(set + 2, reason)));
        }
        let found = survey(&with_u16(&good, set + 2, 65_535));
        let reason = Reason::SetTooLong(65_535, left);
        assert_eq!(found.errors.last(), Some(&error(set + 2, reason)));
    }
    for (count, left) in [(22, 8), (38, 8)] {
        for value in [3, 65_535] {
            let found = survey(&with_u16(&good, count, value));
            let reason = Reason::FieldCountTooLong(value, left);
            assert_eq!(found.errors, [error(count, reason)]);
        }
    }
    for scopes in [0, 3, 65_535] {
        let found = survey(&with_u16(&good, 40, scopes));
        assert_eq!(found.errors, [error(40, Reason::ScopeCount(scopes, 2))]);
    }
}

/// Field lengths cannot be wrong, only unlucky; prefixes can.
#[test]
fn every_field_length_is_survived() {
    let good = all_lengths();
    for length in [0, 1, 3, 65_535] {
        for offset in [26, 30, 44, 48] {
            survey(&with_u16(&good, offset, length));
        }
    }
    for prefix in [5, 254, 255] {
        let mut bad = good.clone();
        bad[55] = prefix;
        let found = survey(&bad);
        assert_eq!(found.errors.len(), 1, "prefix {prefix}");
        assert!(matches!(
            found.errors[0].reason,
            Reason::RecordTooLong(_, 6)
        ));
        assert_eq!(found.errors[0].offset, 55);
    }
}

/// P-119: Sets are taken in wire order.
#[test]
fn a_set_without_meaning_does_not_hide_the_next() {
    let mut sets = vec![0, 9, 0, 6, 1, 2];
    sets.extend(&RFC_7011[16..]);
    let found = survey(&ipfix(&sets));
    assert_eq!((found.sets, found.records, found.errors.len()), (5, 5, 0));
}

proptest! {
    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
        for datagram in [ipfix(&noise), v9(&noise), [v5(1, 0), noise.clone()].concat()] {
            let found = survey(&datagram);
            prop_assert!(found.octets <= noise.len());
            prop_assert!(found.errors.iter().all(|error| error.offset <= datagram.len()));
        }
    }

    /// Near-good Messages reach deeper than noise.
    #[test]
    fn damage_never_panics(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        which in 0..3_usize,
    ) {
        let good = [RFC_3954.to_vec(), RFC_7011.to_vec(), all_lengths()];
        let mut bad = good[which].clone();
        for (index, octet) in changes {
            let at = index.index(bad.len());
            bad[at] = octet;
        }
        let found = survey(&bad);
        prop_assert!(found.octets <= bad.len());
        prop_assert!(found.errors.iter().all(|error| error.offset <= bad.len()));
    }

    #[test]
    fn lists_of_noise_never_panic(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let flows = template(Version::Ipfix, 256, &[field(4, 1), field(293, VARIABLE)]);
        let lookup = |id: u16| id.is_multiple_of(2).then_some(&flows);
        let mut reader = ListReader::new(&lookup, 100);
        for kind in [ListKind::Basic, ListKind::SubTemplate, ListKind::SubTemplateMulti] {
            if let Err(error) = reader.read(kind, &noise) {
                prop_assert!(error.offset <= noise.len());
            }
        }
    }
}

/// Every datagram of the vendor corpus, where there is one.
#[test]
fn the_vendor_corpus_never_panics() {
    let Some(corpus) = std::env::var_os("FLOWLOGD_CORPUS") else {
        return;
    };
    let mut datagrams = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "pcap") {
            continue;
        }
        let file = std::fs::File::open(&path).unwrap();
        let mut capture = pcap_file::pcap::PcapReader::new(file).unwrap();
        while let Some(packet) = capture.next_packet() {
            let packet = packet.unwrap();
            // Anywhere from the start of the UDP payload on: cuts for free.
            for start in 0..packet.data.len().min(80) {
                survey(&packet.data[start..]);
            }
            datagrams += 1;
        }
    }
    assert!(datagrams > 2_000, "{datagrams} datagrams");
}
