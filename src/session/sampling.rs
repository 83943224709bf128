//! How many packets one metered packet stands for. P-211…P-218.

use std::cell::Cell;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use zerocopy::Immutable;
use zerocopy::IntoBytes;

/// One in `out_of / picked` packets was metered; 1/1 is unsampled.
#[derive(Clone, Copy, Debug, Eq, Hash, Immutable, IntoBytes, PartialEq)]
#[repr(C)]
pub struct SamplingRate {
    /// Packets that passed.
    pub out_of: u32,
    /// Packets of those that were picked; never 0.
    pub picked: u32,
}

impl SamplingRate {
    /// Every packet was metered.
    pub const UNSAMPLED: Self = Self {
        out_of: 1,
        picked: 1,
    };

    /// `picked` of `out_of`, in lowest terms; `None` where that is no rate
    /// (P-212): a zero, more picked than passed, or beyond 32 bits.
    pub fn new(out_of: u64, picked: u64) -> Option<Self> {
        if picked == 0 || out_of < picked {
            return None;
        }
        let divisor = greatest_common_divisor(out_of, picked);
        Some(Self {
            out_of: u32::try_from(out_of / divisor).ok()?,
            picked: u32::try_from(picked / divisor).ok()?,
        })
    }

    /// 305 packets are picked, then 306 passed over. RFC 5477 §8.2.2, §8.2.3.
    ///
    /// 305 is 1 where only 306 is given.
    pub fn of_interval(picked: Option<u64>, passed_over: Option<u64>) -> Option<Self> {
        let passed_over = passed_over?;
        let picked = picked.unwrap_or(1);
        Self::new(picked.checked_add(passed_over)?, picked)
    }

    /// A packet is picked with probability `p`, above 0 and up to 1 (311).
    pub fn of_probability(p: f64) -> Option<Self> {
        if !(p > 0.0 && p <= 1.0) {
            return None;
        }
        let (out_of, picked) = approximate(p.recip());
        Self::new(out_of, picked)
    }

    /// Whether it scales by more than `factor`.
    fn exceeds(self, factor: u32) -> bool {
        u64::from(self.out_of) > u64::from(self.picked) * u64::from(factor)
    }
}

/// What a record says about its own sampling.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SamplerLookup {
    /// 34 or 50 in the record: N of 1 in N.
    pub interval: Option<u64>,
    /// 305 in the record.
    pub packet_interval: Option<u64>,
    /// 306.
    pub packet_space: Option<u64>,
    /// 48 or 302.
    pub selector: Option<u64>,
    /// Template id of the record's Set.
    pub template: u16,
    /// Ingress interface.
    pub interface: Option<u32>,
}

/// What the operator says of sampling, and what is believed of exporters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SamplingPolicy {
    /// Beats all that exporters say.
    pub overriding: Option<SamplingRate>,
    /// Taken where the exporter says nothing.
    pub default: Option<SamplingRate>,
    /// Largest factor believed, so that one options record cannot multiply
    /// all traffic (P-811).
    pub factor_max: u32,
}

impl Default for SamplingPolicy {
    fn default() -> Self {
        Self {
            overriding: None,
            default: None,
            factor_max: 1_000_000,
        }
    }
}

/// What the options of one (session, domain) say of sampling.
#[derive(Clone, Debug, Default)]
pub struct Samplers {
    policy: SamplingPolicy,
    /// By selectorId or samplerId.
    selectors: HashMap<u64, SamplingRate, RandomState>,
    templates: HashMap<u16, SamplingRate, RandomState>,
    interfaces: HashMap<u32, SamplingRate, RandomState>,
    system: Option<SamplingRate>,
    last_selector: Option<SamplingRate>,
    /// Rates in records that are none (P-212).
    rejected: Cell<u64>,
}

/// To what a rate in options applies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SamplerScope {
    /// 48 or 302.
    Selector(u64),
    /// Records of one Template (145).
    Template(u16),
    /// Flows that came in by one interface.
    Interface(u32),
    /// All records of the domain.
    System,
}

