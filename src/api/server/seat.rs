//! What a connection does just now, and how long it may.
//!
//! hyper's own limit for heads also runs between requests, where clients with a
//! pool of connections rely on minutes. So times are kept here.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Closed;

/// How long a connection may be in each state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the first octet of a head, or the accepting, to the head's end.
    pub(super) head: Duration,
    /// From an answer to the next request.
    pub(super) idle: Duration,
    /// For the client to take anything of what is written.
    pub(super) write: Duration,
}

/// A connection's place among those that may be open.
#[derive(Debug)]
pub(super) struct Seat {
    patience: Patience,
    state: Mutex<State>,
    told: Notify,
}

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    /// Since when nothing of what was written was taken.
    stalled: Option<Instant>,
    /// Since when nothing came of the request's body, and it is wanted.
    withheld: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// A head, or TLS, is to come or coming.
    Awaited(Instant),
    /// A request is being answered.
    Busy,
    /// The last answer is out.
    Idle(Instant),
    /// It is to be closed, and no request is taken.
    Left(Option<Closed>),
}

impl State {
    /// Who goes first where there is no room: the lowest. Those that wait for us
    /// stay.
    fn rank(&self) -> Option<(u8, Instant)> {
        match self.phase {
            Phase::Awaited(since) => Some((0, since)),
            Phase::Idle(since) => Some((1, since)),
            Phase::Busy => self.withheld.map(|since| (2, since)),
            Phase::Left(_) => None,
        }
    }
}

impl Seat {
    pub(super) fn new(patience: Patience, now: Instant) -> Self {
        Self {
            patience,
            state: Mutex::new(State {
                phase: Phase::Awaited(now),
                stalled: None,
                withheld: None,
            }),
            told: Notify::new(),
        }
    }

    /// Octets came.
    pub(super) fn hear(&self, now: Instant) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Idle(_)) {
            state.phase = Phase::Awaited(now);
        }
    }

    /// A head is whole; no if its request is not to be answered any more.
    #[must_use]
    pub(super) fn begin(&self) -> bool {
        let mut state = self.state();
        let may = !matches!(state.phase, Phase::Left(_));
        if may {
            state.phase = Phase::Busy;
        }
        may
    }

    /// An answer is out, or as much of it as there will be.
    fn finish(&self, now: Instant) {
        let mut state = self.state();
        if state.phase == Phase::Busy {
            state.phase = Phase::Idle(now);
        }
    }

    /// Octets were taken by the client, or were not.
    pub(super) fn write(&self, is_taken: bool, now: Instant) {
        let mut state = self.state();
        state.stalled = match (is_taken, state.stalled) {
            (true, _) => None,
            (false, since) => since.or(Some(now)),
        };
    }

    /// More of a request's body was wanted: it came, or is awaited.
    fn read(&self, is_there: bool, now: Instant) {
        let mut state = self.state();
        state.withheld = match (is_there, state.withheld) {
            (true, _) => None,
            (false, since) => since.or(Some(now)),
        };
    }

    /// Ends it in favour of another, if it waits for its client; whether it does.
    fn make_room(&self) -> bool {
        let state = self.state();
        let waits = state.rank().is_some();
        if waits {
            self.leave(state, Some(Closed::Displaced));
        }
        waits
    }

    /// Ends it if it has no request.
    fn stop(&self) {
        let state = self.state();
        if matches!(state.phase, Phase::Awaited(_) | Phase::Idle(_)) {
            self.leave(state, None);
        }
    }

    fn leave(&self, mut state: MutexGuard<'_, State>, why: Option<Closed>) {
        state.phase = Phase::Left(why);
        drop(state);
        self.told.notify_one();
    }

    /// Resolves when the connection is to be closed, with the reason if that is
    /// to be counted.
    pub(super) async fn overdue(&self) -> Option<Closed> {
        loop {
            let now = Instant::now();
            let due = match self.due() {
                Ok(due) => due,
                Err(why) => return why,
            };
            match due {
                Some((moment, why)) if moment <= now => return Some(why),
                // No time is shorter than those, whatever begins meanwhile.
                _ => {
                    let soon = now + self.patience.head.min(self.patience.write);
                    let wake = due.map_or(soon, |(moment, _)| moment.min(soon));
                    tokio::select! {
                        () = tokio::time::sleep_until(wake) => {}
                        () = self.told.notified() => {}
                    }
                }
            }
        }
    }

    /// When patience ends, and the reason; as an error, why it was told to leave.
    fn due(&self) -> Result<Option<(Instant, Closed)>, Option<Closed>> {
        let State { phase, stalled, .. } = *self.state();
        let of_phase = match phase {
            Phase::Awaited(since) => Some((since + self.patience.head, Closed::Late)),
            Phase::Idle(since) => Some((since + self.patience.idle, Closed::Idle)),
            Phase::Busy => None,
            Phase::Left(why) => return Err(why),
        };
        let of_write = stalled.map(|since| (since + self.patience.write, Closed::Stalled));
        let dues = of_phase.into_iter().chain(of_write);
        Ok(dues.min_by_key(|(moment, _)| *moment))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics within; a state is whole at all times.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that are taken.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<(u64, BTreeMap<u64, Arc<Seat>>)>);

