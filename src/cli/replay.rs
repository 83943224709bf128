//! `flowlogd replay`

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::Failure;
use crate::cli::capture::Capture;
use crate::cli::capture::Captured;
use crate::cli::progress::Progress;
use crate::cli::target::SOCKETS_MAX;
use crate::cli::target::any;
use crate::cli::target::connect;
use crate::cli::target::resolve;

/// Send the datagrams of a capture to a collector
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each exporter of the capture gets a socket, and so a source port, of its own.\n\
    Without --rate or --realtime, datagrams go as fast as the socket takes them."
)]
pub(super) struct Args {
    /// Capture file, pcap or pcapng
    file: PathBuf,
    /// Collector to send to
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// Datagrams per second
    #[arg(long, value_name = "PPS", conflicts_with = "realtime")]
    rate: Option<NonZeroU32>,
    /// Keep the capture's own intervals
    #[arg(long)]
    realtime: bool,
    /// How many times to send the whole capture
    #[arg(long = "loop", value_name = "N", default_value = "1")]
    rounds: NonZeroU32,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let target = resolve(&args.to)?;
    let mut replay = Replay::new(args, target)?;
    for _ in 0..args.rounds.get() {
        replay.round(args)?;
    }
    Ok(writeln!(io::stdout(), "{}", replay.summary())?)
}

/// A capture on its way to a collector.
struct Replay {
    target: SocketAddr,
    /// By the exporter's own address and port.
    sockets: HashMap<SocketAddr, UdpSocket>,
    started: Instant,
    sent: u64,
    octets: u64,
    skipped: Option<String>,
    progress: Progress,
}

impl Replay {
    fn new(args: &Args, target: SocketAddr) -> Result<Self, Failure> {
        let capture = Capture::open(&args.file).with_context(|| args.file.display().to_string())?;
        let total = capture.length().saturating_mul(args.rounds.get().into());
        Ok(Self {
            target,
            sockets: HashMap::new(),
            started: Instant::now(),
            sent: 0,
            octets: 0,
            skipped: None,
            progress: Progress::new(total),
        })
    }

    fn round(&mut self, args: &Args) -> Result<(), Failure> {
        let mut capture =
            Capture::open(&args.file).with_context(|| args.file.display().to_string())?;
        let start = Instant::now();
        let mut first = None;
        let mut position = 0;
        while let Some(datagram) = capture
            .next()
            .with_context(|| args.file.display().to_string())?
        {
            if let Some(rate) = args.rate {
                wait_until(self.started + Duration::from_secs(self.sent) / rate.get());
            } else if args.realtime {
                let first = *first.get_or_insert(datagram.time);
                wait_until(start + datagram.time.saturating_sub(first));
            }
            self.send(&datagram)?;
            self.progress.advance(capture.position() - position);
            position = capture.position();
        }
        self.skipped = capture.skipped();
        Ok(())
    }

    fn send(&mut self, datagram: &Captured) -> Result<(), Failure> {
        let socket = match self.sockets.get(&datagram.source) {
            Some(socket) => socket,
            None if self.sockets.len() < SOCKETS_MAX => self
                .sockets
                .entry(datagram.source)
                .or_insert(connect(any(self.target), self.target)?),
            None => self.sockets.values().next().context("no socket")?,
        };
        match socket.send(&datagram.payload) {
            // Nobody listens yet; UDP's senders do not mind.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            sent => {
                sent.with_context(|| format!("sending to {}", self.target))?;
            }
        }
        self.sent += 1;
        self.octets += u64::try_from(datagram.payload.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    fn summary(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let mut summary = format!(
            "sent {} datagrams, {} bytes, from {} exporters in {seconds:.1} s",
            self.sent,
            self.octets,
            self.sockets.len()
        );
        if let Some(skipped) = &self.skipped {
            summary.push_str("; skipped each round: ");
            summary.push_str(skipped);
        }
        summary
    }
}

fn wait_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}