impl Samplers {
    /// Knows nothing of the exporter yet.
    pub fn new(policy: SamplingPolicy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// The rate of a record, and whether it is known.
    ///
    /// Looked for in the operator's override, the record itself, the options
    /// for its selector, Template, interface and system, then in the
    /// operator's default (P-213); 1/1 and `false` when all are silent.
    pub fn rate(&self, lookup: &SamplerLookup) -> (SamplingRate, bool) {
        let found = self
            .policy
            .overriding
            .or_else(|| self.own(lookup))
            .or_else(|| self.learned(lookup))
            .or(self.policy.default);
        (found.unwrap_or(SamplingRate::UNSAMPLED), found.is_some())
    }

    /// Whether records of one Template may have different rates though they say
    /// nothing of themselves.
    pub fn differs_by_interface(&self) -> bool {
        !self.interfaces.is_empty()
    }

    /// Rates in records that were ignored because they are none (P-212).
    pub fn rejected(&self) -> u64 {
        self.rejected.get()
    }

    /// What applies to records that say nothing of themselves.
    pub fn system(&self) -> Option<SamplingRate> {
        self.policy
            .overriding
            .or(self.system)
            .or(self.last_selector)
            .or(self.policy.default)
    }

    /// Whether options said anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0 && self.system.is_none()
    }

    /// Table entries held, against the cap of P-820.
    pub(crate) fn len(&self) -> usize {
        self.selectors.len() + self.templates.len() + self.interfaces.len()
    }

    /// Changes what the operator says.
    pub(crate) fn set_policy(&mut self, policy: SamplingPolicy) {
        self.policy = policy;
    }

    /// Takes a rate from options; `false` if it is not believed (P-212, P-811)
    /// or there is no `room` for a new entry.
    pub(crate) fn learn(&mut self, scope: SamplerScope, rate: SamplingRate, room: bool) -> bool {
        if rate.exceeds(self.policy.factor_max) {
            return false;
        }
        match scope {
            SamplerScope::Selector(id) => {
                self.last_selector = Some(rate);
                put(&mut self.selectors, id, rate, room)
            }
            SamplerScope::Template(id) => put(&mut self.templates, id, rate, room),
            SamplerScope::Interface(id) => put(&mut self.interfaces, id, rate, room),
            SamplerScope::System => {
                self.system = Some(rate);
                true
            }
        }
    }

    fn own(&self, lookup: &SamplerLookup) -> Option<SamplingRate> {
        let said = lookup
            .interval
            .or(lookup.packet_interval)
            .or(lookup.packet_space);
        said?;
        let rate = lookup
            .interval
            .and_then(|interval| SamplingRate::new(interval, 1))
            .or_else(|| SamplingRate::of_interval(lookup.packet_interval, lookup.packet_space))
            .filter(|rate| !rate.exceeds(self.policy.factor_max));
        if rate.is_none() {
            self.rejected.set(self.rejected.get().wrapping_add(1));
        }
        rate
    }

    fn learned(&self, lookup: &SamplerLookup) -> Option<SamplingRate> {
        if self.is_empty() {
            return None;
        }
        let selector = lookup.selector;
        selector
            .and_then(|id| self.selectors.get(&id).copied())
            .or_else(|| self.templates.get(&lookup.template).copied())
            .or_else(|| self.interfaces.get(&lookup.interface?).copied())
            .or(self.system)
            // C7600 sends sampler id 0 and means the one it has (P-214).
            .or_else(|| self.last_selector.filter(|_| selector == Some(0)))
    }
}

