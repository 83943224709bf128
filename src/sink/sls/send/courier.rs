//! One batch on its way to the service, until its rows are settled or given back.

use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;

use super::Trouble;
use super::Way;
use super::budget::Charge;
use super::collect::Parcel;
use super::course::Course;
use super::course::Lane;
use super::shared::Shared;
use super::shared::random;
use super::stats::Desk;
use crate::sink::sls::Action;
use crate::sink::sls::Batch;
use crate::sink::sls::Body;
use crate::sink::sls::DeadLetter;
use crate::sink::sls::Delivery;
use crate::sink::sls::FieldChoice;
use crate::sink::sls::Hold;
use crate::sink::sls::Outcome;
use crate::sink::sls::Permit;
use crate::sink::sls::Piece;
use crate::sink::sls::Place;
use crate::sink::sls::Request;
use crate::sink::sls::Response;
use crate::sink::sls::Route;
use crate::sink::sls::TimeWindow;
use crate::sink::sls::TransportError;
use crate::sink::sls::Verdict;
use crate::sink::sls::Why;

/// Brings one batch to the service.
///
/// It waits for what passes soon. Before a longer wait it gives back what is
/// not settled, so that a destination in trouble holds no memory, and its
/// outlet asks again later with one request at a time.
pub(super) struct Courier {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    course: Arc<Mutex<Course>>,
    delivery: Delivery,
    /// The rows of the delivery's pieces; the last is next.
    pieces: Vec<Arc<Batch>>,
    /// The next piece as it is sent.
    packed: Option<Body>,
    ended: Ended,
    _charge: Charge,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) lane: Lane,
    /// Rows that are not settled.
    pub(super) left: Vec<Range<u64>>,
    /// Whether the service took some.
    pub(super) was_heard: bool,
    /// Why rows are left.
    pub(super) setback: Option<Setback>,
    pub(super) fields: Arc<FieldChoice>,
}

/// Why a destination is to be left alone for a while.
#[derive(Clone, Debug)]
pub(super) struct Setback {
    pub(super) trouble: Trouble,
    /// Until when.
    pub(super) until: Duration,
    /// Failures in a row.
    pub(super) failures: u32,
    /// What does not exist, if that is the trouble.
    pub(super) missing: Option<Hold>,
}

impl Setback {
    /// The same, after another that has not been overcome.
    ///
    /// A pause of the limiter is the consequence of what was before.
    pub(super) fn after(self, before: &Self) -> Self {
        let is_consequence = self.trouble.label == PAUSED;
        Self {
            trouble: match is_consequence {
                true => before.trouble.clone(),
                false => self.trouble,
            },
            failures: self.failures.max(before.failures),
            until: self.until,
            missing: self.missing,
        }
    }
}

/// How a request ended.
struct Attempt {
    outcome: Outcome,
    /// The whole answer, if there is one.
    answer: Option<Response>,
    trouble: Trouble,
    /// There are other keys than those that were refused.
    has_other_keys: bool,
}

impl Courier {
    /// Takes a parcel of a destination that failed so often before.
    pub(super) fn new(
        shared: Arc<Shared>,
        desk: Arc<Desk>,
        course: Arc<Mutex<Course>>,
        parcel: Parcel,
        failures: u32,
    ) -> Self {
        let Parcel {
            lane,
            batch,
            fields,
            charge,
        } = parcel;
        let rows = u32::try_from(batch.rows()).unwrap_or(u32::MAX);
        let delivery = Delivery::new(0..rows, shared.settings.patience);
        Self {
            shared,
            desk,
            course,
            delivery: delivery.after_failures(failures),
            pieces: vec![Arc::new(batch)],
            packed: None,
            ended: Ended {
                lane,
                left: Vec::new(),
                was_heard: false,
                setback: None,
                fields,
            },
            _charge: charge,
        }
    }

