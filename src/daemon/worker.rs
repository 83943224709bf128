//! A lane's thread: sockets, clock and commands around the [`Lane`].

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use metrics::Histogram;

use crate::api::Page;
use crate::daemon::clock::{self, Monotonic};
use crate::daemon::metrics::decoding_time;
use crate::flow::PlanSettings;
use crate::flowlog::RoutingTable;
use crate::lane::Piece;
use crate::lane::{Census, Lane};
use crate::listen::LaneSockets;
use crate::listen::Relay;
use crate::listen::RelayTable;
use crate::listen::Waker;
use crate::listen::pin;
use crate::session::Arrival;
use crate::session::Peer;
use crate::session::TemplateView;
use crate::telemetry::RateLimit;

/// How long a lane waits for datagrams before it looks at its timers.
const TICK: Duration = Duration::from_millis(100);
/// How long it waits while more flows are due than it could let go.
const HASTE: Duration = Duration::from_millis(1);
/// How often a lane asks the kernel what it dropped, ms: a call for each socket.
const LOSSES_EVERY_MS: u64 = 100;
/// Rounds a stopping lane waits for the exchange to take its last flows.
const DRAIN_ROUNDS_MAX: u32 = 300;

/// What others ask of a lane. Answers go through the enclosed sender.
#[derive(Debug)]
pub enum Command {
    /// Route by this table from now on.
    Route(Arc<RoutingTable>, PlanSettings),
    /// Relay by this table from now on.
    Relay(Arc<RelayTable>),
    /// Say who sends.
    Exporters(Sender<Census>),
    /// Say which Templates are known, in part, and how many there are.
    Templates(Page, Sender<(usize, Vec<TemplateView>)>),
    /// Give the Templates in the form that survives a restart.
    Remember(Sender<Vec<u8>>),
    /// Give the flows of the cache, this being lane so and so.
    Snapshot(u32, Sender<Piece>),
    /// Take what the sockets still hold, hand everything over, and end.
    Stop,
}

/// The handle of a lane's thread.
#[derive(Debug)]
pub struct Worker {
    commands: Sender<Command>,
    waker: Waker,
    /// Taken by whoever waits for the end.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Starts a lane on a thread of its own, and on a CPU if one is given.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        (index, cpu): (usize, Option<usize>),
        lane: Lane,
        (sockets, relay): (LaneSockets, Relay),
        monotonic: Monotonic,
    ) -> io::Result<Self> {
        let (commands, inbox) = crossbeam_channel::unbounded();
        let waker = sockets.waker();
        let mut run = Run {
            lane,
            sockets,
            relay,
            inbox,
            monotonic,
            complaints: RateLimit::new(2),
            decoding_time: decoding_time(),
            losses_due_ms: 0,
        };
        let thread = thread::Builder::new()
            .name(format!("lane-{index}"))
            .spawn(move || {
                if let Some((cpu, Err(error))) = cpu.map(|cpu| (cpu, pin(cpu))) {
                    tracing::warn!(%error, cpu, "a lane cannot be kept to its CPU");
                }
                run.until_stopped();
            })?;
        Ok(Self {
            commands,
            waker,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Gives the lane a command; it takes it at once.
    pub fn tell(&self, command: Command) {
        // A lane that ended has nothing to be told any more.
        if self.commands.send(command).is_ok() {
            self.waker.wake();
        }
    }

    /// Waits for the end of a lane that was told to stop.
    pub fn join(&self) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a lane panicked; its flows since the last hand-over are lost");
        }
    }

    /// Whether the thread has ended, told to or not.
    pub fn has_ended(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

/// What the thread owns.
struct Run {
    lane: Lane,
    sockets: LaneSockets,
    relay: Relay,
    inbox: Receiver<Command>,
    monotonic: Monotonic,
    /// What goes wrong here does so many times a second.
    complaints: RateLimit<Trouble>,
    decoding_time: Histogram,
    /// When the kernel is next asked what it dropped.
    losses_due_ms: u64,
}

/// What may go wrong with sockets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Trouble {
    /// Taking datagrams.
    Receiving,
    /// Reading how many were dropped.
    Counting,
}

/// What came of receiving once.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    datagrams: usize,
    is_told_to_stop: bool,
}

