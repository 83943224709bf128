//! Datagrams without end. No clock, no socket, and after the first ones no
//! allocation.

use std::num::NonZeroU32;

use zerocopy::IntoBytes;

use crate::cli::generate::choice::Choice;
use crate::cli::generate::choice::Distribution;
use crate::cli::generate::record::FLOWS_MAX;
use crate::cli::generate::record::Flow;
use crate::cli::generate::record::Metered;
use crate::cli::generate::record::ipfix_record;
use crate::cli::generate::record::template_of;
use crate::cli::generate::record::v5_record;
use crate::cli::generate::record::v9_record;
use crate::cli::process::Process;
use crate::cli::random::Random;
use crate::wire::MessageWriter;
use crate::wire::Template;
use crate::wire::Version;
use crate::wire::v5;

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadSettings {
    /// What the datagrams are of.
    pub version: Version,
    /// Distinct flows, shared out evenly to the exporters; at most [`LoadSettings::FLOWS_MAX`].
    pub flows: u32,
    /// How often each of an exporter's flows has a record.
    pub distribution: Distribution,
    /// Sending processes, each with its own domain (v9: source id; v5: engine), sequence and
    /// flows; at most [`LoadSettings::EXPORTERS_MAX`], and no more than flows.
    pub exporters: u32,
    /// Datagrams that an exporter sends in a row before the next one does.
    pub burst: NonZeroU32,
    /// Datagrams of an exporter from one that has the Template to the next.
    pub template_every: NonZeroU32,
    /// The same seed and times give the same octets.
    pub seed: u64,
}

impl LoadSettings {
    /// Flows at most.
    pub const FLOWS_MAX: u32 = FLOWS_MAX;
    /// Exporters at most: v5's engines, without 0.
    pub const EXPORTERS_MAX: u32 = 65_535;

    /// Data Records of a full datagram.
    pub fn records_max(&self) -> u32 {
        match self.version {
            Version::V5 => v5::RECORDS_MAX.into(),
            Version::V9 => V9_RECORDS,
            Version::Ipfix => IPFIX_RECORDS,
        }
    }
}

impl Default for LoadSettings {
    /// v9 of a million flows, all alike, from one exporter.
    fn default() -> Self {
        Self {
            version: Version::V9,
            flows: 1_000_000,
            distribution: Distribution::Uniform,
            exporters: 1,
            burst: NonZeroU32::MIN,
            template_every: NonZeroU32::new(1_000).unwrap_or(NonZeroU32::MIN),
            seed: 1,
        }
    }
}

/// Why there is no such load.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Flows asked for.
    #[error("{0} flows (must be 1 to {FLOWS_MAX})")]
    Flows(u32),
    /// Exporters asked for, and flows there are for them.
    #[error("{0} exporters (must be 1 to {max}, and no more than flows: {1})", max = LoadSettings::EXPORTERS_MAX)]
    Exporters(u32, u32),
    /// An exponent that makes no distribution.
    #[error("{0:?} (the exponent must be above 0 and at most {max})", max = Distribution::EXPONENT_MAX)]
    Distribution(Distribution),
}

/// Sums of a datagram.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Filled {
    /// Who sends it: 0 and up.
    pub exporter: u32,
    /// Data Records.
    pub records: u32,
    /// Octets that the records count.
    pub octets: u64,
    /// Packets that the records count.
    pub packets: u64,
}

/// Exporters that always have something to send.
#[derive(Debug)]
pub struct Load {
    settings: LoadSettings,
    template: Template,
    writer: MessageWriter,
    exporters: Vec<Exporter>,
    /// Of the first exporters, which have a flow more than the others.
    of_more: Choice,
    of_fewer: Choice,
    /// Whose turn it is.
    turn: u32,
    /// Datagrams it has sent in this turn.
    in_turn: u32,
    random: Random,
}

#[derive(Debug)]
struct Exporter {
    process: Process,
    /// Datagrams before the Template is due.
    until_template: u32,
}

