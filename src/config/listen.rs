//! `[listen]`: where datagrams come in.

use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;

use crate::listen::PORTS_MAX;
use crate::listen::may_run_on;

use super::table::Table;

/// Where and how lanes listen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listen {
    /// UDP addresses, 1 to [`PORTS_MAX`], none covered by another; `[::]` hears IPv4 too.
    pub addresses: Vec<SocketAddr>,
    /// Receive buffer asked of the kernel for each socket, octets.
    pub receive_buffer_bytes: usize,
    /// The longest a datagram may wait for others; zero has none wait.
    pub nap_max: Duration,
    /// Lanes, 1–8; `None` is one for each core, up to 8.
    pub lanes: Option<u8>,
    /// How exporters are spread over lanes.
    pub steering: Steering,
    /// CPUs of the lanes, in turn; none has the kernel choose.
    pub cpus: Vec<usize>,
    /// Whether datagrams that come in one piece are received in one.
    pub gro: bool,
}

/// How exporters are spread over lanes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Steering {
    /// By a hash of their address, where the kernel takes the program for it;
    /// else there is one lane.
    #[default]
    Auto,
    /// Not at all: one lane.
    Off,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            addresses: vec![SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), PORT)],
            receive_buffer_bytes: RECEIVE_BUFFER_BYTES,
            nap_max: NAP_MAX,
            lanes: None,
            steering: Steering::default(),
            cpus: Vec::new(),
            gro: false,
        }
    }
}

impl Listen {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            addresses: addresses(table).unwrap_or(default.addresses),
            receive_buffer_bytes: table
                .integer("receive-buffer-bytes", 65_536..=1 << 30)
                .unwrap_or(default.receive_buffer_bytes),
            nap_max: table
                .integer("max-nap-us", 0..=10_000)
                .map_or(default.nap_max, Duration::from_micros),
            // The file writes "as many as there are cores" as 0.
            lanes: table
                .integer("lanes", 0..=LANES_MAX)
                .filter(|lanes| *lanes != 0),
            steering: table
                .choice(
                    "steering",
                    &[("auto", Steering::Auto), ("off", Steering::Off)],
                )
                .unwrap_or_default(),
            cpus: cpus(table).unwrap_or(default.cpus),
            gro: table.boolean("gro").unwrap_or(default.gro),
        }
    }
}

fn cpus(table: &mut Table<'_, '_>) -> Option<Vec<usize>> {
    let cpus: Vec<usize> = table.list("cpus", |value| value.integer(0..=u64::MAX))?;
    for (index, cpu) in cpus.iter().enumerate() {
        if !may_run_on(*cpu) {
            let what = format!("this host has no CPU {cpu}, or not for flowlogd");
            let advice = "`taskset -cp $$` lists those of a shell";
            table.refuse(&format!("cpus[{index}]"), what, advice);
        }
    }
    Some(cpus)
}

fn addresses(table: &mut Table<'_, '_>) -> Option<Vec<SocketAddr>> {
    let advice = "write address:port, such as \"[::]:9995\"";
    let addresses: Vec<SocketAddr> = table.list("addresses", |value| value.parsed(advice))?;
    if !(1..=PORTS_MAX).contains(&addresses.len()) {
        let what = format!("must name 1 to {PORTS_MAX} addresses");
        table.refuse("addresses", what, "");
        return None;
    }
    for (index, address) in addresses.iter().enumerate() {
        let mut others = addresses.iter().enumerate();
        let cover = others.find(|&(other, wide)| {
            other != index && covers(wide, address) && (other < index || !covers(address, wide))
        });
        if let Some((_, wide)) = cover {
            let what = format!("{wide} covers {address} already");
            table.refuse(&format!("addresses[{index}]"), what, "list one of them");
        }
    }
    Some(addresses)
}

/// Whether a socket at `wide` hears all that one at `address` would.
fn covers(wide: &SocketAddr, address: &SocketAddr) -> bool {
    // Port 0 is a free port, another one each time.
    if wide.port() != address.port() || wide.port() == 0 {
        return false;
    }
    let is_everything = match wide.ip() {
        IpAddr::V6(wide) => wide.is_unspecified(),
        IpAddr::V4(wide) => wide.is_unspecified() && address.is_ipv4(),
    };
    is_everything || wide.ip() == address.ip()
}

/// DESIGN's port for NetFlow and IPFIX alike; exporters' defaults differ.
const PORT: u16 = 9995;
/// Half a second of a full gigabit of flow export; the kernel grants no more
/// than `net.core.rmem_max`, and what it granted is reported.
const RECEIVE_BUFFER_BYTES: usize = 64 << 20;
/// As long as 20 datagrams take at 20 000 a second. Below that a lane has time
/// to spare, and a hundredth of a lane's tick delays no flow noticeably.
const NAP_MAX: Duration = Duration::from_micros(1_000);
/// Beyond, steering and shared caches cost more than a lane brings.
const LANES_MAX: u64 = 8;
