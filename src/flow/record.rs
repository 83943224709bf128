//! One flow as an exporter reported it, and as the cache merges it.

use std::hash::Hash;
use std::hash::Hasher;
use std::net::IpAddr;
use std::num::NonZeroU32;

use zerocopy::Immutable;
use zerocopy::IntoBytes;

use crate::element::ElementId;
use crate::flow::Amount;
use crate::session::SamplingRate;
use crate::session::SourceId;
use crate::session::TimeFlags;

/// What makes two records the same flow. P-602.
///
/// Absent fields are 0 and their bit in `present` is clear, so that records
/// which differ in presence never merge (P-603).
#[derive(Clone, Copy, Debug, Immutable, IntoBytes)]
#[repr(C)]
pub struct FlowKey {
    /// Source address; IPv4 as IPv4-mapped IPv6.
    pub src: [u8; 16],
    /// Destination address; IPv4 as IPv4-mapped IPv6.
    pub dst: [u8; 16],
    /// Exporter and Observation Domain (P-601).
    pub source: SourceId,
    /// Ingress ifIndex.
    pub in_if: u32,
    /// Egress ifIndex.
    pub out_if: u32,
    /// VRF of the direction that has one; of two, see `folded_vrfs`.
    pub vrf: u32,
    /// Sampling (P-630).
    pub sampling: SamplingRate,
    /// Which fields the record had.
    pub present: Presence,
    /// Source port.
    pub src_port: u16,
    /// Destination port; ICMP type * 256 + code.
    pub dst_port: u16,
    /// VLAN id.
    pub vlan: u16,
    /// Route the record took (`flowlog::RouteId`); 0 until it is routed.
    pub route: u16,
    /// IP protocol.
    pub protocol: u8,
    /// Type of service.
    pub tos: u8,
    /// 0 ingress, 1 egress, 255 absent.
    pub direction: u8,
    /// Top 2 bits of the forwarding status (89): dropped traffic never merges with forwarded.
    pub forwarding_class: u8,
}

impl FlowKey {
    /// All octets of it, in words: they compare and hash faster than fields do.
    #[inline]
    fn words(&self) -> [u64; size_of::<Self>() / 8] {
        zerocopy::transmute!(*self)
    }
}

impl PartialEq for FlowKey {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let words = self.words().into_iter().zip(other.words());
        words.fold(0, |differing, (one, other)| differing | (one ^ other)) == 0
    }
}

impl Eq for FlowKey {}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        for word in self.words() {
            state.write_u64(word);
        }
    }
}

/// No key field present; unsampled; direction absent.
impl Default for FlowKey {
    fn default() -> Self {
        Self {
            src: [0; 16],
            dst: [0; 16],
            source: SourceId(0),
            in_if: 0,
            out_if: 0,
            vrf: 0,
            sampling: SamplingRate {
                out_of: 1,
                picked: 1,
            },
            present: Presence::empty(),
            src_port: 0,
            dst_port: 0,
            vlan: 0,
            route: 0,
            protocol: 0,
            tos: 0,
            direction: DIRECTION_ABSENT,
            forwarding_class: 0,
        }
    }
}

/// Both VRFs of a record in one number: the ingress VRF in the low half, and
/// where the egress VRF is another, their XOR in the high half.
///
/// Ids of 16 bits stay apart, as [`parted_vrfs`] says.
pub(super) fn folded_vrfs(ingress: u32, egress: u32) -> u32 {
    ingress ^ (ingress ^ egress).rotate_left(16)
}

/// The two VRFs of 16 bits that were folded.
pub(super) fn parted_vrfs(folded: u32) -> (u32, u32) {
    let ingress = folded & 0xffff;
    (ingress, folded >> 16 ^ ingress)
}

impl FlowKey {
    /// Ingress and egress VRF of a flow with this detail; 0 for one not told.
    pub(super) fn vrfs(&self, detail: &Detail) -> (u32, u32) {
        let ingress = self.present.contains(Presence::IN_VRF);
        let egress = self.present.contains(Presence::OUT_VRF);
        match (ingress, egress) {
            (true, true) => detail.vrfs.unwrap_or_else(|| parted_vrfs(self.vrf)),
            (true, false) => (self.vrf, 0),
            (false, true) => (0, self.vrf),
            (false, false) => (0, 0),
        }
    }
}

/// Direction of a record that does not say. IANA flowDirection (61) has 0 and 1.
pub const DIRECTION_ABSENT: u8 = 255;

