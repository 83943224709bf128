//! The exporter's times, resolved to milliseconds since 1970. P-230…P-241.

use std::cell::Cell;

use crate::session::Arrival;
use crate::session::RawTimes;
use crate::session::TimeFlags;
use crate::session::Times;
use crate::wire::Header;

/// How far an exporter's times may be off before arrival replaces them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClockLimits {
    /// Distance of export time from arrival, in ms (P-233).
    pub export_skew_max_ms: u64,
    /// Age of a flow's start or end at export, in ms (P-231).
    pub flow_age_max_ms: u64,
}

impl Default for ClockLimits {
    fn default() -> Self {
        Self {
            // Clocks set to the wrong time zone are still clocks; those in
            // 1970 are not.
            export_skew_max_ms: DAY_MS,
            // No exporter has an active timer of a day.
            flow_age_max_ms: DAY_MS,
        }
    }
}

/// The clock of the Message a record came in.
///
/// Uptimes are 32 bits of milliseconds and wrap every 49.7 days; all
/// comparisons of them are signed differences modulo 2^32.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    limits: ClockLimits,
    arrival_ms: u64,
    /// Export time, or arrival where that cannot be.
    base_ms: u64,
    base_flags: TimeFlags,
    uptime: Option<u32>,
    boot_ms: Option<u64>,
    /// Low 32 bits of the estimated boot, as of the Messages before this one.
    boot_low: Option<u32>,
    /// Lowest boot the records of this Message allow.
    observed: Cell<Option<u32>>,
}

