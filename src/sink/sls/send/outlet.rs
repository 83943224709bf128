//! One destination: reads its rows, collects them, sends them out.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task;
use tokio::task::JoinError;
use tokio::task::JoinSet;

use super::Trouble;
use super::collect::Collector;
use super::collect::Parcel;
use super::courier::Courier;
use super::courier::Ended;
use super::courier::Setback;
use super::course::Course;
use super::course::Lane;
use super::create::create;
use super::read;
use super::read::Done;
use super::read::Job;
use super::shared::Shared;
use super::shared::Signal;
use super::shared::lock;
use super::shared::random;
use super::stats::Desk;
use crate::journal::Frame;
use crate::journal::ReadError;
use crate::sink::sls::DeadLetter;
use crate::sink::sls::Drain;
use crate::sink::sls::FieldChoice;
use crate::sink::sls::TimeWindow;

/// The task of one destination.
///
/// Batches are sent by couriers, one task each, at most as many as the service
/// takes at a time. In trouble the outlet rests, holding nothing; then one
/// courier asks again, and all go on when the service has taken some rows.
pub(super) struct Outlet {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    signal: watch::Receiver<Signal>,
    known: Signal,
    course: Arc<Mutex<Course>>,
    fresh: Track,
    backlog: Track,
    drain: Drain,
    /// When the next batch of the backlog may be sent.
    drain_at: Duration,
    couriers: JoinSet<Ended>,
    /// How many of them carry backlog.
    draining: usize,
    rest: Option<Rest>,
    complaints: Complaints,
}

/// What is collected of one lane.
struct Track {
    collector: Collector,
    ready: VecDeque<Parcel>,
    /// Whether the journal may have rows.
    has_more: bool,
    /// The journal gives none before.
    blocked_until: Duration,
}

/// A time without sending, and the request after it.
struct Rest {
    setback: Setback,
    since: Duration,
    /// What was missing has been created, or not, once.
    has_created: bool,
}

impl Outlet {
    pub(super) fn new(shared: Arc<Shared>, desk: Arc<Desk>) -> Self {
        let settings = &shared.settings;
        let track = |lane| Track {
            collector: Collector::new(lane, Arc::clone(&desk), &shared.budget),
            ready: VecDeque::new(),
            has_more: true,
            blocked_until: Duration::ZERO,
        };
        let signal = shared.signal.subscribe();
        let known = *signal.borrow();
        let now = shared.clock.now();
        Self {
            known,
            signal,
            course: Arc::new(Mutex::new(Course::new(
                settings.order,
                settings.fresh_within,
            ))),
            fresh: track(Lane::Fresh),
            backlog: track(Lane::Backlog),
            drain: Drain::new(settings.drain_octets_per_s, now),
            drain_at: now,
            couriers: JoinSet::new(),
            draining: 0,
            rest: None,
            complaints: Complaints::default(),
            shared,
            desk,
        }
    }

    /// Delivers until the sender stops.
    ///
    /// # Errors
    /// A fault in this program: to be started anew, which repeats at most the
    /// requests in flight.
    pub(super) async fn run(mut self) -> Result<(), Trouble> {
        loop {
            self.look_up();
            self.collect_due();
            self.dispatch();
            if self.known.is_stopping && self.couriers.is_empty() {
                return Ok(());
            }
            match self.source() {
                Some(lane) => self.read(lane).await?,
                None => self.wait().await?,
            }
            while let Some(ended) = self.couriers.try_join_next() {
                self.ended(ended).await?;
            }
            self.show();
        }
    }

    /// Notes what the outlet was told.
    fn look_up(&mut self) {
        let signal = *self.signal.borrow_and_update();
        if signal.commits != self.known.commits {
            self.fresh.has_more = true;
        }
        if signal.directories != self.known.directories {
            // Other fields, another way: nothing that was true has to be.
            let flushed = self.fresh.collector.flush();
            self.fresh.ready.extend(flushed);
            let flushed = self.backlog.collector.flush();
            self.backlog.ready.extend(flushed);
            if let Some(rest) = &mut self.rest {
                rest.setback.until = self.shared.clock.now();
                rest.has_created = false;
            }
        }
        if signal.is_stopping && !self.known.is_stopping {
            let flushed = self.fresh.collector.flush();
            self.fresh.ready.extend(flushed);
            self.give_back_lane(Lane::Backlog);
        }
        self.known = signal;
    }

    fn collect_due(&mut self) {
        let now_ms = millis(self.shared.clock.now());
        for track in [&mut self.fresh, &mut self.backlog] {
            let due = track.collector.due(now_ms);
            track.ready.extend(due);
        }
    }

