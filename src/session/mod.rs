//! What is known of one exporter: Templates, options, sampling, sequence and clock.
//!
//! A session is one exporter socket talking to one of ours; the daemon keeps
//! one [`Sessions`] per lane. It takes datagrams, and hands every well-formed
//! Data Set with all that is needed to understand it to a [`Consumer`].

mod admission;
pub mod clock;
mod decode;
mod define;
mod entry;
mod learn;
pub mod limits;
pub mod names;
pub mod options;
mod origins;
mod orphans;
pub mod persist;
mod replay;
mod resolve;
mod restart;
mod said;
pub mod sampling;
pub mod sequence;
pub mod sessions;
mod shelf;
mod slab;
mod sources;
pub mod stats;
mod table;
mod templates;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod times;
mod validate;
pub mod views;

use std::net::IpAddr;

use zerocopy::Immutable;
use zerocopy::IntoBytes;

pub use clock::{Clock, ClockLimits};
pub use limits::{Limits, ScopeMode, Transport};
pub use names::{ElementType, ElementTypes, Names};
pub use options::Options;
pub use origins::{Belief, Origin};
pub use persist::{ImageError, Imported};
pub use said::is_heard;
#[cfg(test)]
pub(crate) use sampling::SamplerScope;
pub use sampling::{SamplerLookup, Samplers, SamplingPolicy, SamplingRate};
pub use sequence::SequenceCounts;
pub use sessions::Sessions;
pub use stats::{OrphanStats, Outcome, Refusal, SessionStats, Stats, TemplateStats};
pub use times::{RawTimes, TimeFlags, Times};
pub use views::{ExporterView, OriginView, TemplateView, Trust};

use crate::wire::Header;
use crate::wire::Template;
use crate::wire::WireError;

/// Who sent a datagram, and to which of our ports.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Peer {
    /// Exporter's address, IPv4-mapped ones as IPv4 (P-009).
    pub exporter: IpAddr,
    /// Exporter's UDP port.
    pub port: u16,
    /// Our UDP port.
    pub local_port: u16,
}

/// When a datagram came, on both clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// Milliseconds on a monotonic clock of any origin; drives every timer.
    pub monotonic_ms: u64,
    /// Milliseconds since 1970; only compared with exporters' times.
    pub unix_ms: u64,
}

/// One (exporter, Observation Domain) within a lane: an index that stays the
/// same as long as the session lives.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Immutable, IntoBytes, PartialEq)]
#[repr(transparent)]
pub struct SourceId(pub u32);

/// What a Template is compiled to when it arrives.
pub trait Plan {
    /// What compilation depends on beside the Template.
    type Settings;

    /// Compiles a Template once, for all its records.
    fn compile(template: &Template, settings: &Self::Settings) -> Self;

    /// Octets it occupies beside its own size; they count against the quotas
    /// of definitions (P-820).
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Whether records may name the exporter they are of.
    fn has_origins(&self) -> bool {
        false
    }

    /// Whether records of options become rows: these are granted to a source
    /// as those of flows are.
    fn has_events(&self) -> bool {
        false
    }

    /// The exporter that a record names as the one it is of (P-223).
    fn origin(&self, _record: &[u8]) -> Option<Origin> {
        None
    }
}

/// A Template as a session remembers it.
#[derive(Debug)]
pub struct Known<P> {
    /// What its records look like.
    pub template: Template,
    /// What it was compiled to.
    pub plan: P,
}

/// What surrounds the records of one Data Set.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Which exporter and domain, as an index into the lane's sources.
    pub source: SourceId,
    /// Exporter's address: the sender's, unless [`Belief::Origin`].
    pub exporter: IpAddr,
    /// Observation Domain.
    pub domain: u32,
    /// Turns the sender's times into ours; of the Message the records came in.
    pub clock: &'a Clock,
    /// What the sender's options say of sampling.
    pub sampling: &'a Samplers,
}

/// The well-formed records of one Data Set; [`Template::split`] parts them.
#[derive(Clone, Copy, Debug)]
pub struct DataSet<'a> {
    /// Their octets, without Set header and padding.
    pub body: &'a [u8],
    /// How many there are.
    pub records: u32,
    /// Kept from before its Template came (P-414).
    pub replayed: bool,
}

/// What became of one Set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SetOutcome {
    /// Taken: definitions and withdrawals of Template Sets, records of Data Sets.
    Ok(u32),
    /// No Template is known: kept for later or dropped, see the counters.
    NoTemplate,
    /// Its Template has records of zero octets.
    EmptyTemplate,
    /// An id without meaning.
    Reserved,
    /// Ended early; the records before the fault were taken.
    Malformed(u32, WireError),
}

/// Takes what [`Sessions`] decodes.
pub trait Consumer<P> {
    /// Whether the operator names this exporter: then it needs no probation.
    ///
    /// Asked once, when a session starts.
    fn is_listed(&self, _exporter: IpAddr) -> bool {
        false
    }

    /// What the operator says of this exporter's sampling; asked when a domain starts.
    fn sampling(&self, _exporter: IpAddr) -> SamplingPolicy {
        SamplingPolicy::default()
    }

    /// The exporter named its own active timer (36) in options; in ms. P-612.
    ///
    /// Told again with every options record that is taken.
    fn active_timer(&mut self, _source: SourceId, _active_ms: u64) {}

    /// A Message begins; its header is sound.
    fn message(&mut self, _header: &Header) {}

    /// The records of one Data Set, flow data and options data alike.
    fn data(&mut self, scope: &Scope<'_>, known: &Known<P>, set: DataSet<'_>);

    /// Whose records are taken to be those of `sender` that name this origin.
    ///
    /// Asked where the origin changes from one record to the next, and only
    /// of Templates that have such fields.
    fn belief(&mut self, _sender: IpAddr, _origin: Origin) -> Belief {
        Belief::Sender
    }

    /// Records of a Data Set that are [`Belief::Copy`], under their sender's scope.
    fn copy(&mut self, _scope: &Scope<'_>, _known: &Known<P>, _set: DataSet<'_>) {}

    /// A Template was defined, refreshed or replaced.
    fn template(&mut self, _template: &Template) {}

    /// A Set was dealt with.
    fn set(&mut self, _id: u16, _outcome: SetOutcome) {}

    /// Something was wrong; what it cost is in the counters.
    fn fault(&mut self, _error: WireError) {}
}
