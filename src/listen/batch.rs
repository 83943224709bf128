//! System calls that no safe crate offers in the form we need.
//!
//! `recvmmsg` into a fixed arena and `sendmmsg` out of it, `SO_MEMINFO`,
//! `SO_ATTACH_REUSEPORT_CBPF` and a thread's priority; no parsing, no policy. nix 0.31.3 has
//! `recvmmsg` too, but does not prime its headers again between calls and so
//! loses every control message after the first call that came without one.

#![expect(unsafe_code, reason = "the one room that calls libc itself")]

use std::io;
use std::io::IoSlice;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::ptr;

use super::envelope::CONTROL_BYTES;
use super::envelope::Envelope;
use super::envelope::NAME_BYTES;

/// Datagrams that one arena holds.
pub(super) const SLOTS: usize = 64;

/// An arena of [`SLOTS`] datagrams, filled in order.
pub(super) struct Batch {
    octets: Box<[u8]>,
    slot_bytes: usize,
    sides: Box<[Side]>,
    envelopes: Vec<Envelope>,
}

/// What the kernel writes beside a datagram's octets.
#[derive(Clone)]
struct Side {
    name: [u8; NAME_BYTES],
    control: Control,
}

/// Room for control messages, aligned as the kernel's `cmsghdr` asks.
#[derive(Clone)]
#[repr(align(8))]
struct Control([u8; CONTROL_BYTES]);

impl Batch {
    /// An empty arena for datagrams of up to `slot_bytes` octets.
    pub(super) fn new(slot_bytes: usize) -> Self {
        let side = Side {
            name: [0; NAME_BYTES],
            control: Control([0; CONTROL_BYTES]),
        };
        Self {
            octets: vec![0; slot_bytes * SLOTS].into_boxed_slice(),
            slot_bytes,
            sides: vec![side; SLOTS].into_boxed_slice(),
            envelopes: Vec::with_capacity(SLOTS),
        }
    }

    /// Forgets all datagrams.
    pub(super) fn clear(&mut self) {
        self.envelopes.clear();
    }

    /// Takes what waits at a socket, as far as slots are free, without waiting.
    ///
    /// Gives what came; the datagrams taken before stay.
    ///
    /// # Errors
    ///
    /// Those of `recvmmsg(2)`; `WouldBlock` if nothing waits.
    pub(super) fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        local_port: u16,
    ) -> io::Result<impl Iterator<Item = (&Envelope, &[u8])>> {
        let filled = self.envelopes.len();
        let mut vectors = [const { EMPTY_VECTOR }; SLOTS];
        // SAFETY: `mmsghdr` is plain integers and pointers, for which zero is valid.
        let mut headers: [libc::mmsghdr; SLOTS] = unsafe { std::mem::zeroed() };
        let mut free = 0;
        let slots = self
            .octets
            .chunks_exact_mut(self.slot_bytes)
            .zip(&mut self.sides)
            .skip(filled);
        for (((slot, side), vector), header) in slots.zip(&mut vectors).zip(&mut headers) {
            vector.iov_base = slot.as_mut_ptr().cast();
            vector.iov_len = self.slot_bytes;
            header.msg_hdr.msg_name = side.name.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = socklen::<[u8; NAME_BYTES]>();
            header.msg_hdr.msg_iov = ptr::from_mut(vector);
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = side.control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_BYTES;
            free += 1;
        }
        // SAFETY: the first `free` headers each point to one vector, one name
        // and one control buffer of the stated lengths; vectors are locals that
        // outlive the call, the rest is memory of `self`, borrowed mutably here,
        // disjoint between headers and not otherwise touched until the call
        // returns. The kernel keeps no pointer, and it may write any octets:
        // all of it is `u8`.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                free,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (header, side) in headers
            .iter()
            .take(received)
            .zip(self.sides.iter().skip(filled))
        {
            let name = side.name.get(..header.msg_hdr.msg_namelen as usize);
            let control = side.control.0.get(..header.msg_hdr.msg_controllen);
            self.envelopes.push(Envelope::read(
                local_port,
                header.msg_len as usize,
                header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                name.unwrap_or_default(),
                control.unwrap_or_default(),
            ));
        }
        Ok(self.slots().skip(filled))
    }

    /// Whether no slot is free.
    pub(super) fn is_full(&self) -> bool {
        self.envelopes.len() == SLOTS
    }

    /// Envelopes with the octets they came with, in order of receipt; some may
    /// be several datagrams: [`Envelope::split`].
    pub(super) fn slots(&self) -> impl Iterator<Item = (&Envelope, &[u8])> {
        let slots = self.octets.chunks_exact(self.slot_bytes);
        self.envelopes
            .iter()
            .zip(slots)
            .map(|(envelope, slot)| (envelope, slot.get(..envelope.length).unwrap_or_default()))
    }
}

