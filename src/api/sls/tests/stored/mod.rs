//! The front over the embedded log store: what was put is found, counted and
//! pulled, and all of it is there after a restart.

mod found;
mod kept;
mod pulled;

use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use arrow_array::ArrayRef;
use arrow_array::Float64Array;
use arrow_array::RecordBatch;
use arrow_array::TimestampMillisecondArray;
use arrow_array::UInt32Array;
use arrow_array::UInt64Array;
use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};

use super::{Answer, NOW_S, get, group, json as send_json, put, request, send, settings};
use crate::api::auth::Keys;
use crate::api::sls::{
    Backend, Content, Failure, Front, Incoming, Inlet, Log, LogGroup, LogGroupList, LogTag, Place,
    PullRange, Reply, Stored, cursors,
};
use crate::logstore;
use crate::logstore::Limits;
use crate::logstore::LogStore;
use crate::logstore::Logs;
use crate::logstore::LogstoreOptions;

/// The log store at `dir`, with the project and logstore that requests name.
fn open_store(dir: &Path) -> Arc<LogStore> {
    let store = LogStore::open(logstore::Settings::new(dir)).unwrap();
    if store.logstore("flow-proj", "flows").is_err() {
        let options = LogstoreOptions {
            ttl_days: 30,
            settings: json!({}),
        };
        store.set_project("flow-proj", "", 0).unwrap();
        store
            .set_logstore("flow-proj", "flows", options, 0)
            .unwrap();
    }
    Arc::new(store)
}

/// A backend that takes logs without a journal, with gaps between the groups.
fn over(store: Arc<LogStore>) -> Stored {
    let inlet = Straight {
        next: Mutex::new(store.next_seq() + 3),
        store: Arc::clone(&store),
    };
    Stored::new(store, Arc::new(inlet), Limits::default())
}

struct Straight {
    store: Arc<LogStore>,
    next: Mutex<u64>,
}

impl Inlet for Straight {
    fn put<'a>(&'a self, at: Place<'a>, incoming: Incoming) -> Reply<'a, ()> {
        let group = incoming.group;
        let log = |log: Log| logstore::Log {
            time_s: i64::from(log.time),
            time_ns: log.time_ns,
            fields: (log.contents.into_iter())
                .map(|content| (content.key, content.value.to_vec()))
                .collect(),
        };
        let tags = group.log_tags.into_iter();
        let logs = Logs {
            topic: group.topic.unwrap_or_default(),
            source: group.source.unwrap_or_default(),
            tags: tags.map(|tag| (tag.key, tag.value)).collect(),
            logs: group.logs.into_iter().map(log).collect(),
        };
        let mut next = self.next.lock().unwrap();
        let first_seq = *next;
        *next += logs.logs.len() as u64 + 5;
        let arrival_ms = u64::try_from(incoming.received_s).unwrap() * 1_000;
        let (project, name) = (at.project, at.logstore);
        let taken = self
            .store
            .append_logs(project, name, &logs, first_seq, arrival_ms);
        let taken = taken.map(drop);
        Box::pin(ready(
            taken.map_err(|why| Failure::internal(why.to_string())),
        ))
    }
}

fn front(store: &Arc<LogStore>) -> Front {
    Front::new(Arc::new(over(Arc::clone(store))), settings(Keys::open()))
}

async fn ask(front: &Front, query: &str) -> Answer {
    ask_beside(front, query, "").await
}

async fn ask_beside(front: &Front, query: &str, beside: &str) -> Answer {
    let (from, to) = (NOW_S - 100, NOW_S + 100);
    let query = Value::from(query);
    let body = format!(r#"{{"from":{from},"to":{to},"query":{query}{beside}}}"#);
    send_json(front, "POST", "/logstores/flows/logs", &body).await
}

/// One log with these fields, a second before now.
fn one(fields: &[(&str, &'static [u8])]) -> LogGroup {
    let content = |(key, value): &(&str, &'static [u8])| Content {
        key: (*key).to_owned(),
        value: Bytes::from_static(value),
    };
    LogGroup {
        logs: vec![Log {
            time: NOW_S - 1,
            contents: fields.iter().map(content).collect(),
            time_ns: None,
        }],
        ..LogGroup::default()
    }
}
