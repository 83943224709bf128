//! One lane's socket to one destination.

use std::io;
use std::io::IoSlice;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

use super::super::batch;
use super::super::batch::SLOTS;
use super::super::lane::Datagram;
use super::account::RelayDrop;
use super::account::RelayTotals;
use super::spoof::Header;
use super::table::Destination;
use super::transmit::Form;
use super::transmit::transmit;

/// A destination as one lane reaches it.
#[derive(Debug)]
pub(super) struct Outlet {
    destination: Destination,
    connection: Option<Connection>,
    /// Our port, the same for the life of the process; 0 before there is one.
    port: u16,
    /// When to try to connect again.
    retry_ms: u64,
}

/// A connected socket.
#[derive(Debug)]
struct Connection {
    socket: Socket,
    address: SocketAddr,
    form: Form,
}

impl Outlet {
    /// The way to a destination, in place of what there was before.
    ///
    /// A socket stays if it still leads there, and the port even if not.
    pub(super) fn new(destination: Destination, before: Option<Self>) -> Self {
        let mut outlet = Self {
            destination,
            connection: None,
            port: 0,
            retry_ms: 0,
        };
        if let Some(before) = before {
            let leads_there = |connection: &Connection| {
                Some(connection.address) == outlet.destination.address
                    && before.destination.spoofs == outlet.destination.spoofs
            };
            outlet.port = before.port;
            outlet.connection = before.connection.filter(leads_there);
        }
        outlet
    }

    /// Whether it is the way to this destination, wherever that is just now.
    pub(super) fn leads_to(&self, destination: &Destination) -> bool {
        self.destination.target == destination.target
    }

    /// Sends copies of datagrams, [`SLOTS`] at the most, without waiting.
    pub(super) fn send<'a>(&mut self, datagrams: impl Iterator<Item = Datagram<'a>>, now_ms: u64) {
        let mut totals = RelayTotals::default();
        self.connect(now_ms);
        match &mut self.connection {
            Some(connection) if connection.form == Form::Headed => {
                connection.send_headed(datagrams, &mut totals);
            }
            Some(connection) => connection.send(datagrams, &mut totals),
            None => {
                let is_known = self.destination.address.is_some();
                let unknown = (!is_known).then_some(RelayDrop::Unresolved);
                let why = unknown.unwrap_or(RelayDrop::Unreachable);
                totals.drop(why, datagrams.count());
            }
        }
        self.destination.account.add(&totals);
    }

    /// When it will try to connect again.
    #[cfg(test)]
    pub(super) fn retry_ms(&self) -> u64 {
        self.retry_ms
    }

    /// Connects unless it is connected, at most once in [`RETRY_MS`].
    fn connect(&mut self, now_ms: u64) {
        let Some(address) = self.destination.address else {
            return;
        };
        if self.connection.is_some() || now_ms < self.retry_ms {
            return;
        }
        self.retry_ms = now_ms.saturating_add(RETRY_MS);
        let spoofs = self.destination.spoofs;
        let opened = if spoofs {
            open_raw(address)
        } else {
            open(address, self.port)
        };
        let Ok(socket) = opened else {
            return;
        };
        if !spoofs {
            let local = socket.local_addr().ok().and_then(|local| local.as_socket());
            self.port = local.map_or(0, |local| local.port());
        }
        let form = if spoofs {
            Form::Headed
        } else {
            Form::Plain(usize::from(u16::MAX))
        };
        self.connection = Some(Connection {
            socket,
            address,
            form,
        });
    }
}

impl Connection {
    fn send<'a>(
        &mut self,
        datagrams: impl Iterator<Item = Datagram<'a>>,
        totals: &mut RelayTotals,
    ) {
        let mut parts = [IoSlice::new(&[]); SLOTS];
        let mut used = 0;
        for (part, datagram) in parts.iter_mut().zip(datagrams) {
            *part = IoSlice::new(datagram.bytes);
            used += 1;
        }
        self.transmit(parts.get(..used).unwrap_or_default(), totals);
    }

    fn send_headed<'a>(
        &mut self,
        datagrams: impl Iterator<Item = Datagram<'a>>,
        totals: &mut RelayTotals,
    ) {
        let mut headers = [Header::EMPTY; SLOTS];
        let mut octets: [&[u8]; SLOTS] = [&[]; SLOTS];
        let mut used = 0;
        for datagram in datagrams {
            let header = Header::new(datagram.peer, self.address, datagram.bytes);
            let slots = (headers.get_mut(used), octets.get_mut(used));
            match (header, slots) {
                (Ok(header), (Some(slot), Some(octets))) => {
                    *slot = header;
                    *octets = datagram.bytes;
                    used += 1;
                }
                (Ok(_), _) => totals.drop(RelayDrop::Full, 1),
                (Err(why), _) => totals.drop(why, 1),
            }
        }
        let mut parts = [[IoSlice::new(&[]); 2]; SLOTS];
        for (part, (header, octets)) in parts.iter_mut().zip(headers.iter().zip(octets)) {
            *part = [IoSlice::new(header.octets()), IoSlice::new(octets)];
        }
        let parts = parts.get(..used).unwrap_or_default();
        self.transmit(parts.as_flattened(), totals);
    }

    fn transmit(&mut self, parts: &[IoSlice<'_>], totals: &mut RelayTotals) {
        let socket = self.socket.as_fd();
        transmit(parts, &mut self.form, totals, |entries| {
            batch::send(socket, entries)
        });
    }
}

/// Whether this process may send from addresses that are not its own.
///
/// # Errors
///
/// `PermissionDenied` without `CAP_NET_RAW`, in the user namespace that owns the
/// network.
pub fn may_spoof() -> io::Result<()> {
    raw(Domain::IPV4).map(drop)
}

/// A UDP socket to an address, from a port of ours if that is free.
fn open(address: SocketAddr, port: u16) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    let any = |port| match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    };
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket
        .bind(&any(port).into())
        .or_else(|_| socket.bind(&any(0).into()))?;
    connect(&socket, address)?;
    Ok(socket)
}

fn open_raw(address: SocketAddr) -> io::Result<Socket> {
    let socket = raw(Domain::for_address(address))?;
    // A raw socket has no port; the headers have.
    connect(&socket, SocketAddr::new(address.ip(), 0))?;
    Ok(socket)
}

/// A socket for datagrams with headers of ours: raw(7), ipv6(7).
fn raw(domain: Domain) -> io::Result<Socket> {
    let protocol = Protocol::from(libc::IPPROTO_RAW);
    Socket::new(domain, Type::RAW, Some(protocol))
}

fn connect(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    // The kernel gives what it can. Nobody reads what comes back.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_recv_buffer_size(0)?;
    socket.connect(&address.into())
}

/// How long a destination that cannot be connected to is left alone.
const RETRY_MS: u64 = 1_000;
/// Some batches of full frames that wait for the network interface.
const SEND_BUFFER_BYTES: usize = 4 << 20;
