//! What happens to the rows of one batch until all of them are settled.

use std::ops::Range;
use std::time::Duration;

use super::pace::Backoff;
use super::verdict::Hold;
use super::verdict::Scope;
use super::verdict::Verdict;

/// One batch on its way: outcome of a request in, next action out.
///
/// Sends one piece at a time, at first all rows as one. Every row ends in
/// exactly one [`Action::Acknowledge`] or [`Action::DeadLetter`]; until then
/// it is asked for again, for ever if need be, so the journal keeps what is
/// not settled. `now` is what passed since an arbitrary start.
#[derive(Clone, Debug)]
pub struct Delivery {
    patience: Patience,
    /// What is not settled; the last is next.
    pieces: Vec<Piece>,
    /// When the next piece may be sent.
    due: Duration,
    /// Without one row settled.
    failures: u32,
    /// The last answer blamed our clock, and we have corrected it.
    corrected: bool,
    halvings_left: u32,
}

/// Rows that go in one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// Which of the batch.
    pub rows: Range<u32>,
    /// Their times are to be clamped to the service's window, as of now.
    pub clamp: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The service answered.
    Answered {
        /// What the answer means.
        verdict: Verdict,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// No answer, or not all of it: the rows may be stored or not.
    Unknown,
}

/// What is to be done next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// These rows are the service's.
    Acknowledge(Range<u32>),
    /// These rows go to the dead-letter file, and are settled then.
    DeadLetter(Range<u32>),
    /// The next piece is to be sent at this time, now or later.
    Send {
        /// Not before.
        at: Duration,
        /// Why again.
        why: Why,
    },
}

/// Why something is sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// Our clock was wrong: sign with the corrected time.
    Skew,
    /// The keys were refused: ask for new ones first.
    Credentials,
    /// A quota was exceeded.
    Throttled(Scope),
    /// An operator has to act.
    Hold(Hold),
    /// The service was in trouble.
    Busy,
    /// Nobody knows whether the rows arrived.
    Unknown,
    /// The request was too large, or its poison is looked for.
    Halved,
    /// Times are to be clamped.
    Clamped,
}

/// How patient a delivery is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// Waits when the service is in trouble or a quota is exceeded.
    pub backoff: Backoff,
    /// Waits when somebody has to act: keys, arrears, what does not exist.
    pub slow: Backoff,
    /// How often one batch is halved; what is refused then is put aside whole.
    pub halvings_max: u32,
}

impl Default for Patience {
    /// 15 s to 60 s for operators; 64 halvings find five poisonous rows of 4096.
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            slow: Backoff {
                least: Duration::from_secs(15),
                first: Duration::from_secs(30),
                longest: Duration::from_secs(60),
            },
            halvings_max: 64,
        }
    }
}

impl Delivery {
    /// A batch that may be sent at once.
    pub fn new(rows: Range<u32>, patience: Patience) -> Self {
        let whole = Piece { rows, clamp: false };
        Self {
            patience,
            pieces: Some(whole)
                .filter(|whole| !whole.rows.is_empty())
                .into_iter()
                .collect(),
            due: Duration::ZERO,
            failures: 0,
            corrected: false,
            halvings_left: patience.halvings_max,
        }
    }

    /// The same after so many failures in a row: what fails again waits longer.
    pub fn after_failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    /// Failures in a row, without one row settled.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// What is to be sent next; none when all rows are settled.
    pub fn piece(&self) -> Option<&Piece> {
        self.pieces.last()
    }

    /// When it may be sent.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Takes the outcome of the request with the current piece.
    ///
    /// `random` is any number. No action when nothing is left to send.
    pub fn ended(&mut self, outcome: Outcome, now: Duration, random: u64) -> Option<Action> {
        let piece = self.pieces.pop()?;
        let (verdict, retry_after) = match outcome {
            Outcome::Answered {
                verdict,
                retry_after,
            } => (verdict, retry_after),
            Outcome::Unknown => {
                return Some(self.later(piece, Why::Unknown, now, random, None));
            }
        };
        let was_corrected = std::mem::take(&mut self.corrected);
        Some(match verdict {
            Verdict::Delivered => {
                self.settle(now);
                Action::Acknowledge(piece.rows)
            }
            Verdict::DeadLetter => self.put_aside(piece, now),
            Verdict::RetryAfterSkew if !was_corrected => {
                self.corrected = true;
                self.again(piece, Why::Skew, now)
            }
            Verdict::RetryAfterSkew => self.later(piece, Why::Skew, now, random, retry_after),
            Verdict::Clamp if !piece.clamp => {
                let clamped = Piece {
                    clamp: true,
                    ..piece
                };
                self.again(clamped, Why::Clamped, now)
            }
            Verdict::Split | Verdict::Bisect | Verdict::Clamp => self.halve(piece, now),
            Verdict::Credentials => self.later(piece, Why::Credentials, now, random, retry_after),
            Verdict::Hold(what) => self.later(piece, Why::Hold(what), now, random, retry_after),
            Verdict::Throttled(scope) => {
                self.later(piece, Why::Throttled(scope), now, random, retry_after)
            }
            Verdict::Retry => self.later(piece, Why::Busy, now, random, retry_after),
        })
    }

