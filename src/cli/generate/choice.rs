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
#[derive(Clone, Copy, Debug)]
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

/// Rejection-inversion, Hörmann and Derflinger 1996: no table, whatever the
/// number of flows, and more than one draw hardly ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zipf {
    flows: f64,
    exponent: f64,
    /// The integral of the hat at 3/2, less the first rank's share.
    from: f64,
    /// The same behind the last rank.
    to: f64,
    /// As near to a rank from below, a draw needs no second look.
    sure: f64,
}

impl Zipf {
    fn new(flows: u32, exponent: f64) -> Self {
        let flows = f64::from(flows);
        Self {
            flows,
            exponent,
            from: integral(1.5, exponent) - 1.0,
            to: integral(flows + 0.5, exponent),
            sure: 2.0 - inverse(integral(2.5, exponent) - share(2.0, exponent), exponent),
        }
    }

    fn draw(&self, random: &mut Random) -> u32 {
        loop {
            let area = self.to + random.fraction() * (self.from - self.to);
            let at = inverse(area, self.exponent);
            let rank = at.round().clamp(1.0, self.flows);
            let is_under =
                || area >= integral(rank + 0.5, self.exponent) - share(rank, self.exponent);
            if rank - at <= self.sure || is_under() {
                return whole(rank - 1.0);
            }
        }
    }
}

/// x^-q.
fn share(x: f64, exponent: f64) -> f64 {
    (-exponent * x.ln()).exp()
}

/// The integral of x^-q from 1: ln x where q is 1, and close to it nearby.
fn integral(x: f64, exponent: f64) -> f64 {
    let log = x.ln();
    let power = (1.0 - exponent) * log;
    if power.abs() < NEAR_0 {
        log * (1.0 + power / 2.0)
    } else {
        log * power.exp_m1() / power
    }
}

/// The x of which [`integral`] is `area`.
fn inverse(area: f64, exponent: f64) -> f64 {
    let power = ((1.0 - exponent) * area).max(-1.0);
    if power.abs() < NEAR_0 {
        (area * (1.0 - power / 2.0)).exp()
    } else {
        (area * power.ln_1p() / power).exp()
    }
}

/// Below this, the first two terms of a series are exact.
const NEAR_0: f64 = 1e-8;

#[expect(
    clippy::cast_possible_truncation,
    reason = "at least 0, and below a number of flows, which is a u32"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

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
            (1.0 + 1e-9, 1_000),
            (1.5, 50),
            (1.0, 1),
        ] {
            let counts = counts(Distribution::Zipf { exponent }, flows);
            let all: f64 = (1..=flows)
                .map(|rank| f64::from(rank).powf(-exponent))
                .sum();
            for rank in [1, 2, 3, 10, flows] {
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
