//! Columns of flows on their way out of a lane.

mod details;

use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::element::ElementId;
use crate::flow::Amount;
use crate::flow::Detail;
use crate::flow::Event;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::session::SamplingRate;
use crate::session::SourceId;
use crate::session::TimeFlags;

pub(crate) use details::Details;
#[cfg(feature = "journal")]
pub(crate) use details::Sparse;

/// Rows of one lane, all routes mixed, as column vectors.
///
/// A column holds 0 where a row has no value; `present` says which of the key
/// fields are absent. What few rows have is in sparse columns. Arrow takes
/// the vectors over as they are, so their types are those of the schema.
#[derive(Clone, Debug, Default)]
pub struct FlowBatch {
    pub(crate) columns: Columns,
    pub(crate) details: Details,
    exporters: Vec<(IpAddr, Amount)>,
    places: HashMap<IpAddr, usize, RandomState>,
    amount: Amount,
}

/// Declares vectors of equal length and what is done to all of them alike.
macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)+) => {
        /// What every row has.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Columns {
            $($(#[$doc])* pub(crate) $name: Vec<$type>,)+
        }

        impl Columns {
            /// Octets of one row.
            const ROW_BYTES: usize = 0 $(+ size_of::<$type>())+;

            fn reserve(&mut self, rows: usize) {
                $(self.$name.reserve(rows);)+
            }

            fn clear(&mut self) {
                $(self.$name.clear();)+
            }
        }
    };
}

columns! {
    /// `flowlog::RouteId` the row took.
    route: u16,
    /// Index into [`FlowBatch::exporters`].
    exporter: i32,
    /// Observation Domain.
    domain: u32,
    /// Milliseconds since 1970.
    start_ms: i64,
    /// Milliseconds since 1970.
    end_ms: i64,
    /// IPv6, or IPv4-mapped.
    src: [u8; 16],
    /// IPv6, or IPv4-mapped.
    dst: [u8; 16],
    src_port: u16,
    /// Of ICMP type * 256 + code.
    dst_port: u16,
    protocol: u8,
    octets: u64,
    packets: u64,
    flows: u32,
    tcp_flags: u16,
    tos: u8,
    in_if: u32,
    out_if: u32,
    src_as: u32,
    dst_as: u32,
    src_mask: u8,
    dst_mask: u8,
    /// IPv4, 0 if none.
    next_hop: u32,
    vlan: u16,
    direction: u8,
    /// As in `FlowKey::vrf`.
    vrf: u32,
    sampling: SamplingRate,
    forwarding_status: u8,
    /// IANA's numbers; 0 if unknown.
    end_reason: u8,
    records: u32,
    event: Option<Event>,
    time_flags: TimeFlags,
    flags: RecordFlags,
    /// Which key fields the row has.
    present: Presence,
    /// The flow's own number in the cache; 0 if it was in none.
    serial: u64,
}

impl FlowBatch {
    /// Makes room for so many further rows.
    pub fn reserve(&mut self, rows: usize) {
        self.columns.reserve(rows);
    }

    /// Adds a row of a record that was not merged. Allocates only when a vector
    /// grows.
    pub fn push(
        &mut self,
        record: &FlowRecord,
        detail: Option<&Detail>,
        exporter: IpAddr,
        domain: u32,
    ) {
        self.push_flow(record, detail, (exporter, domain), 0);
    }

