//! One lane's poll set: its sockets, and an eventfd to wake it.

use std::array;
use std::io;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use nix::errno::Errno;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::ppoll;
use nix::sys::eventfd::EfdFlags;
use nix::sys::eventfd::EventFd;
use nix::sys::time::TimeSpec;

use super::batch;
use super::batch::Batch;
use super::buffer::granted;
use super::envelope::Envelope;
use super::nap::Catch;
use super::nap::Nap;
use super::socket::DATAGRAM_BYTES_MAX;
use super::socket::PORTS_MAX;
use super::socket::Settings;

/// The sockets of one lane, with the arena their datagrams are received into.
///
/// Plain blocking code for a thread of its own.
pub struct LaneSockets {
    sockets: Vec<Socket>,
    batch: Batch,
    datagram_bytes_max: usize,
    waker: Waker,
    nap: Nap,
    /// Which socket is read first next time, so that none starves the others.
    first: usize,
}

impl LaneSockets {
    /// A lane of the sockets given, [`PORTS_MAX`] at the most.
    pub(super) fn new(sockets: Vec<UdpSocket>, settings: &Settings) -> io::Result<Self> {
        let datagram_bytes_max = settings.datagram_bytes_max.clamp(1, DATAGRAM_BYTES_MAX);
        let slot_bytes = if settings.gro {
            DATAGRAM_BYTES_MAX
        } else {
            datagram_bytes_max
        };
        let sockets = sockets.into_iter().map(Socket::new);
        let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
        let buffers = sockets.iter().map(|it| it.stats.receive_buffer_bytes);
        let nap = Nap::new(settings.nap_max, buffers.min().unwrap_or_default());
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            sockets,
            batch: Batch::new(slot_bytes),
            datagram_bytes_max,
            waker: Waker(Arc::new(EventFd::from_flags(flags)?)),
            nap,
            first: 0,
        })
    }

    /// A handle that ends the wait of [`Self::receive`].
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Waits for datagrams, for a [`Waker`], or until the timeout is over.
    ///
    /// Gives what waits at all sockets of the lane, 64 datagrams at the most, or
    /// 64 times those that came in one piece ([`Settings::gro`]); nothing if the
    /// timeout or a signal came first. `None` waits for ever.
    ///
    /// While datagrams come fast and all have been taken, it naps before it
    /// looks at the sockets again, [`Settings::nap_max`] at the most; only a
    /// [`Waker`] or the timeout ends a nap.
    ///
    /// # Errors
    ///
    /// If waiting fails or a socket can never work again. What is transient,
    /// such as `ENOMEM` or an error that a router sent back, is counted in
    /// [`SocketStats::errors`] and survived.
    pub fn receive(&mut self, timeout: Option<Duration>) -> io::Result<Received<'_>> {
        self.batch.clear();
        let ready = self.look(timeout)?;
        if ready.waker {
            self.waker.reset();
        }
        self.take(&ready)?;
        self.nap.note(Instant::now(), self.batch.catch());
        Ok(Received {
            batch: &self.batch,
            datagram_bytes_max: self.datagram_bytes_max,
            woken: ready.waker,
        })
    }

    /// Naps if it is time to, then waits.
    fn look(&mut self, timeout: Option<Duration>) -> io::Result<Ready> {
        let all = self.sockets.len();
        let nap = self.nap.length(Instant::now());
        let nap = timeout.map_or(nap, |timeout| nap.min(timeout));
        if nap.is_zero() {
            return self.wait(all, timeout);
        }
        self.wait(0, Some(nap))?;
        let ready = self.wait(all, Some(Duration::ZERO))?;
        if ready.waker || ready.sockets.contains(&true) {
            return Ok(ready);
        }
        self.nap.note_in_vain(Instant::now());
        self.wait(all, timeout.map(|timeout| timeout.saturating_sub(nap)))
    }

    /// Takes what waits at the sockets that are ready, as far as slots are free.
    fn take(&mut self, ready: &Ready) -> io::Result<()> {
        let count = self.sockets.len();
        self.first = (self.first + 1) % count.max(1);
        for index in (self.first..count).chain(0..self.first) {
            let is_ready = ready.sockets.get(index) == Some(&true);
            if let Some(socket) = self.sockets.get_mut(index).filter(|_| is_ready)
                && !self.batch.is_full()
            {
                socket.receive(&mut self.batch, self.datagram_bytes_max)?;
            }
        }
        Ok(())
    }

    /// Asks the kernel what it dropped; the sum over the lane's sockets.
    ///
    /// To be called once per tick: the kernel's counters have 32 bits, and a
    /// wrap is only noticed if they are read before they have gone round.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt(2)`; Linux before 4.12 does not count.
    pub fn drops(&mut self) -> io::Result<u64> {
        let mut sum = 0;
        for socket in &mut self.sockets {
            sum += socket.drops()?;
        }
        Ok(sum)
    }

    /// Counters of each socket, in the order of the configured addresses.
    pub fn stats(&self) -> impl Iterator<Item = &SocketStats> {
        self.sockets.iter().map(|socket| &socket.stats)
    }

    /// Waits for the waker and for the first so many sockets.
    fn wait(&self, sockets: usize, timeout: Option<Duration>) -> io::Result<Ready> {
        let waker = self.waker.0.as_fd();
        let mut entries: [PollFd<'_>; 1 + PORTS_MAX] = array::from_fn(|index| {
            let socket = index
                .checked_sub(1)
                .and_then(|index| self.sockets.get(index));
            let fd = socket.map_or(waker, |socket| socket.udp.as_fd());
            PollFd::new(fd, PollFlags::POLLIN)
        });
        let used = entries.get_mut(..=sockets).unwrap_or_default();
        match ppoll(used, timeout.map(TimeSpec::from_duration), None) {
            Ok(_) => Ready::read(used),
            Err(Errno::EINTR) => Ok(Ready::default()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Batch {
    /// What it holds, as naps go by it: datagrams that came as one are one.
    fn catch(&self) -> Catch {
        let lengths = || self.slots().map(|(envelope, _)| envelope.length);
        Catch {
            datagrams: lengths().count(),
            octets: lengths().sum(),
            is_full: self.is_full(),
        }
    }
}

/// One UDP socket of a lane and what it has counted.
struct Socket {
    udp: UdpSocket,
    /// What the kernel's counter of drops stood at.
    dropped: u32,
    stats: SocketStats,
}

impl Socket {
    fn new(udp: UdpSocket) -> io::Result<Self> {
        let stats = SocketStats {
            local_port: udp.local_addr()?.port(),
            receive_buffer_bytes: granted(&udp)?,
            ..SocketStats::default()
        };
        Ok(Self {
            udp,
            dropped: 0,
            stats,
        })
    }

    fn receive(&mut self, batch: &mut Batch, datagram_bytes_max: usize) -> io::Result<()> {
        let stats = &mut self.stats;
        match batch.receive(self.udp.as_fd(), stats.local_port) {
            Ok(slots) => {
                for (envelope, octets) in slots {
                    for datagram in envelope.split(octets) {
                        stats.count(envelope, datagram.len(), datagram_bytes_max);
                    }
                }
                Ok(())
            }
            Err(error) => match error.raw_os_error() {
                // A signal came, or what made the socket ready was a datagram
                // with a wrong checksum.
                Some(libc::EAGAIN | libc::EINTR) => Ok(()),
                Some(libc::EBADF | libc::EFAULT | libc::EINVAL | libc::ENOTSOCK) => Err(error),
                _ => {
                    stats.errors += 1;
                    Ok(())
                }
            },
        }
    }

    fn drops(&mut self) -> io::Result<u64> {
        let dropped = batch::dropped(self.udp.as_fd())?;
        self.stats.kernel_dropped += u64::from(dropped.wrapping_sub(self.dropped));
        self.dropped = dropped;
        Ok(self.stats.kernel_dropped)
    }
}

/// What became of the datagrams of one socket; all counters only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SocketStats {
    /// The port it is bound to.
    pub local_port: u16,
    /// Receive buffer granted, in octets as they are asked for.
    pub receive_buffer_bytes: usize,
    /// Datagrams handed out.
    pub datagrams: u64,
    /// Their octets, without UDP and IP headers.
    pub octets: u64,
    /// Datagrams longer than the configured maximum, dropped here.
    pub oversized: u64,
    /// Datagrams the kernel dropped since the socket was made, as of the last
    /// [`LaneSockets::drops`]; with socket activation that may be before us.
    /// What came in one piece ([`Settings::gro`]) is counted as one (Linux 6.18).
    pub kernel_dropped: u64,
    /// Calls that failed and were survived.
    pub errors: u64,
}

impl SocketStats {
    fn count(&mut self, envelope: &Envelope, length: usize, datagram_bytes_max: usize) {
        if envelope.truncated || length > datagram_bytes_max {
            self.oversized += 1;
        } else if envelope.peer.is_none() {
            self.errors += 1;
        } else {
            self.datagrams += 1;
            self.octets += length as u64;
        }
    }
}

/// What one [`LaneSockets::receive`] brought.
pub struct Received<'a> {
    batch: &'a Batch,
    datagram_bytes_max: usize,
    woken: bool,
}

