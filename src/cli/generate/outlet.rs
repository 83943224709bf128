//! Where datagrams go: to a collector, or into a capture file.

use std::fs::File;
use std::io::{self, BufWriter, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pcap_file::pcap::{PcapPacket, PcapWriter};

use crate::cli::generate::Made;
use crate::cli::target::SOCKETS_MAX;
use crate::cli::target::any;
use crate::cli::target::connect;
use crate::listen::SEND_MAX;
use crate::listen::put_packet;
use crate::listen::send_datagrams;

/// Takes datagrams.
pub(super) trait Outlet {
    /// Sends all of these, [`SEND_MAX`] at the most and of one exporter, at `now` since 1970.
    ///
    /// # Errors
    /// Says why they can never go.
    fn send(
        &mut self,
        datagrams: &[Made],
        now: Duration,
        troubles: &mut Troubles,
    ) -> anyhow::Result<()>;
}

/// What got in the way of sending, and did not stop it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Troubles {
    /// Times there was no room for a datagram until later.
    pub(super) full: u64,
    /// Notices that nobody listens there.
    pub(super) unreachable: u64,
}

/// Sockets that are connected to a collector.
pub(super) struct Sockets {
    target: SocketAddr,
    sockets: Vec<UdpSocket>,
}

impl Sockets {
    /// Opens one for each exporter where each can have an address of its own, else one for all.
    pub(super) fn open(target: SocketAddr, exporters: u32) -> anyhow::Result<Self> {
        let count = match target.ip() {
            IpAddr::V4(address) if address.is_loopback() => usize::try_from(exporters)?,
            IpAddr::V4(_) | IpAddr::V6(_) => 1,
        };
        let sources = (0..exporters).take(count.min(SOCKETS_MAX));
        let sockets = sources.map(|exporter| connect(source(exporter, target), target));
        Ok(Self {
            target,
            sockets: sockets.collect::<anyhow::Result<_>>()?,
        })
    }
}

/// Where an exporter sends from: 127.1.0.1 and on to a collector on this host.
fn source(exporter: u32, target: SocketAddr) -> IpAddr {
    match target.ip() {
        IpAddr::V4(address) if address.is_loopback() => {
            let [.., high, low] = exporter.wrapping_add(1).to_be_bytes();
            Ipv4Addr::new(127, 1, high, low).into()
        }
        IpAddr::V4(_) | IpAddr::V6(_) => any(target),
    }
}

impl Outlet for Sockets {
    fn send(
        &mut self,
        datagrams: &[Made],
        _now: Duration,
        troubles: &mut Troubles,
    ) -> anyhow::Result<()> {
        let exporter = usize::try_from(exporter_of(datagrams))?;
        let index = exporter % self.sockets.len().max(1);
        let socket = self.sockets.get(index).context("no socket")?;
        let mut slices = [IoSlice::new(&[]); SEND_MAX];
        let mut used = 0;
        for (slice, datagram) in slices.iter_mut().zip(datagrams) {
            *slice = IoSlice::new(&datagram.octets);
            used += 1;
        }
        let slices = slices.get(..used).unwrap_or_default();
        insist(
            slices,
            troubles,
            |rest| send_datagrams(socket.as_fd(), rest),
            || room(socket),
        )
        .with_context(|| format!("sending to {}", self.target))
    }
}

fn exporter_of(datagrams: &[Made]) -> u32 {
    datagrams.first().map_or(0, |first| first.filled.exporter)
}

