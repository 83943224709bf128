//! Times as people type them.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::cli::Failure;

/// nfdump's form, with and without seconds.
const NFDUMP: [&str; 2] = ["%Y/%m/%d.%H:%M:%S", "%Y/%m/%d.%H:%M"];

/// Half-open: from the first moment on, before the second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Window {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Window {
    /// The condition on a flow's end, in UTC.
    pub(super) fn to_sql(self) -> String {
        let bound = |operator: &str, moment: Timestamp| {
            format!(
                "\"end\" {operator} TIMESTAMP '{}'",
                moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
            )
        };
        match (self.from, self.to) {
            (Some(from), Some(to)) => format!("{} AND {}", bound(">=", from), bound("<", to)),
            (Some(from), None) => bound(">=", from),
            (None, Some(to)) => bound("<", to),
            (None, None) => "TRUE".to_owned(),
        }
    }
}

/// From `90s`, `15m`, `2h` or `7d` before `now` on.
pub(super) fn last(text: &str, now: Timestamp) -> Result<Window, Failure> {
    let duration: Option<SignedDuration> = match text.strip_suffix('d') {
        Some(days) => days
            .parse::<i64>()
            .ok()
            .and_then(|days| days.checked_mul(24))
            .map(SignedDuration::from_hours),
        None => text.parse().ok(),
    };
    let from = duration
        .filter(SignedDuration::is_positive)
        .and_then(|duration| now.checked_sub(duration).ok());
    let from = from.ok_or_else(|| {
        Failure::usage(format!(
            "--last {text}: expected a duration such as 90s, 15m, 2h or 7d"
        ))
    })?;
    Ok(Window {
        from: Some(from),
        to: None,
    })
}

/// Between two moments, either of which may be missing.
pub(super) fn between(
    from: Option<&str>,
    to: Option<&str>,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Window, Failure> {
    let moment = |option: &str, text: Option<&str>| match text {
        None => Ok(None),
        Some(text) => moment(text, now, zone).map(Some).ok_or_else(|| {
            Failure::usage(format!(
                "{option} {text}: expected a time such as 2026-11-21T10:00 or 2026/11/21.10:00"
            ))
        }),
    };
    let window = Window {
        from: moment("--from", from)?,
        to: moment("--to", to)?,
    };
    if window.from.is_some() && window.to.is_some() && window.from >= window.to {
        return Err(Failure::usage("--from must be before --to"));
    }
    Ok(window)
}

/// A moment; local where it names no zone, today where it names no date.
fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let nfdump = NFDUMP
        .iter()
        .find_map(|form| DateTime::strptime(form, text).ok());
    let today = || {
        text.parse::<Time>()
            .ok()
            .map(|time| now.to_zoned(zone.clone()).date().to_datetime(time))
    };
    let midnight = || {
        text.parse::<Date>()
            .ok()
            .map(|date| date.to_datetime(Time::midnight()))
    };
    let local = nfdump
        .or_else(today)
        .or_else(|| text.parse::<DateTime>().ok())
        .or_else(midnight)?;
    local
        .to_zoned(zone.clone())
        .ok()
        .map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn at(text: &str) -> Option<String> {
        // Two hours east of Greenwich.
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        moment(text, NOW.parse().unwrap(), &zone).map(|moment| moment.to_string())
    }

    #[test]
    fn every_form_of_a_time_is_read_in_the_local_zone() {
        let ten = Some("2026-11-21T08:00:00Z".to_owned());
        let forms = [
            "2026-11-21T10:00",
            "2026-11-21 10:00:00",
            "2026/11/21.10:00",
            "2026/11/21.10:00:00",
            "10:00",
        ];
        for form in forms {
            assert_eq!(at(form), ten, "{form}");
        }
        assert_eq!(at("2026-11-21T08:00:00Z"), ten);
        assert_eq!(at("2026-11-21T10:00:00+02:00"), ten);
        assert_eq!(at("2026-11-21"), Some("2026-11-20T22:00:00Z".to_owned()));
        assert_eq!(at("yesterday"), None);
    }

    #[test]
    fn a_window_is_half_open_and_in_order() {
        let now = NOW.parse().unwrap();
        let zone = TimeZone::UTC;
        let window = between(Some("10:00"), Some("2026/11/21.11:00"), now, &zone).unwrap();
        let sql = "\"end\" >= TIMESTAMP '2026-11-21T10:00:00.000Z' AND \"end\" < TIMESTAMP '2026-11-21T11:00:00.000Z'";
        assert_eq!(window.to_sql(), sql);
        let failure = between(Some("11:00"), Some("10:00"), now, &zone).unwrap_err();
        assert_eq!(failure.message(), "--from must be before --to");
    }

    #[test]
    fn the_last_minutes_and_days_are_counted_back_from_now() {
        let now = NOW.parse().unwrap();
        let sql = |text: &str| last(text, now).map(Window::to_sql);
        assert_eq!(
            sql("15m").unwrap(),
            "\"end\" >= TIMESTAMP '2026-11-21T11:45:00.000Z'"
        );
        assert_eq!(
            sql("7d").unwrap(),
            "\"end\" >= TIMESTAMP '2026-11-14T12:00:00.000Z'"
        );
        for text in ["0s", "-5m", "soon", "9223372036854775807d"] {
            assert!(sql(text).is_err(), "{text}");
        }
    }
}
