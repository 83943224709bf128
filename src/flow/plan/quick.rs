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
use super::shuffle::Shuffle;
use super::slot::Slot;
use super::times::Stamps;
use crate::flow::DIRECTION_ABSENT;
use crate::flow::EndReason;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::session::SamplerLookup;
use crate::session::SamplingRate;
use crate::session::Scope;
use crate::session::SourceId;
use crate::session::Times;

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

    /// Hands on each record with the flow it is; they are whole records.
    #[inline]
    pub(super) fn each<'a>(
        &self,
        shape: &Shape,
        scope: &Scope<'_>,
        records: impl Iterator<Item = &'a [u8]>,
        mut emit: impl FnMut(&[u8], &FlowRecord),
    ) {
        let common = self.sampler.is_common(scope);
        let (base, flags) = base(shape, scope);
        self.shuffle.each(&base, records, |record, image| {
            let times = self.stamps.times(image.start, image.end, scope.clock);
            let mut flow = flow(image, times, flags, shape);
            if !common {
                let lookup = self.sampler.lookup(shape, record, image);
                sample(&mut flow, scope.sampling.rate(&lookup));
            }
            emit(record, &flow);
        });
    }
}

impl Sampler {
    /// Whether all records of the scope have one rate.
    fn is_common(&self, scope: &Scope<'_>) -> bool {
        self.0.iter().all(Option::is_none) && !scope.sampling.differs_by_interface()
    }

    fn lookup(&self, shape: &Shape, record: &[u8], image: &Image) -> SamplerLookup {
        let number = |window: Option<Window>| window.map(|window| window.load(record));
        let [interval, packet_interval, packet_space, selector] = self.0.map(number);
        SamplerLookup {
            interval,
            packet_interval,
            packet_space,
            selector,
            ..shape.lookup(Some(image.in_if))
        }
    }
}

/// What the images of all records of a scope have, and what is to be said of
/// their flows.
fn base(shape: &Shape, scope: &Scope<'_>) -> (Image, RecordFlags) {
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

/// The flow that an image shows.
#[inline]
fn flow(image: &Image, times: Times, flags: RecordFlags, shape: &Shape) -> FlowRecord {
    let mut flow = FlowRecord {
        key: FlowKey {
            src: image.src,
            dst: image.dst,
            source: SourceId(image.source),
            in_if: image.in_if,
            out_if: image.out_if,
            vrf: image.vrf,
            sampling: SamplingRate {
                out_of: image.out_of,
                picked: image.picked,
            },
            present: Presence::from_bits_retain(image.present),
            src_port: image.src_port,
            dst_port: image.dst_port,
            vlan: image.vlan,
            route: image.route,
            protocol: image.protocol,
            tos: image.tos,
            direction: image.direction,
            forwarding_class: image.forwarding >> 6,
        },
        octets: image.octets,
        packets: image.packets,
        start_ms: times.start_ms,
        end_ms: times.end_ms,
        // An exporter's 0 stands for 1 (P-048).
        flows: image.flows.max(1),
        records: 1,
        src_as: image.src_as,
        dst_as: image.dst_as,
        next_hop: image.next_hop,
        tcp_flags: image.tcp_flags & TCP_FLAGS,
        src_mask: image.src_mask,
        dst_mask: image.dst_mask,
        forwarding_status: image.forwarding,
        end_reason: EndReason::from(image.end_reason),
        time_flags: times.flags,
        flags,
        event: None,
    };
    if is_icmp(image.protocol) {
        let icmp = shape.icmp.then_some(image.icmp);
        (flow.key.src_port, flow.key.dst_port) = ports(image.src_port, image.dst_port, icmp);
    }
    flow
}

/// What an IPv4 address has before it. RFC 4291 §2.5.5.2.
const MAPPED: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