impl Received<'_> {
    /// Datagrams in order of receipt, socket by socket.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let whole = self
            .batch
            .slots()
            .filter(|(envelope, _)| !envelope.truncated);
        let each = whole.filter_map(|(envelope, octets)| {
            let peer = envelope.peer?;
            let unix_ms = envelope.unix_ms.unwrap_or_else(unix_ms);
            Some(envelope.split(octets).map(move |bytes| Datagram {
                bytes,
                peer,
                local_port: envelope.local_port,
                unix_ms,
            }))
        });
        let longest = self.datagram_bytes_max;
        each.flatten().filter(move |it| it.bytes.len() <= longest)
    }

    /// Whether a [`Waker`] was used since the last time.
    pub fn woken(&self) -> bool {
        self.woken
    }

    /// Whether the arena ran out of slots, so that more is likely to wait.
    pub fn is_full(&self) -> bool {
        self.batch.is_full()
    }
}

/// One UDP payload, as received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram<'a> {
    /// Its octets; there may be none.
    pub bytes: &'a [u8],
    /// Who sent it, IPv4-mapped addresses as IPv4 (P-009).
    pub peer: SocketAddr,
    /// The port of ours it was sent to.
    pub local_port: u16,
    /// When the kernel took it from the network, in milliseconds since 1970.
    pub unix_ms: u64,
}

