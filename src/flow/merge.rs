//! How two records of one flow become one. P-604…P-608.

use crate::element;
use crate::element::ElementId;
use crate::element::Semantics;
use crate::flow::Detail;
use crate::flow::EXTRA_MAX;
use crate::flow::EndReason;
use crate::flow::FlowRecord;

/// A sum that does not fit its counter: export first, then begin anew (P-605).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a counter would overflow")]
pub struct Overflow;

impl FlowRecord {
    /// Takes in a later record of the same key.
    ///
    /// Counters are summed, times widened, flags united; of AS, mask, next hop
    /// and forwarding status the first that is not 0 stays; the end reason is
    /// the last that was given. `key` and `event` are not looked at.
    ///
    /// # Errors
    /// A counter would overflow; `self` is as before.
    #[inline(always)]
    pub fn absorb(&mut self, other: &Self) -> Result<(), Overflow> {
        let octets = self.octets.checked_add(other.octets).ok_or(Overflow)?;
        let packets = self.packets.checked_add(other.packets).ok_or(Overflow)?;
        let flows = self.flows.checked_add(other.flows).ok_or(Overflow)?;
        let records = self.records.checked_add(other.records).ok_or(Overflow)?;
        let start_ms = self.start_ms.min(other.start_ms);
        let end_ms = self.end_ms.max(other.end_ms);
        self.octets = octets;
        self.packets = packets;
        self.flows = flows;
        self.records = records;
        self.start_ms = start_ms;
        self.end_ms = end_ms;
        self.src_as = first(self.src_as, other.src_as);
        self.dst_as = first(self.dst_as, other.dst_as);
        self.next_hop = first(self.next_hop, other.next_hop);
        self.src_mask = first(self.src_mask, other.src_mask);
        self.dst_mask = first(self.dst_mask, other.dst_mask);
        self.forwarding_status = first(self.forwarding_status, other.forwarding_status);
        self.tcp_flags |= other.tcp_flags;
        if other.end_reason != EndReason::Unknown {
            self.end_reason = other.end_reason;
        }
        self.time_flags |= other.time_flags;
        self.flags |= other.flags;
        Ok(())
    }
}

impl Detail {
    /// Whether [`Self::absorb`] would succeed: to be asked before the record is absorbed.
    pub fn fits(&self, other: &Self) -> bool {
        self.layer2_sum(other).is_ok()
    }

    /// Takes in what a later record of the same flow carries.
    ///
    /// Addresses, ports, MACs, labels and VRFs stay those of the first record that
    /// has them; `extra` is merged element by element as [`Merge::of`] says. A
    /// 129th extra element is left out.
    ///
    /// # Errors
    /// The layer-2 octets would overflow; `self` is as before.
    pub fn absorb(&mut self, other: &Self) -> Result<(), Overflow> {
        self.layer2_octets = self.layer2_sum(other)?;
        self.nat_src = self.nat_src.or(other.nat_src);
        self.nat_dst = self.nat_dst.or(other.nat_dst);
        self.nat_src_port = self.nat_src_port.or(other.nat_src_port);
        self.nat_dst_port = self.nat_dst_port.or(other.nat_dst_port);
        self.src_mac = self.src_mac.or(other.src_mac);
        self.dst_mac = self.dst_mac.or(other.dst_mac);
        self.mpls_label = self.mpls_label.or(other.mpls_label);
        self.next_hop_v6 = self.next_hop_v6.or(other.next_hop_v6);
        self.connection = self.connection.or(other.connection);
        self.vrfs = self.vrfs.or(other.vrfs);
        for (index, (id, value)) in other.extra.iter().enumerate() {
            let occurrence = occurrences(other, index, *id);
            self.absorb_extra(*id, occurrence, value);
        }
        Ok(())
    }

    fn layer2_sum(&self, other: &Self) -> Result<Option<u64>, Overflow> {
        match (self.layer2_octets, other.layer2_octets) {
            (Some(one), Some(two)) => one.checked_add(two).map(Some).ok_or(Overflow),
            (one, two) => Ok(one.or(two)),
        }
    }

    fn absorb_extra(&mut self, id: ElementId, occurrence: usize, value: &[u8]) {
        let merge = Merge::of(id);
        let mut same = self.extra.iter().enumerate().filter(|(_, e)| e.0 == id);
        match same.nth(occurrence).map(|(index, _)| index) {
            Some(index) if merge == Merge::Drop => {
                self.extra.remove(index);
            }
            Some(index) => {
                if let Some((_, mine)) = self.extra.get_mut(index)
                    && let Some(merged) = merge.apply(mine, value)
                {
                    *mine = merged;
                }
            }
            // A mean that only one of two records has is no mean of both.
            None if merge == Merge::Drop || self.extra.len() >= EXTRA_MAX => {}
            None => self.extra.push((id, value.into())),
        }
    }
}

/// How often `id` occurs among the extra elements before `index`.
fn occurrences(detail: &Detail, index: usize, id: ElementId) -> usize {
    let before = detail.extra.iter().take(index);
    before.filter(|(other, _)| *other == id).count()
}

