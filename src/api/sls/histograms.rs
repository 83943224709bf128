//! GetHistograms: `GET /logstores/{logstore}?type=histogram`, or with `/index`
//! before the question mark.

use axum::response::Response;
use serde_json::{Value, json};

use super::request::Request;
use super::{Failure, Front, answer, logs};
use crate::api::auth::Access;

/// How many logs there are in each step of a time range.
pub(super) async fn get(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let query = logs::query(&request.parameters())?;
    let steps = steps(query.from_s, query.to_s);
    let histogram = front.backend.histogram(at, &query, &steps).await?;
    let progress = answer::progress(histogram.complete);
    let ends = steps.iter().skip(1).chain([&query.to_s]);
    let buckets = steps.iter().zip(ends).zip(&histogram.counts);
    let bucket = |((from, to), count): ((&i64, &i64), &u64)| json!({"from": from, "to": to, "count": count, "progress": progress});
    let mut response = answer::json(&buckets.map(bucket).collect::<Vec<Value>>())?;
    let count: u64 = histogram.counts.iter().sum();
    answer::set(response.headers_mut(), "x-log-progress", progress);
    answer::set(response.headers_mut(), "x-log-count", &count.to_string());
    Ok(response)
}

/// Steps of an answer, at most, not counting a begun one.
const STEPS_MAX: i64 = 60;

/// Widths of steps that read well.
const WIDTHS_S: [i64; 16] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200,
];

/// Where the steps of a range begin: at its begin, then at round times.
fn steps(from_s: i64, to_s: i64) -> Vec<i64> {
    let range_s = to_s.saturating_sub(from_s);
    let mut widths = WIDTHS_S.into_iter();
    let fits = |width: &i64| range_s / width <= STEPS_MAX;
    let width = widths.find(fits).unwrap_or_else(|| {
        let days = range_s / 86_400 / STEPS_MAX + 1;
        days.saturating_mul(86_400)
    });
    let next = |from: &i64| (from / width + 1).checked_mul(width);
    let begins = std::iter::successors(Some(from_s), next);
    begins.take_while(|begin| *begin < to_s).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_begin_at_round_times() {
        let begins = steps(1_795_227_031, 1_795_227_151);
        assert_eq!(begins.len(), 61);
        assert_eq!(begins[..3], [1_795_227_031, 1_795_227_032, 1_795_227_034]);
        assert_eq!(steps(7, 7), [0; 0]);
        assert_eq!(steps(7, 8), [7]);
    }

    proptest! {
        #[test]
        fn steps_are_few_and_cover_the_range(from in 0..i64::MAX, range in 0..i64::MAX) {
            let to = from.saturating_add(range);
            let begins = steps(from, to);
            prop_assert!(begins.len() <= 62);
            prop_assert_eq!(begins.first().copied(), (from < to).then_some(from));
            prop_assert!(begins.is_sorted());
            prop_assert!(begins.last().is_none_or(|last| *last < to));
        }
    }
}
