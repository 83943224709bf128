//! The times of a record in whatever unit it has them. P-235.

use crate::flow::plan::fields::Field;
use crate::flow::plan::rules::Rule;
use crate::flow::plan::rules::Width;
use crate::flow::plan::rules::time;
use crate::flow::plan::slot::Slot;
use crate::flow::plan::slot::Slots;
use crate::session::Clock;
use crate::session::RawTimes;
use crate::session::Times;

/// Units of absolute times.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    /// NTP's 32.32 fixed point, as micro- and nanoseconds are sent (P-202).
    Ntp,
}

/// Which times a Template has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct TimeShape {
    start: Option<Unit>,
    end: Option<Unit>,
    observed: Option<Unit>,
    start_uptime: bool,
    end_uptime: bool,
    start_delta: bool,
    end_delta: bool,
    boot: bool,
    duration: bool,
}

/// Absolute times of flows, the preferred pair first.
const FLOW_TIMES: [(u16, u16, u16, Unit); 4] = [
    (156, 157, 8, Unit::Ntp),
    (154, 155, 8, Unit::Ntp),
    (152, 153, 8, Unit::Milliseconds),
    (150, 151, 4, Unit::Seconds),
];

/// Times of observation, the preferred first.
const OBSERVED: [(u16, u16, Unit); 4] = [
    (325, 8, Unit::Ntp),
    (324, 8, Unit::Ntp),
    (323, 8, Unit::Milliseconds),
    (322, 4, Unit::Seconds),
];

/// How many fields are a time in a width that time cannot have (P-825).
pub(super) fn misshapen(fields: &[Field]) -> usize {
    let flow_times = FLOW_TIMES.iter();
    let widths = flow_times
        .flat_map(|&(start, end, width, _)| [(start, width), (end, width)])
        .chain(OBSERVED.iter().map(|&(id, width, _)| (id, width)));
    let wrong = |field: &&Field| {
        let mut widths = widths.clone();
        let span = field.span().map(|span| span.width);
        field.element.pen == 0
            && widths.any(|(id, width)| field.element.id == id && span != Some(width))
    };
    fields.iter().filter(wrong).count()
}

impl TimeShape {
    /// Chooses the times of a Template and the rules that load the absolute ones.
    ///
    /// One unit for start and end where a Template has both in one.
    pub(super) fn choose(fields: &[Field]) -> (Self, Vec<Rule>) {
        let has = |id, width| {
            let mut fields = fields.iter();
            fields.any(|field| {
                field.element.pen == 0
                    && field.element.id == id
                    && field.span().is_some_and(|span| span.width == width)
            })
        };
        let uptime = |id| (1..=8).any(|width| Width::Uptime.takes(width) && has(id, width));
        let number = |id| (1..=8).any(|width| has(id, width));
        let both = |&&(start, end, width, _): &&(u16, u16, u16, Unit)| {
            has(start, width) && has(end, width)
        };
        let pair = FLOW_TIMES.iter().find(both);
        let one = |id: fn(&(u16, u16, u16, Unit)) -> u16| {
            pair.or_else(|| FLOW_TIMES.iter().find(|times| has(id(times), times.2)))
        };
        let start = one(|times| times.0);
        let end = one(|times| times.1);
        let observed = OBSERVED.iter().find(|&&(id, width, _)| has(id, width));
        let rules = [
            start.map(|&(id, _, width, _)| time(id, width, Slot::Start)),
            end.map(|&(_, id, width, _)| time(id, width, Slot::End)),
            observed.map(|&(id, width, _)| time(id, width, Slot::Observed)),
        ];
        let shape = Self {
            start: start.map(|times| times.3),
            end: end.map(|times| times.3),
            observed: observed.map(|times| times.2),
            start_uptime: uptime(22),
            end_uptime: uptime(21),
            start_delta: number(158),
            end_delta: number(159),
            boot: has(160, 8),
            duration: number(161) || number(162),
        };
        (shape, rules.into_iter().flatten().collect())
    }

