//! The thread that sends to one collector.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::flow::Amount;
use crate::flowlog::NetflowTarget;
use crate::flowlog::Refusal;
use crate::flowlog::Transport;
use crate::flowlog::Trouble;
use crate::listen::Own;

use super::ExportsSettings;
use super::inbox::Inbox;
use super::inbox::Shipment;
use super::inbox::Taken;
use super::link::Link;
use super::link::Outcome;
use super::link::Tcp;
use super::link::Udp;
use super::pace::Pace;
use super::resolve::Resolver;
use super::stream::Message;
use super::stream::Moment;
use super::stream::Stream;
use super::tally::FILTERED;
use super::tally::Lacking;

/// Rows of one collector in, messages out; ends when its inbox is closed.
#[derive(Debug)]
pub(super) struct Collector {
    target: NetflowTarget,
    inbox: Arc<Inbox>,
    own: Arc<Own>,
    /// How long to wait after a connection failed.
    reconnect: Duration,
    stream: Stream,
    pace: Pace,
    resolver: Resolver,
    link: Option<Link>,
    /// When a connection may be tried again.
    retry: Instant,
    started: Instant,
    /// When something went wrong last, until it has not for a while.
    trouble: Option<Instant>,
}

impl Collector {
    pub(super) fn new(
        target: NetflowTarget,
        inbox: Arc<Inbox>,
        settings: &ExportsSettings,
    ) -> Self {
        let started = Instant::now();
        Self {
            pace: Pace::new(target.messages_per_s),
            resolver: Resolver::new(target.server.clone()),
            own: Arc::clone(&settings.own),
            reconnect: settings.reconnect,
            stream: settings.stream(&target),
            target,
            inbox,
            link: None,
            retry: started,
            started,
            trouble: None,
        }
    }

    /// Sends until the inbox is closed and empty.
    pub(super) fn run(mut self) {
        loop {
            self.connect();
            // Rows of a collector that is away wait where they are bounded.
            let patience = match self.link.is_some() || self.inbox.is_closed() {
                true => self.patience(),
                false => {
                    self.inbox.rest(RETRY_TICK);
                    continue;
                }
            };
            match self.inbox.take(patience) {
                Taken::Shipment(shipment) => self.ship(&shipment),
                Taken::Nothing => {}
                Taken::Closed => break,
            }
            let account = self.inbox.book(|book| book.account());
            self.stream.see(account, self.now());
            self.stream.tick(self.now());
            self.transmit();
        }
        self.stream.flush(self.now());
        self.transmit();
    }

    /// How long nothing has to be done.
    fn patience(&self) -> Duration {
        let now_ms = self.now().monotonic_ms;
        let due_ms = self.stream.due_ms().unwrap_or(u64::MAX);
        PATIENCE.min(Duration::from_millis(due_ms.saturating_sub(now_ms)))
    }

    /// Adds the rows of a batch that are for this collector.
    fn ship(&mut self, shipment: &Shipment) {
        let now = self.now();
        let batch = &shipment.batch;
        let ways = shipment.ways(&self.target);
        let (mut unsent, mut lacking) = (BTreeMap::new(), Lacking::default());
        for (row, route) in batch.routes().iter().enumerate() {
            let Ok(way) = ways.binary_search_by_key(route, |way| way.route) else {
                continue;
            };
            let is_wanted = ways.get(way).is_some_and(|way| way.passes(batch, row));
            let why = match is_wanted {
                true => match self.stream.add(batch, row, now) {
                    Ok(lacks) => {
                        lacking.add(lacks);
                        None
                    }
                    Err(refused) => Some(refused.label()),
                },
                false => Some(FILTERED),
            };
            if let Some(why) = why {
                *unsent.entry(why).or_default() += batch.amount_of(row).unwrap_or_default();
            }
            // A batch becomes hundreds of messages: they need not wait for its end.
            if row % ROWS_BETWEEN == 0 {
                self.transmit();
            }
        }
        let templates = u64::try_from(self.stream.templates()).unwrap_or(u64::MAX);
        self.inbox.book(|book| {
            for (why, amount) in unsent {
                book.drop(why, amount);
            }
            book.lacking.sum(&lacking);
            book.templates = templates;
        });
    }

    /// Sends the messages that are finished.
    fn transmit(&mut self) {
        while let Some(message) = self.stream.take() {
            self.wait_for_turn();
            let Some(link) = &mut self.link else {
                self.lose("disconnected", message.amount);
                continue;
            };
            match link.send(&message.octets) {
                Outcome::Sent => self.sent(&message, None),
                Outcome::SentAfter(why) => self.sent(&message, Some(why)),
                Outcome::Failed(why) => {
                    self.complain(why);
                    self.lose(why, message.amount);
                }
                Outcome::Broken(why) => {
                    self.complain(why);
                    self.lose(why, message.amount);
                    self.disconnect();
                }
            }
        }
    }

