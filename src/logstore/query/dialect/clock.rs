//! Times as text, by the signs that MySQL and Presto have for their parts.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time in milliseconds since 1970 as `format` has it, in UTC; none where
/// the time is not within years 1 to 9999.
pub(super) fn format(ms: i64, format: &str) -> Option<String> {
    let time = TimeZone::UTC.to_datetime(Timestamp::from_millisecond(ms).ok()?);
    let mut text = String::new();
    let mut signs = format.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '%' => write_part(&mut text, time, signs.next()?),
            _ => text.push(sign),
        }
    }
    Some(text)
}

fn write_part(text: &mut String, time: DateTime, sign: char) {
    let half = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let noon = if time.hour() < 12 { "AM" } else { "PM" };
    // Writing to a String cannot fail.
    let _ = match sign {
        'Y' => write!(text, "{:04}", time.year()),
        'y' => write!(text, "{:02}", time.year().rem_euclid(100)),
        'm' => write!(text, "{:02}", time.month()),
        'c' => write!(text, "{}", time.month()),
        'd' => write!(text, "{:02}", time.day()),
        'e' => write!(text, "{}", time.day()),
        'H' => write!(text, "{:02}", time.hour()),
        'k' => write!(text, "{}", time.hour()),
        'h' | 'I' => write!(text, "{half:02}"),
        'l' => write!(text, "{half}"),
        'i' => write!(text, "{:02}", time.minute()),
        's' | 'S' => write!(text, "{:02}", time.second()),
        'f' => write!(text, "{:06}", time.subsec_nanosecond() / 1000),
        // Not MySQL's: what SLS shows of a timestamp.
        'L' => write!(text, "{:03}", time.millisecond()),
        'p' => write!(text, "{noon}"),
        'j' => write!(text, "{:03}", time.day_of_year()),
        'T' => write!(text, "{}", time.strftime("%H:%M:%S")),
        'r' => write!(text, "{half:02}:{} {noon}", time.strftime("%M:%S")),
        'a' => write!(text, "{}", time.strftime("%a")),
        'W' => write!(text, "{}", time.strftime("%A")),
        'b' => write!(text, "{}", time.strftime("%b")),
        'M' => write!(text, "{}", time.strftime("%B")),
        other => write!(text, "{other}"),
    };
}

/// Seconds of a window such as `30s`, `1m`, `1h` or `1d`.
pub(super) fn window(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
    count.checked_mul(seconds).filter(|window| *window > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_of_a_time_are_written() {
        // 2026-11-21T04:05:06.007Z, a Saturday.
        let ms = 1_795_233_906_007;
        let parts =
            "%Y %y %m %c %d %e|%H %k %h %I %l %i %s %S %f %L %p|%T|%r|%a %W %b %M %j %% %x x";
        let expected = "2026 26 11 11 21 21|04 4 04 04 4 05 06 06 007000 007 AM|04:05:06|04:05:06 AM|\
                        Sat Saturday Nov November 325 % x x";
        assert_eq!(format(ms, parts).as_deref(), Some(expected));
        let noon = format(ms + 8 * 3_600_000, "%h %p");
        assert_eq!(noon.as_deref(), Some("12 PM"));
        assert_eq!(format(ms, "%"), None);
        assert_eq!(format(i64::MAX, "%Y"), None);
    }

    #[test]
    fn windows_are_whole_and_more_than_nothing() {
        assert_eq!(window("30s"), Some(30));
        assert_eq!(window("1m"), Some(60));
        assert_eq!(window("2h"), Some(7200));
        assert_eq!(window("1d"), Some(86_400));
        for wrong in [
            "",
            "m",
            "0m",
            "-1m",
            "1x",
            "1.5m",
            "99999999999999999999d",
            "1流",
        ] {
            assert_eq!(window(wrong), None, "{wrong}");
        }
    }
}
