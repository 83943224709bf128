//! Columns of flows on their way out of a lane.

use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::element::ElementId;
use crate::flow::Amount;
use crate::flow::Detail;
use crate::flow::Event;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::session::SamplingRate;
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
    /// Both VRFs as in `FlowKey::vrf`.
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
        for (element, octets) in &detail.extra {
            self.extra_octets.extend_from_slice(octets);
            let end = self.extra_octets.len();
            self.extra.push(row, Some((*element, end)));
        }
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