    /// How many couriers may be under way.
    fn slots(&self) -> usize {
        let now = self.shared.clock.now();
        match &self.rest {
            Some(rest) if rest.setback.until > now => 0,
            Some(_) => 1,
            None => {
                let limiters = self.shared.limiters();
                let room = limiters.room(&self.desk.quota, &self.desk.destination.logstore);
                usize::try_from(room).unwrap_or(1)
            }
        }
    }

    /// Sends couriers with what is ready, fresh rows first.
    fn dispatch(&mut self) {
        let slots = self.slots();
        while self.couriers.len() < slots {
            let parcel = match self.fresh.ready.pop_front() {
                Some(parcel) => Some(parcel),
                None => self.next_of_backlog(slots),
            };
            let Some(parcel) = parcel else {
                break;
            };
            let failures = self.rest.as_ref().map_or(0, |rest| rest.setback.failures);
            let (shared, desk) = (Arc::clone(&self.shared), Arc::clone(&self.desk));
            self.draining += usize::from(parcel.lane == Lane::Backlog);
            let course = Arc::clone(&self.course);
            let courier = Courier::new(shared, desk, course, parcel, failures);
            self.couriers.spawn(courier.run());
        }
        if self.known.is_stopping && slots == 0 {
            self.give_back_lane(Lane::Fresh);
        }
    }

    /// A batch of the backlog, if its rate and its part of the slots allow.
    fn next_of_backlog(&mut self, slots: usize) -> Option<Parcel> {
        if !self.may_drain(slots) {
            return None;
        }
        let octets = self.backlog.ready.front()?.batch.body().len();
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        let now = self.shared.clock.now();
        if let Err(at) = self.drain.take(octets, now) {
            self.drain_at = at;
            return None;
        }
        self.backlog.ready.pop_front()
    }

    /// Whether one more courier may carry backlog: half of them leave room for
    /// fresh rows.
    fn may_drain(&self, slots: usize) -> bool {
        self.draining < (slots / 2).max(1) && self.shared.clock.now() >= self.drain_at
    }

    /// Where rows are to be read now, if anywhere.
    fn source(&self) -> Option<Lane> {
        let slots = self.slots();
        let is_busy = self.couriers.len() >= slots || !self.fresh.ready.is_empty();
        if self.known.is_stopping || is_busy || !self.shared.budget.has_room() {
            return None;
        }
        let now = self.shared.clock.now();
        let is_open = |track: &Track| track.has_more && track.blocked_until <= now;
        if is_open(&self.fresh) {
            return Some(Lane::Fresh);
        }
        let is_owed = self.course().owes() && self.backlog.blocked_until <= now;
        let may_read = is_owed && self.backlog.ready.is_empty() && self.may_drain(slots);
        may_read.then_some(Lane::Backlog)
    }

    /// Reads one frame of a lane.
    async fn read(&mut self, lane: Lane) -> Result<(), Trouble> {
        let window = match self.shared.route(&self.desk.destination) {
            Ok(way) => TimeWindow::around(way.skew.corrected(self.shared.unix_s())),
            Err(trouble) => {
                self.rest_slowly(trouble);
                return Ok(());
            }
        };
        let shared = Arc::clone(&self.shared);
        let _reader = shared.readers.acquire().await.map_err(Trouble::internal)?;
        // Those who read before may have taken it.
        if !shared.budget.has_room() {
            return Ok(());
        }
        let (journal, id) = (Arc::clone(&shared.journal), self.desk.id);
        let after = self.course().after(lane);
        let read = task::spawn_blocking(move || journal.next(id, after)).await;
        match read.map_err(Trouble::internal)? {
            Ok(Some(frame)) => self.take(lane, frame, window).await?,
            Ok(None) => self.note_nothing(lane),
            Err(ReadError::Scattered) => self.note_scattered(lane),
            Err(error @ (ReadError::Io(_) | ReadError::Unknown)) => {
                self.rest_slowly(Trouble::journal(error));
            }
        }
        Ok(())
    }

