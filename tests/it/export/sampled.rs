//! Sampled flows: they are sent as they were metered with their rate beside, or
//! scaled up without one, never both, and whoever reads them counts the same.

use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::nfacctd::Nfacctd;
use super::receiver::Receiver;
use super::told::{Sent, sent};
use super::tshark::Seen;
use super::{VERSIONS, settle, to_all};
use crate::exporters::stored_where;
use crate::peers::feed;
use crate::support::{Daemon, flow_log, have};
use crate::traffic::Sums;

/// Of so many packets one is metered.
const RATE: u64 = 100;
/// Flows in, each of 3 packets and 450 octets as metered.
const METERED: Sums = Sums {
    flows: 20,
    packets: 60,
    bytes: 9_000,
};

/// How an exporter says its rate.
const INPUTS: [(&str, Exporter); 3] = [("v5", v5), ("v9", v9), ("v10", ipfix)];

type Exporter = fn(u32) -> Vec<Vec<u8>>;

#[test]
fn sampled_flows_are_raw_with_their_rate_or_normalised_without() {
    let scaled = Sums {
        packets: METERED.packets * RATE,
        bytes: METERED.bytes * RATE,
        ..METERED
    };
    for (input, messages) in INPUTS {
        for (counters, told, rate) in [("raw", METERED, Some(RATE)), ("normalised", scaled, None)] {
            let what = format!("{input} {counters}");
            let outputs = re_export(messages, counters);
            for (version, messages) in VERSIONS.iter().zip(&outputs) {
                let what = format!("{what} to {version}");
                let sent = sent(messages);
                assert_eq!(sums(&sent), told, "{what}");
                second_flowlogd(messages, scaled, told, rate, &what);
                by_tshark(messages, told, rate, &what);
                by_nfacctd(messages, scaled, &what);
            }
        }
    }
}

fn sums(sent: &[Sent]) -> Sums {
    let flows = sent.iter().map(|sent| &sent.flow);
    Sums {
        flows: u64::try_from(sent.len()).unwrap(),
        packets: flows.clone().map(|flow| flow.packets).sum(),
        bytes: flows.map(|flow| flow.octets).sum(),
    }
}

/// Sends sampled flows to a flowlogd; what it sends in each version.
fn re_export(messages: fn(u32) -> Vec<Vec<u8>>, counters: &str) -> [Vec<Vec<u8>>; 3] {
    let receivers = [0, 0, 0].map(Receiver::start);
    let ports = [receivers[0].port, receivers[1].port, receivers[2].port];
    let sampling = format!("sampling = \"{counters}\"\nversion = ");
    let daemon = Daemon::start(&to_all(ports).replace("version = ", &sampling));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    feed(
        daemon.port,
        &messages(u32::try_from(now.as_secs()).unwrap()),
    );
    settle(&daemon, METERED.flows * 3);
    assert_eq!(stored_where(&daemon, "TRUE"), METERED);
    let all = VERSIONS.iter().zip(&receivers);
    let all: Vec<_> = all
        .map(|(version, receiver)| receiver.all_of(&daemon, version))
        .collect();
    all.try_into().unwrap()
}

/// Stores what was told; scaled with the rate that it read, it is the same.
fn second_flowlogd(messages: &[Vec<u8>], scaled: Sums, told: Sums, rate: Option<u64>, what: &str) {
    let daemon = Daemon::start(&flow_log("cache = \"off\"\n"));
    feed(daemon.port, messages);
    daemon.wait_until("all flows stored", |daemon| {
        stored_where(daemon, "TRUE").flows == METERED.flows
    });
    assert_eq!(stored_where(&daemon, "TRUE"), told, "{what}");
    let rows = daemon.query(
        "SELECT min(rate), max(rate), sum(packets * rate), sum(bytes * rate) FROM \
         (SELECT packets, bytes, COALESCE(sampling, 1) AS rate FROM flows) AS f",
    );
    let numbers: Vec<_> = rows[0]
        .iter()
        .map(|value| value.as_f64().unwrap())
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let wanted = [
        rate.unwrap_or(1),
        rate.unwrap_or(1),
        scaled.packets,
        scaled.bytes,
    ]
    .map(|number| number as f64);
    assert_eq!(numbers, wanted, "{what}");
}

/// It shows rates, and applies none.
fn by_tshark(messages: &[Vec<u8>], told: Sums, rate: Option<u64>, what: &str) {
    if !have(&["tshark"]) {
        return;
    }
    let seen = Seen::of(messages);
    assert_eq!((seen.malformed, seen.unknown), (0, 0), "{what}");
    assert_eq!(seen.sums, told, "{what}");
    // v5 has a rate of 0 in the header of what is not sampled.
    let rates: Vec<_> = seen
        .rates
        .iter()
        .copied()
        .filter(|rate| *rate > 0)
        .collect();
    assert_eq!(!rates.is_empty(), rate.is_some(), "{what}: {rates:?}");
    assert!(
        rates.iter().all(|it| Some(*it) == rate),
        "{what}: {rates:?}"
    );
}