impl Clock {
    /// A clock that has seen no Message.
    pub fn new(limits: ClockLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Moves on to the next Message. P-121, P-233.
    pub fn begin(&mut self, header: &Header, arrival: Arrival) {
        let export_ms = export_ms(header, arrival.unix_ms);
        let sane = export_ms.abs_diff(arrival.unix_ms) <= self.limits.export_skew_max_ms;
        self.arrival_ms = arrival.unix_ms;
        self.base_ms = if sane { export_ms } else { arrival.unix_ms };
        self.base_flags = if sane {
            TimeFlags::default()
        } else {
            TimeFlags::FROM_ARRIVAL
        };
        self.uptime = header.sys_uptime;
    }

    /// Learns from the records of the Message that ends. P-236.
    ///
    /// The estimate only falls, for the youngest flow end bounds the boot from
    /// above; it starts anew when records are a day off it.
    pub fn settle(&mut self) {
        let Some(observed) = self.observed.take() else {
            return;
        };
        let rise = |boot: u32| signed(observed.wrapping_sub(boot));
        let stale = |boot| rise(boot) > i64::try_from(DAY_MS).unwrap_or(i64::MAX);
        if self
            .boot_low
            .is_none_or(|boot| rise(boot) < 0 || stale(boot))
        {
            self.boot_low = Some(observed);
        }
    }

    /// Notes the exporter's boot from its options (160), ms since 1970.
    pub fn set_boot(&mut self, boot_ms: u64) {
        self.boot_ms = Some(boot_ms);
    }

    /// Forgets all that a restart of the exporter made untrue. P-418.
    pub fn restart(&mut self) {
        self.boot_ms = None;
        self.boot_low = None;
    }

    /// Milliseconds the exporter's clock is ahead of ours, as of this Message.
    pub fn offset_ms(&self, header: &Header) -> i64 {
        let export_ms = export_ms(header, self.arrival_ms);
        let ahead = i128::from(export_ms) - i128::from(self.arrival_ms);
        i64::try_from(ahead).unwrap_or(i64::MAX)
    }

    /// Resolves a dateTimeSeconds to ms since 1970, nearest arrival (P-121).
    pub fn seconds_ms(&self, seconds: u32) -> u64 {
        nearest(seconds, self.arrival_ms / 1000).saturating_mul(1000)
    }

    /// Resolves an NTP timestamp (seconds since 1900, then a binary fraction)
    /// to ms since 1970, in the era nearest arrival (P-121, P-202).
    ///
    /// Its low 11 bits say nothing of microseconds, so it is rounded to those:
    /// otherwise a whole millisecond, cut off by its sender, would lose one.
    pub fn ntp_ms(&self, seconds: u32, fraction: u32) -> u64 {
        let unix = seconds.wrapping_sub(NTP_TO_UNIX_SECS);
        let fraction = u64::from(fraction & !NTP_MICROS_UNDEFINED);
        let micros = (fraction * 1_000_000 + (1 << 31)) >> 32;
        self.seconds_ms(unix).saturating_add(micros / 1_000)
    }

    /// As [`Self::resolve`] of uptimes (22 and 21) alone.
    #[inline]
    pub fn between_uptimes(&self, start: u32, end: u32) -> Times {
        let age = |now: u32, uptime: u32| signed(now.wrapping_sub(uptime));
        let ages = self.uptime.map(|now| (age(now, start), age(now, end)));
        match ages {
            Some((first, last)) if -SLACK_MS <= last && last <= first && self.is_young(first) => {
                Times {
                    start_ms: self.base_ms.wrapping_add_signed(-first),
                    end_ms: self.base_ms.wrapping_add_signed(-last),
                    flags: self.base_flags | TimeFlags::EXPORTER,
                }
            }
            Some(_) | None => self.odd_uptimes(start, end),
        }
    }

    /// As [`Self::resolve`] of times in ms since 1970 alone.
    #[inline]
    pub fn between_dates(&self, start_ms: u64, end_ms: u64) -> Times {
        let is_near = end_ms.abs_diff(self.base_ms) <= self.limits.export_skew_max_ms;
        if start_ms == 0 || start_ms > end_ms || !is_near {
            return self.odd_dates(start_ms, end_ms);
        }
        Times {
            start_ms,
            end_ms,
            flags: TimeFlags::EXPORTER,
        }
    }

    /// Whether a flow of this age may be told of now, and can be placed in time.
    fn is_young(&self, age_ms: i64) -> bool {
        let age_ms = age_ms.unsigned_abs();
        age_ms <= self.limits.flow_age_max_ms && age_ms <= self.base_ms
    }

    #[cold]
    fn odd_uptimes(&self, start: u32, end: u32) -> Times {
        self.resolve(&RawTimes {
            start_uptime: Some(start),
            end_uptime: Some(end),
            ..RawTimes::default()
        })
    }

    #[cold]
    fn odd_dates(&self, start_ms: u64, end_ms: u64) -> Times {
        self.resolve(&RawTimes {
            start_ms: Some(start_ms),
            end_ms: Some(end_ms),
            ..RawTimes::default()
        })
    }

    /// Resolves a record's times. Constant time, no allocation.
    pub fn resolve(&self, times: &RawTimes) -> Times {
        let raw = self
            .absolute(times)
            .or_else(|| self.deltas(times))
            .or_else(|| self.uptimes(times))
            .or_else(|| self.observed(times))
            .unwrap_or_else(|| self.export_time());
        order(raw)
    }

    /// 150…157; a lone one is completed by the duration or the event time.
    fn absolute(&self, times: &RawTimes) -> Option<Times> {
        let set = |time: Option<u64>| time.filter(|&ms| ms != 0);
        let (start, end) = (set(times.start_ms), set(times.end_ms));
        let event = set(times.observed_ms).filter(|_| times.duration_ms.is_none());
        let end = end.or_else(|| event.filter(|_| start.is_some()));
        let (start_ms, end_ms) = complete(start, end, times)?;
        let far = end_ms.abs_diff(self.base_ms) > self.limits.export_skew_max_ms;
        let flags = if far {
            TimeFlags::EXPORTER | TimeFlags::SUSPECT
        } else {
            TimeFlags::EXPORTER
        };
        Some(Times {
            start_ms,
            end_ms,
            flags,
        })
    }

    /// 158 and 159, microseconds before export. RFC 5102 §5.9.9.
    fn deltas(&self, times: &RawTimes) -> Option<Times> {
        let before = |us: u32| self.base_ms.saturating_sub(u64::from(us) / 1000);
        let start = times.start_delta_us.map(before);
        let end = times.end_delta_us.map(before);
        let (start_ms, end_ms) = complete(start, end, times)?;
        Some(Times {
            start_ms,
            end_ms,
            flags: TimeFlags::EXPORTER | self.base_flags,
        })
    }

    /// 22 and 21, by the header's uptime, else by the exporter's boot.
    fn uptimes(&self, times: &RawTimes) -> Option<Times> {
        let last = times.end_uptime.or(times.start_uptime)?;
        if let Some(now) = self.uptime {
            return Some(self.aged(times, now, self.base_ms, self.base_flags));
        }
        for boot_ms in [times.boot_ms, self.boot_ms].into_iter().flatten() {
            let now = low(self.base_ms.wrapping_sub(boot_ms));
            if boot_ms <= self.base_ms && self.plausible(now, last) {
                return Some(self.aged(times, now, self.base_ms, self.base_flags));
            }
        }
        self.observe(last);
        if let Some(boot) = self.boot_low {
            let now = low(self.arrival_ms).wrapping_sub(boot);
            return Some(self.aged(times, now, self.arrival_ms, TimeFlags::ESTIMATED));
        }
        let flags = self.base_flags | TimeFlags::NO_BOOT;
        Some(self.span_until(times, self.base_ms, flags))
    }

    /// Places uptimes before `base_ms`, when the exporter's uptime was `now`.
    fn aged(&self, times: &RawTimes, now: u32, base_ms: u64, flags: TimeFlags) -> Times {
        let place = |uptime: u32| {
            let age = signed(now.wrapping_sub(uptime));
            self.plausible(now, uptime)
                .then(|| base_ms.saturating_add_signed(-age))
        };
        let start = times.start_uptime.map(place);
        let end = times.end_uptime.map(place);
        match (start, end) {
            (Some(None) | None, Some(Some(end))) if start.is_some() => {
                self.span_until(times, end, flags | TimeFlags::SUSPECT)
            }
            (Some(None), _) | (_, Some(None)) => {
                let flags = TimeFlags::SUSPECT | TimeFlags::FROM_ARRIVAL;
                self.span_until(times, self.arrival_ms, flags)
            }
            (start, end) => match complete(start.flatten(), end.flatten(), times) {
                Some((start_ms, end_ms)) => Times {
                    start_ms,
                    end_ms,
                    flags: flags | TimeFlags::EXPORTER,
                },
                None => self.export_time(),
            },
        }
    }

    /// A flow of its own length that ends at `end_ms`. P-232.
    fn span_until(&self, times: &RawTimes, end_ms: u64, flags: TimeFlags) -> Times {
        let span = times.end_uptime.zip(times.start_uptime);
        let span = span.map_or(0, |(last, first)| u64::from(last.wrapping_sub(first)));
        let span = if span <= self.limits.flow_age_max_ms {
            span
        } else {
            0
        };
        Times {
            start_ms: end_ms.saturating_sub(span),
            end_ms,
            flags,
        }
    }

    /// 322…325: the moment of an event.
    fn observed(&self, times: &RawTimes) -> Option<Times> {
        let moment = times.observed_ms.filter(|&ms| ms != 0)?;
        let (start_ms, end_ms) = complete(Some(moment), None, times)?;
        Some(Times {
            start_ms,
            end_ms,
            flags: TimeFlags::EXPORTER,
        })
    }

    fn export_time(&self) -> Times {
        Times {
            start_ms: self.base_ms,
            end_ms: self.base_ms,
            flags: self.base_flags | TimeFlags::FROM_EXPORT,
        }
    }

    /// Whether `uptime` is at most 100 s after `now` and not too old. P-231.
    fn plausible(&self, now: u32, uptime: u32) -> bool {
        let age = signed(now.wrapping_sub(uptime));
        let oldest = i64::try_from(self.limits.flow_age_max_ms).unwrap_or(i64::MAX);
        (-SLACK_MS..=oldest).contains(&age)
    }

    fn observe(&self, last: u32) {
        let boot = low(self.arrival_ms).wrapping_sub(last);
        let lower = |known: u32| signed(boot.wrapping_sub(known)) < 0;
        if self.observed.get().is_none_or(lower) {
            self.observed.set(Some(boot));
        }
    }
}

/// Export time in ms, the value modulo 2^32 s that is nearest arrival (P-121).
fn export_ms(header: &Header, arrival_unix_ms: u64) -> u64 {
    let seconds = nearest(header.export_secs, arrival_unix_ms / 1000);
    let millis = u64::from(header.export_nanos / 1_000_000);
    seconds.saturating_mul(1000).saturating_add(millis)
}

/// The number congruent to `value` modulo 2^32 that is nearest `near`.
fn nearest(value: u32, near: u64) -> u64 {
    near.saturating_add_signed(signed(value.wrapping_sub(low(near))))
}

/// Fills in a missing start or end from the duration, else copies. P-238.
fn complete(start: Option<u64>, end: Option<u64>, times: &RawTimes) -> Option<(u64, u64)> {
    let duration = times.duration_ms.unwrap_or(0);
    match (start, end) {
        (Some(start), Some(end)) => Some((start, end)),
        (Some(start), None) => Some((start, start.saturating_add(duration))),
        (None, Some(end)) => Some((end.saturating_sub(duration), end)),
        (None, None) => None,
    }
}

/// Puts start before end. P-239.
fn order(times: Times) -> Times {
    let Times {
        start_ms,
        end_ms,
        flags,
    } = times;
    if start_ms <= end_ms {
        return times;
    }
    if start_ms - end_ms <= SWAP_MAX_MS {
        return Times {
            start_ms: end_ms,
            end_ms: start_ms,
            flags: flags | TimeFlags::SWAPPED,
        };
    }
    Times {
        start_ms: end_ms,
        end_ms,
        flags: flags | TimeFlags::SUSPECT,
    }
}

/// A difference modulo 2^32, read as a signed number.
fn signed(difference: u32) -> i64 {
    i64::from(difference.cast_signed())
}

/// The low 32 bits.
fn low(value: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "uptimes are modulo 2^32")]
    let low = value as u32;
    low
}

const DAY_MS: u64 = 86_400_000;
/// Cisco stamps flows up to 100 s after the header (CSCei12353).
const SLACK_MS: i64 = 100_000;
/// softflowd exports ends up to 61 ms before starts.
const SWAP_MAX_MS: u64 = 5_000;
/// Fraction bits that dateTimeMicroseconds leaves undefined. RFC 7011 §6.1.9.
const NTP_MICROS_UNDEFINED: u32 = 0x7ff;
/// Seconds from 1900 to 1970.
const NTP_TO_UNIX_SECS: u32 = 2_208_988_800;