    /// Sends until all rows are settled, or there is reason to give them back.
    pub(super) async fn run(mut self) -> Ended {
        while let Some(piece) = self.delivery.piece().cloned() {
            if let Err(setback) = self.send(piece).await {
                self.ended.setback = Some(setback);
                break;
            }
        }
        let left = self.pieces.iter().flat_map(|batch| batch.seqs().to_vec());
        self.ended.left = left.collect();
        self.ended
    }

    /// Sends the next piece once, when it is due, and does what follows.
    async fn send(&mut self, piece: Piece) -> Result<(), Setback> {
        self.shared.clock.reach(self.delivery.due()).await;
        let route = self.shared.route(&self.desk.destination);
        let way = route.map_err(|trouble| self.slowly(trouble))?;
        let body = self.pack(&piece, &way).await?;
        let attempt = self.attempt(&way, body).await?;
        self.follow(&way, attempt).await
    }

    /// The piece as it is sent, made once.
    async fn pack(&mut self, piece: &Piece, way: &Way) -> Result<Body, Setback> {
        if let Some(body) = &self.packed {
            return Ok(body.clone());
        }
        let Some(batch) = self.pieces.last_mut() else {
            return Ok(Body::default());
        };
        if piece.clamp {
            let now_s = way.skew.corrected(self.shared.unix_s());
            Arc::make_mut(batch).clamp(TimeWindow::around(now_s));
        }
        let packed = self.shared.packed(Arc::clone(batch)).await;
        let body = packed.map_err(|trouble| self.slowly(trouble))?;
        self.packed = Some(body.clone());
        Ok(body)
    }

    /// One request, if there are keys for it.
    async fn attempt(&mut self, way: &Way, body: Body) -> Result<Attempt, Setback> {
        let now_s = way.skew.corrected(self.shared.unix_s());
        let keys = match way.keeper.credentials(now_s).await {
            Ok(keys) => keys,
            Err(error) => return Ok(Attempt::without_keys(error.to_string())),
        };
        let destination = &self.desk.destination;
        let place = Place::new(way.endpoint.clone(), &destination.project);
        let place = place.map_err(|error| self.slowly(Trouble::unroutable(error.to_string())))?;
        let wire_octets = body.octets.len();
        let raw_octets = body.raw_size;
        let request = Request::put_logs(&place, &destination.logstore, Route::Balanced, body);
        let leave = self.leave().await?;
        {
            let mut stats = self.desk.stats();
            stats.sent += 1;
            stats.raw_octets += u64::try_from(raw_octets).unwrap_or(0);
            stats.wire_octets += u64::try_from(wire_octets).unwrap_or(0);
        }
        let sent_s = way.skew.corrected(self.shared.unix_s());
        let signed = request.signed(&way.scheme, &keys, sent_s);
        let answer = match self.shared.client.send(signed).await {
            Ok(answer) => answer,
            Err(error) => {
                leave.finish(None);
                return Ok(Attempt::without_answer(&error));
            }
        };
        if let Some(server_s) = answer.server_unix_s {
            way.skew.learn(server_s, self.shared.unix_s());
        }
        let verdict = answer.verdict();
        leave.finish(Some(verdict));
        let has_other_keys =
            verdict == Verdict::Credentials && way.keeper.refused(&keys, sent_s).await;
        Ok(Attempt::answered(answer, verdict, has_other_keys))
    }

    /// Leave to send one request; waits for it, but not for long.
    async fn leave(&self) -> Result<Leave, Setback> {
        let (project, logstore) = (&self.desk.quota, &self.desk.destination.logstore);
        loop {
            let given_back = self.shared.permits.notified();
            let now = self.shared.clock.now();
            let paused_until = {
                let mut limiters = self.shared.limiters();
                if let Some(permit) = limiters.start(project, logstore, now) {
                    drop(limiters);
                    return Ok(Leave::new(&self.shared, &self.desk, permit));
                }
                limiters.paused_until(project, logstore)
            };
            if paused_until > now.saturating_add(KEEP_MAX) || self.shared.is_stopping() {
                let what = "requests of the project failed at the least rate".to_owned();
                let trouble = Trouble::new(PAUSED, what, "see what its other logstores say");
                return Err(self.setback(trouble, paused_until.max(now)));
            }
            // A pause ends by itself; otherwise someone gives a permit back.
            let next = if paused_until > now {
                paused_until
            } else {
                now + KEEP_MAX
            };
            tokio::select! {
                () = given_back => {}
                () = self.shared.clock.reach(next) => {}
            }
        }
    }