// The cache's entry of 160 octets counts on it.
const _: () = assert!(size_of::<FlowKey>() == 72);

/// Which key fields a record had, one bit each. P-603.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Immutable, IntoBytes, PartialEq)]
#[repr(transparent)]
pub struct Presence(u32);

bitflags::bitflags! {
    impl Presence: u32 {
        /// Source address: 8, 27, or a prefix (44, 170).
        const SRC = 1;
        /// Destination address: 12, 28, or a prefix (45, 169).
        const DST = 1 << 1;
        /// Protocol: 4.
        const PROTOCOL = 1 << 2;
        /// Source port: 7, 180, 182.
        const SRC_PORT = 1 << 3;
        /// Destination port: 11, 181, 183, or ICMP type and code.
        const DST_PORT = 1 << 4;
        /// Type of service: 5, 195.
        const TOS = 1 << 5;
        /// Ingress interface: 10, 252.
        const IN_IF = 1 << 6;
        /// Egress interface: 14, 253.
        const OUT_IF = 1 << 7;
        /// Ingress VRF: 234.
        const IN_VRF = 1 << 8;
        /// Egress VRF: 235.
        const OUT_VRF = 1 << 9;
        /// VLAN: 58, 59, 243.
        const VLAN = 1 << 10;
        /// Direction: 61.
        const DIRECTION = 1 << 11;
        /// Forwarding status: 89.
        const FORWARDING = 1 << 12;
    }
}

impl Presence {
    /// What the record of the way back has: source and destination trade
    /// places, direction and forwarding status are not known. P-311.
    #[must_use]
    pub const fn turned(self) -> Self {
        const SOURCE: u32 = Presence::SRC.bits()
            | Presence::SRC_PORT.bits()
            | Presence::IN_IF.bits()
            | Presence::IN_VRF.bits();
        // Each destination's bit is the next after its source's.
        const DESTINATION: u32 = SOURCE << 1;
        const ONE_WAY: u32 = Presence::DIRECTION.bits() | Presence::FORWARDING.bits();
        let bits = self.bits();
        let turned = ((bits & SOURCE) << 1) | ((bits & DESTINATION) >> 1);
        Self::from_bits_retain(turned | (bits & !(SOURCE | DESTINATION | ONE_WAY)))
    }
}

/// One flow: what a Data Record says, or what the cache merged of many.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct FlowRecord {
    /// What makes it this flow.
    pub key: FlowKey,
    /// Layer-3 octets as metered.
    pub octets: u64,
    /// Packets as metered.
    pub packets: u64,
    /// Milliseconds since 1970.
    pub start_ms: u64,
    /// Milliseconds since 1970, not below `start_ms`.
    pub end_ms: u64,
    /// Flows it stands for: sum of deltaFlowCount, 1 where absent (P-608).
    pub flows: u32,
    /// Input records it stands for; 1 after decode.
    pub records: u32,
    /// Source AS.
    pub src_as: u32,
    /// Destination AS.
    pub dst_as: u32,
    /// IPv4 next hop, 0 if none; an IPv6 one is in [`Detail`].
    pub next_hop: u32,
    /// TCP flags, OR of all packets; 0 if none, or unknown
    /// ([`RecordFlags::TCP_FLAGS`]).
    pub tcp_flags: u16,
    /// Source prefix length.
    pub src_mask: u8,
    /// Destination prefix length.
    pub dst_mask: u8,
    /// forwardingStatus (89), least significant octet; 0 if absent.
    pub forwarding_status: u8,
    /// flowEndReason: as received, or the cache's own.
    pub end_reason: EndReason,
    /// How its times are known.
    pub time_flags: TimeFlags,
    /// What else is known of the record.
    pub flags: RecordFlags,
    /// What happened, if this is not a flow (P-650).
    pub event: Option<Event>,
}

/// One flow of one record, with nothing counted and no time.
impl Default for FlowRecord {
    fn default() -> Self {
        Self {
            key: FlowKey::default(),
            octets: 0,
            packets: 0,
            start_ms: 0,
            end_ms: 0,
            flows: 1,
            records: 1,
            src_as: 0,
            dst_as: 0,
            next_hop: 0,
            tcp_flags: 0,
            src_mask: 0,
            dst_mask: 0,
            forwarding_status: 0,
            end_reason: EndReason::Unknown,
            time_flags: TimeFlags::default(),
            flags: RecordFlags::empty(),
            event: None,
        }
    }
}