    /// Adds a row of a flow that left the cache, where it had this number; 0 is
    /// none.
    pub fn push_flow(
        &mut self,
        record: &FlowRecord,
        detail: Option<&Detail>,
        (exporter, domain): (IpAddr, u32),
        serial: u64,
    ) {
        if let Some(detail) = detail {
            let row = u32::try_from(self.len()).unwrap_or(u32::MAX);
            self.details.push(row, detail);
        }
        let amount = record.amount();
        self.amount += amount;
        let exporter = self.attribute(exporter, amount);
        self.columns.push(record, exporter, domain);
        self.columns.serial.push(serial);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.columns.route.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets its rows occupy, spare capacity not counted.
    pub fn bytes(&self) -> usize {
        self.len() * Columns::ROW_BYTES + self.details.bytes() + size_of_val(&*self.exporters)
    }

    /// Sum over all rows.
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// Route of each row (`flowlog::RouteId`).
    pub fn routes(&self) -> &[u16] {
        &self.columns.route
    }

    /// A row as it was pushed, but for the exporter's id, which is 0.
    pub fn record(&self, row: usize) -> Option<FlowRecord> {
        self.columns.record(row)
    }

    /// What a row stands for.
    pub fn amount_of(&self, row: usize) -> Option<Amount> {
        self.columns.amount(row)
    }

    /// What else a row was pushed with, but for its extra elements and its
    /// connection; allocates nothing.
    pub fn detail(&self, row: usize) -> Option<Detail> {
        let row = u32::try_from(row).ok();
        row.and_then(|row| self.details.detail(row))
    }

    /// A row's extra elements in the order they were pushed in.
    pub fn extra(&self, row: usize) -> impl Iterator<Item = (ElementId, &[u8])> {
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        self.details.extra(row)
    }

    /// Who exported a row: address and Observation Domain.
    pub fn origin(&self, row: usize) -> Option<(IpAddr, u32)> {
        let exporter = usize::try_from(*self.columns.exporter.get(row)?).ok()?;
        let (address, _) = self.exporters.get(exporter)?;
        Some((*address, *self.columns.domain.get(row)?))
    }

    /// Sum of each exporter, so that a batch that is dropped is attributed.
    pub fn exporters(&self) -> &[(IpAddr, Amount)] {
        &self.exporters
    }

    /// Removes all rows and keeps the room they had.
    pub fn clear(&mut self) {
        self.columns.clear();
        self.details.clear();
        self.exporters.clear();
        self.places.clear();
        self.amount = Amount::default();
    }

    /// Adds to an exporter's sum; its index. Rows of one exporter come in a row.
    fn attribute(&mut self, exporter: IpAddr, amount: Amount) -> i32 {
        let last = self.columns.exporter.last();
        let last = last.and_then(|&index| usize::try_from(index).ok());
        let is_exporter = |index: &usize| {
            let found = self.exporters.get(*index);
            found.is_some_and(|(address, _)| *address == exporter)
        };
        let index = last.filter(is_exporter).unwrap_or_else(|| {
            let next = self.exporters.len();
            let index = *self.places.entry(exporter).or_insert(next);
            if index == next {
                self.exporters.push((exporter, Amount::default()));
            }
            index
        });
        if let Some((_, sum)) = self.exporters.get_mut(index) {
            *sum += amount;
        }
        i32::try_from(index).unwrap_or(i32::MAX)
    }
}

impl Columns {
    fn push(&mut self, record: &FlowRecord, exporter: i32, domain: u32) {
        let key = &record.key;
        self.route.push(key.route);
        self.exporter.push(exporter);
        self.domain.push(domain);
        self.start_ms.push(signed(record.start_ms));
        self.end_ms.push(signed(record.end_ms));
        self.src.push(key.src);
        self.dst.push(key.dst);
        self.src_port.push(key.src_port);
        self.dst_port.push(key.dst_port);
        self.protocol.push(key.protocol);
        self.octets.push(record.octets);
        self.packets.push(record.packets);
        self.flows.push(record.flows);
        self.tcp_flags.push(record.tcp_flags);
        self.tos.push(key.tos);
        self.in_if.push(key.in_if);
        self.out_if.push(key.out_if);
        self.src_as.push(record.src_as);
        self.dst_as.push(record.dst_as);
        self.src_mask.push(record.src_mask);
        self.dst_mask.push(record.dst_mask);
        self.next_hop.push(record.next_hop);
        self.vlan.push(key.vlan);
        self.direction.push(key.direction);
        self.vrf.push(key.vrf);
        self.sampling.push(key.sampling);
        self.forwarding_status.push(record.forwarding_status);
        self.end_reason.push(record.end_reason as u8);
        self.records.push(record.records);
        self.event.push(record.event);
        self.time_flags.push(record.time_flags);
        self.flags.push(record.flags);
        self.present.push(key.present);
    }

    fn amount(&self, row: usize) -> Option<Amount> {
        Some(Amount {
            records: u64::from(*self.records.get(row)?),
            octets: *self.octets.get(row)?,
            packets: *self.packets.get(row)?,
        })
    }

    fn record(&self, row: usize) -> Option<FlowRecord> {
        let forwarding_status = *self.forwarding_status.get(row)?;
        Some(FlowRecord {
            key: self.key(row, forwarding_status >> 6)?,
            octets: *self.octets.get(row)?,
            packets: *self.packets.get(row)?,
            start_ms: unsigned(*self.start_ms.get(row)?),
            end_ms: unsigned(*self.end_ms.get(row)?),
            flows: *self.flows.get(row)?,
            records: *self.records.get(row)?,
            src_as: *self.src_as.get(row)?,
            dst_as: *self.dst_as.get(row)?,
            next_hop: *self.next_hop.get(row)?,
            tcp_flags: *self.tcp_flags.get(row)?,
            src_mask: *self.src_mask.get(row)?,
            dst_mask: *self.dst_mask.get(row)?,
            forwarding_status,
            end_reason: (*self.end_reason.get(row)?).into(),
            time_flags: *self.time_flags.get(row)?,
            flags: *self.flags.get(row)?,
            event: *self.event.get(row)?,
        })
    }

