//! Receive buffers: how much a socket asks for, and gets.

use std::io;
use std::net::UdpSocket;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt;
use socket2::SockRef;
use socket2::Socket;

/// The most one can ask for, octets: the kernel doubles it, into an `int`.
pub(super) const BUFFER_BYTES_MAX: usize = i32::MAX as usize / 2;

/// Receive buffer of a socket in octets as asked for.
///
/// The kernel reserves, and reports, twice as much: `socket(7)`.
pub(super) fn granted(socket: &UdpSocket) -> io::Result<usize> {
    Ok(SockRef::from(socket).recv_buffer_size()? / 2)
}

/// Asks for a receive buffer of so many octets, unless the socket has it.
///
/// Beyond the sysctl `net.core.rmem_max` if this process may, with
/// `CAP_NET_ADMIN`; else the kernel grants what the sysctl allows, and says
/// nothing.
///
/// # Errors
///
/// Those of `setsockopt(2)`, but for the missing privilege.
pub(super) fn ask(socket: &Socket, octets: usize) -> io::Result<()> {
    ask_by(socket, octets, |octets| {
        setsockopt(socket, sockopt::RcvBufForce, &octets)
    })
}

/// The same by a `force` that needs a privilege.
fn ask_by(
    socket: &Socket,
    octets: usize,
    force: impl FnOnce(usize) -> nix::Result<()>,
) -> io::Result<()> {
    let octets = octets.min(BUFFER_BYTES_MAX);
    if socket.recv_buffer_size()? / 2 < octets && force(octets).is_err() {
        socket.set_recv_buffer_size(octets)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    fn socket() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").unwrap()
    }

    /// What the sysctl allows.
    fn allowed() -> usize {
        let allowed = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap();
        allowed.trim().parse().unwrap()
    }

    #[test]
    fn with_the_privilege_the_sysctl_is_no_limit() {
        let socket = socket();
        let asked = 2 * allowed();
        let forced = setsockopt(&socket, sockopt::RcvBufForce, &4_096);
        if forced == Err(Errno::EPERM) {
            println!("skipped: no CAP_NET_ADMIN, so that SO_RCVBUFFORCE is refused");
            return;
        }
        ask(&SockRef::from(&socket), asked).unwrap();
        assert_eq!(granted(&socket).unwrap(), asked.min(BUFFER_BYTES_MAX));
        ask(&SockRef::from(&socket), usize::MAX).unwrap();
        assert_eq!(granted(&socket).unwrap(), BUFFER_BYTES_MAX);
    }

    #[test]
    fn without_the_privilege_the_sysctl_is_the_limit() {
        let socket = socket();
        let asked = 2 * allowed();
        let mut tried = 0;
        let refuse = |octets| {
            tried = octets;
            Err(Errno::EPERM)
        };
        ask_by(&SockRef::from(&socket), asked, refuse).unwrap();
        assert_eq!(tried, asked.min(BUFFER_BYTES_MAX));
        assert_eq!(granted(&socket).unwrap(), allowed());
    }

    #[test]
    fn a_buffer_that_is_large_enough_stays() {
        let socket = socket();
        let before = granted(&socket).unwrap();
        ask_by(&SockRef::from(&socket), before, |_| unreachable!()).unwrap();
        assert_eq!(granted(&socket).unwrap(), before);
    }
}
