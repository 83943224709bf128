//! What tshark says of messages.

use std::path::Path;

use tempfile::TempDir;

use super::told::{epoch_ms, since_boot};
use crate::peers::run;
use crate::traffic::{Sums, write_datagrams};

/// What tshark says of messages.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) sums: Sums,
    /// First and last of every flow that says them, ms since 1970, in order of
    /// their values.
    pub(super) starts: Vec<u64>,
    pub(super) ends: Vec<u64>,
    /// Packets it cannot dissect.
    pub(super) malformed: usize,
    /// Sets whose Template it does not know.
    pub(super) unknown: usize,
    /// Sequence numbers that are not what those before lead to.
    pub(super) gaps: Vec<String>,
    /// Sampling of messages, in v5, and of options: one packet of so many.
    pub(super) rates: Vec<u64>,
}

/// Fields of tshark: the time of the message, then counters and times of flows,
/// and rates.
const FIELDS: [&str; 16] = [
    "unix_secs",
    "unix_nsecs",
    "sysuptime",
    // Deltas, totals, and those of a connection's initiator.
    "packets",
    "permanent_packets",
    "initiator_packets",
    "octets",
    "permanent_octets",
    "initiator_octets",
    "timestart",
    "timeend",
    "abstimestart",
    "abstimeend",
    "samplerate",
    "sampler_random_interval",
    "sampling_packet_space",
];

impl Seen {
    pub(super) fn of(messages: &[Vec<u8>]) -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("seen.pcap");
        write_datagrams(&file, 9995, messages);
        let mut seen = Self::default();
        let fields = FIELDS.map(|field| format!("-e cflow.{field}")).join(" ");
        let said = tshark(
            &file,
            &format!("-T fields {fields} -E occurrence=a -E aggregator=;"),
        );
        said.lines().for_each(|line| seen.message(line));
        seen.starts.sort_unstable();
        seen.ends.sort_unstable();
        let text = tshark(&file, "-V");
        seen.malformed = text.matches("Malformed").count();
        seen.unknown = text.matches("No template found").count();
        let expected = text.lines().filter(|line| line.contains("(expected "));
        seen.gaps = expected.map(|line| line.trim().to_owned()).collect();
        seen
    }

    fn message(&mut self, line: &str) {
        let columns: Vec<&str> = line.split('\t').collect();
        let column = |name: &str| {
            let place = FIELDS.iter().position(|field| *field == name).unwrap();
            columns[place].split(';').filter(|text| !text.is_empty())
        };
        let numbers = |name: &str| column(name).map(|text| text.parse::<u64>().unwrap());
        for kind in ["", "permanent_", "initiator_"] {
            let packets = numbers(&format!("{kind}packets"));
            self.sums.flows += u64::try_from(packets.clone().count()).unwrap();
            self.sums.packets += packets.sum::<u64>();
            self.sums.bytes += numbers(&format!("{kind}octets")).sum::<u64>();
        }
        let secs_ms = numbers("unix_secs").next().unwrap_or(0) * 1000;
        let message_ms = secs_ms + numbers("unix_nsecs").next().unwrap_or(0) / 1_000_000;
        let uptime = column("sysuptime").next().map_or(0, milliseconds);
        let since_boot = |text: &str| since_boot(milliseconds(text), uptime, message_ms);
        self.starts.extend(column("timestart").map(since_boot));
        self.starts.extend(column("abstimestart").map(absolute));
        self.ends.extend(column("timeend").map(since_boot));
        self.ends.extend(column("abstimeend").map(absolute));
        self.rates.extend(numbers("samplerate"));
        self.rates.extend(numbers("sampler_random_interval"));
        let spaces = numbers("sampling_packet_space");
        self.rates.extend(spaces.map(|space| space + 1));
    }
}

fn tshark(file: &Path, how: &str) -> String {
    run(
        "tshark",
        &format!("-r {} -d udp.port==9995,cflow {how}", file.display()),
    )
}

/// Seconds with nine places behind the point, as ms.
fn milliseconds(seconds: &str) -> u64 {
    let (whole, part) = seconds.split_once('.').unwrap();
    whole.parse::<u64>().unwrap() * 1000 + part.parse::<u64>().unwrap() / 1_000_000
}

/// `Aug  3, 2015 12:11:28.407000000 UTC`.
fn absolute(text: &str) -> u64 {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<_> = text.split_whitespace().collect();
    let [month, day, year, time, "UTC"] = words[..] else {
        panic!("no time in UTC: {text}");
    };
    let month = MONTHS.find(month).unwrap() / 3 + 1;
    let day: u8 = day.trim_end_matches(',').parse().unwrap();
    epoch_ms(&format!("{year}-{month:02}-{day:02}T{time}"))
}