    /// Collects the rows of a frame, unless they are to wait.
    async fn take(&mut self, lane: Lane, frame: Frame, window: TimeWindow) -> Result<(), Trouble> {
        let rows = frame.rows();
        if lane == Lane::Backlog && !self.course().note_backlog(Some(&rows)) {
            return Ok(());
        }
        let now_ms = self.shared.clock.unix_ms();
        if lane == Lane::Fresh && self.course().is_late(frame.at_ms, now_ms) {
            let newest = self.shared.journal.visible_to();
            self.course().leave_behind(newest.max(rows.end));
            return Ok(());
        }
        let parts = self.course().take(lane, &rows);
        if parts.is_empty() {
            return Ok(());
        }
        let empty = Collector::new(lane, Arc::clone(&self.desk), &self.shared.budget);
        let collector = std::mem::replace(&mut self.track(lane).collector, empty);
        let job = Job {
            collector,
            frame,
            parts,
            window,
            now_ms: millis(self.shared.clock.now()),
        };
        let done = read::run(job, &self.shared).await;
        let done = done.map_err(Trouble::internal)?;
        let Done {
            collector,
            full,
            unfit,
            body,
        } = done;
        let track = self.track(lane);
        track.collector = collector;
        track.ready.extend(full);
        for (rows, problem) in unfit {
            self.put_aside(rows, problem, Bytes::clone(&body)).await;
        }
        Ok(())
    }

    fn note_nothing(&mut self, lane: Lane) {
        let track = self.track(lane);
        track.has_more = false;
        track.collector.forget_idle();
        if lane == Lane::Backlog {
            self.course().note_backlog(None);
        }
        let tracks = [&self.fresh, &self.backlog];
        let is_idle = tracks.iter().all(|track| track.is_empty());
        if is_idle && self.couriers.is_empty() && !self.course().owes() {
            let held = self.course().release();
            for rows in held {
                self.shared.journal.ack(self.desk.id, rows);
            }
        }
    }

    /// Too much is under way: the oldest first, and what is under way.
    fn note_scattered(&mut self, lane: Lane) {
        let now = self.shared.clock.now();
        self.track(lane).blocked_until = now + SCATTERED;
        if lane == Lane::Fresh && !self.course().owes() {
            let newest = self.shared.journal.visible_to();
            self.course().leave_behind(newest);
        }
    }

    /// Puts rows aside that no request can carry.
    async fn put_aside(&mut self, rows: Range<u64>, problem: String, body: Bytes) {
        let destination = &self.desk.destination;
        let letter = DeadLetter {
            unix_s: self.shared.unix_s(),
            endpoint: String::new(),
            project: destination.project.clone(),
            logstore: destination.logstore.clone(),
            status: 0,
            error_code: None,
            message: problem,
            request_id: None,
            first_seq: rows.start,
            rows: rows.end.saturating_sub(rows.start),
            raw_size: u64::try_from(body.len()).unwrap_or(u64::MAX),
            compression: None,
            body,
        };
        let rows = [rows];
        match self.shared.bury(&self.desk, letter).await {
            Ok(()) => self.shared.settle(&self.desk, &self.course, &rows),
            Err(trouble) => {
                self.course().give_back(&rows);
                self.rest_slowly(trouble);
            }
        }
    }

    /// Waits for whatever comes first.
    async fn wait(&mut self) -> Result<(), Trouble> {
        let shared = Arc::clone(&self.shared);
        let wake_at = self.wake_at();
        let is_full = !shared.budget.has_room();
        tokio::select! {
            Some(ended) = self.couriers.join_next() => self.ended(ended).await?,
            changed = self.signal.changed() => {
                if changed.is_err() {
                    self.known.is_stopping = true;
                }
            }
            () = shared.clock.reach(wake_at.unwrap_or_default()), if wake_at.is_some() => {}
            () = shared.budget.room(), if is_full => {}
        }
        Ok(())
    }

    /// When there is something to do, if nothing happens before.
    fn wake_at(&self) -> Option<Duration> {
        let now = self.shared.clock.now();
        let due = [&self.fresh, &self.backlog];
        let due = due.map(|track| track.collector.due_ms().map(Duration::from_millis));
        let blocked = [&self.fresh, &self.backlog].map(|track| Some(track.blocked_until));
        let rest = self.rest.as_ref().map(|rest| rest.setback.until);
        let others = [rest, Some(self.drain_at)];
        let all = due.into_iter().chain(blocked).chain(others).flatten();
        all.filter(|at| *at > now).min()
    }

    /// Takes what a courier brings back.
    async fn ended(&mut self, ended: Result<Ended, JoinError>) -> Result<(), Trouble> {
        let ended = ended.map_err(Trouble::internal)?;
        self.draining -= usize::from(ended.lane == Lane::Backlog);
        self.course().give_back(&ended.left);
        self.fresh.has_more |= !ended.left.is_empty();
        self.fresh.blocked_until = Duration::ZERO;
        self.backlog.blocked_until = Duration::ZERO;
        if ended.was_heard {
            self.resume();
        }
        if let Some(setback) = ended.setback {
            self.rest(setback);
            self.try_to_create(&ended.fields).await;
        }
        Ok(())
    }