impl Run {
    fn until_stopped(&mut self) {
        loop {
            let round = self.receive(self.patience());
            self.count_losses_if_due();
            self.lane.turn(self.now());
            if round.is_told_to_stop {
                return self.drain();
            }
        }
    }

    /// How long it may wait for datagrams.
    fn patience(&self) -> Duration {
        if self.lane.is_behind() { HASTE } else { TICK }
    }

    /// Receives one batch of datagrams, carries out what the lane was told by
    /// then, and takes them.
    ///
    /// In this order: who sends a datagram once a change is in force has told
    /// the lane before, and finds it changed.
    fn receive(&mut self, patience: Duration) -> Round {
        let received = self.sockets.receive(Some(patience));
        let mut round = Round::default();
        let now = clock::now(&self.monotonic);
        for command in self.inbox.try_iter() {
            round.is_told_to_stop |= obey(&mut self.lane, &mut self.relay, now, command);
        }
        let received = match received {
            Ok(received) => received,
            Err(error) => {
                if let Some(unnamed) = self
                    .complaints
                    .admit(Trouble::Receiving, self.monotonic.now_ms())
                {
                    tracing::error!(%error, unnamed, "receiving failed; trying again");
                }
                thread::sleep(TICK);
                return round;
            }
        };
        let monotonic_ms = self.monotonic.now_ms();
        let lane = &mut self.lane;
        self.relay
            .send(&received, monotonic_ms, |exporter| lane.hears(exporter));
        let began = Instant::now();
        for (index, datagram) in received.datagrams().enumerate() {
            round.datagrams += 1;
            if self.relay.is_only(index) {
                lane.pass_by(datagram.bytes);
                continue;
            }
            let peer = Peer {
                exporter: datagram.peer.ip(),
                port: datagram.peer.port(),
                local_port: datagram.local_port,
            };
            let arrival = Arrival {
                monotonic_ms,
                unix_ms: datagram.unix_ms,
            };
            lane.datagram(datagram.bytes, peer, arrival);
        }
        if round.datagrams > 0 {
            self.decoding_time.record(began.elapsed());
        }
        round
    }

    /// Brings what only the sockets know to the lane, every so often.
    fn count_losses_if_due(&mut self) {
        let now_ms = self.monotonic.now_ms();
        if now_ms >= self.losses_due_ms {
            self.losses_due_ms = now_ms.saturating_add(LOSSES_EVERY_MS);
            self.count_losses();
        }
    }

    /// Brings what only the sockets know to the lane.
    fn count_losses(&mut self) {
        match self.sockets.drops() {
            Ok(missed) => self.lane.missed(missed),
            Err(error) => {
                let now_ms = self.monotonic.now_ms();
                if let Some(unnamed) = self.complaints.admit(Trouble::Counting, now_ms) {
                    tracing::warn!(%error, unnamed, "cannot read the sockets' drop counters");
                }
            }
        }
        let oversized = self.sockets.stats().map(|socket| socket.oversized).sum();
        let errors = self.sockets.stats().map(|socket| socket.errors).sum();
        self.lane.cut_short(oversized, errors);
    }

    /// Takes what the kernel still holds, then empties the cache.
    fn drain(&mut self) {
        while self.receive(Duration::ZERO).datagrams > 0 {
            self.lane.turn(self.now());
        }
        self.count_losses();
        for _ in 0..DRAIN_ROUNDS_MAX {
            if self.lane.drain(self.now()) {
                return;
            }
            thread::sleep(TICK);
        }
        tracing::error!("the log store took too long; flows still in the cache are lost");
    }

    fn now(&self) -> Arrival {
        clock::now(&self.monotonic)
    }
}

