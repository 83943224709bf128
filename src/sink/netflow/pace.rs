//! How fast messages may follow each other: a receive buffer overflows silently.

/// A bucket of messages that fills at a steady rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Nanoseconds that one message takes.
    step_ns: u64,
    /// Until when messages taken out by now would last at the steady rate, by a
    /// monotonic clock.
    lasts_ns: u64,
}

impl Pace {
    /// So many messages a second, of which [`BURST`] may come at once.
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            step_ns: 1_000_000_000 / u64::from(per_second.max(1)),
            lasts_ns: 0,
        }
    }

    /// Takes a message out, at a time of a monotonic clock; how long to wait
    /// before it is sent, in nanoseconds.
    pub(super) fn take(&mut self, now_ns: u64) -> u64 {
        let burst_ns = self.step_ns.saturating_mul(BURST);
        self.lasts_ns = self.lasts_ns.max(now_ns).saturating_add(self.step_ns);
        self.lasts_ns
            .saturating_sub(now_ns.saturating_add(burst_ns))
    }
}

/// Messages that may come at once: of 1 400 octets, fewer than the receive
/// buffer of 208 KiB holds that Linux gives a socket that asks for none.
const BURST: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_what_follows_at_the_rate() {
        let mut pace = Pace::new(1_000);
        let start_ns = 10_000_000_000;
        for _ in 0..BURST {
            assert_eq!(pace.take(start_ns), 0);
        }
        assert_eq!(pace.take(start_ns), 1_000_000);
        assert_eq!(pace.take(start_ns), 2_000_000);
        assert_eq!(pace.take(start_ns + 3_000_000), 0);
    }

    #[test]
    fn after_a_rest_there_is_a_burst_again_and_no_more() {
        let mut pace = Pace::new(1_000);
        for now_ns in [0, 3_600_000_000_000] {
            let sent = (0..1_000).filter(|_| pace.take(now_ns) == 0).count();
            assert_eq!(u64::try_from(sent).unwrap(), BURST, "{now_ns}");
        }
    }
}
