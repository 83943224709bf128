//! Exporters that start anew, and exporters that send nothing but nonsense.

/// Notices that an exporter restarted. P-418.
///
/// One odd Message proves nothing: others have lost all their Templates to a
/// reordered one. Uptime must fall by more than a minute and the sequence
/// start near 0, twice in a row in the same domain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restart {
    uptime: Option<u32>,
    streak: u8,
}

impl Restart {
    /// Takes the next Message's header; `true` when a restart is certain.
    pub(crate) fn observe(&mut self, uptime: Option<u32>, sequence: u32) -> bool {
        let Some(now) = uptime else { return false };
        let fell = self
            .uptime
            .is_some_and(|before| before.wrapping_sub(now).cast_signed() > UPTIME_FALL_MS);
        if !fell {
            self.uptime = Some(now);
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
            uptime: Some(now),
            streak: 0,
        };
        true
    }
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
const UPTIME_FALL_MS: i32 = 60_000;
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
        assert!(!restart.observe(Some(10_000_000), 900));
        assert!(!restart.observe(Some(2_000), 0));
        assert!(restart.observe(Some(2_500), 1));
        assert!(!restart.observe(Some(3_000), 2));
    }

    #[test]
    fn a_reordered_message_makes_no_restart() {
        let mut restart = Restart::default();
        for (uptime, sequence) in [(100_000, 5), (39_000, 1), (101_000, 6), (39_500, 2)] {
            assert!(!restart.observe(Some(uptime), sequence));
        }
    }

    #[test]
    fn the_wrap_of_the_uptime_makes_no_restart() {
        let mut restart = Restart::default();
        for (uptime, sequence) in [(u32::MAX - 5_000, 1), (1_000, 2), (2_000, 3)] {
            assert!(!restart.observe(Some(uptime), sequence));
        }
    }

    #[test]
    fn a_fallen_uptime_with_a_high_sequence_makes_no_restart() {
        let mut restart = Restart::default();
        assert!(!restart.observe(Some(10_000_000), 70_000));
        for sequence in 70_001..70_010 {
            assert!(!restart.observe(Some(1_000), sequence));
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