/// Inserts or replaces; a new key needs `room`.
fn put<K: Eq + std::hash::Hash>(
    table: &mut HashMap<K, SamplingRate, RandomState>,
    key: K,
    rate: SamplingRate,
    room: bool,
) -> bool {
    if let Some(known) = table.get_mut(&key) {
        *known = rate;
        return true;
    }
    if room {
        table.insert(key, rate);
    }
    room
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The first continued fraction of `ratio`, 1 or above, that is as close as a
/// 32-bit probability can tell.
fn approximate(ratio: f64) -> (u64, u64) {
    let (mut before, mut last) = ((0_u64, 1_u64), (1_u64, 0_u64));
    let mut rest = ratio;
    for _ in 0..FRACTIONS_MAX {
        let whole = rest.floor();
        if whole >= f64::from(u32::MAX) {
            break;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 2^32, and whole"
        )]
        let term = whole as u64;
        let next = (
            term.saturating_mul(last.0).saturating_add(before.0),
            term.saturating_mul(last.1).saturating_add(before.1),
        );
        if next.0 > u64::from(u32::MAX) {
            break;
        }
        (before, last) = (last, next);
        let (Ok(out_of), Ok(picked)) = (u32::try_from(last.0), u32::try_from(last.1)) else {
            break;
        };
        let error = (f64::from(out_of) / f64::from(picked) - ratio).abs();
        if error <= ratio * PROBABILITY_ERROR || rest <= whole {
            break;
        }
        rest = (rest - whole).recip();
    }
    last
}