    fn settle(&mut self, now: Duration) {
        self.failures = 0;
        self.due = now;
    }

    fn put_aside(&mut self, piece: Piece, now: Duration) -> Action {
        self.settle(now);
        Action::DeadLetter(piece.rows)
    }

    fn again(&mut self, piece: Piece, why: Why, now: Duration) -> Action {
        self.pieces.push(piece);
        self.due = now;
        Action::Send { at: now, why }
    }

    fn later(
        &mut self,
        piece: Piece,
        why: Why,
        now: Duration,
        random: u64,
        retry_after: Option<Duration>,
    ) -> Action {
        self.failures = self.failures.saturating_add(1);
        let backoff = match why {
            Why::Credentials | Why::Hold(_) | Why::Skew => &self.patience.slow,
            Why::Throttled(_) | Why::Busy | Why::Unknown | Why::Halved | Why::Clamped => {
                &self.patience.backoff
            }
        };
        let wait = backoff.wait(self.failures, random, retry_after);
        self.again(piece, why, now.saturating_add(wait))
    }

    /// Sends each half, the first at once; a single row is put aside.
    fn halve(&mut self, piece: Piece, now: Duration) -> Action {
        let Range { start, end } = piece.rows;
        let halvings_left = self.halvings_left.checked_sub(1);
        let Some(halvings_left) = halvings_left.filter(|_| end - start > 1) else {
            return self.put_aside(piece, now);
        };
        self.halvings_left = halvings_left;
        let middle = start + (end - start) / 2;
        let half = |rows| Piece { rows, ..piece };
        self.pieces.push(half(middle..end));
        self.again(half(start..middle), Why::Halved, now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    fn delivery(rows: u32) -> Delivery {
        Delivery::new(0..rows, Patience::default())
    }

    fn answered(verdict: Verdict) -> Outcome {
        Outcome::Answered {
            verdict,
            retry_after: None,
        }
    }

    fn end(delivery: &mut Delivery, verdict: Verdict) -> Action {
        delivery.ended(answered(verdict), NOW, 0).unwrap()
    }

    fn send(after: Duration, why: Why) -> Action {
        let at = NOW + after;
        Action::Send { at, why }
    }

    const SOON: Duration = Duration::from_millis(100);
    const SLOW: Duration = Duration::from_secs(15);

    #[test]
    fn failures_of_before_make_waits_longer() {
        let mut delivery = delivery(4).after_failures(9);
        let luck = u64::MAX;
        let Some(Action::Send { at, .. }) = delivery.ended(Outcome::Unknown, NOW, luck) else {
            panic!("not sent again");
        };
        assert!(at > NOW + Duration::from_millis(500), "{at:?}");
        assert_eq!(delivery.failures(), 10);
    }

    #[test]
    fn each_verdict_has_its_action() {
        let project = Scope::Project;
        for (verdict, expected) in [
            (Verdict::Delivered, Action::Acknowledge(0..4)),
            (Verdict::DeadLetter, Action::DeadLetter(0..4)),
            (Verdict::RetryAfterSkew, send(Duration::ZERO, Why::Skew)),
            (Verdict::Clamp, send(Duration::ZERO, Why::Clamped)),
            (Verdict::Split, send(Duration::ZERO, Why::Halved)),
            (Verdict::Bisect, send(Duration::ZERO, Why::Halved)),
            (Verdict::Credentials, send(SLOW, Why::Credentials)),
            (
                Verdict::Hold(Hold::Arrears),
                send(SLOW, Why::Hold(Hold::Arrears)),
            ),
            (
                Verdict::Throttled(project),
                send(SOON, Why::Throttled(project)),
            ),
            (Verdict::Retry, send(SOON, Why::Busy)),
        ] {
            assert_eq!(end(&mut delivery(4), verdict), expected, "{verdict:?}");
        }
        let unknown = delivery(4).ended(Outcome::Unknown, NOW, 0);
        assert_eq!(unknown, Some(send(SOON, Why::Unknown)));
    }

    #[test]
    fn the_clock_is_corrected_at_once_but_once() {
        let mut delivery = delivery(4);
        let skew = Verdict::RetryAfterSkew;
        assert_eq!(end(&mut delivery, skew), send(Duration::ZERO, Why::Skew));
        assert_eq!(end(&mut delivery, skew), send(SLOW, Why::Skew));
        assert_eq!(end(&mut delivery, skew), send(Duration::ZERO, Why::Skew));
    }

    #[test]
    fn times_are_clamped_once_and_then_the_bad_one_is_looked_for() {
        let mut delivery = delivery(2);
        end(&mut delivery, Verdict::Clamp);
        let clamp = true;
        assert_eq!(delivery.piece(), Some(&Piece { rows: 0..2, clamp }));
        end(&mut delivery, Verdict::Clamp);
        assert_eq!(delivery.piece(), Some(&Piece { rows: 0..1, clamp }));
        assert_eq!(end(&mut delivery, Verdict::Clamp), Action::DeadLetter(0..1));
        let action = end(&mut delivery, Verdict::Delivered);
        assert_eq!(action, Action::Acknowledge(1..2));
        assert_eq!(delivery.piece(), None);
        assert_eq!(delivery.ended(Outcome::Unknown, NOW, 0), None);
    }

    #[test]
    fn a_wish_of_the_service_is_granted() {
        let outcome = Outcome::Answered {
            verdict: Verdict::Retry,
            retry_after: Some(Duration::from_secs(9)),
        };
        let action = delivery(1).ended(outcome, NOW, 0);
        assert_eq!(action, Some(send(Duration::from_secs(9), Why::Busy)));
    }

    /// Drives a delivery against a service that refuses some rows.
    fn drive(rows: u32, is_poison: impl Fn(u32) -> bool) -> (Vec<u32>, Vec<u32>, u32) {
        let mut delivery = delivery(rows);
        let (mut taken, mut aside, mut requests) = (Vec::new(), Vec::new(), 0);
        while let Some(piece) = delivery.piece() {
            requests += 1;
            let verdict = match piece.rows.clone().any(&is_poison) {
                true => Verdict::Bisect,
                false => Verdict::Delivered,
            };
            match end(&mut delivery, verdict) {
                Action::Acknowledge(rows) => taken.extend(rows),
                Action::DeadLetter(rows) => aside.extend(rows),
                Action::Send { .. } => {}
            }
        }
        (taken, aside, requests)
    }

    #[test]
    fn one_poisonous_row_of_4096_is_found_with_25_requests() {
        let (taken, aside, requests) = drive(4096, |row| row == 1234);
        assert_eq!(aside, [1234]);
        assert_eq!(taken.len(), 4095);
        assert_eq!(requests, 25);
    }

    #[test]
    fn a_batch_of_poison_costs_a_bounded_number_of_requests() {
        let (taken, aside, requests) = drive(4096, |_| true);
        assert!(taken.is_empty());
        assert_eq!(aside.len(), 4096);
        assert_eq!(requests, 129);
    }

    #[test]
    fn an_hour_of_trouble_is_not_an_hour_of_requests() {
        for (verdict, most) in [
            (Verdict::Credentials, 240),
            (Verdict::Hold(Hold::Project), 240),
            (Verdict::RetryAfterSkew, 480),
        ] {
            let mut delivery = delivery(4);
            let (mut now, mut requests) = (NOW, 0);
            while now < NOW + Duration::from_secs(3600) {
                requests += 1;
                delivery.ended(answered(verdict), now, 0);
                now = delivery.due().max(now);
            }
            assert!(requests <= most, "{verdict:?}: {requests}");
            assert_eq!(delivery.piece().unwrap().rows, 0..4, "kept");
        }
    }

    fn any_outcome() -> impl Strategy<Value = Outcome> {
        proptest::sample::select(vec![
            Outcome::Unknown,
            answered(Verdict::Delivered),
            answered(Verdict::RetryAfterSkew),
            answered(Verdict::Throttled(Scope::Logstore)),
            answered(Verdict::Split),
            answered(Verdict::Bisect),
            answered(Verdict::Clamp),
            answered(Verdict::Credentials),
            answered(Verdict::Hold(Hold::Arrears)),
            answered(Verdict::Retry),
            answered(Verdict::DeadLetter),
        ])
    }

    proptest! {
        #[test]
        fn every_row_is_settled_exactly_once(
            rows in 0_u32..300,
            outcomes in proptest::collection::vec((any_outcome(), any::<u64>()), 0..400),
        ) {
            let mut delivery = delivery(rows);
            let mut settled = Vec::new();
            let delivered = (answered(Verdict::Delivered), 0);
            let rest = std::iter::repeat_n(delivered, 300);
            for (outcome, random) in outcomes.into_iter().chain(rest) {
                match delivery.ended(outcome, NOW, random) {
                    Some(Action::Acknowledge(rows) | Action::DeadLetter(rows)) => {
                        settled.extend(rows);
                    }
                    Some(Action::Send { at, .. }) => prop_assert_eq!(at, delivery.due()),
                    None => prop_assert!(delivery.piece().is_none()),
                }
            }
            settled.sort_unstable();
            prop_assert_eq!(settled, (0..rows).collect::<Vec<_>>());
        }
    }
}
