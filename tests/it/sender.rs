//! A well-behaved exporter of our own, and one that floods.

use std::io;
use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg};

/// Sends NetFlow v5 from an address of its own, every record a flow of its own
/// with 100 octets and 1 packet.
pub(crate) struct V5Exporter {
    socket: UdpSocket,
    sequence: u32,
    /// Flows of a datagram.
    flows: u16,
    /// The first source address, and after how many they come again.
    sources: (u32, u32),
}

impl V5Exporter {
    /// An exporter at `127.0.0.host` that sends to the collector on `port`.
    pub(crate) fn new(host: u8, port: u16) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, host), 0)).unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        Self {
            socket,
            sequence: 0,
            flows: 30,
            sources: (0x0a00_0000, u32::MAX),
        }
    }

    /// The same with one flow in a datagram, of 4096 addresses in 10.host.0.0/16.
    pub(crate) fn of_single_flows(host: u8, port: u16) -> Self {
        let first = 0x0a00_0000 + (u32::from(host) << 16);
        Self {
            flows: 1,
            sources: (first, 4_096),
            ..Self::new(host, port)
        }
    }

    /// Flows sent so far.
    pub(crate) fn sent(&self) -> u32 {
        self.sequence
    }

    /// Sends one datagram of flows, none of which was sent before as long as
    /// there are sources.
    pub(crate) fn send(&mut self) {
        self.try_send().unwrap();
    }

    /// Sends so many of them.
    pub(crate) fn burst(&mut self, datagrams: u32) {
        for _ in 0..datagrams {
            self.send();
        }
    }

    /// The same as [`Self::send`] to a collector that may be gone; what is not sent comes next.
    pub(crate) fn try_send(&mut self) -> io::Result<()> {
        let mut datagram = Vec::with_capacity(24 + usize::from(self.flows) * 48);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        datagram.extend(5_u16.to_be_bytes());
        datagram.extend(self.flows.to_be_bytes());
        datagram.extend(100_000_u32.to_be_bytes());
        datagram.extend(u32::try_from(now.as_secs()).unwrap().to_be_bytes());
        datagram.extend(now.subsec_nanos().to_be_bytes());
        datagram.extend(self.sequence.to_be_bytes());
        datagram.extend([0; 4]);
        let (first, count) = self.sources;
        for index in 0..u32::from(self.flows) {
            let flow = (self.sequence + index) % count;
            datagram.extend((first + flow).to_be_bytes());
            datagram.extend([192, 0, 2, 1, 0, 0, 0, 0, 0, 1, 0, 2]);
            datagram.extend([0, 0, 0, 1, 0, 0, 0, 100]);
            datagram.extend(99_000_u32.to_be_bytes());
            datagram.extend(99_500_u32.to_be_bytes());
            datagram.extend([4, 0, 1, 187, 0, 0x10, 6, 0, 0, 0, 0, 0, 24, 24, 0, 0]);
        }
        self.socket.send(&datagram)?;
        self.sequence += u32::from(self.flows);
        Ok(())
    }
}

/// Calls `step` at an even rate for a time; returns how often.
pub(crate) fn paced(per_second: u32, time: Duration, mut step: impl FnMut(u64)) -> u64 {
    let start = Instant::now();
    let mut done = 0;
    loop {
        let elapsed = start.elapsed();
        if elapsed >= time {
            return done;
        }
        let due = u64::try_from(elapsed.as_micros()).unwrap() * u64::from(per_second) / 1_000_000;
        while done < due {
            step(done);
            done += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// Sends datagrams from any address of 127.0.0.0/8, as a spoofer would.
pub(crate) struct Spoofer {
    socket: UdpSocket,
    target: SockaddrIn,
}

impl Spoofer {
    /// A spoofer that sends to the collector on `port`.
    pub(crate) fn new(port: u16) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        Self {
            socket,
            target: SockaddrIn::from(target),
        }
    }

    /// Sends one datagram from `source`.
    pub(crate) fn send(&self, source: Ipv4Addr, datagram: &[u8]) {
        let info = libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr {
                s_addr: u32::from(source).to_be(),
            },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        sendmsg(
            self.socket.as_raw_fd(),
            &[IoSlice::new(datagram)],
            &[ControlMessage::Ipv4PacketInfo(&info)],
            MsgFlags::empty(),
            Some(&self.target),
        )
        .unwrap();
    }
}