/// Continued fractions of 32-bit terms end sooner than this.
const FRACTIONS_MAX: usize = 48;
/// Relative error of a probability that was a float32 before (P-114).
const PROBABILITY_ERROR: f64 = 1e-7;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_in(out_of: u32) -> SamplingRate {
        SamplingRate { out_of, picked: 1 }
    }

    fn learnt(rates: &[(SamplerScope, u32)]) -> Samplers {
        let mut samplers = Samplers::default();
        for &(scope, out_of) in rates {
            assert!(samplers.learn(scope, one_in(out_of), true));
        }
        samplers
    }

    /// P-211: not "305", not "306", not "306 + 1".
    #[test]
    fn an_interval_and_a_space_make_a_ratio_in_lowest_terms() {
        let rate = |interval, space| SamplingRate::of_interval(interval, space);
        assert_eq!(rate(Some(1), Some(999)), Some(one_in(1000)));
        assert_eq!(rate(None, Some(999)), Some(one_in(1000)));
        let three_of_ten = SamplingRate {
            out_of: 10,
            picked: 3,
        };
        assert_eq!(rate(Some(30), Some(70)), Some(three_of_ten));
        assert_eq!(rate(Some(5), Some(0)), Some(one_in(1)));
        assert_eq!(rate(Some(100), None), None);
        assert_eq!(rate(Some(0), Some(100)), None);
        assert_eq!(rate(Some(u64::MAX), Some(1)), None);
    }

    /// P-212.
    #[test]
    fn what_is_no_rate_is_none() {
        assert_eq!(SamplingRate::new(0, 1), None);
        assert_eq!(SamplingRate::new(1, 0), None);
        assert_eq!(SamplingRate::new(1, 2), None);
        assert_eq!(SamplingRate::new(1 << 40, 1), None);
        for p in [0.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
            assert_eq!(SamplingRate::of_probability(p), None, "{p}");
        }
    }

    #[test]
    fn a_probability_is_read_as_the_ratio_that_was_meant() {
        assert_eq!(SamplingRate::of_probability(1.0), Some(one_in(1)));
        assert_eq!(SamplingRate::of_probability(0.001), Some(one_in(1000)));
        assert_eq!(
            SamplingRate::of_probability((1.0_f32 / 4096.0).into()),
            Some(one_in(4096))
        );
        let two_thirds = SamplingRate {
            out_of: 3,
            picked: 2,
        };
        assert_eq!(
            SamplingRate::of_probability((2.0_f32 / 3.0).into()),
            Some(two_thirds)
        );
    }

    /// P-213.
    #[test]
    fn a_rate_is_looked_for_from_the_record_outwards() {
        let mut samplers = learnt(&[
            (SamplerScope::System, 5),
            (SamplerScope::Interface(7), 4),
            (SamplerScope::Template(260), 3),
            (SamplerScope::Selector(1 << 40), 2),
        ]);
        let mut lookup = SamplerLookup {
            interval: Some(1000),
            selector: Some(1 << 40),
            template: 260,
            interface: Some(7),
            ..SamplerLookup::default()
        };
        assert_eq!(samplers.rate(&lookup), (one_in(1000), true));
        lookup.interval = None;
        assert_eq!(samplers.rate(&lookup), (one_in(2), true));
        lookup.selector = None;
        assert_eq!(samplers.rate(&lookup), (one_in(3), true));
        lookup.template = 261;
        assert_eq!(samplers.rate(&lookup), (one_in(4), true));
        lookup.interface = None;
        assert_eq!(samplers.rate(&lookup), (one_in(5), true));
        samplers.set_policy(SamplingPolicy {
            overriding: Some(one_in(6)),
            ..SamplingPolicy::default()
        });
        assert_eq!(samplers.rate(&lookup), (one_in(6), true));
    }

    #[test]
    fn the_default_comes_last_and_silence_is_unsampled_but_unknown() {
        let lookup = SamplerLookup::default();
        let silent = Samplers::default();
        assert_eq!(silent.rate(&lookup), (SamplingRate::UNSAMPLED, false));
        let policy = SamplingPolicy {
            default: Some(one_in(512)),
            ..SamplingPolicy::default()
        };
        assert_eq!(Samplers::new(policy).rate(&lookup), (one_in(512), true));
    }

    /// P-214.
    #[test]
    fn sampler_zero_means_the_one_there_is() {
        let samplers = learnt(&[(SamplerScope::Selector(3), 100)]);
        let of = |selector| SamplerLookup {
            selector: Some(selector),
            ..SamplerLookup::default()
        };
        assert_eq!(samplers.rate(&of(0)), (one_in(100), true));
        assert_eq!(samplers.rate(&of(4)), (SamplingRate::UNSAMPLED, false));
    }

    /// P-212: a PTX1000 sends an interval of 0.
    #[test]
    fn a_rate_in_the_record_that_is_none_is_ignored_and_counted() {
        let samplers = learnt(&[(SamplerScope::System, 100)]);
        let zero = SamplerLookup {
            interval: Some(0),
            ..SamplerLookup::default()
        };
        assert_eq!(samplers.rate(&zero), (one_in(100), true));
        assert_eq!(samplers.rejected(), 1);
    }

    /// P-811.
    #[test]
    fn a_rate_beyond_the_cap_is_not_believed() {
        let mut samplers = Samplers::default();
        assert!(samplers.learn(SamplerScope::System, one_in(1_000_000), true));
        assert!(!samplers.learn(SamplerScope::System, one_in(1_000_001), true));
        assert_eq!(samplers.system(), Some(one_in(1_000_000)));
    }

    #[test]
    fn without_room_only_known_samplers_change() {
        let mut samplers = learnt(&[(SamplerScope::Interface(1), 10)]);
        assert!(!samplers.learn(SamplerScope::Interface(2), one_in(10), false));
        assert!(samplers.learn(SamplerScope::Interface(1), one_in(20), false));
        assert_eq!(samplers.len(), 1);
    }

    proptest! {
        #[test]
        fn probabilities_of_small_ratios_are_exact(out_of in 1..100_000_u32, picked in 1..50_u32) {
            prop_assume!(picked <= out_of);
            let p = f64::from(picked) / f64::from(out_of);
            let exact = SamplingRate::new(out_of.into(), picked.into());
            let found = SamplingRate::of_probability(p).unwrap();
            let is = f64::from(found.out_of) / f64::from(found.picked);
            let meant = exact.unwrap();
            let meant = f64::from(meant.out_of) / f64::from(meant.picked);
            prop_assert!((is - meant).abs() <= meant * 1e-6, "{found:?} for {exact:?}");
        }

        #[test]
        fn no_lookup_gives_a_rate_without_picks(
            (interval, picked, space) in any::<(Option<u64>, Option<u64>, Option<u64>)>(),
            p in any::<f64>(),
        ) {
            let lookup = SamplerLookup {
                interval,
                packet_interval: picked,
                packet_space: space,
                ..SamplerLookup::default()
            };
            let (rate, _) = Samplers::default().rate(&lookup);
            prop_assert!(rate.picked > 0 && rate.picked <= rate.out_of);
            if let Some(rate) = SamplingRate::of_probability(p) {
                prop_assert!(rate.picked > 0 && rate.picked <= rate.out_of);
            }
        }
    }
}
