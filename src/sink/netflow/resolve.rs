//! Where a collector is by now, asked again and again without waiting.

use std::io;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::TryRecvError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::flowlog::Server;

/// The address of a collector; the last good one while its name does not
/// resolve.
#[derive(Debug)]
pub(super) struct Resolver {
    server: Server,
    good: Option<SocketAddr>,
    /// The look-up that is under way, on a thread of its own: one that hangs
    /// must not hold up messages.
    asking: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
    /// When to ask again.
    due: Option<Instant>,
    failed: bool,
}

impl Resolver {
    pub(super) fn new(server: Server) -> Self {
        Self {
            good: server.address(),
            server,
            asking: None,
            due: None,
            failed: false,
        }
    }

    /// The address, if one is known; asks again when it is time.
    pub(super) fn address(&mut self, now: Instant) -> Option<SocketAddr> {
        if let Server::Name(name, port) = &self.server {
            match self.asking.as_ref().map(Receiver::try_recv) {
                None if self.due.is_none_or(|due| due <= now) => {
                    self.asking = ask(name.clone(), *port);
                    self.due = Some(now + EVERY);
                }
                None | Some(Err(TryRecvError::Empty)) => {}
                Some(answer) => {
                    self.asking = None;
                    self.learn(answer.ok());
                    if self.failed {
                        self.due = Some(now + SOON);
                    }
                }
            }
        }
        self.good
    }

    /// What keeps it from having an address, in one word.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        self.failed.then_some("unresolved")
    }

    fn learn(&mut self, answer: Option<io::Result<Vec<SocketAddr>>>) {
        let found = answer.and_then(Result::ok).unwrap_or_default();
        self.failed = found.is_empty();
        // Of many addresses any will do; the one in use is kept.
        let is_still_there = self.good.is_some_and(|good| found.contains(&good));
        if !is_still_there && let Some(first) = found.first() {
            self.good = Some(*first);
        }
    }
}

/// Looks a name up; `None` if there is no thread for it, which passes.
fn ask(name: String, port: u16) -> Option<Receiver<io::Result<Vec<SocketAddr>>>> {
    let (answer, answered) = mpsc::channel();
    let look_up = move || {
        let found = (name.as_str(), port).to_socket_addrs();
        // Whoever asked may be gone.
        drop(answer.send(found.map(Iterator::collect)));
    };
    let thread = thread::Builder::new().name("resolve".to_owned());
    thread.spawn(look_up).ok().map(|_| answered)
}

/// How soon a name that does not resolve is looked up again.
const SOON: Duration = Duration::from_secs(5);
/// How often a name is looked up.
const EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Option<io::Result<Vec<SocketAddr>>> {
        Some(Ok(texts.iter().map(|text| text.parse().unwrap()).collect()))
    }

    #[test]
    fn an_address_needs_no_look_up() {
        let mut resolver = Resolver::new("192.0.2.9:2055".parse().unwrap());
        let address = resolver.address(Instant::now());
        assert_eq!(address, "192.0.2.9:2055".parse().ok());
        assert_eq!(resolver.trouble(), None);
        assert!(resolver.asking.is_none());
    }

    #[test]
    fn an_address_in_use_is_kept_as_long_as_the_name_has_it() {
        let mut resolver = Resolver::new("collector.example".parse().unwrap());
        resolver.learn(addresses(&["192.0.2.1:9995", "192.0.2.2:9995"]));
        assert_eq!(resolver.good, "192.0.2.1:9995".parse().ok());
        resolver.learn(addresses(&["192.0.2.2:9995", "192.0.2.1:9995"]));
        assert_eq!(resolver.good, "192.0.2.1:9995".parse().ok());
        resolver.learn(addresses(&["192.0.2.2:9995"]));
        assert_eq!(resolver.good, "192.0.2.2:9995".parse().ok());
    }

    #[test]
    fn the_last_good_address_outlasts_a_name_that_does_not_resolve() {
        let mut resolver = Resolver::new("collector.example".parse().unwrap());
        resolver.learn(None);
        assert_eq!(
            (resolver.good, resolver.trouble()),
            (None, Some("unresolved"))
        );
        resolver.learn(addresses(&["192.0.2.1:9995"]));
        resolver.learn(Some(Err(io::ErrorKind::TimedOut.into())));
        assert_eq!(resolver.good, "192.0.2.1:9995".parse().ok());
        assert_eq!(resolver.trouble(), Some("unresolved"));
        resolver.learn(addresses(&["192.0.2.1:9995"]));
        assert_eq!(resolver.trouble(), None);
    }
}
