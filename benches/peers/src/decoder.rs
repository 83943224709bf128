//! Parsers as libraries: what decoding alone takes them.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use netflow_parser::variable_versions::{ipfix, v9};
use netflow_parser::{NetflowPacket, NetflowParser};
use netgauze_flow_pkt::{ipfix as netgauze_ipfix, netflow as netgauze_v9};
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;

use crate::Outcome;
use crate::load::Load;
use crate::process::{own_cpu, pinned};
use crate::subject::{Bench, Measured, Taker, per_million};

/// A crate by its name.
pub struct Decoder(pub &'static str);

impl Taker for Decoder {
    fn is_there(&self, _bench: &Bench) -> bool {
        true
    }

    /// In a process of its own, so that everybody's memory is fresh.
    fn measure(&self, bench: &Bench, load: &Load) -> Outcome<Measured> {
        let file = bench.clean_dir()?.join("load.pcap");
        let sent = load.write(&bench.flowlogd, &file)?;
        let output = pinned(std::env::current_exe()?)
            .args(["decode", self.0])
            .arg(&file)
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let words = text.trim().split_once(' ');
        let (records, cpu) = words.ok_or_else(|| String::from_utf8_lossy(&output.stderr))?;
        if records.parse() != Ok(sent.records) {
            return Err(format!("{records} of {} records decoded", sent.records).into());
        }
        Ok(Measured {
            cpu: per_million(cpu.parse()?, sent.records as f64),
            receiving: None,
            lanes: None,
            loss: None,
            rows: None,
            bytes: None,
            resident: None,
        })
    }
}

/// Decodes a capture file's datagrams; prints records and CPU seconds.
pub fn decode(name: &str, file: &Path) -> Outcome<()> {
    let capture = fs::read(file)?;
    let datagrams = datagrams(&capture)?;
    let before = own_cpu()?;
    let records = match name {
        "netflow_parser" => with_netflow_parser(&datagrams)?,
        "netgauze" => with_netgauze(&datagrams)?,
        _ => return Err(format!("no such crate: {name}").into()),
    };
    println!("{records} {}", own_cpu()? - before);
    Ok(())
}

fn with_netflow_parser(datagrams: &[&[u8]]) -> Outcome<usize> {
    let mut parser = NetflowParser::default();
    let mut records = 0;
    for datagram in datagrams {
        let parsed = black_box(parser.parse_bytes(datagram));
        if let Some(error) = parsed.error {
            return Err(error.to_string().into());
        }
        for packet in &parsed.packets {
            records += match packet {
                NetflowPacket::V5(message) => message.flowsets.len(),
                NetflowPacket::V9(message) => {
                    let sets = message.flowsets.iter().map(|set| match &set.body {
                        v9::FlowSetBody::Data(data) => data.fields.len(),
                        _ => 0,
                    });
                    sets.sum()
                }
                NetflowPacket::IPFix(message) => {
                    let sets = message.flowsets.iter().map(|set| match &set.body {
                        ipfix::FlowSetBody::Data(data) => data.fields.len(),
                        _ => 0,
                    });
                    sets.sum()
                }
                _ => 0,
            };
        }
    }
    Ok(records)
}

fn with_netgauze(datagrams: &[&[u8]]) -> Outcome<usize> {
    let mut v9_templates = netgauze_v9::TemplatesMap::default();
    let mut ipfix_templates = netgauze_ipfix::TemplatesMap::default();
    let mut records = 0;
    for datagram in datagrams {
        let mut reader = SliceReader::new(datagram);
        if datagram.starts_with(&[0, 9]) {
            let message = netgauze_v9::NetFlowV9Packet::parse(&mut reader, &mut v9_templates);
            let message = black_box(message.map_err(|error| format!("{error:?}"))?);
            records += message.sets().iter().map(v9_records).sum::<usize>();
        } else {
            let message = netgauze_ipfix::IpfixPacket::parse(&mut reader, &mut ipfix_templates);
            let message = black_box(message.map_err(|error| format!("{error:?}"))?);
            records += message.sets().iter().map(ipfix_records).sum::<usize>();
        }
    }
    Ok(records)
}

fn v9_records(set: &netgauze_v9::Set) -> usize {
    match set {
        netgauze_v9::Set::Data { records, .. } => records.len(),
        _ => 0,
    }
}

fn ipfix_records(set: &netgauze_ipfix::Set) -> usize {
    match set {
        netgauze_ipfix::Set::Data { records, .. } => records.len(),
        _ => 0,
    }
}

/// The payloads of a capture that the generator wrote on this machine: Ethernet,
/// IPv4 and UDP.
fn datagrams(capture: &[u8]) -> Outcome<Vec<&[u8]>> {
    const HEADERS: usize = 14 + 20 + 8;
    let (_, mut rest) = capture.split_at_checked(24).ok_or("no capture")?;
    let mut datagrams = Vec::new();
    while let Some((header, packets)) = rest.split_first_chunk::<16>() {
        let length = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        let packet = packets
            .split_at_checked(length as usize)
            .ok_or("a capture cut short")?;
        datagrams.push(packet.0.get(HEADERS..).ok_or("a packet cut short")?);
        rest = packet.1;
    }
    Ok(datagrams)
}
