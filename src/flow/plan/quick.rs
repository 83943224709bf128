//! The quick way of plain flows, whole Data Sets at a time.
//!
//! It takes records whose fields all have a place in an [`Image`] and lie before
//! any of variable length, as in most Templates, and makes of them what
//! [`Shape::finish`] makes of [`Slots`](super::slot::Slots): tests compare both
//! on all that is there to compare.

use super::finish::Shape;
use super::finish::TCP_FLAGS;
use super::finish::is_icmp;
use super::finish::ports;
use super::image::Image;
use super::image::Move;
use super::load::Load;
use super::load::Window;
use super::shuffle::Blocks;
use super::shuffle::Shuffle;
use super::slot::Slot;
use super::times::Stamps;
use crate::flow::DIRECTION_ABSENT;
use crate::flow::EndReason;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::session::Clock;
use crate::session::SamplerLookup;
use crate::session::Samplers;
use crate::session::SamplingRate;
use crate::session::Scope;

/// How to read plain records quickly.
#[derive(Clone, Debug)]
pub(super) struct Quick {
    shuffle: Shuffle,
    stamps: Stamps,
    sampler: Sampler,
}

/// Where a record tells of its sampling, as of [`SAMPLING`].
#[derive(Clone, Copy, Debug, Default)]
struct Sampler([Option<Window>; SAMPLING.len()]);

/// What a record may tell of its sampling.
const SAMPLING: [Slot; 4] = [
    Slot::SamplingInterval,
    Slot::PacketInterval,
    Slot::PacketSpace,
    Slot::Selector,
];

impl Quick {
    /// The quick way for records that begin with `length` octets of fields of
    /// fixed length, if there is one.
    pub(super) fn of(loads: &[Load], shape: &Shape, length: usize) -> Option<Self> {
        let mut sampler = Sampler::default();
        let mut moves = Vec::new();
        for load in loads {
            let mut told = SAMPLING.iter().zip(&mut sampler.0);
            match told.find(|(slot, _)| **slot == load.slot) {
                Some((_, Some(_))) => return None,
                Some((_, window)) => *window = Some(Window::around(load)),
                None => moves.push(Move::of(load.span, load.slot)?),
            }
        }
        let is_six = |load: &Load| matches!(load.slot, Slot::SrcHigh | Slot::DstHigh);
        let is_mixed = shape.ipv4 && loads.iter().any(is_six);
        let is_behind = loads.iter().any(|load| load.span.run != 0);
        if is_behind || is_mixed || Move::collide(&moves) {
            return None;
        }
        Some(Self {
            shuffle: Shuffle::of(&moves, length)?,
            stamps: shape.times.stamps()?,
            sampler,
        })
    }

    /// Octets it occupies beside its own size.
    pub(super) fn heap(&self) -> usize {
        self.shuffle.heap()
    }

    /// How to read the records of one Data Set, onto this route.
    pub(super) fn reader<'a>(
        &'a self,
        shape: &'a Shape,
        scope: &'a Scope<'a>,
        route: u16,
    ) -> Reader<'a> {
        let (base, flags) = base(shape, scope, route);
        Reader {
            shuffle: &self.shuffle,
            base,
            finish: Finish {
                sampler: &self.sampler,
                shape,
                stamps: self.stamps,
                clock: scope.clock,
                sampling: scope.sampling,
                flags,
                is_common: self.sampler.is_common(scope),
            },
        }
    }
}

/// Reads the records of one Data Set; they are whole records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    shuffle: &'a Shuffle,
    /// What the images of all records have.
    base: Image,
    finish: Finish<'a>,
}

// Closures own what they need: what they borrow would be read anew from memory
// for every record, as a write to a flow might have changed it.
impl Reader<'_> {
    /// Hands on each record with the flow it is.
    #[inline]
    pub(super) fn each<'a>(
        &self,
        records: impl Iterator<Item = &'a [u8]>,
        mut emit: impl FnMut(&[u8], &FlowRecord),
    ) {
        let finish = self.finish;
        let mut flow = FlowRecord::default();
        let records = records.map(|record| (record, ()));
        let take = move |record: &[u8], blocks, ()| {
            finish.read(record, blocks, &mut flow);
            emit(record, &flow);
        };
        self.shuffle.each(&self.base, records, take);
    }

    /// Reads each record into a place; how many those were.
    #[inline]
    fn fill<'a>(
        &self,
        records: impl Iterator<Item = &'a [u8]>,
        places: &mut [FlowRecord],
    ) -> usize {
        let finish = self.finish;
        let take = move |record: &[u8], blocks, flow| finish.read(record, blocks, flow);
        let records = records.zip(places);
        self.shuffle.each(&self.base, records, take)
    }
}

/// Makes flows of the images of one Data Set's records.
#[derive(Clone, Copy, Debug)]
struct Finish<'a> {
    sampler: &'a Sampler,
    shape: &'a Shape,
    stamps: Stamps,
    clock: &'a Clock,
    sampling: &'a Samplers,
    /// What is to be said of all flows.
    flags: RecordFlags,
    /// Whether all of them have one sampling rate.
    is_common: bool,
}

