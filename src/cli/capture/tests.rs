use std::fs;
use std::time::Duration;

use crate::cli::capture::Capture;
use crate::cli::capture::ReadError;

/// Loopback frame: 127.0.0.1:2055 → 127.0.0.1:9995, "hi".
const FRAME: [u8; 34] = [
    2, 0, 0, 0, // AF_INET
    0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, // IPv4
    0x08, 0x07, 0x27, 0x0b, 0, 10, 0, 0, // UDP
    b'h', b'i',
];
/// 2026-11-21T10:00:00Z.
const SECONDS: u32 = 1_795_255_200;

fn capture(octets: &[u8]) -> Result<Capture, ReadError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), octets).unwrap();
    Capture::open(file.path())
}

/// A pcap of link type 0 with the microsecond magic, big-endian.
fn pcap(fraction: u32, magic: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    octets.extend(magic.to_be_bytes());
    octets.extend([0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
    // A snap length shorter than the frame: some writers leave it so.
    octets.extend([0, 0, 0, 16, 0, 0, 0, 0]);
    for number in [SECONDS, fraction, 34, 34] {
        octets.extend(number.to_be_bytes());
    }
    octets.extend(FRAME);
    octets
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap().to_be_bytes();
    [&kind.to_be_bytes()[..], &length, body, &length].concat()
}

/// A pcapng whose interface counts in units of `resolution`.
fn pcapng(resolution: Option<u8>, units: u64) -> Vec<u8> {
    let section = [
        &0x1a2b_3c4d_u32.to_be_bytes()[..],
        &[0, 1, 0, 0],
        &[0xff; 8],
    ]
    .concat();
    let mut interface = vec![0, 0, 0, 0, 0, 0, 0, 0];
    if let Some(resolution) = resolution {
        interface.extend([0, 9, 0, 1, resolution, 0, 0, 0, 0, 0, 0, 0]);
    }
    let mut packet = vec![0, 0, 0, 0];
    packet.extend(units.to_be_bytes());
    packet.extend([0, 0, 0, 34, 0, 0, 0, 34]);
    packet.extend(FRAME);
    packet.extend([0, 0]);
    let blocks = [
        block(0x0a0d_0d0a, &section),
        block(1, &interface),
        block(6, &packet),
    ];
    blocks.concat()
}

fn only_time(octets: &[u8]) -> Duration {
    let mut capture = capture(octets).unwrap();
    let datagram = capture.next().unwrap().unwrap();
    assert_eq!(datagram.frame, 1);
    assert_eq!(datagram.source.to_string(), "127.0.0.1:2055");
    assert_eq!(datagram.destination.port(), 9995);
    assert_eq!(datagram.payload, b"hi");
    assert!(capture.next().unwrap().is_none());
    assert_eq!(capture.position(), capture.length());
    assert_eq!(capture.skipped(), None);
    datagram.time
}

#[test]
fn pcap_is_read_in_micro_and_nanoseconds() {
    let time = Duration::new(SECONDS.into(), 250_000);
    assert_eq!(only_time(&pcap(250, 0xa1b2_c3d4)), time);
    assert_eq!(only_time(&pcap(250_000, 0xa1b2_3c4d)), time);
}

#[test]
fn pcapng_is_read_in_the_units_of_its_interface() {
    let seconds = u64::from(SECONDS);
    let time = Duration::from_secs(seconds) + Duration::from_millis(500);
    assert_eq!(
        only_time(&pcapng(None, seconds * 1_000_000 + 500_000)),
        time
    );
    assert_eq!(
        only_time(&pcapng(Some(9), seconds * 1_000_000_000 + 500_000_000)),
        time
    );
    assert_eq!(only_time(&pcapng(Some(0x81), seconds * 2 + 1)), time);
}

#[test]
fn a_damaged_file_says_where_and_gives_what_came_before() {
    assert!(matches!(
        capture(b"not a capture, but long enough for a header"),
        Err(ReadError::Format { .. })
    ));
    let mut octets = pcap(0, 0xa1b2_c3d4);
    let again = octets[24..].to_vec();
    octets.extend(&again[..20]);
    let mut capture = capture(&octets).unwrap();
    assert!(capture.next().unwrap().is_some());
    let error = capture.next().unwrap_err();
    assert!(
        error.to_string().starts_with("reading the capture"),
        "{error}"
    );
}

#[test]
fn what_is_left_out_is_counted_by_reason() {
    let mut octets = pcap(0, 0xa1b2_c3d4);
    let mut fragment = octets[24..].to_vec();
    fragment[16 + 4 + 6] = 0x20;
    let mut tcp = octets[24..].to_vec();
    tcp[16 + 4 + 9] = 6;
    octets.extend(fragment);
    octets.extend(tcp);
    let mut capture = capture(&octets).unwrap();
    assert!(capture.next().unwrap().is_some());
    assert!(capture.next().unwrap().is_none());
    assert_eq!(capture.skipped().unwrap(), "1 not UDP, 1 IP fragments");
}
