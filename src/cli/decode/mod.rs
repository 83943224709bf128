//! `flowlogd decode`

mod lists;
mod report;
mod value;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;

use crate::cli::Failure;
use crate::cli::capture::Capture;
use crate::cli::capture::Captured;
use crate::cli::decode::report::Report;
pub(super) use crate::cli::decode::report::Uncompiled;
use crate::cli::progress::Progress;
use crate::session::Arrival;
use crate::session::Limits;
use crate::session::Peer;
use crate::session::ScopeMode;
use crate::session::Sessions;

/// Templates and sessions of a capture do not age: its parts may be years apart.
const FOREVER_MS: u64 = 1 << 48;

/// Print the datagrams of a capture, one JSON object per line
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Octet arrays, lists, unknown and enterprise elements are printed as hex:…;\n\
    a record's decoded lists follow under `lists`. What was left out is counted on standard error."
)]
pub(super) struct Args {
    /// Capture file, pcap or pcapng
    file: PathBuf,
    /// Keep data that comes before its template, and print it when that comes
    #[arg(long)]
    keep_orphans: bool,
    /// Only datagrams to this UDP port; may be given several times
    #[arg(long, value_name = "PORT")]
    port: Vec<u16>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let name = || args.file.display().to_string();
    let mut capture = Capture::open(&args.file).with_context(name)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut decoder = Decoder::new(args.keep_orphans);
    let mut progress = Progress::new(capture.length());
    let mut position = 0;
    loop {
        let datagram = match capture.next() {
            Ok(Some(datagram)) => datagram,
            Ok(None) => break,
            Err(error) => {
                out.flush()?;
                return Err(anyhow::Error::from(error).context(name()).into());
            }
        };
        if args.port.is_empty() || args.port.contains(&datagram.destination.port()) {
            decoder.print(&datagram, &mut out)?;
        }
        progress.advance(capture.position() - position);
        position = capture.position();
    }
    out.flush()?;
    drop(progress);
    Ok(writeln!(
        io::stderr(),
        "{}",
        decoder.summary(capture.skipped())
    )?)
}

/// Decodes a capture's datagrams in order.
struct Decoder {
    sessions: Sessions<Uncompiled>,
    report: Report,
    /// Latest time of capture; arrivals never go back.
    now_ms: u64,
    datagrams: u64,
    others: u64,
}

impl Decoder {
    fn new(keep_orphans: bool) -> Self {
        let mut limits = Limits {
            template_lifetime_ms: FOREVER_MS,
            template_lifetime_max_ms: FOREVER_MS,
            session_idle_ms: FOREVER_MS,
            ..Limits::offline()
        };
        if !keep_orphans {
            limits.session_orphan_bytes_max = 0;
            limits.orphan_bytes_max = 0;
        }
        Self {
            sessions: Sessions::new(limits, ScopeMode::Strict, ()),
            report: Report::default(),
            now_ms: 0,
            datagrams: 0,
            others: 0,
        }
    }

    fn print(&mut self, datagram: &Captured, out: &mut impl Write) -> Result<(), Failure> {
        let unix_ms = u64::try_from(datagram.time.as_millis()).unwrap_or(u64::MAX);
        self.now_ms = self.now_ms.max(unix_ms);
        let arrival = Arrival {
            monotonic_ms: self.now_ms,
            unix_ms,
        };
        let peer = Peer {
            exporter: datagram.source.ip().to_canonical(),
            port: datagram.source.port(),
            local_port: datagram.destination.port(),
        };
        self.report.begin(peer);
        let outcome = self
            .sessions
            .datagram(&datagram.payload, peer, arrival, &mut self.report);
        match self.report.finish(datagram, outcome) {
            Some(line) => {
                self.datagrams += 1;
                writeln!(out, "{line}")?;
            }
            None => self.others += 1,
        }
        Ok(())
    }

    fn summary(&self, skipped: Option<String>) -> String {
        let Report {
            records, faults, ..
        } = self.report;
        let mut summary = format!(
            "{} datagrams, {records} records, {faults} faults",
            self.datagrams
        );
        if self.others > 0 {
            summary.push_str(&format!("; {} datagrams were not NetFlow", self.others));
        }
        if let Some(skipped) = skipped {
            summary.push_str("; frames left out: ");
            summary.push_str(&skipped);
        }
        summary
    }
}

#[cfg(test)]
mod tests;
