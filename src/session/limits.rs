//! What senders may make us remember, and for how long.

use crate::session::ClockLimits;

/// Every table a sender can grow, and its end. P-820.
///
/// All of one lane; a daemon with several lanes divides the totals among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Sessions past probation.
    pub sessions_max: usize,
    /// Sessions on probation; a new one takes the place of a random old one.
    pub probation_max: usize,
    /// New sessions per second of exporters the operator does not name (P-801).
    pub sessions_per_second: u32,
    /// Sources (exporter and domain) with an id, held ones too.
    pub sources_max: usize,
    /// Domains of all sessions; beyond, a session that has one already gives
    /// up its idlest for a new one. About 2 KiB each.
    pub domains_max: usize,
    /// Domains of one session.
    pub domains_per_session_max: usize,
    /// Templates of one domain.
    pub templates_per_domain_max: usize,
    /// Definition octets of one session.
    pub session_definition_bytes_max: usize,
    /// Definition octets of all sessions.
    pub definition_bytes_max: usize,
    /// Fields of one Template; RFC 5471 §3.5.3 asks for 16370.
    pub fields_per_template_max: usize,
    /// New or changed definitions a session may send per second (P-801); a
    /// minute's worth may come at once.
    pub definitions_per_second: u32,
    /// Different definitions of one id within a minute that are normal (P-810).
    pub redefinitions_per_minute: u8,
    /// Data kept for Templates to come, octets of one session; 0 keeps nothing.
    pub session_orphan_bytes_max: usize,
    /// As `session_orphan_bytes_max`, of all sessions.
    pub orphan_bytes_max: usize,
    /// How long such data waits; `None` is for ever.
    pub orphan_age_max_ms: Option<u64>,
    /// Entries in the option tables of one session.
    pub option_entries_max: usize,
    /// Octets of the option tables of all sessions.
    pub option_bytes_max: usize,
    /// Octets of a name out of options (P-811).
    pub name_bytes_max: usize,
    /// Records taken of one datagram (P-822).
    pub records_per_datagram_max: u32,
    /// Records of flows taken of one source per second; a second's worth may
    /// come at once (P-822). `None` is without limit.
    pub records_per_second_max: Option<u32>,
    /// Messages of its domain for which a Template is used without being sent
    /// again; `None` is however many. RFC 6728 §4.5.2 (P-411).
    pub template_messages_max: Option<u32>,
    /// How long a Template is used without being sent again, at least (P-410).
    pub template_lifetime_ms: u64,
    /// As `template_lifetime_ms`, at most: three of an exporter's own refresh
    /// intervals count between the two.
    pub template_lifetime_max_ms: u64,
    /// How long a session may be silent before it is forgotten (P-416).
    pub session_idle_ms: u64,
    /// How long the id of a forgotten source is not given to another: longer
    /// than any flow of it stays in the cache.
    pub source_hold_ms: u64,
    /// How far exporters' clocks may be off.
    pub clock: ClockLimits,
}

impl Limits {
    /// For captures: data waits for its Template without end.
    pub fn offline() -> Self {
        Self {
            orphan_age_max_ms: None,
            session_orphan_bytes_max: usize::MAX,
            orphan_bytes_max: usize::MAX,
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions_max: 10_000,
            probation_max: 4_096,
            sessions_per_second: 1_000,
            sources_max: 65_536,
            domains_max: 16_384,
            domains_per_session_max: 64,
            templates_per_domain_max: 1_024,
            session_definition_bytes_max: 1 << 20,
            definition_bytes_max: 256 << 20,
            fields_per_template_max: 16_370,
            definitions_per_second: 64,
            redefinitions_per_minute: 4,
            session_orphan_bytes_max: 256 << 10,
            orphan_bytes_max: 64 << 20,
            orphan_age_max_ms: Some(60_000),
            option_entries_max: 65_536,
            option_bytes_max: 64 << 20,
            name_bytes_max: 256,
            records_per_datagram_max: 16_384,
            records_per_second_max: None,
            template_messages_max: None,
            // Three times the 30 minutes after which Huawei, H3C and ASA send again.
            template_lifetime_ms: 5_400_000,
            template_lifetime_max_ms: 8 * 86_400_000,
            session_idle_ms: 10_800_000,
            source_hold_ms: 7_200_000,
            clock: ClockLimits::default(),
        }
    }
}

/// Whose Templates a Data Set may use. P-402, P-403.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ScopeMode {
    /// Those of the same exporter, ports, version and domain.
    Strict,
    /// Those; without one, the definition that all other ports of the exporter
    /// agree on, for exporters behind NAT and those that use several ports.
    #[default]
    Fallback,
    /// The latest definition of the exporter, whatever the ports.
    IpOnly,
}

/// What carries the Messages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Transport {
    /// UDP: definitions age, withdrawals mean nothing. RFC 7011 §8.4.
    #[default]
    Datagrams,
    /// TCP or TLS: definitions last until withdrawn. RFC 7011 §8.1.
    Stream,
}

/// So many now, so many more a second. P-801.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    /// Thousandths of a token.
    milli: u64,
    filled_ms: u64,
}

impl TokenBucket {
    /// Full at the first use.
    pub(crate) fn new() -> Self {
        Self {
            milli: u64::MAX,
            filled_ms: 0,
        }
    }

    /// Takes one token, if there is one.
    pub(crate) fn take(&mut self, now_ms: u64, per_second: u32, burst: u32) -> bool {
        self.take_up_to(1, now_ms, per_second, burst) == 1
    }

    /// Takes `count` tokens, or what there is; how many that were.
    pub(crate) fn take_up_to(
        &mut self,
        count: u32,
        now_ms: u64,
        per_second: u32,
        burst: u32,
    ) -> u32 {
        let elapsed = now_ms.saturating_sub(self.filled_ms);
        let filled = self
            .milli
            .saturating_add(elapsed.saturating_mul(per_second.into()));
        self.filled_ms = now_ms.max(self.filled_ms);
        let filled = filled.min(u64::from(burst) * 1000);
        let whole = u32::try_from(filled / 1000).unwrap_or(u32::MAX);
        let taken = whole.min(count);
        self.milli = filled - u64::from(taken) * 1000;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = TokenBucket::new();
        let taken = (0..10).filter(|_| bucket.take(5, 2, 4)).count();
        assert_eq!(taken, 4);
        assert!(!bucket.take(504, 2, 4));
        assert!(bucket.take(505, 2, 4));
        assert!(!bucket.take(505, 2, 4));
    }

    #[test]
    fn a_bucket_gives_what_there_is() {
        let mut bucket = TokenBucket::new();
        assert_eq!(bucket.take_up_to(3, 5, 2, 4), 3);
        assert_eq!(bucket.take_up_to(3, 5, 2, 4), 1);
        assert_eq!(bucket.take_up_to(3, 1_505, 2, 4), 3);
        assert_eq!(bucket.take_up_to(3, u64::MAX, u32::MAX, u32::MAX), 3);
    }
}
