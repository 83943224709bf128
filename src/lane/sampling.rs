//! What the operator says of exporters' sampling.

use std::net::IpAddr;

use crate::flowlog::Prefix;
use crate::session::SamplingPolicy;

/// The sampling of exporters by prefix.
#[derive(Clone, Debug, Default)]
pub struct SamplingPolicies {
    /// Longest prefix first.
    known: Vec<(Prefix, SamplingPolicy)>,
    others: SamplingPolicy,
}

impl SamplingPolicies {
    /// Policies of exporters by prefix, and that of all others.
    pub fn new(mut known: Vec<(Prefix, SamplingPolicy)>, others: SamplingPolicy) -> Self {
        known.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.length()));
        Self { known, others }
    }

    /// What applies to one exporter: what the longest prefix says.
    pub fn of(&self, exporter: IpAddr) -> SamplingPolicy {
        let mut known = self.known.iter();
        let found = known.find(|(prefix, _)| prefix.contains(exporter));
        found.map_or(self.others, |(_, policy)| *policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SamplingRate;

    #[test]
    fn the_longest_prefix_says_what_applies() {
        let one_in = |out_of| SamplingPolicy {
            default: Some(SamplingRate { out_of, picked: 1 }),
            ..SamplingPolicy::default()
        };
        let known = [("10.0.0.0/8", 100), ("10.1.0.0/16", 1000)];
        let known = known.map(|(prefix, rate)| (prefix.parse().unwrap(), one_in(rate)));
        let policies = SamplingPolicies::new(known.into(), one_in(7));
        let of = |address: &str| policies.of(address.parse().unwrap()).default;
        assert_eq!(of("10.2.0.1"), one_in(100).default);
        assert_eq!(of("10.1.0.1"), one_in(1000).default);
        assert_eq!(of("192.0.2.1"), one_in(7).default);
    }
}
