//! Times of every form, around every wrap.

use proptest::prelude::*;

use crate::session::Arrival;
use crate::session::Clock;
use crate::session::ClockLimits;
use crate::session::RawTimes;
use crate::session::TimeFlags;
use crate::session::Times;
use crate::wire::Header;
use crate::wire::Version;

const NOW_MS: u64 = 1_700_000_000_000;
const DAY_MS: u64 = 86_400_000;

fn header(export_ms: u64, sys_uptime: Option<u32>) -> Header {
    Header {
        version: Version::V5,
        count: 1,
        length: 72,
        sys_uptime,
        export_secs: wrap(export_ms / 1000),
        export_nanos: u32::try_from(export_ms % 1000).unwrap() * 1_000_000,
        sequence: 0,
        domain: 0,
        sampling: 0,
    }
}

fn clock(export_ms: u64, arrival_ms: u64, sys_uptime: Option<u32>) -> Clock {
    let mut clock = Clock::new(ClockLimits::default());
    next(&mut clock, export_ms, arrival_ms, sys_uptime);
    clock
}

fn next(clock: &mut Clock, export_ms: u64, arrival_ms: u64, sys_uptime: Option<u32>) {
    let arrival = Arrival {
        monotonic_ms: 5,
        unix_ms: arrival_ms,
    };
    clock.settle();
    clock.begin(&header(export_ms, sys_uptime), arrival);
}

fn wrap(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap()
}

fn uptimes(first: u32, last: u32) -> RawTimes {
    RawTimes {
        start_uptime: Some(first),
        end_uptime: Some(last),
        ..RawTimes::default()
    }
}

fn times(start_ms: u64, end_ms: u64, flags: TimeFlags) -> Times {
    Times {
        start_ms,
        end_ms,
        flags,
    }
}

#[test]
fn uptimes_count_back_from_export_time() {
    let clock = clock(NOW_MS, NOW_MS + 40, Some(100_000));
    let expected = times(NOW_MS - 60_000, NOW_MS - 1_000, TimeFlags::EXPORTER);
    assert_eq!(clock.resolve(&uptimes(40_000, 99_000)), expected);
}

/// P-015: `First` of 0xffffffff with an uptime of 3381.
#[test]
fn a_flow_that_began_before_the_uptime_wrapped_is_placed_by_modular_arithmetic() {
    let clock = clock(NOW_MS, NOW_MS, Some(3381));
    let expected = times(NOW_MS - 3382, NOW_MS - 381, TimeFlags::EXPORTER);
    assert_eq!(clock.resolve(&uptimes(u32::MAX, 3000)), expected);
}

/// P-231, Cisco CSCei12353.
#[test]
fn a_flow_may_end_up_to_100_s_after_its_export() {
    let clock = clock(NOW_MS, NOW_MS, Some(1_000_000));
    let late = clock.resolve(&uptimes(1_000_000, 1_100_000));
    assert_eq!(late, times(NOW_MS, NOW_MS + 100_000, TimeFlags::EXPORTER));
    let too_late = clock.resolve(&uptimes(1_000_000, 1_100_001));
    let flags = TimeFlags::SUSPECT | TimeFlags::FROM_ARRIVAL;
    assert_eq!(too_late, times(NOW_MS - 100_001, NOW_MS, flags));
}

/// P-232: FortiOS 5.2.1 counts flows from another zero than its header.
#[test]
fn uptimes_of_another_base_keep_only_their_distance() {
    let arrival = NOW_MS + 70;
    let clock = clock(NOW_MS, arrival, Some(20_412_178));
    let flags = TimeFlags::SUSPECT | TimeFlags::FROM_ARRIVAL;
    assert_eq!(
        clock.resolve(&uptimes(621_761_700, 621_766_700)),
        times(arrival - 5_000, arrival, flags)
    );
}

#[test]
fn a_start_that_is_too_old_is_suspect_and_its_end_is_kept() {
    let clock = clock(NOW_MS, NOW_MS, Some(200_000_000));
    let flags = TimeFlags::EXPORTER | TimeFlags::SUSPECT;
    let found = clock.resolve(&uptimes(10_000_000, 199_999_000));
    assert_eq!(
        (found.start_ms, found.end_ms),
        (NOW_MS - 1000, NOW_MS - 1000)
    );
    assert!(flags.contains(found.flags) && found.flags.contains(TimeFlags::SUSPECT));
}

/// P-233: nProbe with an export time of 502 seconds.
#[test]
fn an_export_time_a_day_off_gives_way_to_arrival() {
    let clock = clock(502_000, NOW_MS, Some(100_000));
    let flags = TimeFlags::EXPORTER | TimeFlags::FROM_ARRIVAL;
    assert_eq!(
        clock.resolve(&uptimes(90_000, 95_000)),
        times(NOW_MS - 10_000, NOW_MS - 5_000, flags)
    );
    let just_right = self::clock(NOW_MS - DAY_MS, NOW_MS, Some(100_000));
    let found = just_right.resolve(&uptimes(100_000, 100_000));
    assert_eq!(found.end_ms, NOW_MS - DAY_MS);
}

