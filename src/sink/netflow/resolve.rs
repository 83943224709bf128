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

use crate::flowlog::Resolved;
use crate::flowlog::Server;
use crate::flowlog::Trouble;
use crate::listen::Own;

/// The address of a collector, looked up again and again if it has a name.
#[derive(Debug)]
pub(super) struct Resolver {
    server: Server,
    resolved: Resolved,
    /// The look-up that is under way, on a thread of its own: one that hangs
    /// must not hold up messages.
    asking: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
    /// When to ask again.
    due: Option<Instant>,
}

impl Resolver {
    pub(super) fn new(server: Server) -> Self {
        Self {
            server,
            resolved: Resolved::default(),
            asking: None,
            due: None,
        }
    }

    /// The address, if one is known; asks again when it is time. A name's
    /// addresses that nothing may be sent to are none of its.
    pub(super) fn address(&mut self, now: Instant, own: &Own) -> Option<SocketAddr> {
        let (name, port) = match &self.server {
            Server::Address(address) => return Some(*address),
            Server::Name(name, port) => (name, *port),
        };
        match self.asking.as_ref().map(Receiver::try_recv) {
            None if self.due.is_none_or(|due| due <= now) => {
                self.asking = ask(name.clone(), port);
                self.due = Some(now + EVERY);
            }
            None | Some(Err(TryRecvError::Empty)) => {}
            Some(answer) => {
                self.asking = None;
                let found = answer.unwrap_or_else(|gone| Err(io::Error::other(gone)));
                let found = found.map_err(|error| error.to_string());
                self.resolved.learn(found, |address| own.refusal(address));
                if self.resolved.trouble().is_some() {
                    self.due = Some(now + SOON);
                }
            }
        }
        self.resolved.address()
    }

    /// Why the last look-up gave no address.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.resolved.trouble()
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
    use crate::flowlog::Refusal;

    fn own() -> Own {
        Own::new(vec!["192.0.2.9:9995".parse().unwrap()])
    }

    /// Has a look-up come to this.
    fn answer(resolver: &mut Resolver, found: io::Result<Vec<SocketAddr>>, now: Instant) {
        let (answer, answered) = mpsc::channel();
        answer.send(found).unwrap();
        resolver.asking = Some(answered);
        resolver.address(now, &own());
    }

    #[test]
    fn an_address_needs_no_look_up() {
        let mut resolver = Resolver::new("192.0.2.9:2055".parse().unwrap());
        let address = resolver.address(Instant::now(), &own());
        assert_eq!(address, "192.0.2.9:2055".parse().ok());
        assert_eq!(resolver.trouble(), None);
        assert!(resolver.asking.is_none());
    }

    #[test]
    fn a_name_that_leads_to_nothing_good_is_asked_for_again_soon() {
        let mut resolver = Resolver::new("collector.example".parse().unwrap());
        let now = Instant::now();
        let us: SocketAddr = "192.0.2.9:9995".parse().unwrap();
        answer(&mut resolver, Ok(vec![us]), now);
        assert_eq!(resolver.resolved.address(), None);
        assert_eq!(
            resolver.trouble(),
            Some(&Trouble::Refused(us, Refusal::Own))
        );
        assert_eq!(resolver.due, Some(now + SOON));
        let good: SocketAddr = "192.0.2.1:9995".parse().unwrap();
        resolver.due = Some(now + EVERY);
        answer(&mut resolver, Ok(vec![us, good]), now);
        assert_eq!(
            (resolver.resolved.address(), resolver.trouble()),
            (Some(good), None)
        );
        assert_eq!(resolver.due, Some(now + EVERY));
        answer(&mut resolver, Err(io::ErrorKind::TimedOut.into()), now);
        assert_eq!(resolver.resolved.address(), Some(good));
        let timed_out = Trouble::Unresolved("timed out".to_owned());
        assert_eq!(resolver.trouble(), Some(&timed_out));
    }

    #[test]
    fn a_look_up_whose_thread_is_gone_is_one_that_failed() {
        let mut resolver = Resolver::new("collector.example".parse().unwrap());
        resolver.asking = Some(mpsc::channel().1);
        resolver.address(Instant::now(), &own());
        assert!(matches!(resolver.trouble(), Some(Trouble::Unresolved(_))));
    }
}