/// Sends until all are sent; for want of room it waits.
fn insist(
    mut rest: &[IoSlice<'_>],
    troubles: &mut Troubles,
    mut send: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    mut wait: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    while !rest.is_empty() {
        match send(rest) {
            Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
            Err(error) => match error.raw_os_error().unwrap_or_default() {
                libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM => {
                    troubles.full += 1;
                    wait()?;
                }
                // Of a datagram before; UDP's senders do not mind.
                libc::ECONNREFUSED => troubles.unreachable += 1,
                libc::EINTR => {}
                _ => return Err(error),
            },
        }
    }
    Ok(())
}

/// Waits until a socket has room; a little at least, as the interface may be what is full.
fn room(socket: &UdpSocket) -> io::Result<()> {
    std::thread::sleep(FULL_WAIT);
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    match poll(&mut polled, PollTimeout::from(ROOM_MS)) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A capture file of datagrams as they would arrive.
pub(super) struct Capture {
    writer: PcapWriter<BufWriter<File>>,
    target: SocketAddr,
    frame: Vec<u8>,
}

impl Capture {
    /// Makes the file, or empties it.
    pub(super) fn create(path: &Path, target: SocketAddr) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        Ok(Self {
            writer: PcapWriter::new(BufWriter::new(file)).context("writing the capture")?,
            target,
            frame: Vec::new(),
        })
    }
}

impl Outlet for Capture {
    fn send(
        &mut self,
        datagrams: &[Made],
        now: Duration,
        _troubles: &mut Troubles,
    ) -> anyhow::Result<()> {
        let from = SocketAddr::new(source(exporter_of(datagrams), self.target), SOURCE_PORT);
        let ether_type = if from.is_ipv4() { IPV4 } else { IPV6 };
        for datagram in datagrams {
            self.frame.clear();
            self.frame.extend_from_slice(&ETHERNET_ADDRESSES);
            self.frame.extend_from_slice(&ether_type);
            put_packet(&mut self.frame, from, self.target, &datagram.octets)
                .map_err(|why| anyhow::anyhow!("no packet: {why:?}"))?;
            let length = u32::try_from(self.frame.len())?;
            let packet = PcapPacket::new(now, length, &self.frame);
            self.writer
                .write_packet(&packet)
                .context("writing the capture")?;
        }
        Ok(())
    }
}

/// How long nothing is sent when there is no room.
const FULL_WAIT: Duration = Duration::from_micros(200);
/// How long a socket may have no room before it is tried all the same.
const ROOM_MS: u8 = 100;
/// Where all exporters of a capture send from.
const SOURCE_PORT: u16 = 2055;
/// Receiver and sender, locally administered.
const ETHERNET_ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_or_nobody_is_sent_again() {
        let (first, second, third) = ([1], [2], [3]);
        let datagrams = [&first, &second, &third].map(|octets| IoSlice::new(octets));
        let mut outcomes = [
            Ok(1),
            Err(libc::EAGAIN),
            Err(libc::ENOBUFS),
            Err(libc::ECONNREFUSED),
            Err(libc::EINTR),
            Ok(2),
        ]
        .into_iter();
        let (mut offered, mut waits) = (Vec::new(), 0);
        let mut troubles = Troubles::default();
        let sent = insist(
            &datagrams,
            &mut troubles,
            |rest| {
                offered.push(rest.len());
                outcomes
                    .next()
                    .unwrap()
                    .map_err(io::Error::from_raw_os_error)
            },
            || {
                waits += 1;
                Ok(())
            },
        );
        assert!(sent.is_ok());
        assert_eq!(offered, [3, 2, 2, 2, 2, 2]);
        assert_eq!(waits, 2);
        let expected = Troubles {
            full: 2,
            unreachable: 1,
        };
        assert_eq!(troubles, expected);
    }

    #[test]
    fn what_can_never_be_sent_ends_it() {
        let datagrams = [IoSlice::new(b"hi")];
        let refused = io::Error::from_raw_os_error(libc::EMSGSIZE);
        let mut outcomes = [Err(refused)].into_iter();
        let error = insist(
            &datagrams,
            &mut Troubles::default(),
            |_| outcomes.next().unwrap(),
            || Ok(()),
        );
        assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
    }

    #[test]
    fn exporters_have_addresses_of_their_own_on_this_host_only() {
        let here = "127.0.0.1:9995".parse().unwrap();
        assert_eq!(source(0, here), IpAddr::from([127, 1, 0, 1]));
        assert_eq!(source(300, here), IpAddr::from([127, 1, 1, 45]));
        for elsewhere in ["192.0.2.1:9995", "[::1]:9995"] {
            let elsewhere = elsewhere.parse().unwrap();
            assert!(source(300, elsewhere).is_unspecified());
        }
    }
}
