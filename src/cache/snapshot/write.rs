//! From flows to octets, a piece at a time.

use super::FLOW;
use super::FlowNames;
use super::PIECE;
use super::octets::put;
use super::octets::put_address;
use super::octets::put_bytes;
use super::octets::put_ip;
use crate::cache::Cache;
use crate::cache::entry::Entry;
use crate::flow::Detail;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;
use crate::session::SourceId;

/// Octets after which a piece ends before its time: details may be long.
const PIECE_BYTES_MAX: usize = 1 << 20;
/// Routes or sources after which it does: they are searched one by one.
const NAMES_MAX: usize = 256;

/// One look at every slot of a cache, in bounded pieces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Walk {
    next: u32,
    end: u32,
}

impl Walk {
    /// The walk over all flows that are in the cache now.
    pub fn new(cache: &Cache) -> Self {
        Self {
            next: 0,
            end: cache.slab.slots(),
        }
    }

    /// Whether every slot was looked at.
    pub fn is_done(&self) -> bool {
        self.next >= self.end
    }

    /// Appends the flows of the next slots, at most `slots_max`, and until a
    /// mebibyte is full or 256 sources are named; how many flows that are.
    /// Flows whose source or route has no name are left out.
    pub fn piece(
        &mut self,
        cache: &Cache,
        lane: u32,
        slots_max: usize,
        names: &impl FlowNames,
        out: &mut Vec<u8>,
    ) -> u64 {
        let mut piece = Piece {
            cache,
            names,
            routes: Vec::new(),
            sources: Vec::new(),
            out,
        };
        piece.out.push(PIECE);
        put(piece.out, lane);
        let start = piece.out.len();
        let mut flows = 0;
        for _ in 0..slots_max {
            let is_full = piece.out.len() - start >= PIECE_BYTES_MAX
                || piece.routes.len().max(piece.sources.len()) >= NAMES_MAX;
            if self.is_done() || is_full {
                break;
            }
            flows += u64::from(piece.put(self.next).is_some());
            self.next += 1;
        }
        flows
    }
}

/// A piece that is being written.
struct Piece<'a, N> {
    cache: &'a Cache,
    names: &'a N,
    /// Ids by the number they have in this piece.
    routes: Vec<u16>,
    sources: Vec<SourceId>,
    out: &'a mut Vec<u8>,
}

impl<N: FlowNames> Piece<'_, N> {
    /// Appends the flow of a slot, if one lives there.
    fn put(&mut self, slot: u32) -> Option<()> {
        let entry = self.cache.slab.get(slot).filter(|it| !it.is_free())?;
        let key = &entry.record.key;
        let route = self.names.route(key.route)?;
        let source = self.names.source(key.source)?;
        self.out.push(FLOW);
        put(self.out, self.cache.slab.serial(slot));
        if number(&mut self.routes, key.route, self.out) {
            put_bytes(self.out, route.flow_log.as_bytes());
            put(self.out, route.instance_id.is_some());
            put_bytes(self.out, route.instance_id.unwrap_or_default().as_bytes());
        }
        if number(&mut self.sources, key.source, self.out) {
            put_ip(self.out, source.0);
            put(self.out, source.1);
        }
        self.ages(entry);
        put_key(self.out, key);
        put_values(self.out, &entry.record);
        let detail = self.cache.details.get(entry.detail);
        put(self.out, detail.is_some());
        if let Some(detail) = detail {
            put_detail(self.out, detail);
        }
        Some(())
    }

    fn ages(&mut self, entry: &Entry) {
        let now_ms = self.cache.now_ms;
        put(self.out, now_ms - entry.first(now_ms));
        put(self.out, now_ms - entry.last(now_ms));
    }
}

/// Appends the number an id has in this piece; whether it is new.
///
/// The ids of neighbours are alike and those of a piece are few.
fn number<T: Copy + PartialEq>(known: &mut Vec<T>, id: T, out: &mut Vec<u8>) -> bool {
    let found = known.iter().rposition(|other| *other == id);
    put(out, found.unwrap_or(known.len()) as u64);
    if found.is_none() {
        known.push(id);
    }
    found.is_none()
}

fn put_key(out: &mut Vec<u8>, key: &FlowKey) {
    put_address(out, key.src);
    put_address(out, key.dst);
    put(out, key.in_if);
    put(out, key.out_if);
    put(out, key.vrf);
    put(out, key.sampling.out_of);
    put(out, key.sampling.picked);
    put(out, key.present.bits());
    put(out, key.src_port);
    put(out, key.dst_port);
    put(out, key.vlan);
    out.extend([key.protocol, key.tos, key.direction, key.forwarding_class]);
}

fn put_values(out: &mut Vec<u8>, record: &FlowRecord) {
    put(out, record.octets);
    put(out, record.packets);
    put(out, record.start_ms);
    put(out, record.end_ms);
    put(out, record.flows);
    put(out, record.records);
    put(out, record.src_as);
    put(out, record.dst_as);
    put(out, record.next_hop);
    put(out, record.tcp_flags);
    out.extend([
        record.src_mask,
        record.dst_mask,
        record.forwarding_status,
        record.end_reason as u8,
        record.time_flags.bits(),
        record.flags.bits(),
    ]);
}

fn put_detail(out: &mut Vec<u8>, detail: &Detail) {
    let mut maybe = |value: Option<&[u8]>| {
        put(out, value.is_some());
        if let Some(value) = value {
            put_bytes(out, value);
        }
    };
    maybe(detail.src_mac.as_ref().map(<[u8; 6]>::as_slice));
    maybe(detail.dst_mac.as_ref().map(<[u8; 6]>::as_slice));
    maybe(detail.next_hop_v6.as_ref().map(<[u8; 16]>::as_slice));
    for address in [detail.nat_src, detail.nat_dst] {
        put(out, address.is_some());
        if let Some(address) = address {
            put_ip(out, address);
        }
    }
    let numbers = [
        detail.nat_src_port.map(u64::from),
        detail.nat_dst_port.map(u64::from),
        detail.mpls_label.map(u64::from),
        detail.layer2_octets,
        detail.vrfs.map(|(ingress, _)| ingress.into()),
        detail.vrfs.map(|(_, egress)| egress.into()),
    ];
    for number in numbers {
        put(out, number.is_some());
        if let Some(number) = number {
            put(out, number);
        }
    }
    put(out, detail.extra.len() as u64);
    for (element, octets) in &detail.extra {
        put(out, element.pen);
        put(out, element.id);
        put_bytes(out, octets);
    }
}
