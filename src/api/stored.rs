//! What the log store says, in the words of the API: the daemon answers with
//! it over HTTP, the command line out of the store's files.

use serde_json::{Map, Value};

use crate::api::Column;
use crate::api::QueryAnswer;
use crate::api::Refusal;
use crate::api::RefusalCode;
use crate::logstore::Answer;
use crate::logstore::PartInfo;
use crate::logstore::QueryError;
use crate::logstore::QueryErrorKind;

/// The rows of a store at rest: nothing is open, nothing is to come.
impl From<Answer> for QueryAnswer {
    fn from(answer: Answer) -> Self {
        let columns = answer.columns.into_iter().map(|column| Column {
            name: column.name,
            kind: column.kind.to_owned(),
        });
        Self {
            columns: columns.collect(),
            rows: answer.rows,
            truncated: answer.truncated,
            complete_to: None,
            open_flows: 0,
            scanned_rows: answer.scanned_rows,
            elapsed_ms: u64::try_from(answer.elapsed.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        let code = match error.kind {
            QueryErrorKind::Syntax | QueryErrorKind::Unsupported => RefusalCode::BadRequest,
            QueryErrorKind::TooComplex | QueryErrorKind::Memory => RefusalCode::TooMuch,
            QueryErrorKind::Timeout => RefusalCode::Timeout,
            QueryErrorKind::Busy => RefusalCode::Busy,
            QueryErrorKind::Internal => RefusalCode::Internal,
        };
        Self::new(code, &error.message)
    }
}

/// A part as `/api/v1/parts` shows it.
pub fn part(part: PartInfo) -> Map<String, Value> {
    let fields = [
        ("project", part.logstore.project().into()),
        ("logstore", part.logstore.logstore().into()),
        ("path", part.path.to_string_lossy().into()),
        ("rows", part.rows.into()),
        ("bytes", part.bytes.into()),
        ("first_seq", part.first_seq.into()),
        ("last_seq", part.last_seq.into()),
        ("first_time", part.first_time.into()),
        ("last_time", part.last_time.into()),
        ("schema_version", part.schema_version.into()),
    ];
    let named = fields.map(|(name, value): (&str, Value)| (name.to_owned(), value));
    named.into_iter().collect()
}