    fn wait_for_turn(&mut self) {
        let elapsed = self.started.elapsed().as_nanos();
        let wait_ns = self.pace.take(u64::try_from(elapsed).unwrap_or(u64::MAX));
        // The kernel wakes no sooner than after 50 µs: shorter waits add up.
        if wait_ns >= WAIT_NS_MIN {
            thread::sleep(Duration::from_nanos(wait_ns));
        }
    }

    fn sent(&mut self, message: &Message, earlier: Option<&'static str>) {
        match earlier {
            Some(why) => self.complain(why),
            None => self.recover(),
        }
        self.inbox.book(|book| {
            book.send(message.amount);
            book.messages += 1;
            book.octets += u64::try_from(message.octets.len()).unwrap_or(u64::MAX);
            book.records += message.records;
        });
    }

    fn lose(&self, why: &'static str, amount: Amount) {
        self.inbox.book(|book| book.drop(why, amount));
    }

    /// Makes a way to the collector if there is none, or if its name leads
    /// elsewhere by now.
    fn connect(&mut self) {
        let now = Instant::now();
        let Some(peer) = self.resolver.address(now, &self.own) else {
            return match self.resolver.trouble() {
                Some(&Trouble::Refused(peer, refusal)) => self.refuse(peer, refusal),
                Some(Trouble::Unresolved(_)) => self.complain("unresolved"),
                None => {}
            };
        };
        let is_there = self.link.as_ref().map(Link::peer) == Some(peer);
        if is_there || now < self.retry {
            return;
        }
        // An address of an interface that came later is our own, too.
        if let Some(refusal) = self.own.refusal(peer) {
            self.retry = now + self.reconnect;
            return self.refuse(peer, refusal);
        }
        match self.open(peer) {
            Ok(()) => self.begin(peer),
            Err(error) => {
                self.retry = now + self.reconnect;
                tracing::debug!(target = %self.target, %peer, %error, "cannot reach a collector");
                self.complain("unreachable");
            }
        }
    }

    fn open(&mut self, peer: SocketAddr) -> io::Result<()> {
        match &mut self.link {
            Some(Link::Udp(udp)) => udp.turn_to(peer)?,
            Some(Link::Tcp(_)) | None => {
                self.link = Some(match self.target.transport {
                    Transport::Udp => Link::Udp(Udp::open(peer)?),
                    Transport::Tcp => Link::Tcp(Tcp::open(peer)?),
                });
            }
        }
        Ok(())
    }

    /// A collector that was not spoken to knows no Template.
    fn begin(&mut self, peer: SocketAddr) {
        match self.target.transport {
            Transport::Udp => self.stream.introduce(self.now()),
            Transport::Tcp => {
                let lost = self.stream.restart(self.now());
                self.lose("disconnected", lost);
            }
        }
        self.inbox.book(|book| book.sessions += 1);
        tracing::info!(target = %self.target, %peer, "re-exporting flows to a collector");
        self.trouble = None;
    }

    fn disconnect(&mut self) {
        self.link = None;
        self.retry = Instant::now() + self.reconnect;
    }

    fn refuse(&mut self, peer: SocketAddr, refusal: Refusal) {
        if self.trouble.is_none() {
            tracing::error!(target = %self.target, %peer, "nothing is sent to a collector that {refusal}");
        }
        self.note("refused-address");
    }

    /// Sending failed: counted each time, said once.
    fn complain(&mut self, why: &'static str) {
        if self.trouble.is_none() {
            tracing::warn!(target = %self.target, why, "flows do not reach a collector");
        }
        self.note(why);
    }

    fn note(&mut self, why: &'static str) {
        self.trouble = Some(Instant::now());
        self.inbox.book(|book| book.fail(why));
    }

    fn recover(&mut self) {
        // UDP tells of a failure with the message after it, so that one is sent
        // while nobody is there.
        let calm = |since: &mut Instant| since.elapsed() > CALM;
        if self.trouble.take_if(calm).is_some() {
            tracing::info!(target = %self.target, "flows go to a collector again");
        }
    }

    fn now(&self) -> Moment {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = |since: Duration| u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Moment {
            unix_ms: ms(unix.unwrap_or_default()),
            monotonic_ms: ms(self.started.elapsed()),
        }
    }
}

/// Longest the thread sleeps: it may have been told to end.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long nothing must go wrong before it is said to go well.
const CALM: Duration = Duration::from_secs(5);
/// How often it looks whether a connection may be tried again.
const RETRY_TICK: Duration = Duration::from_millis(50);
/// Rows between which finished messages are sent.
const ROWS_BETWEEN: usize = 256;
/// Shortest wait that is worth sleeping for.
const WAIT_NS_MIN: u64 = 1_000_000;