    /// The times of the way back: its own, else those of the way there.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            start: self.start.or(other.start),
            end: self.end.or(other.end),
            observed: self.observed.or(other.observed),
            start_uptime: self.start_uptime || other.start_uptime,
            end_uptime: self.end_uptime || other.end_uptime,
            start_delta: self.start_delta || other.start_delta,
            end_delta: self.end_delta || other.end_delta,
            boot: self.boot || other.boot,
            duration: self.duration || other.duration,
        }
    }

    /// What is simple about it, if anything is.
    pub(super) fn stamps(self) -> Option<Stamps> {
        let of = |stamps, shape: Self| (self == shape).then_some(stamps);
        let uptimes = Self {
            start_uptime: true,
            end_uptime: true,
            ..Self::default()
        };
        let dates = |unit| Self {
            start: Some(unit),
            end: Some(unit),
            ..Self::default()
        };
        let dated = |unit| of(Stamps::Dates(unit), dates(unit));
        of(Stamps::Uptimes, uptimes)
            .or_else(|| dated(Unit::Seconds))
            .or_else(|| dated(Unit::Milliseconds))
            .or_else(|| dated(Unit::Ntp))
            .or_else(|| of(Stamps::None, Self::default()))
    }

    /// The times of one record.
    #[inline]
    pub(super) fn raw(self, slots: &Slots, clock: &Clock) -> RawTimes {
        let absolute =
            |unit: Option<Unit>, slot| unit.map(|unit| unit.to_ms(slots.get(slot), clock));
        RawTimes {
            start_uptime: self.start_uptime.then(|| slots.u32(Slot::StartUptime)),
            end_uptime: self.end_uptime.then(|| slots.u32(Slot::EndUptime)),
            start_ms: absolute(self.start, Slot::Start),
            end_ms: absolute(self.end, Slot::End),
            start_delta_us: self.start_delta.then(|| slots.u32(Slot::StartDelta)),
            end_delta_us: self.end_delta.then(|| slots.u32(Slot::EndDelta)),
            boot_ms: self.boot.then(|| slots.get(Slot::Boot)),
            duration_ms: self.duration.then(|| duration_ms(slots)),
            observed_ms: absolute(self.observed, Slot::Observed),
        }
    }

    /// When the flow began as sent, ms since 1970; 0 if the record does not say.
    pub(super) fn created_ms(self, slots: &Slots, clock: &Clock) -> u64 {
        self.start
            .map_or(0, |unit| unit.to_ms(slots.get(Slot::Start), clock))
    }

    /// When it was observed, ms since 1970; 0 if the record does not say.
    pub(super) fn event_ms(self, slots: &Slots, clock: &Clock) -> u64 {
        self.observed
            .map_or(0, |unit| unit.to_ms(slots.get(Slot::Observed), clock))
    }
}

/// 161, or 162 in whole milliseconds.
fn duration_ms(slots: &Slots) -> u64 {
    match slots.get(Slot::DurationMs) {
        0 => slots.get(Slot::DurationUs) / 1_000,
        duration => duration,
    }
}

/// Which times records have, if they have simply both or none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stamps {
    /// 22 and 21.
    Uptimes,
    /// Start and end since 1970.
    Dates(Unit),
    /// None at all.
    None,
}

impl Stamps {
    /// When a flow was, by start and end as they were sent.
    #[inline(always)]
    pub(super) fn times(self, start: u64, end: u64, clock: &Clock) -> Times {
        match self {
            Self::Uptimes => clock.between_uptimes(low(start), low(end)),
            Self::Dates(Unit::Milliseconds) => clock.between_dates(start, end),
            Self::Dates(unit) => {
                let date = |time| unit.to_ms(time, clock);
                clock.between_dates(date(start), date(end))
            }
            Self::None => clock.resolve(&RawTimes::default()),
        }
    }
}

/// The low half.
fn low(time: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "uptimes are modulo 2^32")]
    let low = time as u32;
    low
}

impl Unit {
    /// Milliseconds since 1970, in the era nearest arrival (P-121); 0 stays 0,
    /// which is what exporters send for a time they do not know.
    fn to_ms(self, time: u64, clock: &Clock) -> u64 {
        let [a, b, c, d, low @ ..] = time.to_be_bytes();
        let (high, low) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes(low));
        match self {
            Self::Seconds if low != 0 => clock.seconds_ms(low),
            Self::Ntp if time != 0 => clock.ntp_ms(high, low),
            Self::Seconds | Self::Milliseconds | Self::Ntp => time,
        }
    }
}
