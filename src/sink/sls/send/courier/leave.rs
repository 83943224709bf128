//! Leave to send a request, as the limiters give it.

use std::sync::Arc;

use super::Courier;
use super::KEEP_MAX;
use super::setback::PAUSED;
use super::setback::Setback;
use crate::sink::sls::Permit;
use crate::sink::sls::Verdict;
use crate::sink::sls::send::Trouble;
use crate::sink::sls::send::shared::Shared;
use crate::sink::sls::send::shared::random;
use crate::sink::sls::send::stats::Desk;

/// A permit that is given back whatever happens.
pub(super) struct Leave {
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

    pub(super) fn finish(mut self, verdict: Option<Verdict>) {
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

impl Courier {
    /// Waits for leave to send one request, but not for long.
    pub(super) async fn leave(&self) -> Result<Leave, Setback> {
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
}
