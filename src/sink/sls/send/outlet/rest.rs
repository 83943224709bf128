//! Times without sending: how they begin, what is tried, how they end.

use std::time::Duration;

use super::Outlet;
use crate::sink::sls::FieldChoice;
use crate::sink::sls::send::Trouble;
use crate::sink::sls::send::courier::Setback;
use crate::sink::sls::send::course::Lane;
use crate::sink::sls::send::create::create;
use crate::sink::sls::send::shared::random;

/// A time without sending, and the request after it.
pub(super) struct Rest {
    pub(super) setback: Setback,
    since: Duration,
    /// What was missing has been created, or not, once.
    has_created: bool,
}

impl Rest {
    /// Ends the waiting: things are not as they were.
    pub(super) fn renew(&mut self, now: Duration) {
        self.setback.until = now;
        self.has_created = false;
    }
}

impl Outlet {
    /// Ends the rest: the service took something.
    pub(super) fn resume(&mut self) {
        if let Some(rest) = self.rest.take() {
            let lasted = self.shared.clock.now().saturating_sub(rest.since);
            let label = rest.setback.trouble.label;
            self.complaints.end(&self.desk, label, lasted);
            self.desk.stats().trouble = None;
        }
    }

    /// Rests because of something that is not a request's outcome.
    pub(super) fn rest_slowly(&mut self, trouble: Trouble) {
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
    pub(super) fn rest(&mut self, setback: Setback) {
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

    /// Creates what is missing, once per rest, if that is wanted.
    pub(super) async fn try_to_create(&mut self, fields: &FieldChoice) {
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
}
