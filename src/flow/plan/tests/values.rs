//! What a flow says beside its key and its counters.

use super::*;

#[test]
fn tcp_flags_of_one_or_two_octets_lose_the_data_offset() {
    assert_eq!(flow(&[(ie(6), &[0x1b])]).tcp_flags, 0x1b);
    assert_eq!(flow(&[(ie(6), &[0x51, 0x1b])]).tcp_flags, 0x11b);
}

/// P-312: YAF has flags of the first packet and of the others.
#[test]
fn yaf_flags_are_united() {
    let cert = |id| ElementId { pen: 6871, id };
    let record = flow(&[(cert(14), &[0x02]), (cert(15), &[0x18])]);
    assert_eq!(record.tcp_flags, 0x1a);
}

#[test]
fn the_bgp_next_hop_stands_in_for_the_next_hop() {
    let hop = |fields: &[Octets<'_>]| flow(fields).next_hop.to_be_bytes();
    assert_eq!(hop(&[(ie(15), &[10, 0, 0, 9])]), [10, 0, 0, 9]);
    let zero = (ie(15), &[0; 4][..]);
    assert_eq!(hop(&[zero, (ie(18), &[10, 0, 0, 8])]), [10, 0, 0, 8]);
}

#[test]
fn numbers_of_as_and_masks_have_any_width() {
    let record = flow(&[
        (ie(16), &[0xfc, 0x00]),
        (ie(17), &[0, 1, 0, 0]),
        (ie(9), &[24]),
        (ie(30), &[48]),
    ]);
    assert_eq!((record.src_as, record.dst_as), (64_512, 65_536));
    assert_eq!((record.src_mask, record.dst_mask), (24, 48));
}

/// P-048, P-608.
#[test]
fn no_flows_are_one_flow() {
    assert_eq!(flow(&[]).flows, 1);
    assert_eq!(flow(&[(ie(3), &[0, 0, 0, 0])]).flows, 1);
    assert_eq!(flow(&[(ie(3), &[0, 0, 0, 5])]).flows, 5);
}

#[test]
fn the_end_reason_is_as_received() {
    assert_eq!(flow(&[(ie(136), &[3])]).end_reason, EndReason::End);
    assert_eq!(flow(&[(ie(136), &[77])]).end_reason, EndReason::Unknown);
}

fn times(fields: &[Octets<'_>]) -> (u64, u64) {
    let record = flow(fields);
    (record.start_ms, record.end_ms)
}

#[test]
fn uptimes_count_back_from_the_export_time() {
    let start = (UPTIME - 9_000).to_be_bytes();
    let end = (UPTIME - 1_000).to_be_bytes();
    let expected = (EXPORT_MS - 9_000, EXPORT_MS - 1_000);
    assert_eq!(times(&[(ie(22), &start), (ie(21), &end)]), expected);
}

/// P-041: NX-OS sends uptimes of eight octets.
#[test]
fn uptimes_may_have_eight_octets() {
    let start = u64::from(UPTIME - 9_000).to_be_bytes();
    let end = u64::from(UPTIME - 1_000).to_be_bytes();
    let expected = (EXPORT_MS - 9_000, EXPORT_MS - 1_000);
    assert_eq!(times(&[(ie(22), &start), (ie(21), &end)]), expected);
    // Two octets cannot be an uptime.
    assert_eq!(times(&[(ie(21), &[0, 1])]), (EXPORT_MS, EXPORT_MS));
}

const START: u64 = EXPORT_MS - 8_500;
const END: u64 = EXPORT_MS - 500;

fn ntp(ms: u64) -> [u8; 8] {
    let seconds = ms / 1_000 + 2_208_988_800;
    let fraction = ((ms % 1_000) << 32).div_ceil(1_000);
    ((seconds << 32) | fraction).to_be_bytes()
}

/// P-235: each unit, and the finer before the coarser.
#[test]
fn absolute_times_are_read_in_every_unit() {
    let secs = |ms: u64| u32::try_from(ms / 1_000).unwrap().to_be_bytes();
    let (seconds, seconds_end) = (secs(EXPORT_MS - 9_000), secs(EXPORT_MS - 1_000));
    let coarse = [(ie(150), &seconds[..]), (ie(151), &seconds_end[..])];
    assert_eq!(times(&coarse), (EXPORT_MS - 9_000, EXPORT_MS - 1_000));
    let (start, end) = (START.to_be_bytes(), END.to_be_bytes());
    let ms = [(ie(152), &start[..]), (ie(153), &end[..])];
    assert_eq!(times(&[coarse, ms].concat()), (START, END));
    let (start, end) = (ntp(START + 1), ntp(END + 1));
    let us = [(ie(154), &start[..]), (ie(155), &end[..])];
    assert_eq!(times(&[ms, us].concat()), (START + 1, END + 1));
    let ns = [(ie(157), &end[..]), (ie(156), &start[..])];
    assert_eq!(times(&[ms, ns].concat()), (START + 1, END + 1));
}

#[test]
fn start_and_end_are_of_one_unit_where_they_can() {
    let (start, end) = (START.to_be_bytes(), END.to_be_bytes());
    let alone = ntp(START - 77);
    let fields = [(ie(154), &alone[..]), (ie(152), &start), (ie(153), &end)];
    assert_eq!(times(&fields), (START, END));
    let mixed = [(ie(154), &alone[..]), (ie(153), &end)];
    assert_eq!(times(&mixed), (START - 77, END));
}

#[test]
fn microseconds_count_back_from_the_export_time() {
    let (start, end) = (9_000_000_u32.to_be_bytes(), 1_000_000_u32.to_be_bytes());
    let fields = [(ie(158), &start[..]), (ie(159), &end[..])];
    assert_eq!(times(&fields), (EXPORT_MS - 9_000, EXPORT_MS - 1_000));
}

#[test]
fn a_duration_gives_the_missing_end() {
    let start = START.to_be_bytes();
    let ms = [(ie(152), &start[..]), (ie(161), &[0, 0, 0x0f, 0xa0])];
    assert_eq!(times(&ms), (START, START + 4_000));
    let us = [(ie(152), &start[..]), (ie(162), &[0, 0x3d, 0x09, 0])];
    assert_eq!(times(&us), (START, START + 4_000));
}

#[test]
fn the_time_of_observation_is_start_and_end() {
    let event = START.to_be_bytes();
    assert_eq!(times(&[(ie(323), &event)]), (START, START));
}

#[test]
fn without_times_the_export_time_is_both() {
    let record = flow(&[]);
    assert_eq!((record.start_ms, record.end_ms), (EXPORT_MS, EXPORT_MS));
    assert_eq!(record.time_flags, TimeFlags::FROM_EXPORT);
}
