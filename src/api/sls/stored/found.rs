//! Questions: logs found, rows computed, logs counted.

use serde_json::Value;

use super::failures::of_question;
use super::places;
use crate::api::sls::{Column, Failure, Histogram, LogAnswer, LogQuery, Place};
use crate::logstore::Answer;
use crate::logstore::Limits;
use crate::logstore::LogStore;
use crate::logstore::Query;
use crate::logstore::search;

pub(super) async fn logs(
    store: &LogStore,
    at: Place<'_>,
    query: &LogQuery,
    limits: Limits,
) -> Result<LogAnswer, Failure> {
    let logstore = places::find(store, at)?;
    let plan = plan(store, at, query)?;
    let (where_query, agg_query) = plan.divide(&query.query);
    let page = search::Page {
        offset: usize::try_from(query.offset).unwrap_or(usize::MAX),
        line: query.line,
        newest_first: query.reverse,
    };
    let (has_sql, limited) = (plan.has_sql(), plan.rows_max());
    let answer = store.search(at.project, at.logstore, plan, page, limits);
    let answer = answer.await.map_err(of_question)?;
    if answer.truncated {
        let rows_max = limits.rows_max;
        let message = format!("the answer has more than {rows_max} rows: write LIMIT {rows_max}");
        return Err(Failure::parameter(message));
    }
    let rows = match has_sql {
        true => computed(&answer),
        false => found(&answer, logstore.settings.append_meta),
    };
    let columns = answer.columns.iter().map(|column| Column {
        name: column.name.clone(),
        kind: kind(column.kind).to_owned(),
    });
    Ok(LogAnswer {
        rows,
        complete: true,
        processed_rows: answer.scanned_rows,
        processed_bytes: 0,
        elapsed_ms: u64::try_from(answer.elapsed.as_millis()).unwrap_or(u64::MAX),
        has_sql,
        where_query: where_query.to_owned(),
        agg_query: agg_query.to_owned(),
        columns: columns.filter(|_| has_sql).collect(),
        limited,
    })
}

pub(super) async fn histogram(
    store: &LogStore,
    at: Place<'_>,
    query: &LogQuery,
    steps: &[i64],
    limits: Limits,
) -> Result<Histogram, Failure> {
    places::find(store, at)?;
    let plan = plan(store, at, query)?;
    let counts = store.count(at.project, at.logstore, plan, steps, limits.time_max);
    Ok(Histogram {
        counts: counts.await.map_err(of_question)?,
        complete: true,
    })
}

pub(super) async fn topics(
    store: &LogStore,
    at: Place<'_>,
    after: &str,
    limit: usize,
    limits: Limits,
) -> Result<Vec<String>, Failure> {
    places::find(store, at)?;
    // Names of what is there hold no quotes.
    let sql = format!(
        "SELECT DISTINCT __topic__ FROM \"{}\".\"{}\" WHERE __topic__ > '{}' ORDER BY 1 LIMIT {limit}",
        at.project,
        at.logstore,
        after.replace('\'', "''"),
    );
    let mut query = Query::new(sql);
    query.limits.time_max = limits.time_max;
    let answer = store.query(query).await.map_err(of_question)?;
    let topics = answer.rows.iter().flatten();
    Ok(topics.map(text).collect())
}

/// A question, with all that is asked beside its text.
fn plan(store: &LogStore, at: Place<'_>, query: &LogQuery) -> Result<search::Plan, Failure> {
    let index = places::index(store, at)?;
    let plan = search::plan(&query.query, &index, query.from_s, query.to_s);
    let plan = plan.map_err(|error| Failure::parameter(error.to_string()))?;
    let plan = plan.within_nanoseconds(query.from_ns, query.to_ns);
    Ok(match query.topic.as_deref() {
        Some(topic) if !topic.is_empty() => plan.of_topic(topic),
        Some(_) | None => plan,
    })
}

/// Rows of SQL: every column, of which SLS calls null what is.
fn computed(answer: &Answer) -> Vec<Vec<(String, String)>> {
    let names = || answer.columns.iter().map(|column| column.name.clone());
    let rows = answer.rows.iter();
    rows.map(|row| names().zip(row.iter().map(text)).collect())
        .collect()
}

/// Logs: the fields they have.
fn found(answer: &Answer, has_meta: bool) -> Vec<Vec<(String, String)>> {
    let fields = |row: &Vec<Value>| {
        let mut fields = Vec::new();
        for (column, value) in answer.columns.iter().zip(row) {
            add(&mut fields, &column.name, value, has_meta);
        }
        fields
    };
    answer.rows.iter().map(fields).collect()
}

fn add(fields: &mut Vec<(String, String)>, name: &str, value: &Value, has_meta: bool) {
    match (name, value) {
        // There in every log, whatever they say.
        ("__topic__" | "__source__", Value::Null) => fields.push((name.to_owned(), String::new())),
        (_, Value::Null) => {}
        ("__time_ns_part__", value) if value == 0 => {}
        ("__receive_time__", _) if !has_meta => {}
        ("__receive_time__", value) => {
            fields.push((format!("{TAG}__receive_time__"), text(value)));
        }
        ("tags", Value::Object(tags)) => {
            fields.extend(
                tags.iter()
                    .map(|(key, value)| (format!("{TAG}{key}"), text(value))),
            );
        }
        ("rest", Value::Object(rest)) => {
            fields.extend(rest.iter().map(|(key, value)| (key.clone(), text(value))));
        }
        (name, Value::Number(number)) => fields.push((name.to_owned(), plain(number))),
        (name, value) => fields.push((name.to_owned(), text(value))),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// A number without the fraction of a whole one.
fn plain(number: &serde_json::Number) -> String {
    let text = number.to_string();
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// The type of a column in Presto's words.
fn kind(kind: &str) -> &str {
    match kind {
        "integer" => "bigint",
        "number" => "double",
        "text" => "varchar",
        // Of a list, which only `compare` makes.
        "array" => "array(double)",
        "object" => "map",
        "null" => "unknown",
        kind => kind,
    }
}

/// In front of the name of a tag.
const TAG: &str = "__tag__:";