/// P-235.
#[test]
fn absolute_times_win_over_all_others() {
    let clock = clock(NOW_MS, NOW_MS, Some(100_000));
    let all = RawTimes {
        start_ms: Some(NOW_MS - 7_000),
        end_ms: Some(NOW_MS - 6_000),
        start_delta_us: Some(1),
        end_delta_us: Some(1),
        observed_ms: Some(NOW_MS - 1),
        ..uptimes(1, 2)
    };
    let expected = times(NOW_MS - 7_000, NOW_MS - 6_000, TimeFlags::EXPORTER);
    assert_eq!(clock.resolve(&all), expected);
    let deltas = RawTimes {
        start_ms: None,
        end_ms: Some(0),
        start_delta_us: Some(2_500_000),
        end_delta_us: Some(1_999),
        ..all
    };
    let expected = times(NOW_MS - 2_500, NOW_MS - 1, TimeFlags::EXPORTER);
    assert_eq!(clock.resolve(&deltas), expected);
}

/// P-238.
#[test]
fn a_lone_start_ends_after_its_duration_or_at_once() {
    let clock = clock(NOW_MS, NOW_MS, None);
    let start = RawTimes {
        start_ms: Some(NOW_MS - 9_000),
        ..RawTimes::default()
    };
    let found = clock.resolve(&start);
    assert_eq!(
        (found.start_ms, found.end_ms),
        (NOW_MS - 9_000, NOW_MS - 9_000)
    );
    let lasting = RawTimes {
        duration_ms: Some(4_000),
        ..start
    };
    assert_eq!(clock.resolve(&lasting).end_ms, NOW_MS - 5_000);
    // NSEL: 152 is the creation, 323 the event (P-502).
    let event = RawTimes {
        observed_ms: Some(NOW_MS - 2_000),
        ..start
    };
    assert_eq!(clock.resolve(&event).end_ms, NOW_MS - 2_000);
}

/// P-239.
#[test]
fn an_end_before_its_start_is_exchanged_or_distrusted() {
    let clock = clock(NOW_MS, NOW_MS, Some(100_000));
    let swapped = TimeFlags::EXPORTER | TimeFlags::SWAPPED;
    assert_eq!(
        clock.resolve(&uptimes(90_061, 90_000)),
        times(NOW_MS - 10_000, NOW_MS - 9_939, swapped)
    );
    let suspect = TimeFlags::EXPORTER | TimeFlags::SUSPECT;
    assert_eq!(
        clock.resolve(&uptimes(95_001, 90_000)),
        times(NOW_MS - 10_000, NOW_MS - 10_000, suspect)
    );
}

/// P-235: MikroTik puts 160 behind 21 and 22.
#[test]
fn ipfix_uptimes_count_from_the_boot_in_the_record_or_the_options() {
    let mut clock = clock(NOW_MS, NOW_MS, None);
    let boot_ms = NOW_MS - 500_000;
    let record = RawTimes {
        boot_ms: Some(boot_ms),
        ..uptimes(100_000, 400_000)
    };
    let expected = times(boot_ms + 100_000, boot_ms + 400_000, TimeFlags::EXPORTER);
    assert_eq!(clock.resolve(&record), expected);
    clock.set_boot(boot_ms);
    assert_eq!(clock.resolve(&uptimes(100_000, 400_000)), expected);
}

/// P-237: a Juniper MX that says it booted in 2010 and sends in 2018.
#[test]
fn a_boot_that_cannot_be_is_not_used() {
    let mut clock = clock(NOW_MS, NOW_MS, None);
    clock.set_boot(NOW_MS - 3_000 * DAY_MS);
    let found = clock.resolve(&uptimes(100_000, 400_000));
    assert_eq!(found, times(NOW_MS - 300_000, NOW_MS, TimeFlags::NO_BOOT));
}

/// P-236.
#[test]
fn without_a_boot_the_lowest_arrival_less_uptime_estimates_it() {
    let mut clock = clock(NOW_MS, NOW_MS, None);
    // Ends 2 s before arrival; the boot is not known yet.
    let first = clock.resolve(&uptimes(5_000, 8_000));
    assert_eq!(first, times(NOW_MS - 3_000, NOW_MS, TimeFlags::NO_BOOT));
    next(&mut clock, NOW_MS + 10_000, NOW_MS + 10_000, None);
    let flags = TimeFlags::EXPORTER | TimeFlags::ESTIMATED;
    // By now the exporter's uptime is taken for 18 s.
    let second = clock.resolve(&uptimes(10_000, 19_500));
    assert_eq!(second, times(NOW_MS + 2_000, NOW_MS + 11_500, flags));
    // That flow ended 1.5 s "after" arrival: the boot was earlier than thought.
    next(&mut clock, NOW_MS + 20_000, NOW_MS + 20_000, None);
    let third = clock.resolve(&uptimes(29_500, 29_500));
    assert_eq!(third.end_ms, NOW_MS + 20_000);
}