const _: () = assert!(size_of::<FlowRecord>() <= 136);

impl FlowRecord {
    /// Takes one packet in `one_in` for metered, if the rate of sampling is not
    /// known (P-213).
    pub fn assume_sampled(&mut self, one_in: NonZeroU32) {
        if self.flags.contains(RecordFlags::SAMPLING_UNKNOWN) {
            self.flags.remove(RecordFlags::SAMPLING_UNKNOWN);
            self.key.sampling = SamplingRate {
                out_of: one_in.get(),
                picked: 1,
            };
        }
    }

    /// What the record adds to the loss ledger.
    pub fn amount(&self) -> Amount {
        Amount {
            records: u64::from(self.records),
            octets: self.octets,
            packets: self.packets,
        }
    }
}

/// Why a flow was exported. IANA flowEndReason (136).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum EndReason {
    /// The record does not say.
    #[default]
    Unknown = 0,
    /// Idle timeout.
    Idle = 1,
    /// Active timeout.
    Active = 2,
    /// End of flow detected.
    End = 3,
    /// Forced end.
    Forced = 4,
    /// Lack of resources.
    Resources = 5,
}

/// 0 and what IANA has not assigned are [`EndReason::Unknown`].
impl From<u8> for EndReason {
    fn from(value: u8) -> Self {
        match value {
            1 => Self::Idle,
            2 => Self::Active,
            3 => Self::End,
            4 => Self::Forced,
            5 => Self::Resources,
            _ => Self::Unknown,
        }
    }
}

bitflags::bitflags! {
    /// What a record's counters and origin need said, one bit each.
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
    #[repr(transparent)]
    pub struct RecordFlags: u8 {
        /// Counters are odometers (85/86): the cache takes differences (P-640…P-643).
        const TOTALS = 1;
        /// Sampling could not be learnt; 1 was assumed (P-213).
        const SAMPLING_UNKNOWN = 2;
        /// Counters are those after the middlebox (23/24), for lack of others (P-506).
        const POST_COUNTERS = 4;
        /// Reverse half of a biflow (P-311).
        const REVERSE = 8;
        /// Part of an NSEL connection: [`crate::flow::Nsel`] decides whether it counts (P-501).
        const NSEL = 16;
        /// TCP flags were told: 0 is none of them, and not that they are unknown.
        const TCP_FLAGS = 32;
    }
}

/// Records that are no flows: never aggregated (P-650).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Event {
    NselCreated,
    NselTeardown,
    NselDenied,
    NselAlert,
    NselUpdate,
    Nat,
    PacketSection,
    Options,
    Other,
}

/// What few records carry, kept apart from [`FlowRecord`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail {
    /// 225, 281.
    pub nat_src: Option<IpAddr>,
    /// 226, 282.
    pub nat_dst: Option<IpAddr>,
    /// 227.
    pub nat_src_port: Option<u16>,
    /// 228.
    pub nat_dst_port: Option<u16>,
    /// 56 or 81.
    pub src_mac: Option<[u8; 6]>,
    /// 80 or 57.
    pub dst_mac: Option<[u8; 6]>,
    /// 70: label of the stack's top, 20 bits.
    pub mpls_label: Option<u32>,
    /// 352: octets with layer 2, summed apart (P-645).
    pub layer2_octets: Option<u64>,
    /// 62 or 63.
    pub next_hop_v6: Option<[u8; 16]>,
    /// NSEL connection the record belongs to.
    pub connection: Option<Connection>,
    /// Elements the flow logs ask for by name, in template order; all of them for events.
    ///
    /// At most [`EXTRA_MAX`]. An element that occurs several times is here as
    /// often, the outermost first (P-115).
    pub extra: Vec<(ElementId, Box<[u8]>)>,
    /// Ingress and egress VRF, where [`FlowKey::vrf`] does not tell them apart.
    pub vrfs: Option<(u32, u32)>,
    /// Of options: how many of `extra`, the first, are what they are about.
    pub scopes: Option<u8>,
}

/// How many extra elements one record keeps; further ones are counted, not kept.
pub const EXTRA_MAX: usize = 128;

/// Which connection of a firewall a record tells of. P-501.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Connection {
    /// 148: unique on the firewall while the connection lives, reused later.
    pub id: u64,
    /// 152: its creation, ms since 1970; 0 if the record does not say.
    pub created_ms: u64,
    /// 323: when the event happened, ms since 1970; 0 if the record does not say.
    pub event_ms: u64,
}
