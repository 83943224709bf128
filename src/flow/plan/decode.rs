//! Data Records through a [`Plan`].

use crate::flow::Connection;
use crate::flow::Detail;
use crate::flow::EndReason;
use crate::flow::Event;
use crate::flow::FlowRecord;
use crate::flow::Plan;
use crate::flow::RecordFlags;
use crate::flow::plan::content::Content;
use crate::flow::plan::content::Counters;
use crate::flow::plan::detail::Frame;
use crate::flow::plan::fields::RUNS_MAX;
use crate::flow::plan::finish::is_icmp;
use crate::flow::plan::quick::Bare;
use crate::flow::plan::slot::Slot;
use crate::flow::plan::slot::Slots;
use crate::session::Origin;
use crate::session::Scope;
use crate::wire::Layout;
use crate::wire::Template;

impl Plan {
    /// Reads one record and hands on what it says: no, one or two records.
    ///
    /// Two are the directions of a biflow (P-311) or of an NSEL connection
    /// (P-501), the second with [`RecordFlags::REVERSE`]. None is what a biflow
    /// without directional key says (P-310), and options that no flow log asks
    /// for. Octets that `record` has less than its Template says read as 0.
    /// Allocates only for extra elements.
    #[inline]
    pub fn decode(
        &self,
        scope: &Scope<'_>,
        record: &[u8],
        emit: &mut impl FnMut(&FlowRecord, Option<&Detail>),
    ) {
        if let [_] = *self.runs {
            self.decode_frame(scope, &Frame::fixed(record), emit);
        } else {
            let cuts = Cuts::of(record, &self.runs);
            self.decode_frame(scope, &cuts.frame(record), emit);
        }
    }

    /// Reads all records of a Data Set as [`Self::decode`] would one by one.
    ///
    /// `records` are octets as [`Template::split`] takes them.
    #[inline]
    pub fn decode_all(
        &self,
        template: &Template,
        scope: &Scope<'_>,
        records: &[u8],
        emit: &mut impl FnMut(&FlowRecord, Option<&Detail>),
    ) {
        if let Some(records) = self.bare(template, scope, records, 0) {
            return records.each(|flow| emit(flow, None));
        }
        let records = template.split(records).map_while(Result::ok);
        match &self.quick {
            Some(quick) => {
                let reader = quick.reader(&self.shape, scope, 0);
                reader.each(records, |record, flow| {
                    let detail = self.detail_beside(record);
                    emit(flow, detail.as_ref());
                });
            }
            None => records.for_each(|record| self.decode(scope, record, emit)),
        }
    }