impl Load {
    /// Starts at `now_ms`, milliseconds since 1970, which is long after the exporters' boot.
    ///
    /// # Errors
    /// Names the setting that is out of its range.
    pub fn new(settings: LoadSettings, now_ms: u64) -> Result<Self, LoadError> {
        let LoadSettings {
            version,
            flows,
            exporters,
            ..
        } = settings;
        if !(1..=FLOWS_MAX).contains(&flows) {
            return Err(LoadError::Flows(flows));
        }
        if !(1..=LoadSettings::EXPORTERS_MAX.min(flows)).contains(&exporters) {
            return Err(LoadError::Exporters(exporters, flows));
        }
        if !settings.distribution.is_possible() {
            return Err(LoadError::Distribution(settings.distribution));
        }
        let exporter = |index: u32| Exporter {
            process: Process::new(version, index + 1, 0, now_ms),
            until_template: 0,
        };
        let choice = |flows| Choice::new(settings.distribution, flows);
        let (of_more, of_fewer) = (choice(flows.div_ceil(exporters)), choice(flows / exporters));
        let exporters: Vec<_> = (0..exporters).map(exporter).collect();
        let mut random = Random::new(settings.seed);
        let template = template_of(version);
        let header = Process::new(version, 0, 0, now_ms).header(now_ms);
        Ok(Self {
            settings: LoadSettings {
                seed: random.bits(),
                ..settings
            },
            template,
            writer: MessageWriter::new(header),
            exporters,
            of_more,
            of_fewer,
            turn: 0,
            in_turn: 0,
            random,
        })
    }

    /// Data Records of a full datagram.
    pub fn records_max(&self) -> u32 {
        self.settings.records_max()
    }

    /// Writes the next datagram in place of what is there, for the time `now_ms`.
    ///
    /// Times must not go back. Its length is at most that of one Ethernet frame.
    pub fn fill(&mut self, now_ms: u64, datagram: &mut Vec<u8>) -> Filled {
        self.fill_up_to(u32::MAX, now_ms, datagram)
    }

    /// As [`Self::fill`], with no more than so many records.
    pub fn fill_up_to(&mut self, records: u32, now_ms: u64, datagram: &mut Vec<u8>) -> Filled {
        let records = records.min(self.records_max());
        let mut filled = Filled {
            exporter: self.next_exporter(),
            records,
            ..Filled::default()
        };
        datagram.clear();
        let Some(exporter) = self.exporters.get_mut(filled.exporter as usize) else {
            return Filled::default();
        };
        if exporter.until_template == 0 {
            exporter.until_template = self.settings.template_every.get();
            self.writer.define(&self.template);
        }
        exporter.until_template -= 1;
        let process = &exporter.process;
        // Its flows are `exporter`, `exporter` + exporters, and so on.
        let has_more = filled.exporter < self.settings.flows % self.settings.exporters;
        let choice = if has_more {
            &self.of_more
        } else {
            &self.of_fewer
        };
        let uptime_ms = process.uptime(now_ms);
        for _ in 0..records {
            let nth = choice.draw(&mut self.random);
            let number = nth * self.settings.exporters + filled.exporter;
            let flow = Flow::new(number, self.settings.seed);
            let metered = Metered::new(&mut self.random);
            let (writer, template) = (&mut self.writer, &self.template);
            match self.settings.version {
                Version::V5 => {
                    writer.record(template, v5_record(&flow, &metered, uptime_ms).as_bytes());
                }
                Version::V9 => {
                    writer.record(template, v9_record(&flow, &metered, uptime_ms).as_bytes());
                }
                Version::Ipfix => {
                    writer.record(template, ipfix_record(&flow, &metered, now_ms).as_bytes());
                }
            }
            filled.octets += u64::from(metered.octets);
            filled.packets += u64::from(metered.packets);
        }
        let finished = self.writer.finish_into(process.header(now_ms), datagram);
        debug_assert!(
            finished.is_ok(),
            "no more octets and records than a header can say"
        );
        exporter.process.sent(records);
        filled
    }

    /// Whose datagram comes next.
    fn next_exporter(&mut self) -> u32 {
        if self.in_turn == self.settings.burst.get() {
            self.in_turn = 0;
            self.turn = (self.turn + 1) % self.settings.exporters;
        }
        self.in_turn += 1;
        self.turn
    }
}

/// Records of a datagram of v9: a Template of 88 octets fits in beside them.
const V9_RECORDS: u32 = 24;
/// The same of IPFIX, whose times are longer.
const IPFIX_RECORDS: u32 = 21;
