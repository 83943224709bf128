//! Opening sockets: reuseport groups, buffers, steering, socket activation.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::num::NonZeroU32;
use std::os::fd::AsFd;
use std::time::Duration;

use listenfd::ListenFd;
use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt;
use socket2::Domain;
use socket2::SockRef;
use socket2::Socket;
use socket2::Type;

use super::batch;
use super::buffer;
use super::buffer::BUFFER_BYTES_MAX;
use super::lane::LaneSockets;
use super::steer;

/// Sockets that one lane can poll, so also the addresses one can listen on.
pub const PORTS_MAX: usize = 15;

/// The longest datagram there is; RFC 7011 §10 wants it taken (P-008).
pub const DATAGRAM_BYTES_MAX: usize = 65_535;

/// What to open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where to listen, [`PORTS_MAX`] at the most; `[::]` takes IPv4 too.
    pub addresses: Vec<SocketAddr>,
    /// Threads that will receive, each with one socket per address.
    pub lanes: NonZeroU32,
    /// Kernel buffer to ask for, in octets per socket.
    pub receive_buffer_bytes: usize,
    /// Longer datagrams are dropped and counted; [`DATAGRAM_BYTES_MAX`] loses none.
    pub datagram_bytes_max: usize,
    /// The longest a datagram may wait for others, so that they are taken
    /// together; 0 has none wait.
    pub nap_max: Duration,
    /// Whether datagrams that the sender's kernel, or the network card, has left
    /// in one piece are received in one (`UDP_GRO`, Linux 5.0).
    pub gro: bool,
}

/// Sockets, ready to receive.
pub struct Bound {
    /// One set of sockets per thread.
    pub lanes: Vec<LaneSockets>,
    /// Where they listen, with the ports the kernel chose in place of 0.
    pub addresses: Vec<SocketAddr>,
    /// What an operator should know.
    pub warnings: Vec<Warning>,
}

/// Opens one socket per address and lane.
///
/// The sockets of an address share it through `SO_REUSEPORT`, and a program
/// in the kernel chooses among them by the sender's address. Where the kernel
/// does not take the program, there is one lane. An address in use by another
/// process is refused, even if that one would share it.
///
/// # Errors
///
/// If an address cannot be bound or there are more than [`PORTS_MAX`].
pub fn bind(settings: &Settings) -> Result<Bound, BindError> {
    let mut opening = Opening::new(settings);
    for &address in &settings.addresses {
        let refused = |source| BindError::Refused { address, source };
        opening.open_group(address).map_err(refused)?;
    }
    opening.finish()
}

/// Takes over sockets that a service manager opened.
///
/// Those of the same address form a group; the n-th of each goes to lane n,
/// so there are as many lanes as the largest group has sockets. If a group of
/// several cannot be steered, all go to one lane.
///
/// # Errors
///
/// If a socket cannot be set up, or a lane would have more than [`PORTS_MAX`].
pub fn adopt(sockets: Vec<UdpSocket>, settings: &Settings) -> Result<Bound, BindError> {
    let mut opening = Opening::new(settings);
    for socket in sockets {
        opening.adopt(socket)?;
    }
    opening.steer_adopted();
    opening.finish()
}

/// UDP sockets among those a service manager passed; leaves the others there.
pub fn passed(sockets: &mut ListenFd) -> Vec<UdpSocket> {
    let indices = 0..sockets.len();
    let udp = |index| sockets.take_udp_socket(index).ok().flatten();
    indices.filter_map(udp).collect()
}

/// Sockets on their way to [`Bound`].
struct Opening<'a> {
    settings: &'a Settings,
    /// Cleared when a group of several sockets could not be steered.
    steered: bool,
    groups: Vec<Group>,
    warnings: Vec<Warning>,
}

/// The sockets of one address, in the order in which they were bound.
struct Group {
    address: SocketAddr,
    sockets: Vec<UdpSocket>,
}

