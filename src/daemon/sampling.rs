//! What the operator says of exporters' sampling.

use std::net::IpAddr;

use crate::config::Exporters;
use crate::config::Sampling;
use crate::config::SamplingUse;
use crate::session::SamplingPolicy;
use crate::session::SamplingRate;

/// The sampling of exporters by prefix.
#[derive(Clone, Debug, Default)]
pub struct SamplingPolicies {
    /// Longest prefix first.
    known: Vec<Sampling>,
    factor_max: u32,
}

impl SamplingPolicies {
    /// What the configuration says.
    pub fn new(exporters: &Exporters) -> Self {
        let mut known = exporters.sampling.clone();
        known.sort_by_key(|sampling| std::cmp::Reverse(sampling.exporter.length()));
        Self {
            known,
            factor_max: exporters.sampling_max,
        }
    }

    /// What applies to one exporter: what the longest prefix says.
    pub fn of(&self, exporter: IpAddr) -> SamplingPolicy {
        let policy = SamplingPolicy {
            factor_max: self.factor_max,
            ..SamplingPolicy::default()
        };
        let mut known = self.known.iter();
        let Some(sampling) = known.find(|known| known.exporter.contains(exporter)) else {
            return policy;
        };
        let rate = Some(SamplingRate {
            out_of: sampling.one_in,
            picked: 1,
        });
        match sampling.when {
            SamplingUse::Unknown => SamplingPolicy {
                default: rate,
                ..policy
            },
            SamplingUse::Always => SamplingPolicy {
                overriding: rate,
                ..policy
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_says_what_applies() {
        let sampling = |exporter: &str, one_in, when| Sampling {
            exporter: exporter.parse().unwrap(),
            one_in,
            when,
        };
        let policies = SamplingPolicies::new(&Exporters {
            sampling: vec![
                sampling("10.0.0.0/8", 100, SamplingUse::Unknown),
                sampling("10.1.0.0/16", 1000, SamplingUse::Always),
            ],
            sampling_max: 5000,
            ..Exporters::default()
        });
        let rate = |out_of| Some(SamplingRate { out_of, picked: 1 });
        let of = |address: &str| policies.of(address.parse().unwrap());
        let both = |policy: SamplingPolicy| (policy.default, policy.overriding);
        assert_eq!(both(of("10.2.0.1")), (rate(100), None));
        assert_eq!(both(of("10.1.0.1")), (None, rate(1000)));
        assert_eq!(both(of("192.0.2.1")), (None, None));
        assert_eq!(of("192.0.2.1").factor_max, 5000);
    }
}
