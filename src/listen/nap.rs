//! How long a lane naps, so that one look at its sockets brings many datagrams.
//!
//! To be woken costs a thread several times what receiving a datagram does. A
//! lane that took all there was therefore leaves its sockets alone for a while,
//! as long as [`AIM`] datagrams take to come at the rate of late. Nothing here
//! sleeps or asks a clock.

use std::time::Duration;
use std::time::Instant;

/// Decides on the naps of one lane.
#[derive(Clone, Debug)]
pub(super) struct Nap {
    /// The longest time from one look to the next, in nanoseconds.
    max_ns: u64,
    /// Octets of kernel memory that may fill up in that time.
    room: u64,
    /// When the lane looked last.
    looked: Option<Instant>,
    /// Of late; each look makes an eighth of them forgotten.
    sums: Sums,
    /// From one look to the next, in nanoseconds; 0 is no nap.
    interval_ns: u64,
    /// Looks without a nap after one in vain; doubles each time.
    caution: u32,
    /// How many of them are left.
    sober: u32,
}

/// What one look at the sockets brought.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Catch {
    /// How many datagrams.
    pub(super) datagrams: usize,
    /// Their octets.
    pub(super) octets: usize,
    /// Whether more is likely to wait.
    pub(super) is_full: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// In units of 1/[`SCALE`], so that forgetting does not round them away.
    datagrams: u64,
    /// Kernel memory of the datagrams, in octets.
    memory: u64,
    nanoseconds: u64,
}

impl Nap {
    /// Naps after which a datagram has waited `max` at the most, or never at 0.
    ///
    /// `buffer_bytes` is the smallest receive buffer among the lane's sockets,
    /// in octets as asked for: no nap is so long that, at the rate of late, an
    /// eighth of it would fill.
    pub(super) fn new(max: Duration, buffer_bytes: usize) -> Self {
        Self {
            max_ns: nanoseconds(max.min(MAX)),
            // The kernel reserves twice what is asked for.
            room: count(buffer_bytes).saturating_mul(2) / ROOM_SHARE,
            looked: None,
            sums: Sums::default(),
            interval_ns: 0,
            caution: 0,
            sober: 0,
        }
    }

    /// Notes what a look brought that ended `now`.
    pub(super) fn note(&mut self, now: Instant, catch: Catch) {
        let had_napped = std::mem::take(&mut self.interval_ns) > 0;
        let before = self.looked.replace(now);
        if catch.datagrams == 0 {
            self.sums = Sums::default();
            return;
        }
        if had_napped {
            self.caution /= 2;
        }
        // Of what the first look brings it is not known how long it took to come.
        let Some(before) = before else { return };
        // A pause is soon forgotten.
        let elapsed_ns = nanoseconds(now.saturating_duration_since(before));
        let elapsed_ns = elapsed_ns.min(self.max_ns.saturating_mul(WINDOW));
        self.sums.add(&catch, elapsed_ns);
        if self.sober > 0 {
            self.sober -= 1;
        } else if !catch.is_full {
            self.interval_ns = self.interval_ns();
        }
    }

    /// Notes that a nap was over `now` and nothing had come.
    ///
    /// Either all is quiet, or datagrams come in bursts that are taken in one
    /// look anyway: so the next one that comes is waited for at the sockets.
    pub(super) fn note_in_vain(&mut self, now: Instant) {
        self.note(now, Catch::default());
        self.caution = (2 * self.caution + 1).min(CAUTION_MAX);
        self.sober = self.caution;
    }

    /// How long to nap `now`; zero is not at all.
    pub(super) fn length(&self, now: Instant) -> Duration {
        let since = self
            .looked
            .map(|looked| now.saturating_duration_since(looked));
        let since_ns = since.map_or(u64::MAX, nanoseconds);
        let left_ns = self.interval_ns.saturating_sub(since_ns);
        // To fall asleep takes time, too.
        Duration::from_nanos(if left_ns < MIN_NS { 0 } else { left_ns })
    }

    fn interval_ns(&self) -> u64 {
        let Sums {
            datagrams,
            memory,
            nanoseconds,
        } = self.sums;
        let time_of = |part: u64, all: u64| {
            let time = u128::from(nanoseconds) * u128::from(part) / u128::from(all.max(1));
            u64::try_from(time).unwrap_or(u64::MAX)
        };
        let wanted_ns = time_of(AIM * SCALE, datagrams);
        let allowed_ns = time_of(self.room, memory).min(self.max_ns);
        // What brings few datagrams delays them for nothing.
        if time_of(WORTH * SCALE, datagrams) > allowed_ns {
            return 0;
        }
        wanted_ns.min(allowed_ns)
    }
}

impl Sums {
    fn add(&mut self, catch: &Catch, nanoseconds: u64) {
        let memory = count(catch.octets)
            .saturating_mul(2)
            .max(count(catch.datagrams).saturating_mul(DATAGRAM_MEMORY));
        for (sum, more) in [
            (&mut self.datagrams, count(catch.datagrams) * SCALE),
            (&mut self.memory, memory),
            (&mut self.nanoseconds, nanoseconds),
        ] {
            *sum = (*sum - *sum / WINDOW).saturating_add(more);
        }
    }
}

