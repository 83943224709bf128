//! Headers and Sets.

use super::*;

fn refusal(datagram: &[u8]) -> WireError {
    Message::parse(datagram).unwrap_err()
}

#[test]
fn a_version_is_told_by_the_first_two_octets() {
    for version in [1, 6, 7, 8] {
        let reason = Reason::UnsupportedVersion(version);
        assert_eq!(refusal(&version.to_be_bytes()), error(0, reason));
    }
    for version in [0, 2, 3, 4, 11, 0x0500, 0xffff] {
        let reason = Reason::NotNetflow(version);
        assert_eq!(refusal(&version.to_be_bytes()), error(0, reason));
    }
    assert_eq!(refusal(&[]), error(0, Reason::Truncated));
    assert_eq!(refusal(&[0]), error(0, Reason::Truncated));
}

#[test]
fn a_v5_header_is_read_whole() {
    #[rustfmt::skip]
    let datagram = [
        0x00, 0x05, 0x00, 0x00, // version 5, no records
        0x00, 0x00, 0x0d, 0x35, // uptime 3381 ms
        0x65, 0x00, 0x00, 0x01, // seconds
        0x3b, 0x9a, 0xc9, 0xff, // 999 999 999 ns
        0x00, 0x00, 0x00, 0x07, // sequence
        0x01, 0x02, 0x43, 0xe8, // engine type 1, id 2, mode 1, interval 1000
    ];
    let header = Header {
        version: Version::V5,
        count: 0,
        length: 24,
        sys_uptime: Some(3381),
        export_secs: 0x6500_0001,
        export_nanos: 999_999_999,
        sequence: 7,
        domain: 0x0102,
        sampling: 0x43e8,
    };
    assert_eq!(Message::parse(&datagram).unwrap().header, header);
}

/// P-016: what cannot be nanoseconds is none.
#[test]
fn v5_nanoseconds_stay_below_a_second() {
    let mut datagram = v5(0, 0);
    datagram[12..16].copy_from_slice(&1_000_000_000_u32.to_be_bytes());
    assert_eq!(Message::parse(&datagram).unwrap().header.export_nanos, 0);
}

#[test]
fn a_v9_header_is_read_whole() {
    #[rustfmt::skip]
    let datagram = [
        0x00, 0x09, 0x00, 0x02, // version 9, count 2
        0x00, 0x00, 0x0d, 0x35, // uptime
        0x65, 0x00, 0x00, 0x01, // seconds
        0x00, 0x00, 0x00, 0x07, // sequence
        0x01, 0x00, 0x00, 0x02, // source id
    ];
    let header = Header {
        version: Version::V9,
        count: 2,
        length: 20,
        sys_uptime: Some(3381),
        export_secs: 0x6500_0001,
        export_nanos: 0,
        sequence: 7,
        domain: 0x0100_0002,
        sampling: 0,
    };
    let message = Message::parse(&datagram).unwrap();
    assert_eq!(message.header, header);
    assert_eq!((message.body, message.body_offset), (&[][..], 20));
}

#[test]
fn an_ipfix_header_is_read_whole() {
    #[rustfmt::skip]
    let datagram = [
        0x00, 0x0a, 0x00, 0x10, // version 10, length 16
        0x65, 0x00, 0x00, 0x01, // seconds
        0x00, 0x00, 0x00, 0x07, // sequence
        0x01, 0x00, 0x00, 0x02, // domain
        0xde, 0xad,             // beyond the message
    ];
    let header = Header {
        version: Version::Ipfix,
        count: 0,
        length: 16,
        sys_uptime: None,
        export_secs: 0x6500_0001,
        export_nanos: 0,
        sequence: 7,
        domain: 0x0100_0002,
        sampling: 0,
    };
    let message = Message::parse(&datagram).unwrap();
    assert_eq!(message.header, header);
    assert_eq!(message.rest, [0xde, 0xad]);
}

