//! Why a courier comes back with rows.

use std::time::Duration;

use crate::sink::sls::Hold;
use crate::sink::sls::send::Trouble;

/// Why a destination is to be left alone for a while.
#[derive(Clone, Debug)]
pub(in crate::sink::sls::send) struct Setback {
    pub(in crate::sink::sls::send) trouble: Trouble,
    /// Until when.
    pub(in crate::sink::sls::send) until: Duration,
    /// Failures in a row.
    pub(in crate::sink::sls::send) failures: u32,
    /// What does not exist, if that is the trouble.
    pub(in crate::sink::sls::send) missing: Option<Hold>,
}

impl Setback {
    /// The same, after another that has not been overcome.
    ///
    /// A pause of the limiter is the consequence of what was before.
    pub(in crate::sink::sls::send) fn after(self, before: &Self) -> Self {
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

/// The name of the trouble that a pause of the limiter is.
pub(super) const PAUSED: &str = "paused";
