//! Conversations of an office with the world, and the flows metered of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cli::random::Random;

/// How long a meter waits before it reports a flow that goes on.
const ACTIVE_MS: u64 = 5_000;
/// Conversations of one office at once.
const CONVERSATIONS_MAX: usize = 400;
const HOSTS: u64 = 40;
const TCP: u8 = 6;
const UDP: u8 = 17;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PUSH_ACK: u8 = 0x18;
/// flowEndReason (136): it goes on.
const END_ACTIVE: u8 = 2;
/// flowEndReason (136): its end was seen.
pub(super) const END_DETECTED: u8 = 3;

/// One direction of a conversation over some time.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) protocol: u8,
    pub(super) tos: u8,
    pub(super) tcp_flags: u8,
    pub(super) octets: u64,
    /// Since the conversation began.
    pub(super) total_octets: u64,
    pub(super) packets: u64,
    /// Milliseconds since 1970.
    pub(super) start_ms: u64,
    /// Milliseconds since 1970.
    pub(super) end_ms: u64,
    pub(super) end_reason: u8,
    /// From the office to the world.
    pub(super) outbound: bool,
    /// The world's AS.
    pub(super) remote_as: u32,
    /// Tells conversations apart.
    pub(super) conversation: u32,
    /// Its first report.
    pub(super) is_first: bool,
}

/// What an office talks to.
struct Service {
    server: Ipv4Addr,
    /// How many servers there are behind the first.
    servers: u64,
    port: u16,
    protocol: u8,
    tos: u8,
    asn: u32,
    /// Of 100 conversations.
    share: u64,
    /// Most octets per second towards the office.
    down: u64,
    /// Most octets per second from the office.
    up: u64,
    /// Longest conversation.
    seconds: u64,
}

const fn service(
    server: [u8; 4],
    (port, protocol): (u16, u8),
    asn: u32,
    share: u64,
    (down, up): (u64, u64),
    seconds: u64,
) -> Service {
    Service {
        server: Ipv4Addr::new(server[0], server[1], server[2], server[3]),
        servers: 8,
        port,
        protocol,
        tos: if port == 5004 { 0xb8 } else { 0 },
        asn,
        share,
        down,
        up,
        seconds,
    }
}

/// The shares sum to 100.
const SERVICES: [Service; 7] = [
    service(
        [198, 51, 100, 10],
        (443, TCP),
        37_963,
        40,
        (400_000, 40_000),
        20,
    ),
    service(
        [203, 0, 113, 20],
        (443, UDP),
        15_169,
        15,
        (900_000, 50_000),
        30,
    ),
    service([192, 0, 2, 53], (53, UDP), 64_500, 25, (300, 80), 1),
    service(
        [198, 51, 100, 80],
        (80, TCP),
        64_501,
        8,
        (150_000, 9_000),
        8,
    ),
    service([203, 0, 113, 22], (22, TCP), 64_502, 5, (6_000, 3_000), 60),
    service(
        [192, 0, 2, 200],
        (5004, UDP),
        64_503,
        5,
        (90_000, 90_000),
        60,
    ),
    service(
        [203, 0, 113, 200],
        (873, TCP),
        64_504,
        2,
        (20_000, 3_000_000),
        40,
    ),
];

/// People of one network and what they do.
#[derive(Debug)]
pub(super) struct Office {
    /// Second octet of 10.x.0.0/24.
    network: u8,
    /// New conversations per second, at most.
    busy: u64,
    random: Random,
    conversations: Vec<Conversation>,
    next_id: u32,
}

#[derive(Clone, Debug)]
struct Conversation {
    id: u32,
    client: IpAddr,
    server: IpAddr,
    client_port: u16,
    server_port: u16,
    protocol: u8,
    tos: u8,
    remote_as: u32,
    /// Octets per second towards the office, and from it.
    down: u64,
    up: u64,
    start_ms: u64,
    end_ms: u64,
    /// Until when it has been reported.
    reported_ms: u64,
}

impl Office {
    pub(super) fn new(network: u8, busy: u64, random: Random) -> Self {
        Self {
            network,
            busy,
            random,
            conversations: Vec::new(),
            next_id: 1,
        }
    }

