//! `flowlogd decode` against the vendor corpus: every datagram, record and
//! field of 111 captures, by value.
//!
//! Runs when `FLOWLOGD_CORPUS` names the corpus directory.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

/// Where we differ from the ground truth, and why.
struct Exception {
    file: &'static str,
    /// Frame, or 0 for what concerns the file.
    frame: u64,
    /// What differs: the first words of the complaints.
    fields: &'static [&'static str],
    /// Why, with the rule.
    reason: &'static str,
}

/// RFC 7011 §9.1: a malformed Message is discarded whole, Templates included;
/// the ground truth keeps what stands before the fault.
const DISCARDED: &str = "P-111, RFC 7011 §9.1: a malformed IPFIX Message is discarded whole";

const EXCEPTIONS: &[Exception] = &[
    Exception {
        file: "generic-malformed-ipfix-02",
        frame: 1,
        fields: &["templates"],
        reason: DISCARDED, // Length 1384 of 1316 octets
    },
    Exception {
        file: "generic-malformed-v5-02",
        frame: 1,
        fields: &["records"],
        reason: "P-012: a v5 Count above 30 (163 here) is refused, though 30 records are there",
    },
    Exception {
        file: "generic-malformed-v5-02",
        frame: 0,
        fields: &["orphans"],
        reason: "as above",
    },
    Exception {
        file: "procera-packetlogic-ipfix-03",
        frame: 2,
        fields: &["records"],
        reason: DISCARDED, // the last record needs 352 octets, 305 are left
    },
    Exception {
        file: "procera-packetlogic-ipfix-03",
        frame: 0,
        fields: &["orphans"],
        reason: "as above",
    },
    Exception {
        file: "unknown-issue14370-ipfix-01",
        frame: 1,
        fields: &["templates", "records"],
        reason: DISCARDED, // Length is 2 short, so the last Set passes it
    },
    Exception {
        file: "unknown-issue14370-ipfix-01",
        frame: 0,
        fields: &["orphans"],
        reason: "as above",
    },
    Exception {
        file: "unknown-mm-v9-04",
        frame: 1,
        fields: &["templates"],
        reason: "P-031, RFC 3954 §6.1: scope and option lengths that are no multiples of 4 are refused",
    },
    Exception {
        file: "unknown-mm-v9-04",
        frame: 2,
        fields: &["records"],
        reason: "its Template was refused in frame 1",
    },
    Exception {
        file: "unknown-mm-v9-04",
        frame: 0,
        fields: &["orphans"],
        reason: "as above",
    },
    Exception {
        file: "vermont-malformed-ipfix-01",
        frame: 1,
        fields: &["templates"],
        reason: DISCARDED, // Length 118 of 116 octets
    },
    Exception {
        file: "vermont-malformed-ipfix-03",
        frame: 1,
        fields: &["templates"],
        reason: DISCARDED, // the second Set passes the Message
    },
    Exception {
        file: "vermont-malformed-ipfix-05",
        frame: 1,
        fields: &["templates", "records"],
        reason: DISCARDED, // the second record passes its Set
    },
    Exception {
        file: "vermont-malformed-ipfix-05",
        frame: 0,
        fields: &["orphans"],
        reason: "as above",
    },
];

