//! What is claimed of exporters, found by address and domain.

use std::net::IpAddr;

use super::ExporterMatch;
use super::Prefix;

/// Something for each set of exporters that is claimed.
#[derive(Clone, Debug)]
pub(super) struct Claims<T> {
    /// Sorted; no two are of the same set.
    claims: Vec<(ExporterMatch, T)>,
    /// Prefix lengths in `claims` by family, longest first.
    v4_lengths: Vec<u8>,
    v6_lengths: Vec<u8>,
}

impl<T> Claims<T> {
    /// These claims, of which no two are of the same set.
    pub(super) fn new(mut claims: Vec<(ExporterMatch, T)>) -> Self {
        claims.sort_by_key(|(exporter, _)| *exporter);
        let lengths = |is_v4: bool| {
            let family = claims.iter().map(|(exporter, _)| exporter.prefix);
            let family = family.filter(|prefix| prefix.network().is_ipv4() == is_v4);
            let mut lengths: Vec<u8> = family.map(|prefix| prefix.length()).collect();
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
            lengths
        };
        let (v4_lengths, v6_lengths) = (lengths(true), lengths(false));
        Self {
            claims,
            v4_lengths,
            v6_lengths,
        }
    }

    /// The claim on an exporter's domain: the longest prefix decides, and of
    /// equally long ones the one that names the domain.
    pub(super) fn find(&self, address: IpAddr, domain: u32) -> Option<&T> {
        self.lengths(address).iter().find_map(|&length| {
            let prefix = Prefix::around(address, length);
            let exactly = |domain| {
                let wanted = ExporterMatch { prefix, domain };
                let found = self
                    .claims
                    .binary_search_by(|(exporter, _)| exporter.cmp(&wanted));
                self.claims.get(found.ok()?).map(|(_, claim)| claim)
            };
            exactly(Some(domain)).or_else(|| exactly(None))
        })
    }

    /// Whether any domain of an exporter is claimed.
    pub(super) fn names(&self, address: IpAddr) -> bool {
        self.lengths(address).iter().any(|&length| {
            let prefix = Prefix::around(address, length);
            let at = self
                .claims
                .partition_point(|(exporter, _)| exporter.prefix < prefix);
            let found = self.claims.get(at);
            found.is_some_and(|(exporter, _)| exporter.prefix == prefix)
        })
    }

    /// Lengths of claimed prefixes of an address's family, longest first.
    fn lengths(&self, address: IpAddr) -> &[u8] {
        match address {
            IpAddr::V4(_) => &self.v4_lengths,
            IpAddr::V6(_) => &self.v6_lengths,
        }
    }
}

impl<T> Default for Claims<T> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}