/// How the values of an extra element merge. P-606, P-607.
///
/// The registry's semantics are no merge rule by themselves: it calls the
/// minimum and the mean of a delay delta counters. So the exceptions are listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Merge {
    /// Sum, unsigned; the field grows when the sum does not fit (P-605).
    Sum,
    /// Bitwise OR.
    Or,
    /// The smaller, unsigned.
    Min,
    /// The larger, unsigned; also what odometers show last.
    Max,
    /// The first value.
    First,
    /// The first value that is not all zero.
    FirstNonZero,
    /// None: a value of the merged flow cannot be known.
    Drop,
}

impl Merge {
    /// The rule for an element, by the explicit table and then by its semantics.
    pub fn of(id: ElementId) -> Self {
        match (id.pen, id.id) {
            (0, 6 | 64 | 197 | 208 | 209 | 515 | 520) => Self::Or,
            (0, 25 | 52 | 531) => Self::Min,
            (0, 26 | 53 | 532) => Self::Max,
            (0, 530) => Self::Drop,
            (0, 514) => Self::First,
            (0, 9 | 13 | 15..=18 | 29 | 30 | 62 | 63 | 95 | 128 | 129) => Self::FirstNonZero,
            _ => Self::by_semantics(id),
        }
    }

    fn by_semantics(id: ElementId) -> Self {
        match element::lookup(id).map(|element| element.semantics) {
            Some(Semantics::DeltaCounter) => Self::Sum,
            Some(Semantics::TotalCounter | Semantics::SnmpCounter) => Self::Max,
            Some(Semantics::Flags) => Self::Or,
            Some(
                Semantics::Default
                | Semantics::Quantity
                | Semantics::Identifier
                | Semantics::List
                | Semantics::SnmpGauge,
            )
            | None => Self::First,
        }
    }

    /// What `first` becomes when `second` joins it; `None` if it stays.
    ///
    /// Values are big-endian and may differ in width (RFC 7011 §6.2).
    fn apply(self, first: &[u8], second: &[u8]) -> Option<Box<[u8]>> {
        match self {
            Self::Sum => Some(sum(first, second)),
            Self::Or => Some(or(first, second)),
            Self::Min => (order(second, first).is_lt()).then(|| second.into()),
            Self::Max => (order(second, first).is_gt()).then(|| second.into()),
            Self::FirstNonZero => first.iter().all(|&octet| octet == 0).then(|| second.into()),
            Self::First | Self::Drop => None,
        }
    }
}

/// `one` unless it is zero.
fn first<T: Default + PartialEq>(one: T, two: T) -> T {
    if one == T::default() { two } else { one }
}

/// The octets of a number from its last to its first, then zeros.
fn little_endian(value: &[u8]) -> impl Iterator<Item = u8> {
    value.iter().rev().copied().chain(std::iter::repeat(0))
}

/// Sum of two big-endian numbers; one octet longer than the longer if it must be.
fn sum(one: &[u8], two: &[u8]) -> Box<[u8]> {
    let width = one.len().max(two.len());
    let mut carry = 0;
    let mut octets: Vec<u8> = little_endian(one)
        .zip(little_endian(two))
        .take(width)
        .map(|(a, b)| {
            let [high, low] = (u16::from(a) + u16::from(b) + carry).to_be_bytes();
            carry = u16::from(high);
            low
        })
        .collect();
    if carry > 0 {
        octets.push(1);
    }
    octets.reverse();
    octets.into()
}

/// Bitwise OR of two big-endian numbers.
fn or(one: &[u8], two: &[u8]) -> Box<[u8]> {
    let width = one.len().max(two.len());
    let pairs = little_endian(one).zip(little_endian(two)).take(width);
    let mut octets: Vec<u8> = pairs.map(|(a, b)| a | b).collect();
    octets.reverse();
    octets.into()
}

/// Order of two big-endian numbers of any width.
fn order(one: &[u8], two: &[u8]) -> std::cmp::Ordering {
    significant(one)
        .len()
        .cmp(&significant(two).len())
        .then_with(|| significant(one).cmp(significant(two)))
}