    /// The records that [`Self::decode_all`] reads, all on one route, if every
    /// one is a flow without detail, as nearly all are.
    #[inline]
    pub fn bare<'a>(
        &'a self,
        template: &Template,
        scope: &'a Scope<'a>,
        records: &'a [u8],
        route: u16,
    ) -> Option<Bare<'a>> {
        match (&self.quick, template.layout) {
            (Some(quick), Layout::Fixed(length)) if self.detail.is_empty() => {
                let reader = quick.reader(&self.shape, scope, route);
                Some(Bare::new(reader, records, length))
            }
            (_, Layout::Fixed(_) | Layout::Variable(_) | Layout::Empty) => None,
        }
    }

    /// What a plain flow has beside its record, if anything.
    fn detail_beside(&self, record: &[u8]) -> Option<Detail> {
        if self.detail.is_empty() {
            None
        } else if let [_] = *self.runs {
            Some(self.detail.of_flow(&Frame::fixed(record)))
        } else {
            let cuts = Cuts::of(record, &self.runs);
            Some(self.detail.of_flow(&cuts.frame(record)))
        }
    }

    /// The exporter that a record names, if its Template has such fields.
    pub(super) fn read_origin(&self, record: &[u8]) -> Option<Origin> {
        if let [_] = *self.runs {
            self.origin.read(record, &[0])
        } else {
            self.origin
                .read(record, &Cuts::of(record, &self.runs).bases)
        }
    }

    #[inline]
    fn decode_frame(
        &self,
        scope: &Scope<'_>,
        frame: &Frame<'_>,
        emit: &mut impl FnMut(&FlowRecord, Option<&Detail>),
    ) {
        if self.is_undirected() || self.is_heard() {
            return;
        }
        let mut slots = Slots::empty();
        self.loads.run(frame.record, frame.bases, &mut slots);
        let mut flow = self.shape.finish(&slots, scope);
        if self.is_plain() {
            emit(&flow, None);
        } else {
            self.decode_rest(scope, frame, &mut slots, &mut flow, emit);
        }
    }

    /// Whether every record is one flow without detail, as nearly all are.
    fn is_plain(&self) -> bool {
        self.content == Content::Flow
            && self.back.is_none()
            && !self.nat
            && self.detail.is_empty()
            && !self.shape.has_two_vrfs()
    }

    fn decode_rest(
        &self,
        scope: &Scope<'_>,
        frame: &Frame<'_>,
        slots: &mut Slots,
        flow: &mut FlowRecord,
        emit: &mut impl FnMut(&FlowRecord, Option<&Detail>),
    ) {
        match self.content {
            Content::Undirected | Content::Heard => {}
            Content::Nsel => self.decode_nsel(scope, frame, slots, flow, emit),
            Content::Event(kind) => self.emit_event(frame, flow, kind.event(), emit),
            Content::Flow | Content::Connection if self.is_nat_event(slots, flow) => {
                self.emit_event(frame, flow, Event::Nat, emit);
            }
            Content::Flow => {
                let detail = self.detail_of_flow(frame, slots);
                self.emit_ways(scope, frame, slots, flow, detail, emit);
            }
            Content::Connection => {
                if slots.get(Slot::BiflowDirection) == REVERSE_INITIATOR {
                    flow.octets = slots.get(Slot::ResponderOctets);
                    flow.packets = slots.get(Slot::ResponderPackets);
                    slots.set(Slot::ResponderOctets, slots.get(Slot::Octets));
                    slots.set(Slot::ResponderPackets, slots.get(Slot::Packets));
                }
                let detail = self.detail_of_flow(frame, slots);
                self.emit_ways(scope, frame, slots, flow, detail, emit);
            }
        }
    }

    /// What a flow has beside its record, if anything.
    fn detail_of_flow(&self, frame: &Frame<'_>, slots: &Slots) -> Option<Detail> {
        let vrfs = self.shape.wide_vrfs(slots);
        (vrfs.is_some() || !self.detail.is_empty()).then(|| Detail {
            vrfs,
            ..self.detail.of_flow(frame)
        })
    }

    /// A record of a firewall: which event it is stands in 233 or 40005. P-500, P-501.
    fn decode_nsel(
        &self,
        scope: &Scope<'_>,
        frame: &Frame<'_>,
        slots: &mut Slots,
        flow: &mut FlowRecord,
        emit: &mut impl FnMut(&FlowRecord, Option<&Detail>),
    ) {
        let directional = self.shape.counters == Counters::Directional;
        let event = match slots.get(Slot::FirewallEvent) {
            1 => Event::NselCreated,
            2 => Event::NselTeardown,
            3 => Event::NselDenied,
            4 => Event::NselAlert,
            5 => Event::NselUpdate,
            _ => Event::Other,
        };
        match event {
            Event::NselUpdate if directional => {
                flow.flags |= RecordFlags::NSEL;
                let mut detail = self.detail_of_flow(frame, slots).unwrap_or_default();
                detail.connection = self.connection(scope, slots);
                self.emit_ways(scope, frame, slots, flow, Some(detail), emit);
            }
            Event::NselTeardown if directional => {
                flow.flags |= RecordFlags::NSEL;
                flow.event = Some(Event::NselTeardown);
                flow.end_reason = EndReason::End;
                let mut detail = self.detail.of_event(frame);
                detail.connection = self.connection(scope, slots);
                self.emit_ways(scope, frame, slots, flow, Some(detail), emit);
            }
            Event::NselTeardown if self.shape.counters == Counters::Teardown => {
                flow.end_reason = EndReason::End;
                let detail = self.detail_of_flow(frame, slots);
                emit(flow, detail.as_ref());
            }
            Event::NselCreated
            | Event::NselTeardown
            | Event::NselDenied
            | Event::NselAlert
            | Event::NselUpdate
            | Event::Nat
            | Event::PacketSection
            | Event::Options
            | Event::Other => {
                flow.octets = 0;
                flow.packets = 0;
                let mut detail = self.detail.of_event(frame);
                detail.connection = self.connection(scope, slots);
                flow.flags |= RecordFlags::NSEL;
                flow.event = Some(event);
                emit(flow, Some(&detail));
            }
        }
    }

    /// The connection a firewall's record belongs to; it needs an id (148).
    fn connection(&self, scope: &Scope<'_>, slots: &Slots) -> Option<Connection> {
        let id = slots.get(Slot::Connection);
        (id != 0).then(|| Connection {
            id,
            created_ms: self.shape.times.created_ms(slots, scope.clock),
            event_ms: self.shape.times.event_ms(slots, scope.clock),
        })
    }

    /// The way there and, if there was one, the way back.
    fn emit_ways(
        &self,
        scope: &Scope<'_>,
        frame: &Frame<'_>,
        slots: &mut Slots,
        there: &FlowRecord,
        mut detail: Option<Detail>,
        emit: &mut impl FnMut(&FlowRecord, Option<&Detail>),
    ) {
        emit(there, detail.as_ref());
        let Some((shape, loads)) = &self.back else {
            return;
        };
        let responder = (
            slots.get(Slot::ResponderOctets),
            slots.get(Slot::ResponderPackets),
        );
        slots.turn(is_icmp(slots.u8(Slot::Protocol)));
        slots.set(Slot::Octets, responder.0);
        slots.set(Slot::Packets, responder.1);
        loads.run(frame.record, frame.bases, slots);
        let mut back = shape.finish(slots, scope);
        if (back.octets | back.packets) == 0 {
            return;
        }
        let own = there.flags & RecordFlags::NSEL;
        back.flags |= own | RecordFlags::REVERSE;
        back.event = there.event;
        back.end_reason = there.end_reason;
        if let Some(detail) = &mut detail {
            detail.turn();
        }
        emit(&back, detail.as_ref());
    }

    /// 230 alone makes no event of a record that counts traffic (P-340).
    fn is_nat_event(&self, slots: &Slots, flow: &FlowRecord) -> bool {
        self.nat && slots.get(Slot::NatEvent) > 0 && (flow.octets | flow.packets) == 0
    }

    /// A record that is no flow. Odometers of it say nothing in a column of deltas.
    fn emit_event(
        &self,
        frame: &Frame<'_>,
        record: &mut FlowRecord,
        event: Event,
        emit: &mut impl FnMut(&FlowRecord, Option<&Detail>),
    ) {
        if record.flags.contains(RecordFlags::TOTALS) {
            record.octets = 0;
            record.packets = 0;
            record.flags -= RecordFlags::TOTALS;
        }
        record.event = Some(event);
        emit(record, Some(&self.detail.of_event(frame)));
    }
}