    fn key(&self, row: usize, forwarding_class: u8) -> Option<FlowKey> {
        Some(FlowKey {
            src: *self.src.get(row)?,
            dst: *self.dst.get(row)?,
            source: SourceId(0),
            in_if: *self.in_if.get(row)?,
            out_if: *self.out_if.get(row)?,
            vrf: *self.vrf.get(row)?,
            sampling: *self.sampling.get(row)?,
            present: *self.present.get(row)?,
            src_port: *self.src_port.get(row)?,
            dst_port: *self.dst_port.get(row)?,
            vlan: *self.vlan.get(row)?,
            route: *self.route.get(row)?,
            protocol: *self.protocol.get(row)?,
            tos: *self.tos.get(row)?,
            direction: *self.direction.get(row)?,
            forwarding_class,
        })
    }
}

/// Times beyond the year 292 million are that year.
fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// A time as it was before [`signed`].
fn unsigned(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn record(octets: u64) -> FlowRecord {
        FlowRecord {
            octets,
            packets: 1,
            records: 2,
            ..FlowRecord::default()
        }
    }

    fn exporter(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn amount(records: u64, octets: u64, packets: u64) -> Amount {
        Amount {
            records,
            octets,
            packets,
        }
    }

    #[test]
    fn sums_are_kept_of_all_and_of_each_exporter() {
        let mut batch = FlowBatch::default();
        for (octets, last) in [(10, 1), (20, 1), (30, 2), (40, 1)] {
            batch.push(&record(octets), None, exporter(last), 7);
        }
        assert_eq!(batch.amount(), amount(8, 100, 4));
        let sums = [
            (exporter(1), amount(6, 70, 3)),
            (exporter(2), amount(2, 30, 1)),
        ];
        assert_eq!(batch.exporters(), sums);
        assert_eq!(batch.columns.exporter, [0, 0, 1, 0]);
        assert_eq!(batch.len(), 4);
    }

    #[test]
    fn extra_elements_keep_their_row_and_octets() {
        let detail = |values: &[&[u8]]| Detail {
            extra: values
                .iter()
                .map(|&value| (ElementId::iana(82), value.into()))
                .collect(),
            ..Detail::default()
        };
        let mut batch = FlowBatch::default();
        batch.push(&record(1), Some(&detail(&[b"a", b""])), exporter(1), 0);
        batch.push(&record(1), None, exporter(1), 0);
        batch.push(&record(1), Some(&detail(&[b"bc"])), exporter(1), 0);
        let id = ElementId::iana(82);
        let Details {
            extra,
            extra_octets,
            ..
        } = &batch.details;
        assert_eq!(extra.rows, [0, 0, 2]);
        assert_eq!(extra.values, [(id, 1), (id, 1), (id, 3)]);
        assert_eq!(extra_octets, b"abc");
        let of = |row| batch.extra(row).collect::<Vec<_>>();
        assert_eq!(of(0), [(id, &b"a"[..]), (id, b"")]);
        assert_eq!(of(1), []);
        assert_eq!(of(2), [(id, &b"bc"[..])]);
        assert_eq!(of(3), []);
    }

    #[test]
    fn a_row_is_read_as_it_was_pushed() {
        let detail = Detail {
            src_mac: Some([1, 2, 3, 4, 5, 6]),
            layer2_octets: Some(99),
            ..Detail::default()
        };
        let mut batch = FlowBatch::default();
        batch.push(&record(1), None, exporter(1), 7);
        batch.push(&record(2), Some(&detail), exporter(2), 8);
        assert_eq!(batch.record(0), Some(record(1)));
        assert_eq!(batch.record(1), Some(record(2)));
        assert_eq!(batch.record(2), None);
        assert_eq!((batch.detail(0), batch.detail(2)), (None, None));
        assert_eq!(batch.detail(1), Some(detail));
        assert_eq!(batch.origin(1), Some((exporter(2), 8)));
        assert_eq!(batch.origin(2), None);
    }

    #[test]
    fn a_cleared_batch_has_the_room_but_nothing_else() {
        let mut batch = FlowBatch::default();
        let detail = Detail {
            mpls_label: Some(3),
            ..Detail::default()
        };
        for _ in 0..100 {
            batch.push(&record(1), Some(&detail), exporter(1), 0);
        }
        assert_eq!(batch.bytes(), 100 * (Columns::ROW_BYTES + 8) + 48);
        batch.clear();
        assert_eq!((batch.bytes(), batch.len()), (0, 0));
        assert_eq!(batch.amount(), Amount::default());
        assert_eq!(batch.exporters(), []);
        assert!(batch.columns.octets.capacity() >= 100);
    }
}