impl<'a> Opening<'a> {
    fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            steered: true,
            groups: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn open_group(&mut self, asked: SocketAddr) -> io::Result<()> {
        let first = match self.open_first(asked) {
            Err(error) if asked.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
                self.warnings.push(Warning::NoIpv6(asked));
                self.open_first((Ipv4Addr::UNSPECIFIED, asked.port()).into())?
            }
            first => first?,
        };
        let address = first.local_addr()?;
        let lanes = self.settings.lanes.get();
        let mut sockets = vec![first];
        // Steered before it has company, so that no datagram goes astray.
        if lanes > 1 && self.steer(&sockets, lanes) {
            for _ in 1..lanes {
                sockets.push(open(address, true, self.settings)?);
            }
        }
        self.groups.push(Group { address, sockets });
        Ok(())
    }

    fn open_first(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let is_shared = self.settings.lanes.get() > 1;
        if is_shared {
            // Refused where another process listens, which sharing would hide.
            drop(open(address, false, self.settings)?);
        }
        open(address, is_shared, self.settings)
    }

    fn adopt(&mut self, socket: UdpSocket) -> io::Result<()> {
        let address = socket.local_addr()?;
        prepare(&SockRef::from(&socket), self.settings)?;
        match self
            .groups
            .iter_mut()
            .find(|group| group.address == address)
        {
            Some(group) => group.sockets.push(socket),
            None => self.groups.push(Group {
                address,
                sockets: vec![socket],
            }),
        }
        Ok(())
    }

    fn steer_adopted(&mut self) {
        let groups = std::mem::take(&mut self.groups);
        for group in groups.iter().filter(|group| group.sockets.len() > 1) {
            let lanes = u32::try_from(group.sockets.len()).unwrap_or(u32::MAX);
            self.steer(&group.sockets, lanes);
        }
        self.groups = groups;
    }

    /// Steers the group of these sockets, unless steering has failed before.
    fn steer(&mut self, sockets: &[UdpSocket], lanes: u32) -> bool {
        let Some(socket) = sockets.first().filter(|_| self.steered) else {
            return false;
        };
        if let Err(error) = batch::attach_steering(socket.as_fd(), &steer::program(lanes)) {
            self.steered = false;
            self.warnings.push(Warning::NotSteered(error));
        }
        self.steered
    }

    /// Has the kernel leave datagrams together, or not: who had an adopted
    /// socket before may have chosen otherwise.
    fn set_gro(&mut self) {
        let sockets = self.groups.iter().flat_map(|group| &group.sockets);
        let set = |socket| setsockopt(socket, sockopt::UdpGroSegment, &self.settings.gro);
        let failed = sockets.map(set).find_map(Result::err);
        if let Some(error) = failed.filter(|_| self.settings.gro) {
            self.warnings.push(Warning::NoGro(error.into()));
        }
    }

    fn finish(mut self) -> Result<Bound, BindError> {
        self.set_gro();
        let addresses = self.groups.iter().map(|group| group.address).collect();
        for group in &self.groups {
            let granted = group
                .sockets
                .iter()
                .map(buffer::granted)
                .collect::<io::Result<Vec<_>>>()?;
            let granted = granted.into_iter().min().unwrap_or_default();
            let asked = self.settings.receive_buffer_bytes.min(BUFFER_BYTES_MAX);
            if granted < asked {
                let address = group.address;
                self.warnings.push(Warning::SmallBuffer {
                    address,
                    asked,
                    granted,
                });
            }
        }
        let largest = self.groups.iter().map(|group| group.sockets.len()).max();
        let count = if self.steered {
            largest.unwrap_or_default()
        } else {
            1
        };
        let mut lanes: Vec<Vec<UdpSocket>> = (0..count.max(1)).map(|_| Vec::new()).collect();
        for group in self.groups {
            let mut lane = 0;
            for socket in group.sockets {
                if let Some(sockets) = lanes.get_mut(lane) {
                    sockets.push(socket);
                }
                lane = (lane + 1) % count.max(1);
            }
        }
        if let Some(lane) = lanes.iter().find(|lane| lane.len() > PORTS_MAX) {
            return Err(BindError::TooMany(lane.len()));
        }
        let lanes = lanes.into_iter();
        let lanes = lanes.map(|sockets| LaneSockets::new(sockets, self.settings));
        Ok(Bound {
            lanes: lanes.collect::<io::Result<_>>()?,
            addresses,
            warnings: self.warnings,
        })
    }
}

