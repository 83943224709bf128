//! Simulated exporters: what the demo is fed with.
//!
//! Two branch gateways (v9), a router (IPFIX with sampling options, and an old
//! line card that speaks v5) and a firewall (v9 with NSEL) see made-up
//! conversations of two offices. The same seed and clock give the same octets.

mod firewall;
mod gateway;
mod router;
mod traffic;

use std::net::Ipv4Addr;

pub use firewall::teardown_template;

use crate::cli::random::Random;
use crate::cli::simulation::firewall::Firewall;
use crate::cli::simulation::gateway::Gateway;
use crate::cli::simulation::router::LineCard;
use crate::cli::simulation::router::Router;
use crate::cli::simulation::traffic::Office;
use crate::wire::EncodeError;

/// A simulated device and the loopback address it sends from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Device {
    /// What the demo's inventory calls it.
    pub name: &'static str,
    /// Where it sends from.
    pub address: Ipv4Addr,
}

/// The devices, by [`Export::device`]; the demo's inventory has the same.
pub const DEVICES: [Device; 4] = [
    Device {
        name: "sag-demo-hangzhou",
        address: Ipv4Addr::new(127, 0, 0, 11),
    },
    Device {
        name: "sag-demo-shanghai",
        address: Ipv4Addr::new(127, 0, 0, 12),
    },
    Device {
        name: "router-demo",
        address: Ipv4Addr::new(127, 0, 0, 13),
    },
    Device {
        name: "firewall-demo",
        address: Ipv4Addr::new(127, 0, 0, 14),
    },
];

/// A datagram on its way to the collector.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Export {
    /// Index into [`DEVICES`].
    pub device: usize,
    /// Which of the device's sockets it leaves by: 0, or 1 for the line card.
    pub socket: usize,
    /// Its octets.
    pub datagram: Vec<u8>,
}

/// All devices and the traffic they see.
#[derive(Debug)]
pub struct Network {
    hangzhou: (Office, Gateway),
    shanghai: (Office, Gateway),
    router: (Office, Router),
    line_card: (Office, LineCard),
    firewall: (Office, Firewall),
}

impl Network {
    /// Starts at `now_ms`, milliseconds since 1970, with no conversation yet.
    pub fn new(seed: u64, now_ms: u64) -> Self {
        let mut random = Random::new(seed);
        let mut office = |network, busy| Office::new(network, busy, random.fork());
        let offices = [
            office(1, 6),
            office(2, 4),
            office(3, 10),
            office(4, 3),
            office(5, 3),
        ];
        let [hangzhou, shanghai, core, edge, guarded] = offices;
        Self {
            hangzhou: (hangzhou, Gateway::new(now_ms)),
            shanghai: (shanghai, Gateway::new(now_ms)),
            router: (core, Router::new(now_ms)),
            line_card: (edge, LineCard::new(now_ms)),
            firewall: (guarded, Firewall::new(now_ms, random.fork())),
        }
    }

    /// What all devices send for the time up to `now_ms`; to be called about once a second.
    ///
    /// # Errors
    /// Never in practice: a datagram outgrew its length field.
    pub fn advance(&mut self, now_ms: u64) -> Result<Vec<Export>, EncodeError> {
        let mut exports = Vec::new();
        let mut add = |device, socket, datagrams: Vec<Vec<u8>>| {
            exports.extend(datagrams.into_iter().map(|datagram| Export {
                device,
                socket,
                datagram,
            }));
        };
        let (office, gateway) = &mut self.hangzhou;
        add(0, 0, gateway.export(&office.advance(now_ms), now_ms)?);
        let (office, gateway) = &mut self.shanghai;
        add(1, 0, gateway.export(&office.advance(now_ms), now_ms)?);
        let (office, router) = &mut self.router;
        add(2, 0, router.export(&office.advance(now_ms), now_ms)?);
        let (office, line_card) = &mut self.line_card;
        add(2, 1, line_card.export(&office.advance(now_ms), now_ms)?);
        let (office, firewall) = &mut self.firewall;
        add(3, 0, firewall.export(&office.advance(now_ms), now_ms)?);
        Ok(exports)
    }
}

#[cfg(test)]
mod tests;
