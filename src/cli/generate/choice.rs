//! Which flow a record is of.

use crate::cli::random::Random;

/// How often each flow has a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// All alike.
    Uniform,
    /// The nth has 1/n^exponent of the records that the first has.
    Zipf {
        /// Above 0, at most [`Distribution::EXPONENT_MAX`]; 1 is the law as Zipf found it.
        exponent: f64,
    },
}

impl Distribution {
    /// Beyond it the first flow has nearly all records.
    pub const EXPONENT_MAX: f64 = 10.0;

    /// Whether its exponent, if it has one, can be.
    pub(super) fn is_possible(self) -> bool {
        match self {
            Self::Uniform => true,
            Self::Zipf { exponent } => exponent > 0.0 && exponent <= Self::EXPONENT_MAX,
        }
    }
}

/// Draws one of so many flows.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    Uniform(u32),
    Zipf(Zipf),
}

impl Choice {
    /// Draws from `flows`, of which there is at least one.
    pub(super) fn new(distribution: Distribution, flows: u32) -> Self {
        match distribution {
            Distribution::Uniform => Self::Uniform(flows),
            Distribution::Zipf { exponent } => Self::Zipf(Zipf::new(flows, exponent)),
        }
    }

    /// A number below that of the flows.
    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        match self {
            Self::Uniform(flows) => {
                u32::try_from(random.below(u64::from(*flows))).unwrap_or_default()
            }
            Self::Zipf(zipf) => zipf.draw(random),
        }
    }
}

/// Draws ranks by Zipf's law: a bin by its weight (alias method, Walker 1977,
/// Vose 1991), and in it a rank, refused as much as it has less than the bin's first.
///
/// The first ranks have a bin each, later ones share bins as wide as a part of
/// their rank: some hundred bins for however many flows.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    exponent: f64,
    slots: Vec<Slot>,
}

/// Either of two bins.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Chance that it is the first of them, of 2^64.
    stay: u64,
    own: Bin,
    other: Bin,
}

/// Ranks in a row.
#[derive(Clone, Copy, Debug)]
struct Bin {
    /// From 1 on.
    first: u32,
    ranks: u32,
    /// What the last rank has of the first one's share, of 2^64.
    sure: u64,
}

impl Zipf {
    fn new(flows: u32, exponent: f64) -> Self {
        let bins = Bin::all(flows, exponent);
        let weight = |bin: &Bin| f64::from(bin.ranks) * share(bin.first, exponent);
        let mut weights: Vec<f64> = bins.iter().map(weight).collect();
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let slot = |bin: &Bin| Slot {
            stay: u64::MAX,
            own: *bin,
            other: *bin,
        };
        let mut slots: Vec<Slot> = bins.iter().map(slot).collect();
        let (mut light, mut heavy): (Vec<usize>, Vec<usize>) =
            (0..bins.len()).partition(|at| weights.get(*at) < Some(&mean));
        // Each light bin fills up its slot with some of a heavy one.
        while let Some((at, &from)) = light.pop().zip(heavy.last()) {
            let own = weights.get(at).copied().unwrap_or_default();
            if let (Some(slot), Some(bin)) = (slots.get_mut(at), bins.get(from)) {
                slot.stay = of_2_64(own / mean);
                slot.other = *bin;
            }
            if let Some(rest) = weights.get_mut(from) {
                *rest -= mean - own;
                if *rest < mean {
                    light.extend(heavy.pop());
                }
            }
        }
        Self { exponent, slots }
    }

    fn draw(&self, random: &mut Random) -> u32 {
        loop {
            let (at, chance) = random.split(self.slots.len() as u64);
            let slot = usize::try_from(at).ok().and_then(|at| self.slots.get(at));
            let Some(slot) = slot else {
                return 0;
            };
            let bin = if chance < slot.stay {
                slot.own
            } else {
                slot.other
            };
            let (behind, chance) = random.split(bin.ranks.into());
            let rank = bin.first + u32::try_from(behind).unwrap_or_default();
            let is_taken =
                || chance < of_2_64(share(rank, self.exponent) / share(bin.first, self.exponent));
            if chance < bin.sure || is_taken() {
                return rank - 1;
            }
        }
    }
}

impl Bin {
    /// Those of all flows, of which there is at least one.
    fn all(flows: u32, exponent: f64) -> Vec<Self> {
        let mut bins = Vec::new();
        let mut first = 1;
        while first <= flows {
            let ranks = if first < ALONE { 1 } else { first / PART };
            let ranks = ranks.min(flows - first + 1);
            let last = share(first + ranks - 1, exponent) / share(first, exponent);
            bins.push(Self {
                first,
                ranks,
                sure: of_2_64(last),
            });
            first += ranks;
        }
        bins
    }
}

/// rank^-exponent.
fn share(rank: u32, exponent: f64) -> f64 {
    f64::from(rank).powf(-exponent)
}

/// A chance from 0 to 1 as one of 2^64.
#[expect(
    clippy::cast_possible_truncation,
    reason = "at least 0, and 1 becomes the largest: casts saturate"
)]
fn of_2_64(chance: f64) -> u64 {
    (chance * 2_f64.powi(64)) as u64
}

/// Ranks below it have a bin each.
const ALONE: u32 = 256;
/// Later bins are as wide as this part of their first rank.
const PART: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 400_000;

    fn counts(distribution: Distribution, flows: u32) -> Vec<u32> {
        let choice = Choice::new(distribution, flows);
        let mut random = Random::new(7);
        let mut counts = vec![0; flows as usize];
        for _ in 0..DRAWS {
            counts[choice.draw(&mut random) as usize] += 1;
        }
        counts
    }

    #[test]
    fn uniform_draws_are_even() {
        let counts = counts(Distribution::Uniform, 100);
        // Six standard deviations of a binomial of mean 4000.
        assert!(
            counts.iter().all(|count| count.abs_diff(4_000) < 380),
            "{counts:?}"
        );
    }

    #[test]
    fn the_nth_flow_has_its_share_by_zipf() {
        for (exponent, flows) in [
            (1.0, 1_000),
            (0.7, 1_000),
            (2.5, 1_000),
            (1.5, 50),
            (1.0, 1),
        ] {
            let counts = counts(Distribution::Zipf { exponent }, flows);
            let all: f64 = (1..=flows)
                .map(|rank| f64::from(rank).powf(-exponent))
                .sum();
            for rank in [1, 2, 3, 10, 300, flows] {
                let share = f64::from(rank.min(flows)).powf(-exponent) / all;
                let mean = share * f64::from(DRAWS);
                let count = f64::from(counts[rank.min(flows) as usize - 1]);
                assert!(
                    (count - mean).abs() <= 6.0 * mean.sqrt(),
                    "{exponent}, rank {rank}: {count} for {mean}"
                );
            }
        }
    }

    #[test]
    fn the_last_of_16_million_can_be_drawn() {
        let choice = Choice::new(Distribution::Zipf { exponent: 0.1 }, 1 << 24);
        let mut random = Random::new(1);
        let most = (0..DRAWS).map(|_| choice.draw(&mut random)).max();
        assert!(most.is_some_and(|most| most > (1 << 24) - 1_000 && most < 1 << 24));
    }

    #[test]
    fn an_exponent_is_above_0_and_bounded() {
        for (exponent, is_possible) in
            [(0.0, false), (f64::NAN, false), (10.0, true), (10.1, false)]
        {
            assert_eq!(Distribution::Zipf { exponent }.is_possible(), is_possible);
        }
    }
}
