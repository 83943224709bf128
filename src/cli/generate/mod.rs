//! `flowlogd generate`: load for a collector, made as fast as it can be sent.
//!
//! [`Load`] makes the datagrams; the same seed and times give the same octets.
//! What is sent is counted as it is made, so that a collector's sums can be
//! held against it.

mod choice;
mod load;
mod outlet;
mod pace;
mod record;

use std::io::{self, BufWriter, Write};
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use serde_json::Value;

pub use choice::Distribution;
pub use load::Filled;
pub use load::Load;
pub use load::LoadError;
pub use load::LoadSettings;
pub use record::template_of;

use crate::cli::Failure;
use crate::cli::generate::outlet::Capture;
use crate::cli::generate::outlet::Outlet;
use crate::cli::generate::outlet::Sockets;
use crate::cli::generate::outlet::Troubles;
use crate::cli::generate::pace::Ahead;
use crate::cli::generate::pace::Clock;
use crate::cli::generate::pace::Pace;
use crate::cli::generate::pace::Wall;
use crate::cli::output;
use crate::cli::output::Format;
use crate::cli::target::resolve;
use crate::wire::Version;

/// Make NetFlow load for a collector
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("amount").required(true).multiple(true).args(["records", "for_s"]),
    after_help = "To a collector on this host each exporter sends from an address of its own, \
    127.1.0.1 and on (256 at most); elsewhere they share one and differ in source id, domain or \
    engine. Without --rate, datagrams go as fast as the socket takes them."
)]
pub(super) struct Args {
    /// Collector to send to
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9995")]
    to: String,
    /// What to send
    #[arg(long, value_enum, default_value_t = Protocol::V9)]
    version: Protocol,
    /// Records to send
    #[arg(long, value_name = "N")]
    records: Option<u64>,
    /// Seconds to send for
    #[arg(long = "for", value_name = "SECONDS")]
    for_s: Option<u32>,
    /// Records per second, evenly
    #[arg(long, value_name = "RECORDS")]
    rate: Option<NonZeroU64>,
    /// Distinct flows, of all exporters together
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    flows: u32,
    /// How often each flow has a record
    #[arg(long, value_enum, default_value_t = Shape::Uniform)]
    distribution: Shape,
    /// Of the Zipf distribution
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    exponent: f64,
    /// Sending processes, each with its own sequence, templates and flows
    #[arg(long, value_name = "N", default_value_t = 1)]
    exporters: u32,
    /// Datagrams of an exporter between two with its template
    #[arg(long, value_name = "N", default_value = "1000")]
    template_every: NonZeroU32,
    /// What decides all that is left to chance
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write a capture file instead of sending
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// How to print what was sent
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// A protocol by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    V5,
    V9,
    Ipfix,
}

impl Protocol {
    fn label(self) -> &'static str {
        match self {
            Self::V5 => "v5",
            Self::V9 => "v9",
            Self::Ipfix => "ipfix",
        }
    }
}

impl From<Protocol> for Version {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::V5 => Self::V5,
            Protocol::V9 => Self::V9,
            Protocol::Ipfix => Self::Ipfix,
        }
    }
}

