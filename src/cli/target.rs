//! The collector that a command sends to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use anyhow::Context;

use crate::cli::Failure;

/// Sockets at most: exporters beyond it share one.
pub(super) const SOCKETS_MAX: usize = 256;

/// The first address of what `--to` names.
pub(super) fn resolve(target: &str) -> Result<SocketAddr, Failure> {
    let addresses = target.to_socket_addrs();
    let addresses = addresses.map_err(|error| Failure::usage(format!("--to {target}: {error}")))?;
    let address = addresses.into_iter().next();
    address.ok_or_else(|| Failure::usage(format!("--to {target}: no address")))
}

/// Whatever address of this host leads there.
pub(super) fn any(target: SocketAddr) -> IpAddr {
    if target.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    }
}

/// A socket of a port of its own that sends to one collector.
pub(super) fn connect(source: IpAddr, target: SocketAddr) -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind((source, 0)).context("opening a socket")?;
    socket
        .connect(target)
        .with_context(|| format!("connecting to {target}"))?;
    Ok(socket)
}
