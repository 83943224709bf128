//! Addresses of our own, which nothing is to be sent to.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

use crate::flowlog::Refusal;
use crate::flowlog::refusal;

/// Where others reach this process, as it was when somebody last looked.
#[derive(Debug)]
pub struct Own {
    listening: Vec<SocketAddr>,
    /// With the addresses of the interfaces.
    all: ArcSwap<Vec<SocketAddr>>,
}

impl Own {
    /// That of a process that listens on these addresses.
    pub fn new(listening: Vec<SocketAddr>) -> Self {
        let all = ArcSwap::from_pointee(own(&listening));
        Self { listening, all }
    }

    /// Looks at the interfaces again, which come and go.
    pub fn look(&self) {
        self.all.store(Arc::new(own(&self.listening)));
    }

    /// Whether records of an address are our own: not of a loopback address,
    /// which every host has.
    pub fn is(&self, address: IpAddr) -> bool {
        let all = self.all.load();
        let mut all = all.iter().map(|own| own.ip().to_canonical());
        !address.is_loopback() && all.any(|own| own == address)
    }

    /// All addresses and ports, those of the interfaces too.
    pub fn all(&self) -> Vec<SocketAddr> {
        self.all.load().to_vec()
    }

    /// Why nothing is to be sent to an address.
    pub fn refusal(&self, address: SocketAddr) -> Option<Refusal> {
        refusal(address, &self.all.load())
    }
}

/// Where others reach the sockets that listen on these addresses: the same, and
/// for each unspecified one those of the host's interfaces, as they are now.
///
/// Where the system does not tell, only the addresses given.
fn own(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut all = listening.to_vec();
    let mut wide = listening.iter().filter(|it| it.ip().is_unspecified());
    if wide.clone().next().is_none() {
        return all;
    }
    let interfaces = getifaddrs().into_iter().flatten();
    let addresses: Vec<IpAddr> = interfaces
        .filter_map(|interface| ip(&interface.address?))
        .collect();
    for wide in wide.by_ref() {
        let hears = |ip: &&IpAddr| wide.is_ipv6() || ip.is_ipv4();
        let heard = addresses.iter().filter(hears);
        all.extend(heard.map(|ip| SocketAddr::new(*ip, wide.port())));
    }
    all
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_we_listen_on_is_our_own() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let listening = addresses(&["192.0.2.1:9995", "[::ffff:192.0.2.2]:2055", "127.0.0.1:1"]);
        let own = Own::new(listening);
        assert!(own.is(ip("192.0.2.1")) && own.is(ip("192.0.2.2")));
        assert!(!own.is(ip("127.0.0.1")) && !own.is(ip("192.0.2.3")));
        let refusal = |text: &str| own.refusal(text.parse().unwrap());
        assert_eq!(refusal("127.0.0.1:1"), Some(Refusal::Own));
        assert_eq!(refusal("192.0.2.1:9996"), None);
        own.look();
        assert_eq!(refusal("192.0.2.2:2055"), Some(Refusal::Own));
    }

    #[test]
    fn an_address_alone_is_the_only_one() {
        let one = addresses(&["192.0.2.1:9995"]);
        assert_eq!(own(&one), one);
        assert_eq!(own(&[]), []);
    }

    #[test]
    fn a_socket_of_all_interfaces_has_the_address_of_each() {
        let all = own(&addresses(&["[::]:9995"]));
        assert!(all.contains(&"127.0.0.1:9995".parse().unwrap()), "{all:?}");
        let all = own(&addresses(&["0.0.0.0:2055"]));
        assert!(all.contains(&"127.0.0.1:2055".parse().unwrap()), "{all:?}");
        assert!(all.iter().all(SocketAddr::is_ipv4), "{all:?}");
    }
}