    /// Ends the rest: the service took something.
    fn resume(&mut self) {
        if let Some(rest) = self.rest.take() {
            let lasted = self.shared.clock.now().saturating_sub(rest.since);
            let label = rest.setback.trouble.label;
            self.complaints.end(&self.desk, label, lasted);
            self.desk.stats().trouble = None;
        }
    }

    /// Rests because of something that is not a request's outcome.
    fn rest_slowly(&mut self, trouble: Trouble) {
        let failures = self.rest.as_ref().map_or(0, |rest| rest.setback.failures);
        let failures = failures.saturating_add(1);
        let slow = self.shared.settings.patience.slow;
        self.rest(Setback {
            trouble,
            until: self.shared.clock.now() + slow.wait(failures, random(), None),
            failures,
            missing: None,
        });
    }

    /// Rests, and gives back all rows that are not under way.
    fn rest(&mut self, setback: Setback) {
        let now = self.shared.clock.now();
        let before = self.rest.take();
        let setback = match &before {
            Some(rest) => setback.after(&rest.setback),
            None => setback,
        };
        let has_created = before
            .as_ref()
            .is_some_and(|rest| rest.has_created && rest.setback.missing == setback.missing);
        self.complaints.begin(&self.desk, &setback.trouble, now);
        self.desk.stats().trouble = Some(setback.trouble.clone());
        self.rest = Some(Rest {
            since: before.map_or(now, |rest| rest.since),
            setback,
            has_created,
        });
        self.give_back_lane(Lane::Fresh);
        self.give_back_lane(Lane::Backlog);
    }

    fn give_back_lane(&mut self, lane: Lane) {
        let track = self.track(lane);
        let open = track.collector.flush();
        let parcels: Vec<_> = track.ready.drain(..).chain(open).collect();
        track.has_more |= !parcels.is_empty();
        for parcel in parcels {
            self.course().give_back(parcel.batch.seqs());
        }
    }

    /// Creates what is missing, once per rest, if that is wanted.
    async fn try_to_create(&mut self, fields: &FieldChoice) {
        let Some(rest) = &mut self.rest else {
            return;
        };
        let missing = rest.setback.missing;
        let Some(missing) = missing.filter(|_| self.shared.settings.create && !rest.has_created)
        else {
            return;
        };
        rest.has_created = true;
        match create(&self.shared, &self.desk, missing, fields).await {
            Ok(()) => {
                let soon = self.shared.settings.patience.backoff;
                rest.setback.until = self.shared.clock.now() + soon.wait(1, random(), None);
                tracing::info!(destination = %self.desk.destination, "created");
            }
            Err(problem) => {
                tracing::warn!(destination = %self.desk.destination, problem, "not created");
                self.desk.stats().last_error = Some(problem);
            }
        }
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        lock(&self.course)
    }

    fn track(&mut self, lane: Lane) -> &mut Track {
        match lane {
            Lane::Fresh => &mut self.fresh,
            Lane::Backlog => &mut self.backlog,
        }
    }

    fn show(&self) {
        let room = {
            let limiters = self.shared.limiters();
            limiters.room(&self.desk.quota, &self.desk.destination.logstore)
        };
        let mut stats = self.desk.stats();
        stats.limit = room;
        stats.is_draining = self.course().owes();
    }
}

impl Track {
    /// Whether nothing is collected.
    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.collector.due_ms().is_none()
    }
}

/// Keeps an outlet from saying the same again and again.
#[derive(Debug, Default)]
struct Complaints {
    /// By the trouble's name, of which there are few: when it was told last.
    told: std::collections::BTreeMap<&'static str, Duration>,
}

impl Complaints {
    fn begin(&mut self, desk: &Desk, trouble: &Trouble, now: Duration) {
        let told = self.told.get(trouble.label);
        if told.is_some_and(|told| now.saturating_sub(*told) < SILENCE) {
            return;
        }
        self.told.insert(trouble.label, now);
        tracing::warn!(
            destination = %desk.destination,
            trouble = trouble.label,
            what = %trouble.what,
            advice = trouble.advice,
            "rows wait in the journal"
        );
    }

    fn end(&self, desk: &Desk, label: &str, lasted: Duration) {
        if self.told.contains_key(label) && lasted >= SILENCE {
            let seconds = lasted.as_secs();
            tracing::info!(destination = %desk.destination, label, seconds, "delivers again");
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How long one complaint of a destination stands for the next of its kind.
const SILENCE: Duration = Duration::from_mins(10);
/// When the journal is asked again that finds too much under way.
const SCATTERED: Duration = Duration::from_secs(1);
