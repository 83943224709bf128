//! Rows of the journal, read and collected to batches.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task;

use super::Outlet;
use super::millis;
use crate::journal::Frame;
use crate::journal::ReadError;
use crate::sink::sls::DeadLetter;
use crate::sink::sls::TimeWindow;
use crate::sink::sls::send::Trouble;
use crate::sink::sls::send::collect::Collector;
use crate::sink::sls::send::course::Lane;
use crate::sink::sls::send::read;
use crate::sink::sls::send::read::Done;
use crate::sink::sls::send::read::Job;

impl Outlet {
    /// Where rows are to be read now, if anywhere.
    pub(super) fn source(&self) -> Option<Lane> {
        let slots = self.slots();
        let ready = &self.fresh.ready;
        let is_ready = ready.len() >= READY_MAX || ready.iter().any(|parcel| self.may_go(parcel));
        let is_busy = self.couriers.len() >= slots || is_ready;
        if self.known.is_stopping || is_busy || !self.shared.budget.has_room() {
            return None;
        }
        let now = self.shared.clock.now();
        if self.fresh.is_open(now) {
            return Some(Lane::Fresh);
        }
        let is_owed = self.course().owes() && self.backlog.blocked_until <= now;
        let may_read = is_owed && self.backlog.ready.is_empty() && self.may_drain(slots);
        may_read.then_some(Lane::Backlog)
    }

    /// Reads one frame of a lane.
    pub(super) async fn read(&mut self, lane: Lane) -> Result<(), Trouble> {
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
}

/// Batches that wait for others of their shard hash until no more are read.
const READY_MAX: usize = 64;
/// When the journal is asked again that finds too much under way.
const SCATTERED: Duration = Duration::from_secs(1);