/// P-012, P-459: as FX netflow5_test_invalid01 and 02 have it.
#[test]
fn a_v5_count_must_be_possible_and_present() {
    assert_eq!(refusal(&v5(163, 1440)), error(2, Reason::RecordCount(163)));
    assert_eq!(refusal(&v5(31, 31 * 48)), error(2, Reason::RecordCount(31)));
    let beyond = error(2, Reason::CountTooLong(2, 1));
    assert_eq!(refusal(&v5(2, 95)), beyond);
    assert_eq!(Message::parse(&v5(2, 96)).unwrap().body.len(), 96);
    assert_eq!(Message::parse(&v5(30, 1440)).unwrap().header.length, 1464);
}

#[test]
fn an_empty_v5_message_is_no_fault() {
    let found = survey(&v5(0, 0));
    assert_eq!((found.messages, found.records), (1, 0));
    assert_eq!(found.errors, []);
}

/// P-017: FX netflow5 has twelve v5 Messages in one datagram.
#[test]
fn several_v5_messages_may_share_a_datagram() {
    let mut datagram = v5(2, 96);
    datagram.extend(v5(1, 48));
    datagram.extend([0, 5, 0]);
    let mut messages = Messages::new(&datagram);
    let offsets: Vec<_> = messages
        .by_ref()
        .map(|found| found.unwrap().body_offset)
        .collect();
    assert_eq!(offsets, [24, 144]);
    assert_eq!(messages.trailing(), 3);
}

#[test]
fn a_bad_v5_message_does_not_take_back_the_one_before() {
    let mut datagram = v5(1, 48);
    datagram.extend(v5(31, 0));
    let found = survey(&datagram);
    assert_eq!((found.messages, found.records), (1, 1));
    assert_eq!(found.errors, [error(74, Reason::RecordCount(31))]);
}

/// Exporters with 29 records and a trailer exist; that is no second Message.
#[test]
fn what_follows_a_message_is_counted() {
    let mut datagram = v5(1, 48);
    datagram.extend([0, 0, 0, 0, 0, 0]);
    let mut messages = Messages::new(&datagram);
    assert_eq!(messages.by_ref().count(), 1);
    assert_eq!(messages.trailing(), 6);

    // IPFIX: one Message per datagram (P-123).
    let mut datagram = ipfix(&[]);
    datagram.extend(ipfix(&[]));
    let mut messages = Messages::new(&datagram);
    assert_eq!(messages.by_ref().count(), 1);
    assert_eq!(messages.trailing(), 16);
}

/// P-100.
#[test]
fn an_ipfix_length_lies_between_header_and_datagram() {
    let with_length = |length: u16| {
        let mut datagram = ipfix(&[0, 2, 0, 4]);
        datagram[2..4].copy_from_slice(&length.to_be_bytes());
        datagram
    };
    for length in [0, 1, 3, 15] {
        let refused = error(2, Reason::MessageTooShort(length));
        assert_eq!(refusal(&with_length(length)), refused);
    }
    for length in [21, 65_535] {
        let refused = error(2, Reason::MessageTooLong(length, 20));
        assert_eq!(refusal(&with_length(length)), refused);
    }
    assert!(Message::parse(&with_length(20)).is_ok());
    assert!(Message::parse(&with_length(16)).is_ok());
}

#[test]
fn a_header_cut_anywhere_is_truncated() {
    let starts = [0, 2, 4, 8, 12, 16, 20, 22, 24];
    for (datagram, fields) in [(v5(0, 0), 8), (v9(&[]), 6)] {
        for cut in 0..datagram.len() {
            let of_field = starts[..fields].iter().rfind(|&&start| start <= cut);
            let refused = error(*of_field.unwrap(), Reason::Truncated);
            assert_eq!(refusal(&datagram[..cut]), refused, "cut at {cut}");
        }
    }
}

