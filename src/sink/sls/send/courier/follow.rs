//! What follows from how a request ended.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Courier;
use super::KEEP_MAX;
use super::attempt::Attempt;
use super::setback::Setback;
use crate::sink::sls::Action;
use crate::sink::sls::Batch;
use crate::sink::sls::DeadLetter;
use crate::sink::sls::Hold;
use crate::sink::sls::Verdict;
use crate::sink::sls::Why;
use crate::sink::sls::send::Way;
use crate::sink::sls::send::shared::random;

impl Courier {
    /// Does what the outcome of a request asks for.
    pub(super) async fn follow(&mut self, way: &Way, attempt: Attempt) -> Result<(), Setback> {
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
        self.renew(why);
        let is_soon = at <= now.saturating_add(KEEP_MAX);
        if is_soon && (at <= now || !self.shared.is_stopping()) {
            return Ok(());
        }
        // Other keys are tried at once; those that are refused too are looked
        // up again after a while only.
        let until = if attempt.has_other_keys { now } else { at };
        Err(Setback {
            missing: missing(why),
            ..self.setback(attempt.trouble, until)
        })
    }

    /// Makes of the current piece what is to be sent in its place.
    fn renew(&mut self, why: Why) {
        let is_half = why == Why::Halved;
        {
            let mut stats = self.desk.stats();
            stats.split += u64::from(is_half);
            stats.retried += u64::from(!is_half);
        }
        if is_half {
            let whole = self.pieces.pop();
            if let Some((first, others)) = whole.and_then(|whole| whole.halves()) {
                self.pieces.extend([others, first].map(Arc::new));
            }
        }
        if is_half || why == Why::Clamped {
            self.packed = None;
        }
    }
}

/// What the service said does not exist.
fn missing(why: Why) -> Option<Hold> {
    match why {
        Why::Hold(hold @ (Hold::Project | Hold::Logstore)) => Some(hold),
        Why::Hold(_)
        | Why::Skew
        | Why::Credentials
        | Why::Throttled(_)
        | Why::Busy
        | Why::Unknown
        | Why::Halved
        | Why::Clamped => None,
    }
}
