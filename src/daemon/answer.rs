//! Questions about stored flows, with what the answer cannot contain yet.

use std::time::Instant;

use crate::api::QueryAnswer;
use crate::api::QueryRequest;
use crate::api::Refusal;
use crate::daemon::clock;
use crate::daemon::metrics;
use crate::daemon::service::Service;
use crate::logstore::Limits;
use crate::logstore::Query;

/// From the arrival of a datagram to its rows in the log store, at the longest
/// when nothing is held up: an open batch's age, a tick, and the second a lane
/// takes to note that flows stay longer.
const WAY_MS: u64 = 2_500;

impl Service {
    /// Answers a question with what the log store has.
    pub(super) async fn answer(&self, request: QueryRequest) -> Result<QueryAnswer, Refusal> {
        let began = Instant::now();
        let answer = self.find_out(request).await;
        let result = match &answer {
            Ok(_) => "answered",
            Err(refusal) => refusal.code.label(),
        };
        metrics::answered(result, began.elapsed());
        answer
    }

    async fn find_out(&self, request: QueryRequest) -> Result<QueryAnswer, Refusal> {
        let limits = self.query_limits();
        let rows_max = request.max_rows.unwrap_or(limits.rows_max);
        let query = Query {
            sql: request.sql,
            limits: Limits {
                rows_max: rows_max.min(limits.rows_max),
                ..limits
            },
        };
        // Read before the rows are: what is open now may be answered after all.
        let now = self.ledger().read().sum();
        let complete_to_ms = clock::unix_ms()
            .saturating_sub(now.longest_stay_ms)
            .saturating_sub(WAY_MS);
        let answer = self.store().query(query).await?;
        Ok(QueryAnswer {
            complete_to: rfc3339(complete_to_ms),
            open_flows: now.live,
            ..answer.into()
        })
    }
}

fn rfc3339(unix_ms: u64) -> Option<String> {
    let moment = jiff::Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    Some(moment.to_string())
}
