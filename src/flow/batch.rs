//! Columns of flows on their way out of a lane.

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

/// A column of which few rows have a value.
#[derive(Clone, Debug)]
pub(crate) struct Sparse<T> {
    /// Rows with a value, ascending.
    pub(crate) rows: Vec<u32>,
    /// Their values.
    pub(crate) values: Vec<T>,
}

/// What few rows have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    pub(crate) nat_src: Sparse<IpAddr>,
    pub(crate) nat_dst: Sparse<IpAddr>,
    pub(crate) nat_src_port: Sparse<u16>,
    pub(crate) nat_dst_port: Sparse<u16>,
    pub(crate) src_mac: Sparse<[u8; 6]>,
    pub(crate) dst_mac: Sparse<[u8; 6]>,
    pub(crate) mpls_label: Sparse<u32>,
    pub(crate) layer2_octets: Sparse<u64>,
    pub(crate) next_hop_v6: Sparse<[u8; 16]>,
    pub(crate) vrfs: Sparse<(u32, u32)>,
    pub(crate) scopes: Sparse<u8>,
    /// Element, and where its value ends in `extra_octets`; it begins where
    /// the one before ends. A row may have several.
    pub(crate) extra: Sparse<(ElementId, usize)>,
    pub(crate) extra_octets: Vec<u8>,
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

impl Details {
    fn push(&mut self, row: u32, detail: &Detail) {
        self.nat_src.push(row, detail.nat_src);
        self.nat_dst.push(row, detail.nat_dst);
        self.nat_src_port.push(row, detail.nat_src_port);
        self.nat_dst_port.push(row, detail.nat_dst_port);
        self.src_mac.push(row, detail.src_mac);
        self.dst_mac.push(row, detail.dst_mac);
        self.mpls_label.push(row, detail.mpls_label);
        self.layer2_octets.push(row, detail.layer2_octets);
        self.next_hop_v6.push(row, detail.next_hop_v6);
        self.vrfs.push(row, detail.vrfs);
        self.scopes.push(row, detail.scopes);
        for (element, octets) in &detail.extra {
            self.extra_octets.extend_from_slice(octets);
            let end = self.extra_octets.len();
            self.extra.push(row, Some((*element, end)));
        }
    }

    /// All columns' value of a row, if there is one.
    fn detail(&self, row: u32) -> Option<Detail> {
        let detail = Detail {
            nat_src: self.nat_src.get(row),
            nat_dst: self.nat_dst.get(row),
            nat_src_port: self.nat_src_port.get(row),
            nat_dst_port: self.nat_dst_port.get(row),
            src_mac: self.src_mac.get(row),
            dst_mac: self.dst_mac.get(row),
            mpls_label: self.mpls_label.get(row),
            layer2_octets: self.layer2_octets.get(row),
            next_hop_v6: self.next_hop_v6.get(row),
            vrfs: self.vrfs.get(row),
            scopes: self.scopes.get(row),
            connection: None,
            extra: Vec::new(),
        };
        (detail != Detail::default()).then_some(detail)
    }

    fn extra(&self, row: u32) -> impl Iterator<Item = (ElementId, &[u8])> {
        let rows = &self.extra.rows;
        let first = rows.partition_point(|&other| other < row);
        let before = first
            .checked_sub(1)
            .and_then(|at| self.extra.values.get(at));
        let mut start = before.map_or(0, |&(_, end)| end);
        let of_row = rows.iter().zip(&self.extra.values).skip(first);
        let of_row = of_row.take_while(move |&(&other, _)| other == row);
        of_row.filter_map(move |(_, &(element, end))| {
            let octets = self.extra_octets.get(start..end)?;
            start = end;
            Some((element, octets))
        })
    }

    fn clear(&mut self) {
        self.nat_src.clear();
        self.nat_dst.clear();
        self.nat_src_port.clear();
        self.nat_dst_port.clear();
        self.src_mac.clear();
        self.dst_mac.clear();
        self.mpls_label.clear();
        self.layer2_octets.clear();
        self.next_hop_v6.clear();
        self.vrfs.clear();
        self.scopes.clear();
        self.extra.clear();
        self.extra_octets.clear();
    }

    fn bytes(&self) -> usize {
        self.nat_src.bytes()
            + self.nat_dst.bytes()
            + self.nat_src_port.bytes()
            + self.nat_dst_port.bytes()
            + self.src_mac.bytes()
            + self.dst_mac.bytes()
            + self.mpls_label.bytes()
            + self.layer2_octets.bytes()
            + self.next_hop_v6.bytes()
            + self.vrfs.bytes()
            + self.scopes.bytes()
            + self.extra.bytes()
            + self.extra_octets.len()
    }
}

impl<T> Sparse<T> {
    fn push(&mut self, row: u32, value: Option<T>) {
        if let Some(value) = value {
            self.rows.push(row);
            self.values.push(value);
        }
    }

    fn get(&self, row: u32) -> Option<T>
    where
        T: Copy,
    {
        if self.rows.is_empty() {
            return None;
        }
        let at = self.rows.binary_search(&row).ok()?;
        self.values.get(at).copied()
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.values.clear();
    }

    fn bytes(&self) -> usize {
        self.rows.len() * (size_of::<u32>() + size_of::<T>())
    }
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            values: Vec::new(),
        }
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
