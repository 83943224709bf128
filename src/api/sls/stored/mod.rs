//! The embedded log store behind the front.

mod failures;
mod found;
mod places;
mod pulled;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Semaphore;

use super::{
    Backend, Document, Failure, Histogram, Incoming, LogAnswer, LogQuery, Logstore,
    LogstoreSettings, Place, Project, PullRange, Pulled, Reply, Shard,
};
use crate::logstore::Limits;
use crate::logstore::LogStore;

/// A log store as the front needs it. Each logstore has one shard, number 0.
pub struct Stored {
    store: Arc<LogStore>,
    inlet: Arc<dyn Inlet>,
    limits: Limits,
    /// Reads of files at once; others wait.
    readers: Arc<Semaphore>,
}

/// How logs come into the log store.
pub trait Inlet: Send + Sync + 'static {
    /// Stores a log group in a logstore that is there; answers once it is
    /// durable and can be read.
    fn put<'a>(&'a self, at: Place<'a>, logs: Incoming) -> Reply<'a, ()>;
}

impl Stored {
    /// The log store `store`, which takes logs through `inlet`; each question
    /// may cost as much as `limits` say.
    pub fn new(store: Arc<LogStore>, inlet: Arc<dyn Inlet>, limits: Limits) -> Self {
        Self {
            store,
            inlet,
            limits,
            readers: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }

    /// Does `work` where it may wait for the disk.
    fn waiting<T: Send + 'static>(
        &self,
        work: impl FnOnce(&LogStore) -> Result<T, Failure> + Send + 'static,
    ) -> Reply<'static, T> {
        let store = Arc::clone(&self.store);
        let job = tokio::task::spawn_blocking(move || work(&store));
        Box::pin(async move {
            let broken = |why| Failure::internal(format!("the log store broke down: {why}"));
            job.await.map_err(broken)?
        })
    }

    /// As [`waiting`](Self::waiting), a few at a time: `work` reads rows.
    fn reading<'a, T: Send + 'static>(
        &'a self,
        work: impl FnOnce(&LogStore) -> Result<T, Failure> + Send + 'static,
    ) -> Reply<'a, T> {
        let readers = Arc::clone(&self.readers);
        Box::pin(async move {
            let turn = readers.acquire_owned().await;
            let done = self.waiting(move |store| {
                // Until the rows are read, also when nobody waits for them any more.
                let _turn = turn;
                work(store)
            });
            done.await
        })
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("store", &self.store)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Backend for Stored {
    fn put<'a>(&'a self, at: Place<'a>, logs: Incoming) -> Reply<'a, ()> {
        Box::pin(async move {
            places::find(&self.store, at)?;
            self.inlet.put(at, logs).await
        })
    }

    fn logs<'a>(&'a self, at: Place<'a>, query: &'a LogQuery) -> Reply<'a, LogAnswer> {
        Box::pin(found::logs(&self.store, at, query, self.limits))
    }

    fn histogram<'a>(
        &'a self,
        at: Place<'a>,
        query: &'a LogQuery,
        steps: &'a [i64],
    ) -> Reply<'a, Histogram> {
        Box::pin(found::histogram(&self.store, at, query, steps, self.limits))
    }

    fn topics<'a>(&'a self, at: Place<'a>, after: &'a str, limit: usize) -> Reply<'a, Vec<String>> {
        Box::pin(found::topics(&self.store, at, after, limit, self.limits))
    }

    fn projects(&self) -> Reply<'_, Vec<Project>> {
        self.waiting(|store| Ok(places::projects(store)))
    }

    fn set_project<'a>(&'a self, name: &'a str, description: &'a str) -> Reply<'a, ()> {
        let (name, description) = (name.to_owned(), description.to_owned());
        self.waiting(move |store| places::set_project(store, &name, &description))
    }

    fn delete_project<'a>(&'a self, name: &'a str) -> Reply<'a, ()> {
        let name = name.to_owned();
        self.waiting(move |store| places::delete_project(store, &name))
    }

    fn logstores<'a>(&'a self, project: &'a str) -> Reply<'a, Vec<Logstore>> {
        let project = project.to_owned();
        self.waiting(move |store| places::logstores(store, &project))
    }

    fn set_logstore<'a>(&'a self, at: Place<'a>, settings: LogstoreSettings) -> Reply<'a, ()> {
        let at = Owned::from(at);
        self.waiting(move |store| places::set_logstore(store, at.place(), &settings))
    }

    fn delete_logstore<'a>(&'a self, at: Place<'a>) -> Reply<'a, ()> {
        let at = Owned::from(at);
        self.waiting(move |store| places::delete_logstore(store, at.place()))
    }

    fn document<'a>(&'a self, at: Place<'a>, which: Document) -> Reply<'a, Option<Value>> {
        let at = Owned::from(at);
        self.waiting(move |store| places::document(store, at.place(), which))
    }

    fn set_document<'a>(
        &'a self,
        at: Place<'a>,
        which: Document,
        document: Option<Value>,
    ) -> Reply<'a, ()> {
        let at = Owned::from(at);
        self.waiting(move |store| places::set_document(store, at.place(), which, document))
    }

    fn shards<'a>(&'a self, at: Place<'a>) -> Reply<'a, Vec<Shard>> {
        let at = Owned::from(at);
        self.waiting(move |store| places::shards(store, at.place()))
    }

    fn cursor_at<'a>(&'a self, at: Place<'a>, _shard: u32, time_s: i64) -> Reply<'a, u64> {
        let at = Owned::from(at);
        self.reading(move |store| pulled::cursor_at(store, at.place(), time_s))
    }

    fn cursor_time<'a>(
        &'a self,
        at: Place<'a>,
        _shard: u32,
        cursor: u64,
    ) -> Reply<'a, Option<i64>> {
        let at = Owned::from(at);
        self.reading(move |store| pulled::cursor_time(store, at.place(), cursor))
    }

    fn pull<'a>(&'a self, at: Place<'a>, range: PullRange) -> Reply<'a, Pulled> {
        let at = Owned::from(at);
        self.reading(move |store| pulled::pull(store, at.place(), range))
    }
}

/// A [`Place`] that another thread can have.
struct Owned {
    project: String,
    logstore: String,
}

impl Owned {
    fn place(&self) -> Place<'_> {
        Place {
            project: &self.project,
            logstore: &self.logstore,
        }
    }
}

impl From<Place<'_>> for Owned {
    fn from(at: Place<'_>) -> Self {
        Self {
            project: at.project.to_owned(),
            logstore: at.logstore.to_owned(),
        }
    }
}

/// Each holds a few MiB: enough for the disk, little enough for a forwarder.
const READERS_MAX: usize = 4;