#[test]
fn a_record_without_times_has_its_export_time() {
    let clock = clock(NOW_MS, NOW_MS + 9, None);
    assert_eq!(
        clock.resolve(&RawTimes::default()),
        times(NOW_MS, NOW_MS, TimeFlags::FROM_EXPORT)
    );
}

/// P-121: dateTimeSeconds wrap in 2106, NTP in 2036.
#[test]
fn seconds_and_ntp_resolve_to_the_era_of_arrival() {
    let after_2106 = ((1 << 32) + 500) * 1000;
    let clock = clock(after_2106, after_2106, None);
    assert_eq!(clock.seconds_ms(400), after_2106 - 100_000);
    assert_eq!(clock.seconds_ms(u32::MAX), ((1 << 32) - 1) * 1000);
    let in_2036 = 2_085_978_496_000;
    let clock = self::clock(in_2036, in_2036, None);
    assert_eq!(clock.ntp_ms(0, 1 << 31), in_2036 + 500);
    assert_eq!(clock.ntp_ms(u32::MAX, 0), in_2036 - 1_000);
    let in_2023 = self::clock(NOW_MS, NOW_MS, None);
    assert_eq!(in_2023.ntp_ms(3_908_988_800, 0), NOW_MS);
}

/// P-202: senders cut off what does not fit, and leave anything in the bits
/// that microseconds do not have.
#[test]
fn whole_milliseconds_survive_ntp() {
    let clock = clock(NOW_MS, NOW_MS, None);
    let seconds = 3_908_988_800;
    for ms in 0..1_000_u64 {
        let fraction = u32::try_from((ms << 32) / 1_000).unwrap();
        for undefined in [0, 0x400, 0x7ff] {
            let fraction = fraction & !0x7ff | undefined;
            assert_eq!(clock.ntp_ms(seconds, fraction), NOW_MS + ms);
        }
        assert_eq!(clock.ntp_ms(seconds, fraction), NOW_MS + ms);
    }
    // What is less than a millisecond is not rounded up.
    let almost = u32::try_from((999_u64 << 32) / 1_000_000).unwrap();
    assert_eq!(clock.ntp_ms(seconds, almost), NOW_MS);
}

/// Boots and nows around every boundary that 32 bits have.
fn moment() -> impl Strategy<Value = u64> {
    let boundaries = [
        1_700_000_000_000_u64,
        2_085_978_496_000, // NTP wraps in 2036
        2_147_483_648_000, // signed seconds wrap in 2038
        4_294_967_296_000, // unsigned seconds wrap in 2106
    ];
    (prop::sample::select(boundaries.to_vec()), 0..200_000_u64)
        .prop_map(|(boundary, after)| boundary - 100_000 + after)
}

proptest! {
    /// P-922: what an exporter encodes is what we decode, to the millisecond.
    #[test]
    fn decoded_uptimes_are_the_times_that_were_encoded(
        now in moment(),
        up_ms in 86_400_000..20_000_000_000_u64,
        age in 0..86_400_000_u64,
        lasted in 0..3_600_000_u64,
        transit in 0..5_000_u64,
    ) {
        let boot = now - up_ms;
        let end = now - age.min(up_ms);
        let start = end - lasted.min(86_400_000 - age);
        let clock = clock(now, now + transit, Some(wrap(up_ms)));
        let raw = uptimes(wrap(start.wrapping_sub(boot)), wrap(end - boot));
        prop_assert_eq!(clock.resolve(&raw), times(start, end, TimeFlags::EXPORTER));
    }

    /// The same through 160, for IPFIX.
    #[test]
    fn decoded_uptimes_since_boot_are_the_times_that_were_encoded(
        now in moment(),
        up_ms in 86_400_000..20_000_000_000_u64,
        age in 0..80_000_000_u64,
    ) {
        let boot = now - up_ms;
        let end = now - age;
        let clock = clock(now, now, None);
        let raw = RawTimes {
            boot_ms: Some(boot),
            ..uptimes(wrap(end - boot), wrap(end - boot))
        };
        prop_assert_eq!(clock.resolve(&raw), times(end, end, TimeFlags::EXPORTER));
    }

    /// Whatever is sent, a flow does not end before it starts.
    #[test]
    fn no_times_run_backwards(
        now in moment(),
        export in any::<u32>(),
        uptime in any::<Option<u32>>(),
        (first, last) in any::<(Option<u32>, Option<u32>)>(),
        (start, end) in any::<(Option<u64>, Option<u64>)>(),
        (from, to) in any::<(Option<u32>, Option<u32>)>(),
        (boot, duration, observed) in any::<(Option<u64>, Option<u64>, Option<u64>)>(),
    ) {
        let clock = clock(u64::from(export) * 1000, now, uptime);
        let found = clock.resolve(&RawTimes {
            start_uptime: first,
            end_uptime: last,
            start_ms: start,
            end_ms: end,
            start_delta_us: from,
            end_delta_us: to,
            boot_ms: boot,
            duration_ms: duration,
            observed_ms: observed,
        });
        prop_assert!(found.start_ms <= found.end_ms);
    }
}
