//! Times come back to the millisecond. P-714, P-724, P-922.

use proptest::prelude::*;

use super::*;

/// Seconds at which 32 bits of times since 1900 and of 31 since 1970 run over.
const EDGES: [u64; 3] = [2_085_978_496, 2_147_483_648, 1_795_000_000];

fn moments() -> impl Strategy<Value = u64> {
    let near = -100_000_000..100_000_000_i64;
    (prop::sample::select(&EDGES), near)
        .prop_map(|(edge, near)| (edge * 1_000).saturating_add_signed(near))
}

proptest! {
    /// Whatever the boot, wraps of uptime included, and on either side of 2036
    /// and 2038.
    #[test]
    fn times_are_exact_whenever_it_is(
        now_ms in moments(),
        up_ms in 0..400 * DAY_MS,
        (age_ms, length_ms) in (0..DAY_MS / 2, 0..20 * DAY_MS),
        (version, absolute) in prop_oneof![
            Just((Version::V5, false)),
            Just((Version::V9, false)),
            Just((Version::V9, true)),
            Just((Version::Ipfix, false)),
        ],
    ) {
        let mut record = tcp();
        record.end_ms = now_ms - age_ms;
        record.start_ms = record.end_ms - length_ms;
        let settings = ExportSettings {
            boot_ms: now_ms - up_ms,
            absolute,
            ..settings(version)
        };
        let mut sender = Sender::new(settings, now_ms);
        let outcomes = sender.send(&batch(&[(record, None)]));
        let (_, lacks) = outcomes[0].unwrap();
        prop_assert!(!lacks.contains(Lacks::TIME));
        let flows = collect(&sender.messages, now_ms, &[]);
        let found = (flows[0].0.start_ms, flows[0].0.end_ms);
        prop_assert_eq!(found, (record.start_ms, record.end_ms));
        prop_assert_eq!(flows[0].0.time_flags, TimeFlags::EXPORTER);
    }
}

#[test]
fn a_time_that_uptimes_cannot_tell_is_the_nearest_they_can() {
    let mut record = tcp();
    record.start_ms = NOW_MS - (1 << 31);
    let with = |version, absolute| {
        let settings = ExportSettings {
            absolute,
            ..settings(version)
        };
        through(settings, &[(record, None)]).0[0].unwrap().1
    };
    assert_eq!(with(Version::V9, false), Lacks::TIME);
    assert_eq!(with(Version::V9, true), Lacks::empty());
    assert_eq!(with(Version::Ipfix, false), Lacks::empty());
    assert_eq!(with(Version::V5, false), Lacks::TIME | Lacks::ABSENCE);
    record.start_ms += HOUR_MS;
    let (outcomes, _) = through(settings(Version::V9), &[(record, None)]);
    assert_eq!(outcomes, [Ok((1, Lacks::empty()))]);
}

const HOUR_MS: u64 = 3_600_000;

/// Else it would be read as one to come.
#[test]
fn a_time_that_uptimes_cannot_tell_is_past_in_a_header_that_comes_later() {
    let settings = settings(Version::V5);
    let mut encoder = RowEncoder::new(settings);
    encoder.set_now(NOW_MS);
    let mut record = tcp();
    (record.start_ms, record.end_ms) = (1, 2);
    let mut records = Records::default();
    let rows = batch(&[(record, None)]);
    let lacks = encoder.encode(&rows, 0, &mut records).unwrap();
    assert!(lacks.contains(Lacks::TIME));
    let octets = records.iter().next().unwrap();
    let first = u32::from_be_bytes(octets[24..28].try_into().unwrap());
    for (later_ms, is_past) in [(0, true), (HOUR_MS - 1, true), (HOUR_MS, false)] {
        let uptime = (NOW_MS + later_ms - settings.boot_ms) & u64::from(u32::MAX);
        let ago = u32::try_from(uptime).unwrap().wrapping_sub(first);
        assert_eq!(ago < 1 << 31, is_past, "{later_ms} ms later");
    }
}

/// As long as it is not told the time, an encoder measures from the boot.
#[test]
fn the_time_of_export_is_that_of_the_caller() {
    let mut encoder = RowEncoder::new(settings(Version::V9));
    let mut later = tcp();
    later.end_ms = NOW_MS + 10 * DAY_MS;
    later.start_ms = later.end_ms;
    let rows = batch(&[(later, None)]);
    let mut records = Records::default();
    let before = encoder.encode(&rows, 0, &mut records);
    assert_eq!(before, Ok(Lacks::TIME));
    encoder.set_now(NOW_MS + 10 * DAY_MS);
    assert_eq!(encoder.encode(&rows, 0, &mut records), Ok(Lacks::empty()));
}