impl Seats {
    /// Gives a seat its number.
    pub(super) fn take(&self, seat: &Arc<Seat>) -> u64 {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, taken) = &mut *seats;
        *next += 1;
        taken.insert(*next, Arc::clone(seat));
        *next
    }

    /// Forgets the seat of a number.
    pub(super) fn free(&self, number: u64) {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seats.1.remove(&number);
    }

    /// Closes the connection that has waited longest for its client: for the head
    /// of a request, else for another request, else for a body. No where all
    /// wait for us.
    pub(super) fn displace(&self) -> bool {
        let seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let ranked = seats.1.values();
            let ranked = ranked.filter_map(|seat| Some((seat.state().rank()?, seat)));
            let Some((_, last)) = ranked.min_by_key(|(rank, _)| *rank) else {
                return false;
            };
            // What it waits for may have come just now; then it has no rank.
            if last.make_room() {
                return true;
            }
        }
    }

    /// Closes all that have no request.
    pub(super) fn clear(&self) {
        let seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seats.1.values().for_each(|seat| seat.stop());
    }
}

/// The body of a request, which says when it is awaited.
pub(super) struct Question {
    body: Incoming,
    seat: Arc<Seat>,
}

impl Question {
    pub(super) fn new(body: Incoming, seat: Arc<Seat>) -> Self {
        Self { body, seat }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.seat.read(true, Instant::now());
    }
}

impl HttpBody for Question {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.seat.read(frame.is_ready(), Instant::now());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, which says when it is over.
pub(super) struct Answer {
    body: Body,
    seat: Arc<Seat>,
}

impl Answer {
    pub(super) fn new(body: Body, seat: Arc<Seat>) -> Self {
        Self { body, seat }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.seat.finish(Instant::now());
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(120),
        write: Duration::from_secs(60),
    };

    fn seat(now: Instant) -> Arc<Seat> {
        Arc::new(Seat::new(PATIENCE, now))
    }

    fn second(since: Instant, seconds: u64) -> Instant {
        since + Duration::from_secs(seconds)
    }

    #[test]
    fn a_head_has_its_time_from_the_first_octet() {
        let start = Instant::now();
        let seat = seat(start);
        // The first head has it from the accepting, however much came of it.
        seat.hear(second(start, 9));
        assert_eq!(seat.due(), Ok(Some((second(start, 10), Closed::Late))));
        assert!(seat.begin());
        assert_eq!(seat.due(), Ok(None));
        seat.finish(second(start, 30));
        assert_eq!(seat.due(), Ok(Some((second(start, 150), Closed::Idle))));
        seat.hear(second(start, 100));
        seat.hear(second(start, 109));
        assert_eq!(seat.due(), Ok(Some((second(start, 110), Closed::Late))));
    }

    #[test]
    fn a_client_that_takes_nothing_has_a_time_of_its_own() {
        let start = Instant::now();
        let seat = seat(start);
        assert!(seat.begin());
        seat.write(false, second(start, 1));
        seat.write(false, second(start, 5));
        assert_eq!(seat.due(), Ok(Some((second(start, 61), Closed::Stalled))));
        seat.write(true, second(start, 6));
        assert_eq!(seat.due(), Ok(None));
        // Also after the answer, which may be in no buffer of ours any more.
        seat.write(false, second(start, 7));
        seat.finish(second(start, 8));
        assert_eq!(seat.due(), Ok(Some((second(start, 67), Closed::Stalled))));
    }

    #[test]
    fn who_sent_no_request_goes_first_and_who_is_busy_stays() {
        let start = Instant::now();
        let [idle, new, newer, busy, body] = [0, 1, 2, 3, 4].map(|at| seat(second(start, at)));
        assert!(idle.begin() && busy.begin() && body.begin());
        idle.finish(start);
        body.read(false, start);
        let seats = Seats::default();
        for seat in [&body, &idle, &newer, &new, &busy] {
            seats.take(seat);
        }
        for gone in [&new, &newer, &idle, &body] {
            assert!(seats.displace());
            assert_eq!(gone.due(), Err(Some(Closed::Displaced)));
            assert!(!gone.begin());
        }
        assert!(!seats.displace());
        assert_eq!(busy.due(), Ok(None));
    }

    #[test]
    fn a_body_that_came_is_withheld_no_more() {
        let start = Instant::now();
        let seat = seat(start);
        let seats = Seats::default();
        seats.take(&seat);
        assert!(seat.begin());
        seat.read(false, start);
        seat.read(true, second(start, 1));
        assert!(!seats.displace());
        // A stop lets it come.
        seat.read(false, second(start, 2));
        seats.clear();
        assert_eq!(seat.due(), Ok(None));
    }

    #[test]
    fn a_seat_that_is_free_is_nobodys() {
        let seats = Seats::default();
        let seat = seat(Instant::now());
        let number = seats.take(&seat);
        seats.free(number);
        assert!(!seats.displace());
        assert!(seat.begin());
    }

    #[tokio::test]
    async fn who_must_leave_is_told_at_once() {
        let seat = seat(Instant::now());
        let (why, ()) = tokio::join!(seat.overdue(), async {
            assert!(seat.make_room());
        });
        assert_eq!(why, Some(Closed::Displaced));
    }
}
