//! What a destination's trouble sounds like in the log.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::sink::sls::send::Trouble;
use crate::sink::sls::send::stats::Desk;

/// Keeps an outlet from saying the same again and again.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    /// By the trouble's name, of which there are few: when it was told last.
    told: BTreeMap<&'static str, Duration>,
}

impl Complaints {
    pub(super) fn begin(&mut self, desk: &Desk, trouble: &Trouble, now: Duration) {
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

    pub(super) fn end(&self, desk: &Desk, label: &str, lasted: Duration) {
        if self.told.contains_key(label) && lasted >= SILENCE {
            let seconds = lasted.as_secs();
            tracing::info!(destination = %desk.destination, label, seconds, "delivers again");
        }
    }
}

/// How long one complaint of a destination stands for the next of its kind.
const SILENCE: Duration = Duration::from_mins(10);