/// A distribution by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shape {
    /// All flows alike
    Uniform,
    /// The nth flow has 1/n of the first one's records
    Zipf,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let target = resolve(&args.to)?;
    let pace = Pace {
        records: args.records,
        time: args
            .for_s
            .map(|seconds| Duration::from_secs(seconds.into())),
        rate: args.rate,
    };
    if args.pcap.is_some() && args.records.is_none() && args.rate.is_none() {
        return Err(Failure::usage(
            "--pcap takes --records, or --for with --rate",
        ));
    }
    let start = SystemTime::now().duration_since(UNIX_EPOCH);
    let start = start.unwrap_or_default();
    let settings = args.settings(&pace);
    let load = Load::new(settings, millis(start));
    let load = load.map_err(|error| Failure::usage(error.to_string()))?;
    let sending = Sending { load, pace, start };
    let sent = match &args.pcap {
        Some(path) => sending.run(&mut Capture::create(path, target)?, &mut Ahead::default())?,
        None => {
            let mut sockets = Sockets::open(target, args.exporters)?;
            sending.run(&mut sockets, &mut Wall(Instant::now()))?
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    sent.print(&mut out, args.version.label(), args.output)?;
    Ok(out.flush()?)
}

impl Args {
    fn settings(&self, pace: &Pace) -> LoadSettings {
        let distribution = match self.distribution {
            Shape::Uniform => Distribution::Uniform,
            Shape::Zipf => Distribution::Zipf {
                exponent: self.exponent,
            },
        };
        let settings = LoadSettings {
            version: self.version.into(),
            flows: self.flows,
            distribution,
            exporters: self.exporters,
            burst: NonZeroU32::MIN,
            template_every: self.template_every,
            seed: self.seed,
        };
        let burst = pace.burst(settings.records_max()).min(IN_A_ROW_MAX);
        let burst = u32::try_from(burst).ok().and_then(NonZeroU32::new);
        LoadSettings {
            burst: burst.unwrap_or(NonZeroU32::MIN),
            ..settings
        }
    }
}

/// A load on its way.
struct Sending {
    load: Load,
    pace: Pace,
    /// Since 1970.
    start: Duration,
}

/// A datagram, and what it adds up to.
#[derive(Clone, Debug, Default)]
struct Made {
    octets: Vec<u8>,
    filled: Filled,
}

impl Sending {
    /// Sends until the pace says that it is enough.
    fn run(mut self, outlet: &mut impl Outlet, clock: &mut impl Clock) -> anyhow::Result<Sent> {
        let mut arena = vec![Made::default(); self.pace.burst(self.load.records_max())];
        let mut sent = Sent::default();
        loop {
            clock.wait_until(self.pace.due(sent.records));
            sent.time = clock.elapsed();
            let left = self.pace.left(sent.records, sent.time);
            if left == 0 {
                return Ok(sent);
            }
            let now = self.start + sent.time;
            let made = self.make(left, millis(now), &mut arena);
            let of_one = |one: &Made, next: &Made| one.filled.exporter == next.filled.exporter;
            for datagrams in made.chunk_by(of_one) {
                outlet.send(datagrams, now, &mut sent.troubles)?;
            }
            made.iter().for_each(|datagram| sent.add(datagram));
        }
    }

    /// Fills datagrams as long as records are left.
    fn make<'a>(&mut self, mut left: u64, now_ms: u64, arena: &'a mut [Made]) -> &'a [Made] {
        let mut used = 0;
        for Made { octets, filled } in arena.iter_mut() {
            if left == 0 {
                break;
            }
            let most = u32::try_from(left).unwrap_or(u32::MAX);
            *filled = self.load.fill_up_to(most, now_ms, octets);
            left = left.saturating_sub(filled.records.into());
            used += 1;
        }
        arena.get(..used).unwrap_or_default()
    }
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    datagrams: u64,
    /// Of the datagrams.
    bytes: u64,
    records: u64,
    octets: u64,
    packets: u64,
    time: Duration,
    troubles: Troubles,
}

impl Sent {
    fn add(&mut self, made: &Made) {
        self.datagrams += 1;
        self.bytes += u64::try_from(made.octets.len()).unwrap_or_default();
        self.records += u64::from(made.filled.records);
        self.octets += made.filled.octets;
        self.packets += made.filled.packets;
    }

    fn print(&self, out: &mut impl Write, version: &str, format: Format) -> io::Result<()> {
        let seconds = self.time.as_secs_f64();
        // A capture may take no time of its own.
        let rate = (seconds > 0.0).then(|| (self.records as f64 / seconds).round());
        let cells: [(&str, Value); 10] = [
            ("version", version.into()),
            ("datagrams", self.datagrams.into()),
            ("bytes", self.bytes.into()),
            ("records", self.records.into()),
            ("octets", self.octets.into()),
            ("packets", self.packets.into()),
            ("seconds", thousandths(seconds)),
            ("records_per_second", rate.into()),
            ("full", self.troubles.full.into()),
            ("unreachable", self.troubles.unreachable.into()),
        ];
        let names = cells.each_ref().map(|(name, _)| *name);
        let row = cells.map(|(_, value)| value).to_vec();
        output::print(out, &names, &[row], format)
    }
}

fn thousandths(number: f64) -> Value {
    ((number * 1_000.0).round() / 1_000.0).into()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Datagrams in a row from one of several exporters at most: they go in one call.
const IN_A_ROW_MAX: usize = 16;

#[cfg(test)]
mod tests;
