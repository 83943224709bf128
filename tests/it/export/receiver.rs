//! A collector that keeps every message as it came.

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::collectors;
use crate::support::Daemon;

/// Messages of a UDP port, in their order.
pub(super) struct Receiver {
    pub(super) port: u16,
    messages: Arc<Mutex<Vec<Vec<u8>>>>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Receiver {
    /// Receives on a port until it is stopped or the test ends.
    pub(super) fn start(port: u16) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        // As much as the system lets it have: a message lost here is not ours.
        SockRef::from(&socket)
            .set_recv_buffer_size(8 << 20)
            .unwrap();
        let messages: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let kept = Arc::clone(&messages);
        let port = socket.local_addr().unwrap().port();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 65_535];
            while let Ok(length) = socket.recv(&mut buffer) {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                kept.lock().unwrap().push(buffer[..length].to_vec());
            }
        });
        Self {
            port,
            messages,
            is_over,
            thread,
        }
    }

    /// Leaves the port to nobody.
    pub(super) fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let last = UdpSocket::bind("127.0.0.1:0").unwrap();
        last.send_to(&[], ("127.0.0.1", self.port)).unwrap();
        self.thread.join().unwrap();
    }

    pub(super) fn messages(&self) -> Vec<Vec<u8>> {
        self.messages.lock().unwrap().clone()
    }

    /// All messages that a daemon has sent here in a version.
    pub(super) fn all_of(&self, daemon: &Daemon, version: &str) -> Vec<Vec<u8>> {
        let name = format!("{version} udp 127.0.0.1:{}", self.port);
        let sent = collectors(daemon)[&name].messages;
        daemon.wait_until("all messages to arrive", |_| {
            self.messages.lock().unwrap().len() == sent
        });
        self.messages()
    }
}

/// Reads messages of IPFIX as long as `reads`, and what was sent until then.
pub(super) fn read_messages(
    stream: &mut TcpStream,
    mut reads: impl FnMut() -> bool,
) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let patience = Duration::from_millis(100);
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut octets = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    let mut is_over = false;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => octets.extend_from_slice(&buffer[..length]),
            Err(_) if is_over => break,
            // What was sent until now is read first.
            Err(_) => is_over = !reads(),
        }
        while octets.len() >= 4 {
            let length = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
            if octets.len() < length {
                break;
            }
            messages.push(octets.drain(..length).collect());
        }
    }
    messages
}

/// A listener, and its port.
pub(super) fn listen(port: u16) -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}
