//! What few rows have, in columns of their own.

use std::net::IpAddr;

use crate::element::ElementId;
use crate::flow::Detail;

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

impl Details {
    pub(super) fn push(&mut self, row: u32, detail: &Detail) {
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
    pub(super) fn detail(&self, row: u32) -> Option<Detail> {
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

    pub(super) fn extra(&self, row: u32) -> impl Iterator<Item = (ElementId, &[u8])> {
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

    pub(super) fn clear(&mut self) {
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

    pub(super) fn bytes(&self) -> usize {
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
    pub(super) fn push(&mut self, row: u32, value: Option<T>) {
        if let Some(value) = value {
            self.rows.push(row);
            self.values.push(value);
        }
    }

    pub(super) fn get(&self, row: u32) -> Option<T>
    where
        T: Copy,
    {
        if self.rows.is_empty() {
            return None;
        }
        let at = self.rows.binary_search(&row).ok()?;
        self.values.get(at).copied()
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.values.clear();
    }

    pub(super) fn bytes(&self) -> usize {
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