/// It scales up by the rates it reads.
fn by_nfacctd(messages: &[Vec<u8>], scaled: Sums, what: &str) {
    if !have(&["nfacctd"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let peer = Nfacctd::start(dir.path(), "nfacctd_renormalize: true\n");
    let counted = peer.count(messages);
    let sum = |which: usize| counted.values().map(|counters| counters[which]).sum();
    let theirs = Sums {
        flows: sum(0),
        packets: sum(1),
        bytes: sum(2),
    };
    assert_eq!(theirs, scaled, "{what}");
}

/// An exporter's flows in v5, whose header has the rate.
fn v5(now_s: u32) -> Vec<Vec<u8>> {
    let mut message = words(&[5, 20]);
    message.extend([UPTIME_MS, now_s, 0, 0].map(u32::to_be_bytes).concat());
    // Engine 0 of type 0, one in 100 packets.
    message.extend([0, 0, 0x40, 100]);
    for flow in 0..20 {
        message.extend(addresses(flow));
        message.extend([0; 8]);
        message.extend([3_u32, 450].map(u32::to_be_bytes).concat());
        message.extend(times(flow));
        message.extend([4, 0, 1, 187, 0, 0x10, 6, 0, 0, 0, 0, 0, 24, 24, 0, 0]);
    }
    vec![message]
}

/// The same in v9: options of the system say the rate of sampler 1, which flows
/// name.
fn v9(now_s: u32) -> Vec<Vec<u8>> {
    let options = [
        257_u16, 4, 12, // Octets of scopes and of options.
        1, 4, 48, 1, 49, 1, 50, 4,
    ];
    let rate = [&[0; 4][..], &[1, 2], &100_u32.to_be_bytes()].concat();
    let fields = [8, 4, 12, 4, 22, 4, 21, 4, 2, 4, 1, 4, 48, 1];
    let flow = |flow| {
        let counters = [3_u32, 450].map(u32::to_be_bytes).concat();
        [addresses(flow), times(flow), counters, vec![1]].concat()
    };
    let header = |records: u16, sequence| {
        let mut header = words(&[9, records]);
        header.extend(
            [UPTIME_MS, now_s, sequence, 0]
                .map(u32::to_be_bytes)
                .concat(),
        );
        header
    };
    let told = [set(1, words(&options)), set(257, rate)].concat();
    let flows = [
        set(0, [words(&[256, 7]), words(&fields)].concat()),
        set(256, (0..20).flat_map(flow).collect()),
    ]
    .concat();
    vec![
        [header(2, 0), told].concat(),
        [header(21, 1), flows].concat(),
    ]
}

/// The same in IPFIX: a selector picks one packet and passes over 99.
fn ipfix(now_s: u32) -> Vec<Vec<u8>> {
    let options = [257_u16, 4, 1, 302, 4, 304, 2, 305, 4, 306, 4];
    let rate = [
        words(&[0, 1, 1]),
        [1_u32, 99].map(u32::to_be_bytes).concat(),
    ]
    .concat();
    let fields = [8, 4, 12, 4, 152, 8, 153, 8, 2, 4, 1, 4, 302, 4];
    let flow = |flow| {
        let end_ms = u64::from(now_s) * 1000 - u64::from(flow);
        let times = [end_ms - 500, end_ms].map(u64::to_be_bytes).concat();
        let numbers = [3_u32, 450, 1].map(u32::to_be_bytes).concat();
        [addresses(flow), times, numbers].concat()
    };
    let message = |sequence, sets: Vec<u8>| {
        let length = u16::try_from(16 + sets.len()).unwrap();
        let mut message = words(&[10, length]);
        message.extend([now_s, sequence, 0].map(u32::to_be_bytes).concat());
        message.extend(sets);
        message
    };
    let told = [set(3, words(&options)), set(257, rate)].concat();
    let flows = [
        set(2, [words(&[256, 7]), words(&fields)].concat()),
        set(256, (0..20).flat_map(flow).collect()),
    ]
    .concat();
    vec![message(0, told), message(1, flows)]
}

/// Uptime of the exporter when it sends.
const UPTIME_MS: u32 = 100_000;

fn addresses(flow: u32) -> Vec<u8> {
    [0x0a00_0000 + flow, 0xc000_0202]
        .map(u32::to_be_bytes)
        .concat()
}

fn times(flow: u32) -> Vec<u8> {
    let end = UPTIME_MS - flow;
    [end - 500, end].map(u32::to_be_bytes).concat()
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().copied().flat_map(u16::to_be_bytes).collect()
}

/// A Set, padded to a multiple of 4 octets.
fn set(id: u16, mut body: Vec<u8>) -> Vec<u8> {
    body.resize(body.len().next_multiple_of(4), 0);
    let length = u16::try_from(4 + body.len()).unwrap();
    [words(&[id, length]), body].concat()
}