/// biflowDirection (239): the source is not the initiator. P-313.
const REVERSE_INITIATOR: u64 = 2;

impl Detail {
    /// Turns it around for the way back, which has no extra elements: their
    /// counters would count twice.
    fn turn(&mut self) {
        std::mem::swap(&mut self.nat_src, &mut self.nat_dst);
        std::mem::swap(&mut self.nat_src_port, &mut self.nat_dst_port);
        std::mem::swap(&mut self.src_mac, &mut self.dst_mac);
        self.mpls_label = None;
        self.layer2_octets = None;
        self.next_hop_v6 = None;
        self.vrfs = self.vrfs.map(|(ingress, egress)| (egress, ingress));
        self.extra.clear();
    }
}

/// Where the runs of a record with variable-length fields begin, and those
/// fields; 65 535, where no octet can be, for what the record lacks.
struct Cuts {
    bases: [u16; RUNS_MAX],
    variable: [(u16, u16); RUNS_MAX],
}

impl Cuts {
    /// Walks over the length prefixes. RFC 7011 §7.
    fn of(record: &[u8], runs: &[usize]) -> Self {
        let mut cuts = Self {
            bases: [u16::MAX; RUNS_MAX],
            variable: [(u16::MAX, 0); RUNS_MAX],
        };
        let places = cuts.bases.iter_mut().zip(&mut cuts.variable);
        let mut at = 0;
        for ((base, variable), run) in places.zip(runs) {
            *base = at;
            let Some((start, length)) = prefixed(record, usize::from(at).saturating_add(*run))
            else {
                break;
            };
            *variable = (start, length);
            at = start.saturating_add(length);
        }
        cuts
    }

    fn frame<'a>(&'a self, record: &'a [u8]) -> Frame<'a> {
        Frame {
            record,
            bases: &self.bases,
            variable: &self.variable,
        }
    }
}

/// Begin and length of the variable-length field whose prefix is at `prefix`.
fn prefixed(record: &[u8], prefix: usize) -> Option<(u16, u16)> {
    let (start, length) = match record.get(prefix..)? {
        [255, high, low, ..] => (prefix + 3, u16::from_be_bytes([*high, *low])),
        [length, ..] if *length < 255 => (prefix + 1, u16::from(*length)),
        _ => return None,
    };
    Some((u16::try_from(start).ok()?, length))
}