/// A bound socket, shared with the others of its group or not.
fn open(address: SocketAddr, is_shared: bool, settings: &Settings) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(is_shared)?;
    prepare(&socket, settings)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Has the kernel note times of receipt, and asks for buffer.
fn prepare(socket: &Socket, settings: &Settings) -> io::Result<()> {
    setsockopt(socket, sockopt::ReceiveTimestampns, &true)?;
    buffer::ask(socket, settings.receive_buffer_bytes)
}

fn is_without_ipv6(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(code, Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL))
}

/// Something that works less well than was asked for.
#[derive(Debug)]
pub enum Warning {
    /// The kernel granted a smaller receive buffer.
    SmallBuffer {
        /// Whose.
        address: SocketAddr,
        /// Octets asked for.
        asked: usize,
        /// Octets granted.
        granted: usize,
    },
    /// The kernel refused the program that steers; there is one lane.
    NotSteered(io::Error),
    /// The kernel takes datagrams apart, although they were to stay together.
    NoGro(io::Error),
    /// The host has no IPv6; listens on IPv4 only in place of this address.
    NoIpv6(SocketAddr),
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SmallBuffer {
                address,
                asked,
                granted,
            } => write!(
                out,
                "udp {address} has a receive buffer of {granted} octets instead of {asked}: \
                 set the sysctl net.core.rmem_max to {asked}, or grant CAP_NET_ADMIN",
            ),
            Self::NotSteered(error) => write!(
                out,
                "the kernel refuses to steer datagrams by exporter ({error}): \
                 one lane receives them all",
            ),
            Self::NoGro(error) => {
                write!(out, "the kernel does not receive with UDP_GRO: {error}")
            }
            Self::NoIpv6(address) => {
                write!(out, "no IPv6 on this host: udp {address} takes IPv4 only")
            }
        }
    }
}

/// Why there is nothing to receive from.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address could not be bound.
    #[error("cannot listen on udp {address}: {source}")]
    Refused {
        /// What was asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// One lane would have more than [`PORTS_MAX`] sockets.
    #[error("{0} udp sockets for one lane (at most {PORTS_MAX})")]
    TooMany(usize),
    /// A socket could not be set up.
    #[error("cannot set up a udp socket: {0}")]
    SetUp(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    /// With the privilege there is nothing to report: the socket never asked.
    #[test]
    fn a_buffer_smaller_than_asked_for_is_reported_with_the_remedy() {
        let settings = Settings {
            receive_buffer_bytes: 1 << 30,
            ..settings("127.0.0.1:0", 1)
        };
        let mut opening = Opening::new(&settings);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (address, granted) = (socket.local_addr().unwrap(), buffer::granted(&socket));
        let sockets = vec![socket];
        opening.groups.push(Group { address, sockets });
        let bound = opening.finish().unwrap();
        let warnings: Vec<_> = bound.warnings.iter().map(ToString::to_string).collect();
        let expected = format!(
            "udp {address} has a receive buffer of {} octets instead of 1073741823: \
             set the sysctl net.core.rmem_max to 1073741823, or grant CAP_NET_ADMIN",
            granted.unwrap()
        );
        assert_eq!(warnings, [expected]);
    }

    /// A kernel that takes no program is played by a group that was never one.
    #[test]
    fn sockets_that_cannot_be_steered_are_one_lane() {
        let settings = settings("127.0.0.1:0", 1);
        let mut opening = Opening::new(&settings);
        let shared = open("127.0.0.1:0".parse().unwrap(), true, &settings).unwrap();
        let address = shared.local_addr().unwrap();
        opening
            .adopt(open(address, true, &settings).unwrap())
            .unwrap();
        opening.adopt(shared).unwrap();
        let alone = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(!opening.steer(&[alone], 2));

        let bound = opening.finish().unwrap();
        assert_eq!(bound.lanes.len(), 1);
        assert_eq!(bound.lanes[0].stats().count(), 2);
        let [Warning::NotSteered(error)] = bound.warnings.as_slice() else {
            panic!("{:?}", bound.warnings);
        };
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
