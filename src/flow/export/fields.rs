//! The fields that rows may have, in the order in which records have them.

use crate::flow::export::row::Row;

/// Declares the features with their fields: element, octets and value of each.
macro_rules! features {
    ($($(#[doc = $doc:literal])* $name:ident: $(($id:literal, $octets:literal, $value:ident)),+;)+) => {
        /// Bit of each feature, by its place.
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of bits")]
        #[derive(Clone, Copy)]
        #[repr(u8)]
        enum Bit { $($name),+ }

        bitflags::bitflags! {
            /// What a row has, one bit for the fields that say it.
            #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
            pub(super) struct Features: u64 {
                $($(#[doc = $doc])* const $name = 1 << Bit::$name as u8;)+
            }
        }

        /// All fields in wire order.
        pub(super) const FIELDS: &[Field] = &[
            $($(Field {
                feature: Features::$name,
                id: $id,
                octets: $octets,
                value: Value::$value,
            },)+)+
        ];
    };
}

features! {
    /// IPv4 source address.
    SRC: (8, 4, Src);
    /// IPv4 destination address.
    DST: (12, 4, Dst);
    /// IPv6 source address.
    SRC6: (27, 16, Src);
    /// IPv6 destination address.
    DST6: (28, 16, Dst);
    /// An address of version 4.
    VERSION: (60, 1, Version4);
    /// An address of version 6.
    VERSION6: (60, 1, Version6);
    /// Protocol.
    PROTOCOL: (4, 1, Protocol);
    /// Source port.
    SRC_PORT: (7, 2, SrcPort);
    /// Destination port.
    DST_PORT: (11, 2, DstPort);
    /// Type and code of ICMP.
    ICMP: (32, 2, DstPort);
    /// Type and code of ICMPv6.
    ICMP6: (139, 2, DstPort);
    /// Type of service.
    TOS: (5, 1, Tos);
    /// TCP flags, the low 8.
    TCP_FLAGS: (6, 1, TcpFlags);
    /// TCP flags, all of them.
    TCP_FLAGS_ALL: (6, 2, TcpFlags);
    /// Ingress interface.
    IN_IF: (10, 4, InIf);
    /// Egress interface.
    OUT_IF: (14, 4, OutIf);
    /// Ingress VRF.
    IN_VRF: (234, 4, InVrf);
    /// Egress VRF.
    OUT_VRF: (235, 4, OutVrf);
    /// VLAN.
    VLAN: (58, 2, Vlan);
    /// Direction.
    DIRECTION: (61, 1, Direction);
    /// Forwarding status.
    FORWARDING: (89, 1, Forwarding);
    /// Counters of 64 bits.
    DELTAS: (1, 8, Octets), (2, 8, Packets);
    /// Counters of 32 bits.
    DELTAS_32: (1, 4, Octets), (2, 4, Packets);
    /// Odometers of 64 bits.
    TOTALS: (85, 8, Octets), (86, 8, Packets);
    /// Octets with layer 2.
    LAYER2: (352, 8, Layer2Octets);
    /// How many flows it stands for.
    FLOWS: (3, 4, Flows);
    /// Times in ms since 1970.
    ABSOLUTE: (152, 8, Start), (153, 8, End);
    /// Times in ms since boot.
    UPTIMES: (22, 4, StartUptime), (21, 4, EndUptime);
    /// Why it ended.
    END_REASON: (136, 1, EndReason);
    /// Source AS.
    SRC_AS: (16, 4, SrcAs);
    /// Destination AS.
    DST_AS: (17, 4, DstAs);
    /// IPv4 source prefix.
    SRC_MASK: (9, 1, SrcMask);
    /// IPv4 destination prefix.
    DST_MASK: (13, 1, DstMask);
    /// IPv6 source prefix.
    SRC_MASK6: (29, 1, SrcMask);
    /// IPv6 destination prefix.
    DST_MASK6: (30, 1, DstMask);
    /// IPv4 next hop.
    NEXT_HOP: (15, 4, NextHop);
    /// IPv6 next hop.
    NEXT_HOP6: (62, 16, NextHop6);
    /// Source MAC.
    SRC_MAC: (56, 6, SrcMac);
    /// Destination MAC.
    DST_MAC: (80, 6, DstMac);
    /// Top label.
    MPLS: (70, 3, MplsLabel);
    /// Source after translation, IPv4.
    NAT_SRC: (225, 4, NatSrc);
    /// Destination after translation, IPv4.
    NAT_DST: (226, 4, NatDst);
    /// Source after translation, IPv6.
    NAT_SRC6: (281, 16, NatSrc);
    /// Destination after translation, IPv6.
    NAT_DST6: (282, 16, NatDst);
    /// Source port after translation.
    NAT_SRC_PORT: (227, 2, NatSrcPort);
    /// Destination port after translation.
    NAT_DST_PORT: (228, 2, NatDstPort);
    /// v9's name of the rate of sampling.
    SAMPLER: (48, 2, Selector);
    /// IPFIX's name of the rate of sampling.
    SELECTOR: (302, 4, Selector);
    /// Exporter, IPv4.
    EXPORTER: (130, 4, Exporter);
    /// Exporter, IPv6.
    EXPORTER6: (131, 16, Exporter);
    /// Original exporter, IPv4.
    ORIGINAL: (403, 4, Exporter);
    /// Original exporter, IPv6.
    ORIGINAL6: (404, 16, Exporter);
    /// Original Observation Domain.
    DOMAIN: (405, 4, Domain);
}

/// One field: an IANA element, or the v9 type of that number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) feature: Features,
    pub(super) id: u16,
    /// 16 at most.
    pub(super) octets: u8,
    pub(super) value: Value,
}

/// A number that [`Row::number`] knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Value {
    Src,
    Dst,
    Version4,
    Version6,
    Protocol,
    SrcPort,
    DstPort,
    Tos,
    TcpFlags,
    InIf,
    OutIf,
    InVrf,
    OutVrf,
    Vlan,
    Direction,
    Forwarding,
    Octets,
    Packets,
    Layer2Octets,
    Flows,
    Start,
    End,
    StartUptime,
    EndUptime,
    EndReason,
    SrcAs,
    DstAs,
    SrcMask,
    DstMask,
    NextHop,
    NextHop6,
    SrcMac,
    DstMac,
    MplsLabel,
    NatSrc,
    NatDst,
    NatSrcPort,
    NatDstPort,
    Selector,
    Exporter,
    Domain,
}

/// One store: the low octets of a number, behind the store before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Store {
    value: Value,
    octets: u8,
}

impl Features {
    /// The fields of its features in wire order.
    pub(super) fn fields(self) -> impl Iterator<Item = &'static Field> {
        let has = move |field: &&Field| self.contains(field.feature);
        FIELDS.iter().filter(has)
    }

    /// Whether one of its fields is this element.
    pub(super) fn have(self, id: u16) -> bool {
        self.fields().any(|field| field.id == id)
    }

    /// What writes its fields.
    pub(super) fn stores(self) -> Box<[Store]> {
        let store = |field: &Field| Store {
            value: field.value,
            octets: field.octets,
        };
        self.fields().map(store).collect()
    }
}

impl Store {
    /// Writes a row's fields, which have so many octets together.
    ///
    /// Each number is written whole and pushed left, so that the next one
    /// covers what is too much of it.
    pub(super) fn all(stores: &[Self], octets: usize, row: &Row, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + octets + WINDOW, 0);
        let mut rest = out.get_mut(start..).unwrap_or_default();
        for store in stores {
            let octets = u32::from(store.octets);
            let number = row.number(store.value) << ((u128::BITS - 8 * octets) & 127);
            if let Some(window) = rest.first_chunk_mut() {
                *window = number.to_be_bytes();
            }
            let behind = rest.split_at_mut_checked(store.octets.into());
            rest = behind.map_or(&mut [], |(_, rest)| rest);
        }
        out.truncate(start + octets);
    }
}

/// Octets of a store before it is covered by the next.
const WINDOW: usize = size_of::<u128>();
