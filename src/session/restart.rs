//! Exporters that start anew, and exporters that send nothing but nonsense.

/// Notices that an exporter restarted. P-418.
///
/// One odd Message proves nothing: others have lost all their Templates to a
/// reordered one. Uptime must fall by more than a minute and the sequence
/// start near 0, twice in a row in the same domain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restart {
    /// Uptime of the last Message that went on from those before it, and when
    /// it came, monotonic ms.
    seen: Option<(u32, u64)>,
    streak: u8,
}

impl Restart {
    /// Takes the next Message's header; `true` when a restart is certain.
    pub(crate) fn observe(&mut self, uptime: Option<u32>, sequence: u32, now_ms: u64) -> bool {
        let Some(now) = uptime else { return false };
        let fell = self
            .seen
            .is_some_and(|(before, seen_ms)| fell(before, now, now_ms.saturating_sub(seen_ms)));
        if !fell {
            self.seen = Some((now, now_ms));
            self.streak = 0;
            return false;
        }
        if sequence > SEQUENCE_NEAR_ZERO {
            return false;
        }
        self.streak += 1;
        if self.streak < CONSECUTIVE {
            return false;
        }
        *self = Self {
            seen: Some((now, now_ms)),
            streak: 0,
        };
        true
    }
}

/// Whether an uptime fell from `before` to `now` within `elapsed_ms`, other than
/// by a reordered Message or its wrap after 49.7 days.
///
/// A fall by more than half of that looks like a rise: it is one only if as
/// much time has passed.
fn fell(before: u32, now: u32, elapsed_ms: u64) -> bool {
    let fall = u64::from(before.wrapping_sub(now));
    let rise = u64::from(now.wrapping_sub(before));
    let is_back = fall < HALF_A_TURN_MS;
    let is_too_soon = now < before && rise > elapsed_ms.saturating_add(UPTIME_FALL_MS);
    fall > UPTIME_FALL_MS && (is_back || is_too_soon)
}

/// Stops listening to a session whose Messages are all malformed. P-112.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quarantine {
    malformed: u8,
    skipped: u8,
}

impl Quarantine {
    /// Whether the next Message is looked at; in quarantine only probes are.
    pub(crate) fn admits(&mut self) -> bool {
        if !self.is_closed() {
            return true;
        }
        self.skipped = (self.skipped + 1) % PROBE_EVERY;
        self.skipped == 0
    }

    /// Notes how a Message turned out; a sound one ends the quarantine.
    pub(crate) fn note(&mut self, is_sound: bool) {
        self.malformed = if is_sound {
            0
        } else {
            self.malformed.saturating_add(1).min(MALFORMED_MAX)
        };
    }

    /// Whether the session is in quarantine.
    pub(crate) fn is_closed(self) -> bool {
        self.malformed >= MALFORMED_MAX
    }
}

/// More than any reordering explains.
const UPTIME_FALL_MS: u64 = 60_000;
/// Half of what an uptime can tell apart: 24.8 days.
const HALF_A_TURN_MS: u64 = 1 << 31;
/// Where an exporter counts from; v5 counts flows and may start with a burst.
const SEQUENCE_NEAR_ZERO: u32 = 4096;
/// Messages in a row that must say so.
const CONSECUTIVE: u8 = 2;
/// "The last few Messages." RFC 7011 §9.1.
const MALFORMED_MAX: u8 = 8;
/// In quarantine one Message of these is a probe: often enough that someone
/// who forges malformed Messages cannot silence the exporter for long.
const PROBE_EVERY: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_messages_near_zero_make_a_restart() {
        let mut restart = Restart::default();
        assert!(!restart.observe(Some(10_000_000), 900, 0));
        assert!(!restart.observe(Some(2_000), 0, 0));
        assert!(restart.observe(Some(2_500), 1, 0));
        assert!(!restart.observe(Some(3_000), 2, 0));
    }

    #[test]
    fn a_reordered_message_makes_no_restart() {
        let mut restart = Restart::default();
        for (uptime, sequence) in [(100_000, 5), (39_000, 1), (101_000, 6), (39_500, 2)] {
            assert!(!restart.observe(Some(uptime), sequence, 0));
        }
    }

    #[test]
    fn the_wrap_of_the_uptime_makes_no_restart() {
        let mut restart = Restart::default();
        for (uptime, sequence) in [(u32::MAX - 5_000, 1), (1_000, 2), (2_000, 3)] {
            assert!(!restart.observe(Some(uptime), sequence, 0));
        }
    }

    /// An uptime that falls by more than 24.8 days looks like one that rises.
    #[test]
    fn a_restart_after_a_month_is_a_restart() {
        let month = 30 * 86_400_000;
        let mut restart = Restart::default();
        assert!(!restart.observe(Some(month), 900_000, 1_000));
        assert!(!restart.observe(Some(2_000), 0, 181_000));
        assert!(restart.observe(Some(2_500), 1, 181_500));
        // Silent until its uptime wrapped, which is 19.7 days later.
        let mut restart = Restart::default();
        assert!(!restart.observe(Some(month), 0, 1_000));
        let later_ms = (1_u64 << 32) - u64::from(month) + 1_000;
        for sequence in [1, 2, 3] {
            assert!(!restart.observe(Some(2_000), sequence, later_ms));
        }
    }

    #[test]
    fn a_fallen_uptime_with_a_high_sequence_makes_no_restart() {
        let mut restart = Restart::default();
        assert!(!restart.observe(Some(10_000_000), 70_000, 0));
        for sequence in 70_001..70_010 {
            assert!(!restart.observe(Some(1_000), sequence, 0));
        }
    }

    #[test]
    fn eight_malformed_messages_close_a_session_and_one_sound_probe_opens_it() {
        let mut quarantine = Quarantine::default();
        for _ in 0..7 {
            quarantine.note(false);
        }
        assert!(quarantine.admits());
        quarantine.note(false);
        let admitted: Vec<bool> = (0..32).map(|_| quarantine.admits()).collect();
        assert_eq!(admitted.iter().filter(|&&admitted| admitted).count(), 2);
        assert!(admitted[15] && admitted[31]);
        quarantine.note(true);
        assert!(quarantine.admits());
    }
}
