//! What of a row is not in its records.

bitflags::bitflags! {
    /// What of a row the version, or its settings, could not carry; one bit each.
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
    pub struct Lacks: u32 {
        /// IPv6 next hop in v5 (P-713).
        const NEXT_HOP = 1;
        /// ifIndex above 65 535 in v5, sent as 0 (P-713).
        const INTERFACE = 1 << 1;
        /// AS above 65 535 in v5, sent as 23 456 (P-713).
        const AS = 1 << 2;
        /// VLAN id.
        const VLAN = 1 << 3;
        /// MAC addresses.
        const MAC = 1 << 4;
        /// MPLS label.
        const MPLS = 1 << 5;
        /// Translated addresses and ports.
        const NAT = 1 << 6;
        /// Direction.
        const DIRECTION = 1 << 7;
        /// VRFs in v5.
        const VRF = 1 << 8;
        /// Forwarding status.
        const FORWARDING = 1 << 9;
        /// Why the flow ended.
        const END_REASON = 1 << 10;
        /// That the record stands for several flows.
        const FLOWS = 1 << 11;
        /// Extra elements: those of enterprises in v9, lists of Templates, a
        /// second value of what the record has already.
        const EXTRA = 1 << 12;
        /// Octets with layer 2.
        const LAYER2 = 1 << 13;
        /// TCP flags beyond the low 8 in v5.
        const TCP_FLAGS = 1 << 14;
        /// Who exported it first.
        const ORIGIN = 1 << 15;
        /// Rate of sampling: the counters were scaled up, or an event does not tell it.
        const SAMPLING = 1 << 16;
        /// A time 2^31 ms or more away in uptimes: the nearest that can be told.
        const TIME = 1 << 17;
        /// That a field is absent: v5 sends 0.
        const ABSENCE = 1 << 18;
        /// Source port of ICMP in v5.
        const PORT = 1 << 19;
        /// True length of long octets in v9: zeros follow them.
        const LENGTH = 1 << 20;
        /// Counters of an event whose traffic is in the rows of flows.
        const COUNTERS = 1 << 21;
    }
}

/// Each bit's label, in the order of the bits.
const LABELS: [(Lacks, &str); 22] = [
    (Lacks::NEXT_HOP, "next-hop"),
    (Lacks::INTERFACE, "interface"),
    (Lacks::AS, "as"),
    (Lacks::VLAN, "vlan"),
    (Lacks::MAC, "mac"),
    (Lacks::MPLS, "mpls"),
    (Lacks::NAT, "nat"),
    (Lacks::DIRECTION, "direction"),
    (Lacks::VRF, "vrf"),
    (Lacks::FORWARDING, "forwarding"),
    (Lacks::END_REASON, "end-reason"),
    (Lacks::FLOWS, "flows"),
    (Lacks::EXTRA, "extra"),
    (Lacks::LAYER2, "layer2"),
    (Lacks::TCP_FLAGS, "tcp-flags"),
    (Lacks::ORIGIN, "origin"),
    (Lacks::SAMPLING, "sampling"),
    (Lacks::TIME, "time"),
    (Lacks::ABSENCE, "absence"),
    (Lacks::PORT, "port"),
    (Lacks::LENGTH, "length"),
    (Lacks::COUNTERS, "counters"),
];

impl Lacks {
    /// Labels of the bits that are set, for metrics.
    pub fn labels(self) -> impl Iterator<Item = &'static str> {
        let set = LABELS.iter().filter(move |(bit, _)| self.contains(*bit));
        set.map(|&(_, label)| label)
    }
}

/// Why a row was not written at all.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsent {
    /// IPv6 in v5 (P-711).
    #[error("v5 carries IPv4 only")]
    NotIpv4,
    /// A record that is no flow in v5, or one of which nothing can be carried.
    #[error("events cannot be carried")]
    Event,
    /// Neither source nor destination address, in v5 (P-711).
    #[error("v5 needs an address")]
    NoAddress,
    /// Counters that are odometers, in v5.
    #[error("v5 carries no totals")]
    Totals,
    /// More than 16 384 records of 32-bit counters (P-712).
    #[error("counters are too large to be split")]
    Counters,
    /// Its Template would be one more than `templates_max`.
    #[error("too many templates")]
    Templates,
    /// The batch has no such row.
    #[error("no such row")]
    NoRow,
}

impl Unsent {
    /// Label for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotIpv4 => "not-ipv4",
            Self::Event => "event",
            Self::NoAddress => "no-address",
            Self::Totals => "totals",
            Self::Counters => "counters",
            Self::Templates => "templates",
            Self::NoRow => "no-row",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_has_a_label_of_its_own() {
        let labels: Vec<_> = Lacks::all().labels().collect();
        assert_eq!(labels.len(), Lacks::all().iter().count());
        let mut distinct = labels.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), labels.len());
        let some = Lacks::VLAN | Lacks::LENGTH;
        assert_eq!(some.labels().collect::<Vec<_>>(), ["vlan", "length"]);
    }
}