/// Carries out a command; returns whether it was to stop.
fn obey(lane: &mut Lane, relay: &mut Relay, now: Arrival, command: Command) -> bool {
    // Whoever asked may have given up waiting: a failed answer is no fault.
    match command {
        Command::Route(table, settings) => lane.route_by(table, settings),
        Command::Relay(table) => relay.go_by(table),
        Command::Exporters(answer) => drop(answer.send(lane.census())),
        Command::Templates(page, answer) => {
            drop(answer.send(lane.templates(page.exporter, page.part(), now)))
        }
        Command::Remember(answer) => drop(answer.send(lane.remember(now))),
        Command::Snapshot(index, to) => lane.snapshot(index, to),
        Command::Stop => return true,
    }
    false
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use crate::config::Config;
    use crate::daemon::settings;
    use crate::daemon::tests::{Bench, LEARNING, amount, flows, template};
    use crate::listen;
    use crate::session::testing::set;

    use super::*;

    /// A lane of this configuration on a thread's own sockets, and what tells it.
    fn run(bench: Bench) -> (Run, Sender<Command>, UdpSocket) {
        let bound = listen::bind(&listen::Settings {
            addresses: vec!["127.0.0.1:0".parse().unwrap()],
            lanes: 1.try_into().unwrap(),
            receive_buffer_bytes: 1 << 16,
            datagram_bytes_max: 1_500,
            nap_max: Duration::ZERO,
            gro: false,
        });
        let mut bound = bound.unwrap();
        let exporter = UdpSocket::bind("127.0.0.1:0").unwrap();
        exporter.connect(bound.addresses[0]).unwrap();
        let (commands, inbox) = crossbeam_channel::unbounded();
        let run = Run {
            lane: bench.lane,
            sockets: bound.lanes.remove(0),
            relay: Relay::new(Arc::default()),
            inbox,
            monotonic: Monotonic::start(),
            complaints: RateLimit::new(2),
            decoding_time: decoding_time(),
            losses_due_ms: 0,
        };
        (run, commands, exporter)
    }

    #[test]
    fn a_datagram_sent_after_a_change_goes_by_it() {
        let mut bench = Bench::new("[default-flow-log]\naction = \"ignore\"\n");
        let terms = bench.published();
        let message = bench.message(&[template(), flows(0..3)]);
        let (mut run, commands, exporter) = run(bench);
        let taking = Config::parse(LEARNING, "test").unwrap().definition;
        let table = Arc::new(RoutingTable::compile(&taking, None).unwrap());
        let change = Command::Route(table, settings::plan(&taking));
        commands.send(change).unwrap();
        exporter.send(&message).unwrap();
        let round = run.receive(Duration::from_secs(30));
        assert_eq!((round.datagrams, round.is_told_to_stop), (1, false));
        run.lane.turn(run.now());
        assert_eq!(terms().routed, amount(3));
    }

    #[test]
    fn a_lane_takes_what_came_in_before_it_stops() {
        let mut bench = Bench::new(LEARNING);
        let terms = bench.published();
        let message = bench.message(&[template(), flows(0..3)]);
        let (mut run, commands, exporter) = run(bench);
        exporter.send(&message).unwrap();
        commands.send(Command::Stop).unwrap();
        run.until_stopped();
        assert_eq!(terms().handed, amount(3));
    }
    #[test]
    fn a_lane_comes_back_at_once_while_more_is_due_than_a_turn_lets_go() {
        let mut bench = Bench::new(LEARNING);
        bench.receive(&[template()]);
        for net in 0..32 {
            let flow = |host| [10, 0, net, host, 10, 0, 1, 1, 0, 0, 0, 100, 0, 0, 0, 1];
            let flows: Vec<u8> = (0..=255).flat_map(flow).collect();
            bench.receive(&[set(256, &flows)]);
        }
        bench.lane.turn(bench.now);
        let later = Arrival {
            monotonic_ms: bench.now.monotonic_ms + 100_000,
            unix_ms: bench.now.unix_ms + 100_000,
        };
        let (mut run, _commands, _exporter) = run(bench);
        assert_eq!(run.patience(), TICK);
        run.lane.turn(later);
        assert_eq!(run.patience(), HASTE);
    }

    #[test]
    fn the_kernel_is_asked_for_its_drops_when_they_are_due() {
        let bench = Bench::new(LEARNING);
        let terms = bench.published();
        let (mut run, _commands, exporter) = run(bench);
        for _ in 0..200 {
            exporter.send(&[0; 1_400]).unwrap();
        }
        let monotonic = run.monotonic;
        let mut missed_when_due = |due_ms| {
            run.losses_due_ms = due_ms;
            run.count_losses_if_due();
            run.lane.turn(run.now());
            (terms().missed, run.losses_due_ms)
        };
        assert_eq!(missed_when_due(u64::MAX), (0, u64::MAX));
        let before = monotonic.now_ms();
        let (missed, due_ms) = missed_when_due(0);
        assert!(missed > 0 && missed < 200, "{missed}");
        let after = monotonic.now_ms();
        assert!((before..=after).contains(&(due_ms - LOSSES_EVERY_MS)));
    }
}