    /// Starts and ends conversations; gives the flows that are due for a report.
    pub(super) fn advance(&mut self, now_ms: u64) -> Vec<Flow> {
        for _ in 0..=self.random.below(self.busy) {
            if self.conversations.len() < CONVERSATIONS_MAX {
                self.start(now_ms);
            }
        }
        let mut flows = Vec::new();
        for conversation in &mut self.conversations {
            conversation.report(now_ms, &mut flows);
        }
        self.conversations
            .retain(|conversation| conversation.end_ms > now_ms);
        flows
    }

    fn start(&mut self, now_ms: u64) {
        let Some(service) = self.service() else {
            return;
        };
        let random = &mut self.random;
        let server_at = random.skewed(service.servers);
        let server = u32::from(service.server) + u32::try_from(server_at).unwrap_or(0);
        let host = u8::try_from(10 + random.skewed(HOSTS)).unwrap_or(10);
        let client = Ipv4Addr::new(10, self.network, 0, host);
        // Began within the second that is now over.
        let start_ms = now_ms.saturating_sub(random.below(1_000));
        let lasts_ms = 20 + random.below(service.seconds * 1_000);
        let is_v6 = random.percent(10);
        let conversation = Conversation {
            id: self.next_id,
            client: address(client, is_v6),
            server: address(Ipv4Addr::from(server), is_v6),
            client_port: u16::try_from(49_152 + random.below(16_000)).unwrap_or(u16::MAX),
            server_port: service.port,
            protocol: service.protocol,
            tos: service.tos,
            remote_as: service.asn,
            down: service.down / 10 + random.skewed(service.down),
            up: service.up / 10 + random.skewed(service.up),
            start_ms,
            end_ms: start_ms + lasts_ms,
            reported_ms: start_ms,
        };
        self.next_id = self.next_id.wrapping_add(1);
        self.conversations.push(conversation);
    }

    /// A service, by its share.
    fn service(&mut self) -> Option<&'static Service> {
        let mut draw = self.random.below(100);
        SERVICES.iter().find(|service| {
            let is_it = draw < service.share;
            draw = draw.saturating_sub(service.share);
            is_it
        })
    }
}

/// The same host in IPv6's documentation prefix, if that is what it speaks.
fn address(v4: Ipv4Addr, is_v6: bool) -> IpAddr {
    if !is_v6 {
        return v4.into();
    }
    let [a, b, c, d] = v4.octets().map(u16::from);
    Ipv6Addr::new(0x2001, 0xdb8, a, b, 0, 0, c, d).into()
}

impl Conversation {
    /// Adds both directions if it ended or went on for long enough.
    fn report(&mut self, now_ms: u64, flows: &mut Vec<Flow>) {
        let until_ms = self.end_ms.min(now_ms);
        let has_ended = self.end_ms <= now_ms;
        if !has_ended && until_ms < self.reported_ms + ACTIVE_MS {
            return;
        }
        for outbound in [true, false] {
            flows.push(self.flow(until_ms, has_ended, outbound));
        }
        self.reported_ms = until_ms;
    }

    fn flow(&self, end_ms: u64, has_ended: bool, outbound: bool) -> Flow {
        let is_first = self.reported_ms == self.start_ms;
        let (client, server) = (
            (self.client, self.client_port),
            (self.server, self.server_port),
        );
        let (from, to, rate) = if outbound {
            (client, server, self.up)
        } else {
            (server, client, self.down)
        };
        let octets_since = |start_ms: u64| (rate * (end_ms - start_ms) / 1_000).max(64);
        let octets = octets_since(self.reported_ms);
        Flow {
            src: from.0,
            dst: to.0,
            src_port: from.1,
            dst_port: to.1,
            protocol: self.protocol,
            tos: self.tos,
            tcp_flags: self.tcp_flags(is_first, has_ended),
            octets,
            total_octets: octets_since(self.start_ms),
            packets: octets.div_ceil(if octets > 5_000 { 1_200 } else { 120 }),
            start_ms: self.reported_ms,
            end_ms,
            end_reason: if has_ended { END_DETECTED } else { END_ACTIVE },
            outbound,
            remote_as: self.remote_as,
            conversation: self.id,
            is_first,
        }
    }

    fn tcp_flags(&self, is_first: bool, has_ended: bool) -> u8 {
        if self.protocol != TCP {
            return 0;
        }
        PUSH_ACK | if is_first { SYN } else { 0 } | if has_ended { FIN } else { 0 }
    }
}