/// What one entry of `sendmmsg(2)` sends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outgoing<'a> {
    /// Octets in order; what they are parts of, `segment_bytes` says.
    pub(super) parts: &'a [IoSlice<'a>],
    /// 0: all parts are one datagram. Else they are datagrams of so many octets
    /// each, but for a shorter last one, which the kernel takes apart itself.
    pub(super) segment_bytes: u16,
}

/// Sends through a connected socket without waiting; at most [`SLOTS`] entries.
///
/// Gives how many entries were sent. The first that fails ends the call; why it
/// did is only told when it is the first of all.
///
/// # Errors
///
/// Those of `sendmmsg(2)`, of the first entry; `WouldBlock` if there is no room.
pub(super) fn send(socket: BorrowedFd<'_>, outgoing: &[Outgoing<'_>]) -> io::Result<usize> {
    // SAFETY: `mmsghdr` is plain integers and pointers, for which zero is valid.
    let mut headers: [libc::mmsghdr; SLOTS] = unsafe { std::mem::zeroed() };
    // SAFETY: so is `cmsghdr`, and the rest is integers.
    let mut segments: [Segment; SLOTS] = unsafe { std::mem::zeroed() };
    let mut used = 0;
    for ((header, segment), entry) in headers.iter_mut().zip(&mut segments).zip(outgoing) {
        header.msg_hdr.msg_iov = entry.parts.as_ptr().cast_mut().cast();
        header.msg_hdr.msg_iovlen = entry.parts.len();
        if entry.segment_bytes > 0 {
            segment.header.cmsg_len = SEGMENT_BYTES;
            segment.header.cmsg_level = libc::SOL_UDP;
            segment.header.cmsg_type = libc::UDP_SEGMENT;
            segment.bytes = entry.segment_bytes;
            header.msg_hdr.msg_control = ptr::from_mut(segment).cast();
            header.msg_hdr.msg_controllen = size_of::<Segment>();
        }
        used += 1;
    }
    // SAFETY: the first `used` headers each point to `msg_iovlen` vectors of
    // `outgoing`, which has their octets borrowed (`IoSlice` is an `iovec` by its
    // documentation), and to no control message or one in `segments`; all of it
    // outlives the call. Sending, the kernel only reads what they point to,
    // writes `msg_len` of the headers, which are ours, and keeps no pointer.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            used,
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// The control message `UDP_SEGMENT`: octets of each datagram. udp(7).
#[repr(C)]
struct Segment {
    header: libc::cmsghdr,
    bytes: u16,
}

/// Octets of a [`Segment`] without the padding at its end.
const SEGMENT_BYTES: usize = size_of::<libc::cmsghdr>() + size_of::<u16>();

/// Datagrams a socket has dropped since it was made, modulo 2^32.
///
/// Counts those that found the receive buffer full and those with a wrong
/// checksum (`sk_drops` of the kernel, Linux 4.12 and later).
///
/// # Errors
///
/// Those of `getsockopt(2)`.
pub(super) fn dropped(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = [0_u32; MEMINFO_WORDS];
    let mut length = socklen::<[u32; MEMINFO_WORDS]>();
    // SAFETY: `info` is writable for `length` octets and any octets are valid
    // for it; both outlive the call, which keeps no pointer.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if outcome == 0 {
        Ok(info[MEMINFO_DROPS])
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Has a program choose the socket within a socket's reuseport group.
///
/// # Errors
///
/// Those of `setsockopt(2)`, and `InvalidInput` for a program that is too long.
pub(super) fn attach_steering(
    socket: BorrowedFd<'_>,
    program: &[libc::sock_filter],
) -> io::Result<()> {
    let length = libc::c_ushort::try_from(program.len());
    let program = libc::sock_fprog {
        len: length.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `program` points to `len` instructions, which the kernel reads
    // and copies during the call; it writes nothing, so the cast to `*mut`
    // that the C type asks for is never used.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            ptr::from_ref(&program).cast(),
            socklen::<libc::sock_fprog>(),
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Lowers the priority of the calling thread, and of no other, to a nice value:
/// 0 is a lane's, 19 the lowest. It cannot be raised again without privileges.
///
/// # Errors
/// Those of `setpriority(2)`.
pub fn nice(value: i32) -> io::Result<()> {
    // SAFETY: numbers only. On Linux 0 stands for the calling thread, not, as
    // POSIX has it, for its process (setpriority(2), C library differences).
    let outcome = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Size of a type, as socket calls take it.
#[expect(clippy::cast_possible_truncation, reason = "the types here are small")]
const fn socklen<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

const EMPTY_VECTOR: libc::iovec = libc::iovec {
    iov_base: ptr::null_mut(),
    iov_len: 0,
};

/// Words of `SO_MEMINFO`: `SK_MEMINFO_VARS` of `linux/sock_diag.h`.
const MEMINFO_WORDS: usize = 9;

/// `SK_MEMINFO_DROPS` of `linux/sock_diag.h`.
const MEMINFO_DROPS: usize = 8;