fn nanoseconds(period: Duration) -> u64 {
    u64::try_from(period.as_nanos()).unwrap_or(u64::MAX)
}

fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}

/// Datagrams that a nap is to bring: more save little, and fill the arena. The
/// kernel sleeps up to 100 µs longer than it is asked to, so that more come.
const AIM: u64 = 20;
/// Fewer than so many are not worth a nap.
const WORTH: u64 = 4;
/// Looks without a nap after one in vain, at the most.
const CAUTION_MAX: u32 = 63;
/// Looks whose outcome counts.
const WINDOW: u64 = 8;
const SCALE: u64 = 1 << 16;
/// One part of the buffer of so many may fill during a nap.
const ROOM_SHARE: u64 = 8;
/// Kernel memory of a datagram, octets: a page where drivers are generous, and
/// twice its octets where it is long.
const DATAGRAM_MEMORY: u64 = 4_096;
/// The shortest nap.
const MIN_NS: u64 = 20_000;
/// The longest that can be asked for; the configuration allows less.
const MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LARGE: usize = 64 << 20;

    fn of(datagrams: usize) -> Catch {
        Catch {
            datagrams,
            octets: 1_464 * datagrams,
            is_full: datagrams >= 64,
        }
    }

    /// A lane whose datagrams come at times of their own, in nanoseconds.
    struct Scene {
        nap: Nap,
        start: Instant,
        now_ns: u64,
        arrivals: Vec<u64>,
        taken: usize,
        /// Time from arrival to the look that brought it, naps alone.
        longest_ns: u64,
        naps: usize,
        catches: Vec<usize>,
    }

    impl Scene {
        fn new(nap: Nap, arrivals: Vec<u64>) -> Self {
            Self {
                nap,
                start: Instant::now(),
                now_ns: 0,
                arrivals,
                taken: 0,
                longest_ns: 0,
                naps: 0,
                catches: Vec::new(),
            }
        }

        fn now(&self) -> Instant {
            self.start + Duration::from_nanos(self.now_ns)
        }

        /// Receives all; each datagram costs `cost_ns`, each sleep is too long
        /// by `late_ns`.
        fn play(&mut self, cost_ns: u64, late_ns: u64) {
            while let Some(&next) = self.arrivals.get(self.taken) {
                let nap_ns = nanoseconds(self.nap.length(self.now()));
                if nap_ns > 0 {
                    let began = self.now_ns.max(next);
                    self.naps += 1;
                    self.now_ns += nap_ns + late_ns;
                    self.longest_ns = self.longest_ns.max(self.now_ns.saturating_sub(began));
                    if self.now_ns < next {
                        self.nap.note_in_vain(self.now());
                    }
                }
                self.now_ns = self.now_ns.max(next);
                let rest = &self.arrivals[self.taken..];
                let waiting = rest.iter().take(64).take_while(|at| **at <= self.now_ns);
                let catch = waiting.count();
                self.nap.note(self.now(), of(catch));
                self.taken += catch;
                self.catches.push(catch);
                self.now_ns += cost_ns * catch as u64;
            }
        }
    }

    fn steady(rate: u64, datagrams: u64) -> Vec<u64> {
        (1..=datagrams).map(|n| n * 1_000_000_000 / rate).collect()
    }

    fn mean(catches: &[usize]) -> usize {
        catches.iter().sum::<usize>() / catches.len()
    }

    #[test]
    fn at_steady_rates_a_look_brings_what_it_should() {
        for rate in [20, 25, 50, 100, 200, 300, 500] {
            let nap = Nap::new(Duration::from_millis(1), LARGE);
            let mut scene = Scene::new(nap, steady(rate * 1_000, 20_000));
            scene.play(700, 5_000);
            let settled = &scene.catches[scene.catches.len() / 2..];
            assert!(
                (16..=32).contains(&mean(settled)),
                "{} at {rate} k/s: {settled:?}",
                mean(settled)
            );
        }
        // With more patience, at any rate.
        let mut scene = Scene::new(
            Nap::new(Duration::from_millis(50), LARGE),
            steady(1_000, 5_000),
        );
        scene.play(700, 5_000);
        let settled = &scene.catches[scene.catches.len() / 2..];
        assert!((18..=22).contains(&mean(settled)), "{settled:?}");
    }

    #[test]
    fn few_datagrams_are_taken_as_they_come() {
        for rate in [1, 10, 1_000, 3_900] {
            let nap = Nap::new(Duration::from_millis(1), LARGE);
            let mut scene = Scene::new(nap, steady(rate, 2_000));
            scene.play(700, 5_000);
            assert_eq!(scene.longest_ns, 0, "{rate} a second");
            assert!(scene.catches.iter().all(|catch| *catch == 1));
        }
    }

    #[test]
    fn an_empty_nap_is_the_last() {
        let start = Instant::now();
        let mut nap = Nap::new(Duration::from_millis(1), LARGE);
        let mut now = start;
        for _ in 0..20 {
            now += Duration::from_micros(200);
            nap.note(now, of(20));
        }
        // As long as 20 take, less what has passed of it.
        assert_eq!(nap.length(now).as_micros(), 200);
        let worked = Duration::from_micros(100);
        assert_eq!(nap.length(now + worked).as_micros(), 100);
        assert_eq!(nap.length(now + 3 * worked), Duration::ZERO);
        now += Duration::from_micros(240);
        nap.note_in_vain(now);
        assert_eq!(nap.length(now), Duration::ZERO);
        // Nor does the next one that comes wait.
        nap.note(now + Duration::from_micros(300), of(1));
        assert_eq!(nap.length(now + Duration::from_micros(300)), Duration::ZERO);
    }

    /// Such as those of a sender that leaves them in one piece: each is taken in
    /// one look, and a nap between two only costs.
    #[test]
    fn bursts_with_pauses_are_hardly_ever_napped_for() {
        let bursts = (1..=1_000).flat_map(|n| [n * 2_000_000; 40]);
        let nap = Nap::new(Duration::from_millis(1), LARGE);
        let mut scene = Scene::new(nap, bursts.collect());
        scene.play(700, 5_000);
        assert_eq!(scene.catches, [40; 1_000]);
        assert!((1..30).contains(&scene.naps), "{} naps", scene.naps);
        // What comes steadily afterwards is soon napped for again.
        let nap = scene.nap.clone();
        let mut scene = Scene::new(nap, steady(100_000, 20_000));
        scene.play(700, 5_000);
        let settled = &scene.catches[scene.catches.len() / 2..];
        assert!((16..=32).contains(&mean(settled)), "{settled:?}");
    }

    #[test]
    fn who_has_more_waiting_does_not_nap() {
        let start = Instant::now();
        let mut nap = Nap::new(Duration::from_millis(1), LARGE);
        nap.note(start, of(1));
        let now = start + Duration::from_micros(500);
        nap.note(now, of(64));
        assert_eq!(nap.length(now), Duration::ZERO);
        nap.note(now + Duration::from_micros(50), of(30));
        assert!(nap.length(now + Duration::from_micros(50)) > Duration::ZERO);
    }

    #[test]
    fn without_patience_or_a_buffer_there_are_no_naps() {
        for (max, buffer_bytes) in [(Duration::ZERO, LARGE), (Duration::from_millis(1), 32_768)] {
            let mut scene = Scene::new(Nap::new(max, buffer_bytes), steady(100_000, 5_000));
            scene.play(700, 0);
            assert_eq!(scene.longest_ns, 0, "{max:?}, {buffer_bytes} octets");
        }
    }

    /// An eighth of twice 212 992 octets has room for 13 datagrams.
    #[test]
    fn a_small_buffer_makes_naps_short() {
        let nap = Nap::new(Duration::from_millis(1), 212_992);
        let mut scene = Scene::new(nap, steady(100_000, 5_000));
        scene.play(700, 0);
        let settled = &scene.catches[scene.catches.len() / 2..];
        let (_, settled) = settled.split_last().unwrap();
        assert!(
            settled.iter().all(|catch| (12..=14).contains(catch)),
            "{settled:?}"
        );
    }

    proptest! {
        /// Bursts, pauses and floods, whatever a datagram costs.
        #[test]
        fn no_datagram_waits_beyond_the_bound(
            gaps in prop::collection::vec((0_u64..3_000_000, 1_usize..200), 1..100),
            max_us in 0_u64..2_000,
            buffer_bytes in 0_usize..1 << 22,
            cost_ns in 0_u64..20_000,
        ) {
            let mut at = 0;
            let bursts = gaps.into_iter().flat_map(|(gap, length)| {
                at += gap;
                let first = at;
                at += length as u64 * (gap % 20_000);
                (0..length as u64).map(move |n| first + n * (gap % 20_000))
            });
            let nap = Nap::new(Duration::from_micros(max_us), buffer_bytes);
            let mut scene = Scene::new(nap, bursts.collect());
            scene.play(cost_ns, 0);
            prop_assert!(scene.longest_ns <= max_us * 1_000);
        }

        /// Any catches at any times: no overflow, and the bound holds.
        #[test]
        fn no_nap_is_longer_than_the_bound_or_the_buffer_allows(
            looks in prop::collection::vec((any::<u32>(), 0_usize..1 << 20, any::<bool>()), 1..50),
            max_us in any::<u32>(),
            buffer_bytes in any::<usize>(),
        ) {
            let mut nap = Nap::new(Duration::from_micros(max_us.into()), buffer_bytes);
            let mut now = Instant::now();
            for (gap_ns, datagrams, is_full) in looks {
                now += Duration::from_nanos(gap_ns.into());
                nap.note(now, Catch { datagrams, octets: 65_535 * datagrams, is_full });
                let length = nap.length(now);
                prop_assert!(length <= Duration::from_micros(max_us.into()));
                prop_assert!(length <= MAX);
                let (length, all) = (nanoseconds(length), nap.sums.nanoseconds);
                let filled = u128::from(nap.sums.memory) * u128::from(length);
                prop_assert!(filled <= u128::from(nap.room) * u128::from(all));
            }
        }
    }
}
