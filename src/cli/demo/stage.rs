//! The demo's exporters at work: once a second they send what they metered.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::cli::simulation::DEVICES;
use crate::cli::simulation::Export;
use crate::cli::simulation::Network;

/// How often the exporters send.
const EVERY: Duration = Duration::from_secs(1);

/// Exporters that send until this is dropped.
pub(super) struct Stage {
    /// Closed to tell the thread to end.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Stage {
    /// Gives each exporter a loopback address and lets them send to the collector.
    pub(super) fn open(collector: SocketAddr) -> Result<Self> {
        let now_ms = now_ms();
        let mut sender = Sender {
            collector,
            network: Network::new(now_ms, now_ms),
            sockets: HashMap::new(),
        };
        sender.send()?;
        let (stop, stopped) = mpsc::channel();
        let work = move || {
            while stopped.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                // A lost datagram is UDP's business; the demo shows what arrives.
                let _lost = sender.send();
            }
        };
        let thread = thread::Builder::new()
            .name("exporters".to_owned())
            .spawn(work);
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread.context("cannot start the demo's exporters")?),
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread does not panic; if it did, the demo is over anyway.
            let _panicked = thread.join();
        }
    }
}

/// The exporters and their sockets.
struct Sender {
    collector: SocketAddr,
    network: Network,
    /// By device and its socket.
    sockets: HashMap<(usize, usize), UdpSocket>,
}

impl Sender {
    fn send(&mut self) -> Result<()> {
        for export in self.network.advance(now_ms())? {
            let socket = self.socket(&export)?;
            let sent = socket.send(&export.datagram);
            sent.with_context(|| format!("sending to {}", self.collector))?;
        }
        Ok(())
    }

    fn socket(&mut self, export: &Export) -> Result<&UdpSocket> {
        let key = (export.device, export.socket);
        if !self.sockets.contains_key(&key) {
            let device = DEVICES.get(export.device).context("no such device")?;
            let socket = UdpSocket::bind((device.address, 0));
            let socket = socket.with_context(|| format!("cannot send from {}", device.address))?;
            socket.connect(self.collector)?;
            self.sockets.insert(key, socket);
        }
        self.sockets.get(&key).context("no such socket")
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_exporter_sends_from_its_own_address() {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        collector
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let stage = Stage::open(collector.local_addr().unwrap()).unwrap();
        let mut seen = HashSet::new();
        let mut datagram = [0; 2_048];
        while seen.len() < DEVICES.len() {
            let (length, from) = collector.recv_from(&mut datagram).unwrap();
            assert!(length > 20);
            assert!(
                DEVICES.iter().any(|device| from.ip() == device.address),
                "{from}"
            );
            seen.insert(from.ip());
        }
        drop(stage);
    }
}
