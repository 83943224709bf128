//! What an exporter's own active timer is. P-612.
//!
//! An exporter reports a long flow each time its active timer ends, so the
//! longest spans of single records pile up at that timer. Told values (elements
//! 36 and 37) go before what is seen.

/// Shorter spans say nothing.
const SPAN_MIN_MS: u64 = 1_000;
/// Longer spans are no timer's; with the half on top the inactive timer stays
/// below the 6000 s that can be configured.
const SPAN_MAX_MS: u64 = 4_000_000;
/// Votes that make a candidate believed.
const VOTES: u8 = 8;
/// Votes of a record that says it ended by the active timer.
const CERTAIN: u8 = 4;
/// Shorter spans in a row after which a candidate was a stray.
const STRAY: u8 = 64;

/// A running estimate, in constant space.
///
/// A span longer than what is believed becomes the candidate; spans like it
/// vote for it, longer ones against, and shorter ones are what traffic is like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Learner {
    /// 0 is unknown.
    told_ms: u32,
    /// 0 is unknown.
    seen_ms: u32,
    candidate_ms: u32,
    votes: u8,
    /// Spans in a row that were shorter than the candidate.
    shorter: u8,
    /// Spans in a row that were shorter than `seen_ms`.
    misses: u16,
}

impl Learner {
    /// The exporter's active timer in ms, if known.
    pub(super) fn active_ms(&self) -> Option<u64> {
        let best = if self.told_ms > 0 {
            self.told_ms
        } else {
            self.seen_ms
        };
        (best > 0).then_some(u64::from(best))
    }

    /// Whether the exporter itself named its timer.
    pub(super) fn is_told(&self) -> bool {
        self.told_ms > 0
    }

    /// Takes what the exporter says; 0 takes it back.
    pub(super) fn tell(&mut self, active_ms: u64) {
        self.told_ms = narrow(active_ms.min(SPAN_MAX_MS));
    }

    /// Looks at the span of one record; `certain` if the active timer ended it.
    ///
    /// Says whether the timer is now held to be shorter than before.
    #[inline(always)]
    pub(super) fn see(&mut self, span_ms: u64, certain: bool) -> bool {
        if !(SPAN_MIN_MS..=SPAN_MAX_MS).contains(&span_ms) || self.is_told() {
            return false;
        }
        let before = self.seen_ms;
        self.vote(narrow(span_ms), if certain { CERTAIN } else { 1 });
        self.seen_ms < before
    }

    fn vote(&mut self, span_ms: u32, weight: u8) {
        if self.seen_ms > 0 && is_near(span_ms, self.seen_ms) {
            self.misses = 0;
            return;
        }
        if span_ms < self.seen_ms {
            self.miss();
            return;
        }
        if self.votes == 0 {
            self.candidate_ms = span_ms;
            self.votes = weight;
            self.shorter = 0;
        } else if is_near(span_ms, self.candidate_ms) {
            self.votes = self.votes.saturating_add(weight);
            self.shorter = 0;
        } else if span_ms > self.candidate_ms {
            self.votes = self.votes.saturating_sub(weight);
        } else {
            self.shorter += 1;
            if self.shorter >= STRAY {
                self.votes = 0;
            }
        }
        if self.votes >= VOTES {
            self.seen_ms = self.candidate_ms;
            self.votes = 0;
            self.misses = 0;
        }
    }

    /// Forgets a timer that no record has reached for long.
    fn miss(&mut self) {
        match self.misses.checked_add(1) {
            Some(misses) => self.misses = misses,
            None => *self = Self::default(),
        }
    }
}

/// Within a tenth: timers are checked in rounds of seconds.
fn is_near(one_ms: u32, other_ms: u32) -> bool {
    one_ms.abs_diff(other_ms) <= one_ms.max(other_ms) / 10
}

fn narrow(ms: u64) -> u32 {
    u32::try_from(ms).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(spans: impl IntoIterator<Item = u64>) -> Option<u64> {
        let mut learner = Learner::default();
        for span in spans {
            learner.see(span, false);
        }
        learner.active_ms()
    }

    #[test]
    fn a_timer_is_learned_from_spans_that_pile_up() {
        assert_eq!(after([60_000; 7]), None);
        assert_eq!(after([60_000; 8]), Some(60_000));
    }

    #[test]
    fn shorter_flows_in_between_do_not_hide_the_timer() {
        let mixed = (0..400_u64).map(|i| {
            if i % 3 == 0 {
                60_000 + i
            } else {
                i * 97 % 50_000
            }
        });
        let learned = after(mixed).unwrap();
        assert!((55_000..66_000).contains(&learned), "{learned}");
    }

    #[test]
    fn a_stray_long_record_does_not_keep_the_timer_from_being_learned() {
        let stray = std::iter::once(3_900_000);
        assert_eq!(after(stray.chain([60_000; 72])), Some(60_000));
    }

    #[test]
    fn two_records_that_say_active_are_enough() {
        let mut learner = Learner::default();
        learner.see(1_800_000, true);
        assert_eq!(learner.active_ms(), None);
        learner.see(1_800_000, true);
        assert_eq!(learner.active_ms(), Some(1_800_000));
    }

    #[test]
    fn short_flows_and_nonsense_teach_nothing() {
        assert_eq!(after([999; 100]), None);
        assert_eq!(after([4_000_001; 100]), None);
    }

    #[test]
    fn what_the_exporter_says_goes_before_what_is_seen() {
        let mut learner = Learner::default();
        learner.tell(30_000);
        for _ in 0..20 {
            learner.see(60_000, true);
        }
        assert_eq!(
            (learner.active_ms(), learner.is_told()),
            (Some(30_000), true)
        );
        learner.tell(0);
        assert_eq!(learner.active_ms(), None);
    }

    #[test]
    fn a_timer_no_record_reaches_any_more_is_forgotten() {
        let mut learner = Learner::default();
        for _ in 0..8 {
            learner.see(1_800_000, false);
        }
        for _ in 0..=u16::MAX {
            assert_eq!(learner.active_ms(), Some(1_800_000));
            learner.see(60_000, false);
        }
        assert_eq!(learner.active_ms(), None);
    }
}