/// A big-endian number without leading zeros.
fn significant(mut value: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::RecordFlags;

    fn extra(id: u16, value: &[u8]) -> Detail {
        Detail {
            extra: vec![(ElementId::iana(id), value.into())],
            ..Detail::default()
        }
    }

    fn merged(id: u16, one: &[u8], two: &[u8]) -> Vec<Vec<u8>> {
        let mut detail = extra(id, one);
        detail.absorb(&extra(id, two)).unwrap();
        detail.extra.iter().map(|(_, v)| v.to_vec()).collect()
    }

    #[test]
    fn counters_add_up_and_times_widen() {
        let mut one = FlowRecord {
            octets: 100,
            packets: 2,
            start_ms: 5_000,
            end_ms: 6_000,
            flows: 3,
            tcp_flags: 0x02,
            end_reason: EndReason::Active,
            ..FlowRecord::default()
        };
        let two = FlowRecord {
            octets: 40,
            packets: 1,
            start_ms: 4_000,
            end_ms: 5_500,
            tcp_flags: 0x11,
            src_as: 64_496,
            end_reason: EndReason::End,
            flags: RecordFlags::SAMPLING_UNKNOWN,
            ..FlowRecord::default()
        };
        assert_eq!(one.absorb(&two), Ok(()));
        let expected = FlowRecord {
            octets: 140,
            packets: 3,
            start_ms: 4_000,
            end_ms: 6_000,
            flows: 4,
            records: 2,
            tcp_flags: 0x13,
            src_as: 64_496,
            end_reason: EndReason::End,
            flags: RecordFlags::SAMPLING_UNKNOWN,
            ..FlowRecord::default()
        };
        assert_eq!(one, expected);
    }

    #[test]
    fn the_first_identity_that_is_not_zero_stays() {
        let mut one = FlowRecord {
            dst_as: 1,
            next_hop: 7,
            end_reason: EndReason::Idle,
            ..FlowRecord::default()
        };
        let two = FlowRecord {
            src_as: 4,
            dst_as: 5,
            next_hop: 6,
            src_mask: 24,
            ..FlowRecord::default()
        };
        one.absorb(&two).unwrap();
        assert_eq!((one.src_as, one.dst_as, one.next_hop), (4, 1, 7));
        assert_eq!(one.src_mask, 24);
        assert_eq!(one.end_reason, EndReason::Idle);
    }

    #[test]
    fn an_overflow_leaves_the_record_as_it_was() {
        let mut one = FlowRecord {
            octets: 1,
            packets: u64::MAX,
            ..FlowRecord::default()
        };
        let before = one;
        let two = FlowRecord {
            octets: 1,
            packets: 1,
            ..FlowRecord::default()
        };
        assert_eq!(one.absorb(&two), Err(Overflow));
        assert_eq!(one, before);
    }

    #[test]
    fn layer_2_octets_add_up_or_refuse() {
        let mut one = Detail::default();
        let two = Detail {
            layer2_octets: Some(u64::MAX),
            ..Detail::default()
        };
        assert_eq!(one.absorb(&two), Ok(()));
        assert_eq!(one.layer2_octets, Some(u64::MAX));
        assert!(!one.fits(&two));
        assert_eq!(one.absorb(&two), Err(Overflow));
        assert_eq!(one.layer2_octets, Some(u64::MAX));
    }

    /// P-606: tcpOptions, minimumTTL, maximumTTL and the delays of RFC 9951.
    #[test]
    fn listed_elements_follow_the_list() {
        assert_eq!(merged(209, &[0x01], &[0x10, 0x02]), [[0x10, 0x03]]);
        // RFC 9740: 32 octets wide, and reduced by whoever can.
        let narrow = [0x80, 0, 0, 1];
        let mut wide = [0x40; 32];
        wide[28..].fill(0);
        let mut united = wide;
        united[28..].copy_from_slice(&narrow);
        assert_eq!(merged(515, &narrow, &wide), [united]);
        assert_eq!(merged(520, &wide, &narrow), [united]);
        assert_eq!(merged(52, &[64], &[0, 63]), [[0, 63]]);
        assert_eq!(merged(53, &[64], &[0, 63]), [[64]]);
        assert_eq!(merged(531, &[9], &[3]), [[3]]);
        assert_eq!(merged(532, &[9], &[3]), [[9]]);
        assert_eq!(merged(530, &[9], &[3]), [[0; 0]; 0]);
        assert_eq!(merged(95, &[0, 0], &[3, 80]), [[3, 80]]);
    }

    /// droppedOctetDeltaCount, droppedOctetTotalCount, and an element of no table.
    #[test]
    fn other_elements_follow_their_semantics() {
        assert_eq!(merged(132, &[0xff], &[0x02]), [[0x01, 0x01]]);
        assert_eq!(merged(132, &[0x01, 0x00], &[0xff]), [[0x01, 0xff]]);
        assert_eq!(merged(134, &[7], &[0, 9]), [[0, 9]]);
        assert_eq!(merged(32_000, &[0], &[1]), [[0]]);
    }

    #[test]
    fn repeated_elements_merge_in_their_order() {
        let mut one = Detail::default();
        let mut two = Detail::default();
        for value in [1, 2] {
            one.extra.push((ElementId::iana(132), [value].into()));
            two.extra.push((ElementId::iana(132), [value * 10].into()));
        }
        two.extra.push((ElementId::iana(132), [5].into()));
        one.absorb(&two).unwrap();
        let values: Vec<&[u8]> = one.extra.iter().map(|(_, v)| v.as_ref()).collect();
        assert_eq!(values, [[11], [22], [5]]);
    }

    #[test]
    fn extra_elements_end_at_their_maximum() {
        let mut one = Detail::default();
        for id in 0..200 {
            one.absorb(&extra(1_000 + id, &[1])).unwrap();
        }
        assert_eq!(one.extra.len(), EXTRA_MAX);
    }
}
