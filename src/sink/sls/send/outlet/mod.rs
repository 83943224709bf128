//! One destination: reads its rows, collects them, sends them out.

mod complaints;
mod dispatch;
mod intake;
mod rest;
mod track;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::task::JoinSet;

use super::Trouble;
use super::collect::Collector;
use super::courier::Ended;
use super::course::Course;
use super::course::Lane;
use super::shared::Shared;
use super::shared::Signal;
use super::shared::lock;
use super::stats::Desk;
use crate::sink::sls::Drain;
use complaints::Complaints;
use rest::Rest;
use track::Track;

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
    /// The shard hashes that are on their way.
    shards: BTreeSet<u128>,
    rest: Option<Rest>,
    complaints: Complaints,
}

impl Outlet {
    pub(super) fn new(shared: Arc<Shared>, desk: Arc<Desk>) -> Self {
        let settings = &shared.settings;
        let collector = |lane| Collector::new(lane, Arc::clone(&desk), &shared.budget);
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
            fresh: Track::new(collector(Lane::Fresh)),
            backlog: Track::new(collector(Lane::Backlog)),
            drain: Drain::new(settings.drain_octets_per_s, now),
            drain_at: now,
            couriers: JoinSet::new(),
            draining: 0,
            shards: BTreeSet::new(),
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
            self.fresh.flush();
            self.backlog.flush();
            if let Some(rest) = &mut self.rest {
                rest.renew(self.shared.clock.now());
            }
        }
        if signal.is_stopping && !self.known.is_stopping {
            self.fresh.flush();
            self.give_back_lane(Lane::Backlog);
        }
        self.known = signal;
    }

    fn collect_due(&mut self) {
        let now_ms = millis(self.shared.clock.now());
        for track in [&mut self.fresh, &mut self.backlog] {
            track.collect_due(now_ms);
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
        if let Some(shard) = ended.shard {
            self.shards.remove(&shard);
        }
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

    fn give_back_lane(&mut self, lane: Lane) {
        for parcel in self.track(lane).empty() {
            self.course().give_back(parcel.batch.seqs());
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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
