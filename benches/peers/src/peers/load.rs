//! What is sent: flowlogd's own generator, the same seed each time.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::process::SENDER_CORE;

/// Versions by the generator's words.
pub const VERSIONS: [&str; 3] = ["v5", "v9", "ipfix"];

/// What everybody is sent in a turn.
pub struct Load {
    pub version: &'static str,
    pub records: u64,
    /// Records a second.
    pub rate: u64,
    pub flows: u64,
}

/// What was sent.
pub struct Sent {
    pub records: u64,
    pub packets: u64,
}

impl Sent {
    /// Share of the packets that is missing from what was stored.
    pub fn loss(&self, stored_packets: u64) -> f64 {
        1.0 - stored_packets as f64 / self.packets as f64
    }

    /// Records that were not lost, by what the packets say.
    pub fn taken(&self, stored_packets: u64) -> f64 {
        self.records as f64 * (1.0 - self.loss(stored_packets))
    }
}

impl Load {
    /// Sends it to a port of this host.
    pub fn send(&self, flowlogd: &Path, port: u16) -> Outcome<Sent> {
        let rate = self.rate.to_string();
        let to = format!("127.0.0.1:{port}");
        self.generate(flowlogd, &["--to", &to, "--rate", &rate])
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
        })
    }
}