    /// Does what the outcome of a request asks for.
    async fn follow(&mut self, way: &Way, attempt: Attempt) -> Result<(), Setback> {
        let now = self.shared.clock.now();
        let failures = self.delivery.failures();
        self.note(&attempt);
        match self.delivery.ended(attempt.outcome, now, random()) {
            None => Ok(()),
            Some(Action::Acknowledge(_)) => {
                self.acknowledge();
                Ok(())
            }
            Some(Action::DeadLetter(_)) => self.put_aside(way, attempt, failures).await,
            Some(Action::Send { at, why }) => self.again(attempt, at, why),
        }
    }

    fn note(&self, attempt: &Attempt) {
        let mut stats = self.desk.stats();
        *stats.verdicts.entry(attempt.trouble.label).or_default() += 1;
        if attempt.trouble.label == Verdict::Delivered.label() {
            stats.acked += 1;
        } else {
            stats.last_error = Some(attempt.trouble.what.clone());
        }
    }

    fn acknowledge(&mut self) {
        let Some(batch) = self.pieces.pop() else {
            return;
        };
        self.packed = None;
        self.shared.settle(&self.desk, &self.course, batch.seqs());
        self.desk.stats().acked_rows += u64::try_from(batch.rows()).unwrap_or(0);
        self.ended.was_heard = true;
    }

    /// Puts the current piece aside, and settles it if that was possible.
    async fn put_aside(
        &mut self,
        way: &Way,
        attempt: Attempt,
        failures: u32,
    ) -> Result<(), Setback> {
        let Some(batch) = self.pieces.last() else {
            return Ok(());
        };
        let seqs = batch.seqs().to_vec();
        let letter = self.letter(way, attempt, batch);
        if let Err(trouble) = self.shared.bury(&self.desk, letter).await {
            return Err(Setback {
                failures: failures.saturating_add(1),
                ..self.slowly(trouble)
            });
        }
        self.shared.settle(&self.desk, &self.course, &seqs);
        self.pieces.pop();
        self.packed = None;
        Ok(())
    }

    fn letter(&self, way: &Way, attempt: Attempt, batch: &Batch) -> DeadLetter {
        let answer = attempt.answer.unwrap_or_default();
        let body = self.packed.clone().unwrap_or_default();
        let destination = &self.desk.destination;
        DeadLetter {
            unix_s: self.shared.unix_s(),
            endpoint: way.endpoint.to_string(),
            project: destination.project.clone(),
            logstore: destination.logstore.clone(),
            status: answer.status,
            error_code: answer.error_code,
            message: answer.message,
            request_id: answer.request_id,
            first_seq: batch.seqs().first().map_or(0, |rows| rows.start),
            rows: u64::try_from(batch.rows()).unwrap_or(u64::MAX),
            raw_size: u64::try_from(body.raw_size).unwrap_or(u64::MAX),
            compression: body.compression.map(str::to_owned),
            body: Bytes::clone(&body.octets),
        }
    }

