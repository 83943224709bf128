//! Synthetic traffic for real exporters: a capture file with known sums.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use pcap_file::pcap::{PcapPacket, PcapWriter};

/// What a capture contains, as an exporter that tracks every flow must report it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sums {
    /// Unidirectional flows.
    pub(crate) flows: u64,
    /// IP packets.
    pub(crate) packets: u64,
    /// Octets from the IP header on.
    pub(crate) bytes: u64,
}

/// Writes a capture of `flows` flows of IPv4 (and, if wanted, every fourth of
/// IPv6), UDP and TCP without end flags, that starts at `start` seconds since
/// 1970. Packets of different flows interleave.
pub(crate) fn write_capture(path: &Path, flows: u32, with_ipv6: bool, start: u64) -> Sums {
    let file = File::create(path).unwrap();
    let mut writer = PcapWriter::new(file).unwrap();
    let mut sums = Sums {
        flows: u64::from(flows),
        ..Sums::default()
    };
    for round in 0..13 {
        for flow in 0..flows {
            // Flow n has 1 + n % 13 packets of a size of its own.
            if round > flow % 13 {
                continue;
            }
            let payload = 20 + (flow as usize * 7 + round as usize * 3) % 900;
            let datagram = match with_ipv6 && flow % 4 == 3 {
                true => ipv6(flow, payload),
                false => ipv4(flow, payload),
            };
            sums.packets += 1;
            sums.bytes += datagram.len() as u64 - ETHERNET as u64;
            let millis = u64::from(round) * 500 + u64::from(flow % 400);
            let when = Duration::from_millis(start * 1000 + millis);
            let length = u32::try_from(datagram.len()).unwrap();
            writer
                .write_packet(&PcapPacket::new(when, length, &datagram))
                .unwrap();
        }
    }
    sums
}

/// Writes datagrams that came to a port as a capture of them would be.
pub(crate) fn write_datagrams(path: &Path, port: u16, datagrams: &[Vec<u8>]) {
    let mut writer = PcapWriter::new(File::create(path).unwrap()).unwrap();
    for datagram in datagrams {
        let mut body = [port, port, u16::try_from(8 + datagram.len()).unwrap(), 0]
            .map(u16::to_be_bytes)
            .concat();
        body.extend(datagram);
        let frame = ipv4_frame(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST, 17, &body);
        let length = u32::try_from(frame.len()).unwrap();
        let packet = PcapPacket::new(Duration::from_secs(1), length, &frame);
        writer.write_packet(&packet).unwrap();
    }
}

const ETHERNET: usize = 14;

fn ethernet(kind: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend(kind.to_be_bytes());
    frame
}

fn ipv4(flow: u32, payload: usize) -> Vec<u8> {
    let protocol = if flow.is_multiple_of(2) { 17 } else { 6 };
    let body = transport(flow, protocol, payload);
    let source = Ipv4Addr::from(0x0a00_0000 + flow / 3);
    let destination = Ipv4Addr::new(192, 0, 2, (flow % 250) as u8);
    ipv4_frame(source, destination, protocol, &body)
}

fn ipv4_frame(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(0x0800);
    let mut header = [0_u8; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&u16::try_from(20 + body.len()).unwrap().to_be_bytes());
    header[8] = 64;
    header[9] = protocol;
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&destination.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(header);
    frame.extend(body);
    frame
}

fn ipv6(flow: u32, payload: usize) -> Vec<u8> {
    let body = transport(flow, 17, payload);
    let mut frame = ethernet(0x86dd);
    let mut header = [0_u8; 40];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    header[6] = 17;
    header[7] = 64;
    let source = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, (flow % 60_000) as u16);
    header[8..24].copy_from_slice(&source.octets());
    header[24..40].copy_from_slice(&Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 2, 1).octets());
    frame.extend(header);
    frame.extend(body);
    frame
}

/// A UDP datagram, or a TCP segment with ACK alone so that no exporter sees a flow end.
fn transport(flow: u32, protocol: u8, payload: usize) -> Vec<u8> {
    let source = u16::try_from(1024 + flow % 60_000).unwrap();
    let mut body = Vec::new();
    body.extend(source.to_be_bytes());
    body.extend(443_u16.to_be_bytes());
    match protocol {
        17 => {
            body.extend(u16::try_from(8 + payload).unwrap().to_be_bytes());
            body.extend([0, 0]);
        }
        _ => body.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]),
    }
    body.resize(body.len() + payload, 0x5a);
    body
}

fn checksum(header: &[u8]) -> u16 {
    let mut sum: u32 = header
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}
