//! GetLogs: `POST /logstores/{logstore}/logs` (v3) and
//! `GET /logstores/{logstore}?type=log` (v1).

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::request::{Parameters, Request};
use super::{Failure, Front, LogAnswer, LogQuery, Place, answer};
use crate::api::auth::Access;

/// v3: the question in JSON, the answer `{"meta", "data"}`.
pub(super) async fn post(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let query = query(&request.json_parameters()?)?;
    let found = find(front, at, &query).await?;
    let body = json!({"meta": meta(&found), "data": data(&found)});
    let accepted = request.header("accept-encoding").unwrap_or_default();
    answer::compressed(body.to_string().into_bytes(), "application/json", accepted)
}

/// v1: the question in the target, the answer an array.
pub(super) async fn get(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let query = query(&request.parameters())?;
    let found = find(front, at, &query).await?;
    let mut response = answer::json(&data(&found))?;
    let headers = response.headers_mut();
    let query_info = query_info(&found).to_string();
    for (name, value) in [
        ("x-log-progress", answer::progress(found.complete)),
        ("x-log-count", &found.rows.len().to_string()),
        ("x-log-has-sql", &found.has_sql.to_string()),
        ("x-log-processed-rows", &found.processed_rows.to_string()),
        ("x-log-elapsed-millisecond", &found.elapsed_ms.to_string()),
        ("x-log-agg-query", &found.agg_query),
        ("x-log-where-query", &found.where_query),
        ("x-log-cpu-sec", "0"),
        ("x-log-cpu-cores", "0"),
        ("x-log-query-info", &query_info),
    ] {
        answer::set(headers, name, value);
    }
    Ok(response)
}

async fn find(front: &Front, at: Place<'_>, query: &LogQuery) -> Result<LogAnswer, Failure> {
    let found = front.backend.logs(at, query).await?;
    let mut times = found.rows.iter().flatten();
    // The SDKs take the value under this name for a number, and fail.
    let is_bad = |name: &str, value: &str| name == "__time__" && value.parse::<i64>().is_err();
    if times.any(|(name, value)| is_bad(name, value)) {
        let message = "a column named __time__ must be a number; name it otherwise";
        return Err(Failure::parameter(message));
    }
    Ok(found)
}

/// Reads a question. Both versions name its parts alike.
///
/// # Errors
/// A part is missing or out of its range.
pub(super) fn query(parameters: &Parameters) -> Result<LogQuery, Failure> {
    let from_s = parameters.required_number("from")?;
    let to_s = parameters.required_number("to")?;
    if from_s > to_s || from_s < 0 {
        return Err(Failure::parameter("from must not be after to"));
    }
    let line = parameters.number("line")?.unwrap_or(LINE_MAX);
    let offset = parameters.number("offset")?.unwrap_or(0);
    Ok(LogQuery {
        from_s,
        to_s,
        from_ns: nanoseconds(parameters, "fromNs")?,
        to_ns: nanoseconds(parameters, "toNs")?,
        topic: parameters.text("topic").map(str::to_owned),
        query: parameters.text("query").unwrap_or_default().to_owned(),
        line: line.min(LINE_MAX),
        offset,
        reverse: parameters.flag("reverse")?,
    })
}

/// Logs of one page, at most: the SDKs page by this.
const LINE_MAX: usize = 100;

fn nanoseconds(parameters: &Parameters, name: &str) -> Result<u32, Failure> {
    let nanoseconds = parameters.number(name)?.unwrap_or(0);
    let is_within = nanoseconds < 1_000_000_000;
    let message = || format!("{name} must be less than a second");
    is_within
        .then_some(nanoseconds)
        .ok_or_else(|| Failure::parameter(message()))
}

/// Rows as objects; every value a string, which Go and Rust clients insist on.
fn data(found: &LogAnswer) -> Value {
    let row = |row: &Vec<(String, String)>| {
        let values = row.iter();
        let values = values.map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        Value::Object(values.collect::<Map<_, _>>())
    };
    found.rows.iter().map(row).collect()
}

fn meta(found: &LogAnswer) -> Value {
    let keys: Vec<_> = found.columns.iter().map(|column| &column.name).collect();
    let types: Vec<_> = found.columns.iter().map(|column| &column.kind).collect();
    json!({
        "progress": answer::progress(found.complete),
        "count": found.rows.len(),
        "processedRows": found.processed_rows,
        "processedBytes": found.processed_bytes,
        "elapsedMillisecond": found.elapsed_ms,
        "hasSQL": found.has_sql,
        "whereQuery": found.where_query,
        "aggQuery": found.agg_query,
        "cpuSec": 0.0,
        "cpuCores": 0,
        "limited": found.limited,
        "mode": 0,
        "powerSql": false,
        "isAccurate": true,
        "keys": keys,
        "columnTypes": types,
        "terms": [],
        "telementryType": "",
        "insertedSQL": "",
        "highlights": [],
    })
}

/// The columns of v1's answer: there is no `meta` to hold them.
fn query_info(found: &LogAnswer) -> Value {
    let keys: Vec<_> = found.columns.iter().map(|column| &column.name).collect();
    let types: Vec<_> = found.columns.iter().map(|column| &column.kind).collect();
    json!({"keys": keys, "columnTypes": types, "limited": found.limited.to_string(), "mode": 0})
}