    /// Gets the next piece ready, or gives up if it is not due soon.
    fn again(&mut self, attempt: Attempt, at: Duration, why: Why) -> Result<(), Setback> {
        let now = self.shared.clock.now();
        {
            let mut stats = self.desk.stats();
            let is_half = why == Why::Halved;
            stats.split += u64::from(is_half);
            stats.retried += u64::from(!is_half);
        }
        if why == Why::Halved {
            self.packed = None;
            let whole = self.pieces.pop();
            if let Some((first, others)) = whole.and_then(|whole| whole.halves()) {
                self.pieces.extend([others, first].map(Arc::new));
            }
        }
        if why == Why::Clamped {
            self.packed = None;
        }
        let is_waiting = at > now;
        if at > now.saturating_add(KEEP_MAX) || is_waiting && self.shared.is_stopping() {
            let missing = match why {
                Why::Hold(hold @ (Hold::Project | Hold::Logstore)) => Some(hold),
                Why::Hold(_)
                | Why::Skew
                | Why::Credentials
                | Why::Throttled(_)
                | Why::Busy
                | Why::Unknown
                | Why::Halved
                | Why::Clamped => None,
            };
            // Other keys are tried at once; those that are refused too are
            // looked up again after a while only.
            let until = if attempt.has_other_keys { now } else { at };
            return Err(Setback {
                missing,
                ..self.setback(attempt.trouble, until)
            });
        }
        Ok(())
    }

    /// A setback that only an operator ends.
    fn slowly(&self, trouble: Trouble) -> Setback {
        let failures = self.delivery.failures().saturating_add(1);
        let slow = self.shared.settings.patience.slow;
        let until = self.shared.clock.now() + slow.wait(failures, random(), None);
        Setback {
            failures,
            ..self.setback(trouble, until)
        }
    }

    fn setback(&self, trouble: Trouble, until: Duration) -> Setback {
        Setback {
            trouble,
            until,
            failures: self.delivery.failures(),
            missing: None,
        }
    }
}

impl Attempt {
    fn without_keys(what: String) -> Self {
        let advice = "provide keys for the account";
        Self {
            outcome: Outcome::Answered {
                verdict: Verdict::Credentials,
                retry_after: None,
            },
            answer: None,
            trouble: Trouble::new("no-credentials", what, advice),
            has_other_keys: false,
        }
    }

    fn without_answer(error: &TransportError) -> Self {
        Self {
            outcome: Outcome::Unknown,
            answer: None,
            trouble: Trouble::new(error.label(), error.to_string(), error.advice()),
            has_other_keys: false,
        }
    }

    fn answered(answer: Response, verdict: Verdict, has_other_keys: bool) -> Self {
        let code = answer.error_code.as_deref().unwrap_or("no code");
        let what = format!("{} {code}: {}", answer.status, answer.message);
        Self {
            outcome: Outcome::Answered {
                verdict,
                retry_after: answer.retry_after,
            },
            trouble: Trouble::new(verdict.label(), what, advice(verdict)),
            answer: Some(answer),
            has_other_keys,
        }
    }
}

/// What the operator can do about a verdict that lasts.
fn advice(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Hold(hold) => hold.advice(),
        Verdict::RetryAfterSkew => "set this host's clock",
        Verdict::Credentials => "provide keys that the service takes",
        Verdict::Throttled(_) => SLOW_DOWN,
        Verdict::Retry => "wait, or ask the service's support",
        Verdict::Split | Verdict::Bisect | Verdict::Clamp | Verdict::DeadLetter => {
            "read the dead-letter file"
        }
        Verdict::Delivered => "",
    }
}

/// A permit that is given back whatever happens.
struct Leave {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    permit: Option<Permit>,
}

impl Leave {
    fn new(shared: &Arc<Shared>, desk: &Arc<Desk>, permit: Permit) -> Self {
        desk.stats().in_flight += 1;
        Self {
            shared: Arc::clone(shared),
            desk: Arc::clone(desk),
            permit: Some(permit),
        }
    }

    fn finish(mut self, verdict: Option<Verdict>) {
        let now = self.shared.clock.now();
        if let Some(permit) = self.permit.take() {
            let mut limiters = self.shared.limiters();
            limiters.finish(permit, verdict, now, random());
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let now = self.shared.clock.now();
            self.shared.limiters().cancel(permit, now);
        }
        self.desk.stats().in_flight -= 1;
        self.shared.permits.notify_waiters();
    }
}

/// How long a batch is kept in memory for something to pass.
pub(super) const KEEP_MAX: Duration = Duration::from_secs(2);
const PAUSED: &str = "paused";
const SLOW_DOWN: &str = "raise the quota or add shards";