/// Ends a lane's wait from any thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<EventFd>);

impl Waker {
    /// Has the lane's present or next [`LaneSockets::receive`] return at once.
    ///
    /// Several calls before that count as one.
    pub fn wake(&self) {
        // It fails only when the counter is full, and then the lane wakes too.
        let _ = self.0.write(1);
    }

    fn reset(&self) {
        // It fails only when the counter is zero already.
        let _ = self.0.read();
    }
}

/// What a wait found ready.
#[derive(Default)]
struct Ready {
    waker: bool,
    sockets: [bool; PORTS_MAX],
}

impl Ready {
    fn read(entries: &[PollFd<'_>]) -> io::Result<Self> {
        let mut ready = Self::default();
        if let [waker, sockets @ ..] = entries {
            ready.waker = is_ready(waker)?;
            for (socket, ready) in sockets.iter().zip(&mut ready.sockets) {
                *ready = is_ready(socket)?;
            }
        }
        Ok(ready)
    }
}

/// Readable, or with an error to be fetched.
fn is_ready(entry: &PollFd<'_>) -> io::Result<bool> {
    let events = entry.revents().unwrap_or(PollFlags::empty());
    if events.contains(PollFlags::POLLNVAL) {
        return Err(Errno::EBADF.into());
    }
    Ok(!events.is_empty())
}

/// The time for a datagram that came without one of the kernel's.
fn unix_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let milliseconds = since_1970.unwrap_or_default().as_millis();
    u64::try_from(milliseconds).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    /// Far longer than loopback takes; reached only by a test that fails.
    const DEADLINE: Duration = Duration::from_secs(20);

    /// A lane that is about to nap so long, and a sender to it.
    fn tired(nap: Duration) -> (LaneSockets, UdpSocket) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(socket.local_addr().unwrap()).unwrap();
        let settings = Settings {
            nap_max: nap,
            ..settings("127.0.0.1:0", 1)
        };
        let mut lane = LaneSockets::new(vec![socket], &settings).unwrap();
        // So few that no buffer is too small for the nap.
        let catch = Catch {
            datagrams: 5,
            octets: 5,
            is_full: false,
        };
        let now = Instant::now();
        lane.nap.note(now - nap, Catch::default());
        lane.nap.note(now, catch);
        (lane, sender)
    }

    #[test]
    fn a_datagram_does_not_end_a_nap() {
        let nap = Duration::from_millis(20);
        let started = Instant::now();
        let (mut lane, sender) = tired(nap);
        sender.send(b"one").unwrap();
        sender.send(b"two").unwrap();
        let received = lane.receive(Some(DEADLINE)).unwrap();
        assert_eq!((received.woken(), received.datagrams().count()), (false, 2));
        assert!(started.elapsed() >= nap, "{:?}", started.elapsed());
    }

    #[test]
    fn a_waker_ends_a_nap_and_what_came_is_taken() {
        let (mut lane, sender) = tired(2 * DEADLINE);
        let waker = lane.waker();
        sender.send(b"one").unwrap();
        let started = Instant::now();
        waker.wake();
        let received = lane.receive(None).unwrap();
        assert_eq!((received.woken(), received.datagrams().count()), (true, 1));
        assert!(started.elapsed() < DEADLINE);
        assert!(!lane.receive(Some(Duration::ZERO)).unwrap().woken());
    }

    #[test]
    fn a_nap_ends_with_the_timeout() {
        let (mut lane, sender) = tired(2 * DEADLINE);
        sender.send(b"one").unwrap();
        let started = Instant::now();
        let received = lane.receive(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(received.datagrams().count(), 1);
        assert!(started.elapsed() < DEADLINE);
    }
}
