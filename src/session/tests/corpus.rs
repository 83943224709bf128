//! Captures of real exporters, if `FLOWLOGD_CORPUS` says where they are.

use std::fs;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::session::Arrival;
use crate::session::Limits;
use crate::session::Outcome;
use crate::session::Peer;
use crate::session::ScopeMode;
use crate::session::Sessions;
use crate::session::SetOutcome;
use crate::session::testing::Recorder;
use crate::session::testing::Stamp;

/// One captured datagram.
struct Captured {
    peer: Peer,
    payload: Vec<u8>,
}

#[test]
fn every_capture_has_the_sets_and_records_the_corpus_says() {
    let Some(corpus) = corpus() else { return };
    let mut complaints = Vec::new();
    let mut datagrams = 0;
    for capture in captures(&corpus) {
        let expected = expected(&capture);
        if is_disputed(&capture) {
            continue;
        }
        let mut limits = Limits::offline();
        limits.session_orphan_bytes_max = 0;
        let mut sessions = sessions(limits);
        for (captured, expected) in datagrams_of(&capture).iter().zip(&expected) {
            datagrams += 1;
            let mut recorder = Recorder::default();
            let outcome = decode(&mut sessions, captured, expected, &mut recorder);
            let found = found_sets(&recorder);
            let wanted = wanted_sets(expected);
            let is_refused = matches!(outcome, Outcome::Refused(_));
            let is_faulty = !expected["errors"].as_array().unwrap().is_empty();
            if found != wanted && !(is_refused && is_faulty) {
                complaints.push(format!(
                    "{} frame {}: {outcome:?} {found:?}, not {wanted:?} {:?}",
                    capture.display(),
                    expected["frame"],
                    recorder.faults
                ));
            }
        }
    }
    assert!(datagrams > 2_000, "only {datagrams} datagrams");
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn data_before_its_template_is_found_in_every_capture() {
    let Some(corpus) = corpus() else { return };
    let mut complaints = Vec::new();
    for capture in captures(&corpus) {
        let expected = expected(&capture);
        let mut sessions = sessions(Limits::offline());
        let mut recorder = Recorder::default();
        let mut wanted = 0;
        for (captured, expected) in datagrams_of(&capture).iter().zip(&expected) {
            let outcome = decode(&mut sessions, captured, expected, &mut recorder);
            let is_faulty = !expected["errors"].as_array().unwrap().is_empty();
            // The corpus keeps what can be read of a malformed Message; RFC 7011
            // §9.1 and P-012 have it discarded.
            if outcome == Outcome::Decoded || !is_faulty {
                wanted += expected["records_if_templates_known_later"]
                    .as_u64()
                    .unwrap();
            }
        }
        let found: u64 = recorder
            .seen
            .iter()
            .map(|seen| u64::from(seen.records))
            .sum();
        if found != wanted && !is_disputed(&capture) {
            complaints.push(format!("{}: {found}, not {wanted}", capture.display()));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("FLOWLOGD_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        skipped("FLOWLOGD_CORPUS is not set");
    }
    corpus
}

fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

fn captures(corpus: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(corpus)
        .unwrap()
        .map(|file| file.unwrap().path());
    let is_capture = |path: &PathBuf| path.extension().is_some_and(|end| end == "pcap");
    let mut captures: Vec<PathBuf> = files.filter(is_capture).collect();
    captures.sort();
    captures
}

fn expected(capture: &Path) -> Vec<Value> {
    let text = fs::read(capture.with_extension("expected.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn sessions(limits: Limits) -> Sessions<Stamp> {
    Sessions::new(limits, ScopeMode::Strict, 0)
}

fn decode(
    sessions: &mut Sessions<Stamp>,
    captured: &Captured,
    expected: &Value,
    recorder: &mut Recorder,
) -> Outcome {
    let export_secs = expected["export_time"].as_u64().unwrap_or(0);
    let arrival = Arrival {
        monotonic_ms: 0,
        unix_ms: export_secs * 1000,
    };
    sessions.datagram(&captured.payload, captured.peer, arrival, recorder)
}

fn found_sets(recorder: &Recorder) -> Vec<(u16, &'static str, u64)> {
    let of_v5 = recorder.seen.iter().filter(|seen| seen.template == 0);
    let v5 = of_v5.map(|seen| (5, "ok", seen.records.into()));
    let sets = recorder.sets.iter().map(|&(id, outcome)| match outcome {
        SetOutcome::Ok(count) => (id, "ok", count.into()),
        SetOutcome::NoTemplate => (id, "no-template", 0),
        SetOutcome::EmptyTemplate => (id, "zero-length template", 0),
        SetOutcome::Reserved => (id, "reserved", 0),
        SetOutcome::Malformed(count, _) => (id, "malformed", count.into()),
    });
    v5.chain(sets).collect()
}

fn wanted_sets(expected: &Value) -> Vec<(u16, &'static str, u64)> {
    let words = [
        "ok",
        "no-template",
        "zero-length template",
        "reserved",
        "malformed",
    ];
    let sets = expected["sets"].as_array().unwrap().iter();
    // What a length beyond the Message announces is no Set to us.
    let is_there = |set: &&Value| {
        !set["status"]
            .as_str()
            .unwrap()
            .starts_with("malformed: set length")
    };
    sets.filter(is_there)
        .map(|set| {
            let status = set["status"].as_str().unwrap();
            let word = words
                .iter()
                .find(|word| status.starts_with(**word))
                .unwrap();
            let id = u16::try_from(set["id"].as_u64().unwrap_or(5)).unwrap();
            (id, *word, set["records"].as_u64().unwrap_or(0))
        })
        .collect()
}

/// The reference reads a v9 options Template whose lengths are 33 and 1; P-031
/// refuses lengths that are no multiples of 4.
fn is_disputed(capture: &Path) -> bool {
    capture.ends_with("unknown-mm-v9-04.pcap")
}

/// Reads a classic pcap of Ethernet, IP and UDP.
fn datagrams_of(capture: &Path) -> Vec<Captured> {
    let file = fs::read(capture).unwrap();
    let mut rest = &file[24..];
    let mut datagrams = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk::<16>() {
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let (frame, after) = after.split_at(usize::try_from(length).unwrap());
        datagrams.push(captured(&frame[14..]));
        rest = after;
    }
    datagrams
}

fn captured(ip: &[u8]) -> Captured {
    let (exporter, udp) = if ip[0] >> 4 == 4 {
        let address: [u8; 4] = *ip[12..].first_chunk().unwrap();
        let header = usize::from(ip[0] & 15) * 4;
        (IpAddr::V4(Ipv4Addr::from(address)), &ip[header..])
    } else {
        let address: [u8; 16] = *ip[8..].first_chunk().unwrap();
        (IpAddr::V6(Ipv6Addr::from(address)), &ip[40..])
    };
    let length = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
    Captured {
        peer: Peer {
            exporter,
            port: u16::from_be_bytes([udp[0], udp[1]]),
            local_port: u16::from_be_bytes([udp[2], udp[3]]),
        },
        payload: udp[8..length].to_vec(),
    }
}