/// P-022, P-101.
#[test]
fn set_ids_mean_what_their_version_says() {
    use SetKind::*;
    let v9 = [
        Templates,
        OptionsTemplates,
        Reserved,
        Reserved,
        Reserved,
        Data,
    ];
    let ipfix = [
        Reserved,
        Reserved,
        Templates,
        OptionsTemplates,
        Reserved,
        Data,
    ];
    for (version, kinds) in [(Version::V9, v9), (Version::Ipfix, ipfix)] {
        let found = [0, 1, 2, 3, 255, 256].map(|id| SetKind::of(version, id));
        assert_eq!(found, kinds);
    }
}

/// P-023: PAN-OS sends Sets of 159 octets.
#[test]
fn a_set_ends_where_its_length_says() {
    let datagram = v9(&[1, 0, 0, 5, 0xaa, 1, 1, 0, 4, 0, 9, 0, 6, 1, 2]);
    let found: Vec<_> = sets(&datagram)
        .into_iter()
        .map(|set| set.map(|set| (set.id, set.kind, set.body_offset, set.body.len())))
        .collect();
    let expected = [
        Ok((256, SetKind::Data, 24, 1)),
        Ok((257, SetKind::Data, 29, 0)),
        Ok((9, SetKind::Reserved, 33, 2)),
    ];
    assert_eq!(found, expected);
}

/// P-024: Cisco ACI, PAN-OS.
#[test]
fn zeros_after_the_last_v9_set_are_no_fault() {
    for zeros in [1, 2, 3, 4, 64, 1220] {
        let mut datagram = v9(&[1, 0, 0, 4]);
        datagram.resize(24 + zeros, 0);
        let message = Message::parse(&datagram).unwrap();
        let mut sets = message.sets();
        assert_eq!(sets.by_ref().filter(Result::is_ok).count(), 1);
        assert_eq!(sets.zero_tail(), zeros);
    }
}

/// P-450, P-451.
#[test]
fn a_set_shorter_than_its_header_ends_the_message() {
    for length in [0, 1, 3] {
        let bad = [1, 0, 0, 4, 1, 1, 0, length, 0, 0, 0, 1];
        let reason = Reason::SetTooShort(length.into());
        assert_eq!(sets(&v9(&bad))[1..].len(), 1);
        assert_eq!(sets(&v9(&bad))[1].unwrap_err(), error(26, reason));
        assert_eq!(sets(&ipfix(&bad))[1].unwrap_err(), error(22, reason));
    }
    // In IPFIX, zeros are no excuse (P-102).
    let refused = error(18, Reason::SetTooShort(0));
    assert_eq!(sets(&ipfix(&[0; 8]))[0].unwrap_err(), refused);
}

/// P-025, P-102.
#[test]
fn a_set_longer_than_the_message_ends_it() {
    for length in [13, 65_535_u16] {
        let mut bad = vec![1, 0, 0, 4, 1, 1];
        bad.extend(length.to_be_bytes());
        bad.extend([0; 8]);
        let reason = Reason::SetTooLong(length, 12);
        let datagram = v9(&bad);
        assert_eq!(sets(&datagram).len(), 2);
        assert_eq!(sets(&datagram)[1].unwrap_err(), error(26, reason));
        assert_eq!(sets(&ipfix(&bad))[1].unwrap_err(), error(22, reason));
    }
}

#[test]
fn a_cut_set_header_is_truncated() {
    let found = sets(&ipfix(&[1, 0, 0, 4, 1])).remove(1).unwrap_err();
    assert_eq!(found, error(20, Reason::Truncated));
    let found = sets(&v9(&[1, 0, 0, 4, 1, 0, 0])).remove(1).unwrap_err();
    assert_eq!(found, error(26, Reason::Truncated));
}

#[test]
fn a_v5_message_has_no_sets() {
    assert_eq!(sets(&v5(1, 48)).len(), 0);
}
