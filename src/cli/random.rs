//! Random numbers that are the same on every run. SplitMix64, Steele et al. 2014.

/// A sequence of numbers that its seed decides.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence of its own, so that one user's draws leave another's alone.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.bits())
    }

    /// A number below `end`; 0 if `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.split(end).0
    }

    /// A number below `end`, and what is left of chance: from 0 on, all of 64 bits as
    /// likely. The halves of a product: Lemire 2019.
    pub(super) fn split(&mut self, end: u64) -> (u64, u64) {
        let product = u128::from(self.bits()) * u128::from(end);
        let half = |half: u128| u64::try_from(half & u128::from(u64::MAX)).unwrap_or_default();
        (half(product >> 64), half(product))
    }

    /// A number below `end`, small ones far more often: a few talkers make most traffic.
    pub(super) fn skewed(&mut self, end: u64) -> u64 {
        let first = self.below(end);
        self.below(first + 1)
    }

    /// Whether something of this chance in 100 happens.
    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of several.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(from.len()).ok()?;
        from.get(usize::try_from(self.below(count)).ok()?)
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mixed(self.0)
    }
}

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number whose bits all depend on all of those given; no two have the same.
pub(super) fn mixed(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
