//! The time a Logstore takes logs of.

/// Log Times that the service takes: 7 days back, 15 minutes ahead.
///
/// Both ends are a minute closer, for what a request needs to arrive and for
/// what our idea of the server's time is off. sls.md §2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimeWindow {
    now_s: u32,
    earliest_s: u32,
    latest_s: u32,
}

impl TimeWindow {
    /// The window at the server's time, seconds since 1970.
    pub fn around(server_s: u64) -> Self {
        let now_s = u32::try_from(server_s).unwrap_or(u32::MAX);
        Self {
            now_s,
            earliest_s: now_s.saturating_sub(BACK_S - MARGIN_S),
            latest_s: now_s.saturating_add(AHEAD_S - MARGIN_S),
        }
    }

    /// The Log Time of a row and whether it is not the row's own.
    ///
    /// `end_ms` is the flow's end, milliseconds since 1970, of which whole
    /// seconds count; a row without one is of now.
    pub(super) fn log_time(self, end_ms: Option<i64>) -> (u32, bool) {
        let Some(end_ms) = end_ms else {
            return (self.now_s, false);
        };
        let end_s = end_ms.div_euclid(1000);
        let time = end_s.clamp(self.earliest_s.into(), self.latest_s.into());
        let time_s = u32::try_from(time).unwrap_or(self.now_s);
        (time_s, time != end_s)
    }

    /// The time in the window that is closest to a Log Time.
    pub(in crate::sink::sls) fn clamp(self, time_s: u32) -> u32 {
        time_s.clamp(self.earliest_s, self.latest_s)
    }
}

/// How far back from its own time the service takes logs.
const BACK_S: u32 = 7 * 24 * 3600;
/// How far ahead of its own time the service takes logs.
const AHEAD_S: u32 = 15 * 60;
/// Kept from both ends.
const MARGIN_S: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_767_225_600;

    #[test]
    fn a_time_in_the_window_is_its_own() {
        let window = TimeWindow::around(NOW_S);
        assert_eq!(
            window.log_time(Some(1_767_225_599_999)),
            (1_767_225_599, false)
        );
        assert_eq!(
            window.log_time(Some(1_767_225_601_001)),
            (1_767_225_601, false)
        );
        assert_eq!(window.log_time(None), (1_767_225_600, false));
    }

    #[test]
    fn a_time_outside_is_clamped_a_minute_inside() {
        let window = TimeWindow::around(NOW_S);
        let (earliest, latest) = (1_767_225_600 - 604_740, 1_767_225_600 + 840);
        for ms in [i64::MIN, -1, 0, i64::from(earliest) * 1000 - 1] {
            assert_eq!(window.log_time(Some(ms)), (earliest, true));
        }
        assert_eq!(
            window.log_time(Some(i64::from(earliest) * 1000)),
            (earliest, false)
        );
        assert_eq!(
            window.log_time(Some(i64::from(latest) * 1000 + 999)),
            (latest, false)
        );
        for ms in [i64::from(latest) * 1000 + 1000, i64::MAX] {
            assert_eq!(window.log_time(Some(ms)), (latest, true));
        }
    }

    #[test]
    fn no_time_of_the_server_is_out_of_range() {
        assert_eq!(TimeWindow::around(0).log_time(Some(-1)), (0, true));
        let last = TimeWindow::around(u64::MAX);
        assert_eq!(last.log_time(Some(i64::MAX)), (u32::MAX, true));
    }
}
