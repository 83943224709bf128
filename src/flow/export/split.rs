//! Counters too large for 32 bits, split. P-712.

/// Records one row may become: 70 TB of octets, more than 90 Gbit/s for the
/// longest active timer of 6 000 s.
pub(super) const PARTS_MAX: u64 = 16_384;

/// Counters that are to be shared out among parts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Parts {
    count: u64,
    octets: u64,
    packets: u64,
}

impl Parts {
    /// As few parts as keep both counters within 32 bits; `None` if those are
    /// more than [`PARTS_MAX`].
    pub(super) fn of(octets: u64, packets: u64) -> Option<Self> {
        let needs = |counter: u64| counter.div_ceil(u32::MAX.into());
        let count = needs(octets).max(needs(packets)).max(1);
        (count <= PARTS_MAX).then_some(Self {
            count,
            octets,
            packets,
        })
    }

    /// Octets and packets of each part, as even as can be: each has a packet
    /// if there are enough.
    pub(super) fn iter(self) -> impl Iterator<Item = (u64, u64)> {
        let share = move |total: u64, part: u64| {
            let more = u64::from(part < total % self.count);
            total / self.count + more
        };
        (0..self.count).map(move |part| (share(self.octets, part), share(self.packets, part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: u64 = u32::MAX as u64;

    #[test]
    fn what_fits_is_not_split() {
        let parts = |octets, packets| Parts::of(octets, packets).unwrap().iter().count();
        assert_eq!(parts(0, 0), 1);
        assert_eq!(parts(MAX, MAX), 1);
        assert_eq!(parts(MAX + 1, 1), 2);
        assert_eq!(parts(1, 2 * MAX + 1), 3);
    }

    #[test]
    fn a_row_becomes_no_more_records_than_it_may() {
        let most = PARTS_MAX * MAX;
        assert_eq!(Parts::of(most, 1).unwrap().iter().count(), 16_384);
        assert_eq!(Parts::of(most + 1, 1), None);
        assert_eq!(Parts::of(0, u64::MAX), None);
    }

    proptest! {
        #[test]
        fn no_octet_and_no_packet_is_lost(octets in 0..PARTS_MAX * MAX, packets in 0..100 * MAX) {
            let parts: Vec<_> = Parts::of(octets, packets).unwrap().iter().collect();
            prop_assert_eq!(parts.iter().map(|part| part.0).sum::<u64>(), octets);
            prop_assert_eq!(parts.iter().map(|part| part.1).sum::<u64>(), packets);
            prop_assert!(parts.iter().all(|part| part.0 <= MAX && part.1 <= MAX));
            if packets >= parts.len() as u64 {
                prop_assert!(parts.iter().all(|part| part.1 > 0));
            }
        }
    }
}