#[test]
fn every_capture_of_the_corpus_decodes_to_its_ground_truth() {
    let Some(corpus) = env::var_os("FLOWLOGD_CORPUS").map(PathBuf::from) else {
        say("skipped: FLOWLOGD_CORPUS is not set");
        return;
    };
    let mut captures: Vec<PathBuf> = fs::read_dir(&corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "pcap")
        })
        .collect();
    captures.sort();
    assert!(!captures.is_empty(), "{}: no captures", corpus.display());
    let mut complaints = Vec::new();
    let mut used = vec![0; EXCEPTIONS.len()];
    for capture in &captures {
        let mut file = Comparison::new(capture);
        file.compare();
        file.compare_orphans();
        let (excused, rest) = file.excuse(&mut used);
        say(&format!(
            "{}: {} datagrams, {} records, {} fields, {excused} excepted, {} wrong",
            file.name,
            file.datagrams,
            file.records,
            file.fields,
            rest.len()
        ));
        complaints.extend(rest);
    }
    for (exception, used) in EXCEPTIONS.iter().zip(used) {
        if used == 0 {
            complaints.push(format!(
                "{}: exception is not needed: {}",
                exception.file, exception.reason
            ));
        }
    }
    assert!(
        complaints.is_empty(),
        "{} differences:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

/// One capture, decoded and expected.
struct Comparison {
    name: String,
    path: PathBuf,
    expected: Vec<Value>,
    datagrams: usize,
    records: usize,
    fields: usize,
    /// Frame and what is wrong with it.
    complaints: Vec<(u64, String)>,
}

impl Comparison {
    fn new(path: &Path) -> Self {
        let text = fs::read_to_string(path.with_extension("expected.json")).unwrap();
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            path: path.to_owned(),
            expected: serde_json::from_str(&text).unwrap(),
            datagrams: 0,
            records: 0,
            fields: 0,
            complaints: Vec::new(),
        }
    }

    fn compare(&mut self) {
        let mut lines: BTreeMap<u64, Value> = BTreeMap::new();
        for line in self.decode(&[]) {
            lines.insert(line["frame"].as_u64().unwrap(), line);
        }
        for expected in std::mem::take(&mut self.expected) {
            self.datagrams += 1;
            let frame = expected["frame"].as_u64().unwrap();
            match lines.remove(&frame) {
                Some(line) => self.datagram(frame, &expected, &line),
                None => self.complain(frame, "datagram: missing".to_owned()),
            }
            self.expected.push(expected);
        }
        for frame in lines.into_keys() {
            self.complain(frame, "datagram: unexpected".to_owned());
        }
    }

    fn datagram(&mut self, frame: u64, expected: &Value, line: &Value) {
        let keys = [
            "version",
            "exporter",
            "export_time",
            "sequence",
            "domain",
            "sys_uptime",
            "count",
        ];
        let engine = ["engine_type", "engine_id", "sampling"];
        for key in keys.into_iter().chain(engine) {
            if let Some(wanted) = expected.get(key).filter(|wanted| !wanted.is_null())
                && wanted != &line[key]
            {
                self.complain(
                    frame,
                    format!("{key}: {wanted} expected, {} decoded", line[key]),
                );
            }
        }
        let templates = |value: &Value| -> Vec<Value> {
            let all = value["templates"].as_array().unwrap().iter();
            all.filter(|template| !template["kind"].as_str().unwrap().starts_with("withdraw"))
                .cloned()
                .collect()
        };
        let (wanted, found) = (templates(expected), templates(line));
        if wanted != found {
            self.complain(
                frame,
                format!("templates: {wanted:?} expected, {found:?} decoded"),
            );
        }
        let (wanted, found) = (records(expected), records(line));
        if wanted.len() != found.len() {
            let errors = &line["errors"];
            let message = format!(
                "records: {} expected, {} decoded; {errors}",
                wanted.len(),
                found.len()
            );
            self.complain(frame, message);
        }
        for (at, (wanted, found)) in wanted.iter().zip(found).enumerate() {
            self.record(frame, at, wanted, found);
        }
    }

    fn record(&mut self, frame: u64, at: usize, wanted: &Value, found: &Value) {
        self.records += 1;
        for key in ["template", "kind"] {
            if wanted[key] != found[key] {
                self.complain(
                    frame,
                    format!(
                        "{key}: record {at}: {} expected, {} decoded",
                        wanted[key], found[key]
                    ),
                );
            }
        }
        let (wanted, found) = (fields(wanted), fields(found));
        for (name, value) in wanted {
            self.fields += 1;
            let decoded = found.get(name).unwrap_or(&Value::Null);
            if !same(value, decoded) || !found.contains_key(name) {
                self.complain(
                    frame,
                    format!("{name}: record {at}: {value} expected, {decoded} decoded"),
                );
            }
        }
        for (name, value) in found.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
            self.complain(
                frame,
                format!("{name}: record {at}: {value} decoded, nothing expected"),
            );
        }
    }

    /// With early data kept, as many records come out as the ground truth found.
    fn compare_orphans(&mut self) {
        let wanted: u64 = self
            .expected
            .iter()
            .map(|datagram| {
                datagram["records_if_templates_known_later"]
                    .as_u64()
                    .unwrap()
            })
            .sum();
        let decoded = self.decode(&["--keep-orphans"]);
        let found: usize = decoded.iter().map(|line| records(line).len()).sum();
        if u64::try_from(found) != Ok(wanted) {
            self.complain(
                0,
                format!("orphans: {wanted} records expected, {found} decoded"),
            );
        }
    }

    /// Lines of `flowlogd decode`.
    fn decode(&mut self, options: &[&str]) -> Vec<Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowlogd"));
        let output = command
            .arg("decode")
            .args(options)
            .arg(&self.path)
            .output()
            .unwrap();
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            self.complain(0, format!("exit: {}: {error}", output.status));
        }
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn complain(&mut self, frame: u64, what: String) {
        self.complaints.push((frame, what));
    }

    /// Splits the complaints into the number of excepted ones and the rest.
    fn excuse(&self, used: &mut [usize]) -> (usize, Vec<String>) {
        let mut rest = Vec::new();
        for (frame, what) in &self.complaints {
            let excuse = EXCEPTIONS.iter().position(|exception| {
                exception.file == self.name
                    && exception.frame == *frame
                    && exception.fields.iter().any(|field| what.starts_with(field))
            });
            match excuse {
                Some(at) => used[at] += 1,
                None => rest.push(format!("{} frame {frame}: {what}", self.name)),
            }
        }
        (self.complaints.len() - rest.len(), rest)
    }
}

fn records(datagram: &Value) -> &[Value] {
    datagram["records"].as_array().unwrap()
}

fn fields(record: &Value) -> &Map<String, Value> {
    record["fields"].as_object().unwrap()
}

/// Equal, or the same IPv6 address written in another of its ways.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::String(wanted), Value::String(found)) => {
            let address = |text: &str| text.parse::<Ipv6Addr>().ok();
            wanted == found || address(wanted).is_some_and(|wanted| address(found) == Some(wanted))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len()
                && wanted
                    .iter()
                    .zip(found)
                    .all(|(wanted, found)| same(wanted, found))
        }
        _ => wanted == found,
    }
}

/// Prints past the test harness's capture.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "corpus: {line}").unwrap();
}