impl Finish<'_> {
    /// Makes `flow` what a record says, all of it; `blocks` are its image.
    #[inline(always)]
    fn read(&self, record: &[u8], blocks: Blocks, flow: &mut FlowRecord) {
        let Image {
            start,
            end,
            icmp,
            forwarding,
            end_reason,
            ..
        } = *blocks.put(flow);
        let times = self.stamps.times(start, end, self.clock);
        flow.start_ms = times.start_ms;
        flow.end_ms = times.end_ms;
        // An exporter's 0 stands for 1 (P-048).
        flow.flows = flow.flows.max(1);
        flow.records = 1;
        flow.tcp_flags &= TCP_FLAGS;
        flow.key.forwarding_class = forwarding >> 6;
        flow.forwarding_status = forwarding;
        flow.end_reason = EndReason::from(end_reason);
        flow.time_flags = times.flags;
        flow.flags = self.flags;
        flow.event = None;
        let key = &mut flow.key;
        if is_icmp(key.protocol) {
            let icmp = self.shape.icmp.then_some(icmp);
            (key.src_port, key.dst_port) = ports(key.src_port, key.dst_port, icmp);
        }
        if !self.is_common {
            let lookup = self.sampler.lookup(self.shape, record, key.in_if);
            sample(flow, self.sampling.rate(&lookup));
        }
    }
}

/// Records of a Data Set that are one flow each and nothing beside it, which are
/// decoded where they are wanted.
#[derive(Clone, Debug)]
pub struct Bare<'a> {
    reader: Reader<'a>,
    /// Those not decoded yet.
    octets: &'a [u8],
    /// Octets of each; not 0.
    length: usize,
}

impl<'a> Bare<'a> {
    /// Records of `length` octets each; what follows the last whole one is none.
    pub(super) fn new(reader: Reader<'a>, octets: &'a [u8], length: usize) -> Self {
        Self {
            reader,
            octets,
            length: length.max(1),
        }
    }

    /// Whether none is left to be decoded.
    pub fn is_empty(&self) -> bool {
        self.octets.len() < self.length
    }

    /// Decodes the next records, each into a place; how many those were, which
    /// is fewer than there are places only if no record is left.
    #[inline]
    pub fn fill(&mut self, places: &mut [FlowRecord]) -> usize {
        let most = places.len().saturating_mul(self.length);
        let parts = self.octets.split_at_checked(most);
        let (next, rest) = parts.unwrap_or((self.octets, &[]));
        self.octets = rest;
        self.reader.fill(next.chunks_exact(self.length), places)
    }

    /// Decodes all that are left, one after the other.
    #[inline]
    pub(super) fn each(self, mut emit: impl FnMut(&FlowRecord)) {
        let records = self.octets.chunks_exact(self.length);
        self.reader.each(records, |_, flow| emit(flow));
    }
}

impl Sampler {
    /// Whether all records of the scope have one rate.
    fn is_common(&self, scope: &Scope<'_>) -> bool {
        self.0.iter().all(Option::is_none) && !scope.sampling.differs_by_interface()
    }

    fn lookup(&self, shape: &Shape, record: &[u8], in_if: u32) -> SamplerLookup {
        let number = |window: Option<Window>| window.map(|window| window.load(record));
        let [interval, packet_interval, packet_space, selector] = self.0.map(number);
        SamplerLookup {
            interval,
            packet_interval,
            packet_space,
            selector,
            ..shape.lookup(Some(in_if))
        }
    }
}

/// What the images of all records of a scope have, and what is to be said of
/// their flows.
fn base(shape: &Shape, scope: &Scope<'_>, route: u16) -> (Image, RecordFlags) {
    let mut flags = shape.counters.flags();
    flags.set(RecordFlags::TCP_FLAGS, shape.tcp_flags);
    let (rate, is_known) = scope.sampling.rate(&shape.lookup(None));
    flags.set(RecordFlags::SAMPLING_UNKNOWN, !is_known);
    let address = if shape.ipv4 { MAPPED } else { [0; 16] };
    let is_directed = shape.present.contains(Presence::DIRECTION);
    let base = Image {
        src: address,
        dst: address,
        source: scope.source.0,
        out_of: rate.out_of,
        picked: rate.picked,
        present: shape.present.bits(),
        route,
        direction: if is_directed { 0 } else { DIRECTION_ABSENT },
        ..Image::default()
    };
    (base, flags)
}

/// Notes a rate that is not that of the others.
fn sample(flow: &mut FlowRecord, (rate, is_known): (SamplingRate, bool)) {
    flow.key.sampling = rate;
    flow.flags.set(RecordFlags::SAMPLING_UNKNOWN, !is_known);
}

/// What an IPv4 address has before it. RFC 4291 §2.5.5.2.
const MAPPED: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
