//! What is sent: flowlogd's own generator, the same seed each time.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::process::{Group, SENDER_CORE};

/// Versions by the generator's words.
pub const VERSIONS: [&str; 3] = ["v5", "v9", "ipfix"];

/// What everybody is sent in a turn.
pub struct Load {
    pub version: &'static str,
    pub records: u64,
    /// Records a second; none is as fast as they can be sent.
    pub rate: Option<u64>,
    pub flows: u64,
    /// The flows are known already: nothing of their first records is measured.
    pub is_known: bool,
}

/// What was sent.
pub struct Sent {
    pub records: u64,
    pub packets: u64,
    /// Packets that made the flows known.
    packets_before: u64,
}

impl Sent {
    /// Share of the packets that is missing from what was stored.
    pub fn loss(&self, stored_packets: u64) -> f64 {
        let of_load = stored_packets.saturating_sub(self.packets_before);
        1.0 - of_load as f64 / self.packets as f64
    }

    /// Records that were not lost, by what the packets say.
    pub fn taken(&self, stored_packets: u64) -> f64 {
        self.records as f64 * (1.0 - self.loss(stored_packets))
    }
}

impl Load {
    /// Has a collector receive it, whose account begins with it if the flows
    /// are to be known before.
    pub fn feed(&self, flowlogd: &Path, group: &mut Group, port: u16) -> Outcome<Sent> {
        let mut packets_before = 0;
        if let Some(before) = self.before() {
            packets_before = before.send(flowlogd, port)?.packets;
            group.settle(port)?;
            group.ready();
        }
        let sent = self.send(flowlogd, port)?;
        group.settle(port)?;
        Ok(Sent {
            packets_before,
            ..sent
        })
    }

    /// What makes the flows known, before what is measured.
    fn before(&self) -> Option<Self> {
        self.is_known.then(|| Self {
            records: self.flows * RECORDS_TO_KNOW,
            rate: Some(LOSSLESS_RATE),
            is_known: false,
            ..*self
        })
    }

    /// Sends it to a port of this host.
    fn send(&self, flowlogd: &Path, port: u16) -> Outcome<Sent> {
        let to = format!("127.0.0.1:{port}");
        let rate = self.rate.map(|rate| rate.to_string());
        let rate = rate.iter().flat_map(|rate| ["--rate", rate]);
        let more: Vec<&str> = ["--to", &to].into_iter().chain(rate).collect();
        self.generate(flowlogd, &more)
    }

    /// Writes it into a capture file.
    pub fn write(&self, flowlogd: &Path, file: &Path) -> Outcome<Sent> {
        let file = file.to_str().ok_or("a path of no text")?;
        self.generate(flowlogd, &["--pcap", file])
    }

    fn generate(&self, flowlogd: &Path, more: &[&str]) -> Outcome<Sent> {
        let output = Command::new("taskset")
            .args(["-c", SENDER_CORE])
            .arg(flowlogd)
            .args(["generate", "--version", self.version, "--output", "csv"])
            .args(["--records", &self.records.to_string()])
            .args(["--flows", &self.flows.to_string()])
            .args(more)
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let text = String::from_utf8(output.stdout)?;
        let mut lines = text.lines();
        let (names, values) = lines.next().zip(lines.next()).ok_or("nothing was sent")?;
        let value = |name| -> Outcome<u64> {
            let mut cells = names.split(',').zip(values.split(','));
            let (_, value) = cells.find(|(it, _)| *it == name).ok_or("not told")?;
            Ok(value.parse()?)
        };
        Ok(Sent {
            records: value("records")?,
            packets: value("packets")?,
            packets_before: 0,
        })
    }
}

/// Uniform records for each flow after which 98 of 100 have had one.
const RECORDS_TO_KNOW: u64 = 4;
/// Records a second that every collector measured so takes without loss.
const LOSSLESS_RATE: u64 = 1_000_000;
