//! Projects, logstores, documents and shards.

use jiff::Timestamp;
use serde_json::Value;

use super::failures::of_catalog;
use crate::api::sls::{Document, Failure, Logstore, LogstoreSettings, Place, Project, Shard};
use crate::logstore;
use crate::logstore::CatalogError;
use crate::logstore::LogStore;
use crate::logstore::LogstoreInfo;
use crate::logstore::LogstoreOptions;
use crate::logstore::search;

pub(super) fn projects(store: &LogStore) -> Vec<Project> {
    let projects = store.projects().into_iter().map(|project| Project {
        name: project.name,
        description: project.description,
        created_s: project.created_s,
        changed_s: project.changed_s,
    });
    projects.collect()
}

pub(super) fn set_project(store: &LogStore, name: &str, description: &str) -> Result<(), Failure> {
    let set = store.set_project(name, description, now_s());
    set.map_err(|error| of_catalog(error, in_project(name)))
}

pub(super) fn delete_project(store: &LogStore, name: &str) -> Result<(), Failure> {
    let deleted = store.delete_project(name);
    deleted.map_err(|error| of_catalog(error, in_project(name)))
}

pub(super) fn logstores(store: &LogStore, project: &str) -> Result<Vec<Logstore>, Failure> {
    let found = store.logstores(project);
    let found = found.map_err(|error| of_catalog(error, in_project(project)))?;
    Ok(found.into_iter().map(shown).collect())
}

/// The logstore at a place.
///
/// # Errors
/// There is no such project or logstore.
pub(super) fn find(store: &LogStore, at: Place<'_>) -> Result<Logstore, Failure> {
    let found = store.logstore(at.project, at.logstore);
    found.map(shown).map_err(|error| of_catalog(error, at))
}

pub(super) fn set_logstore(
    store: &LogStore,
    at: Place<'_>,
    settings: &LogstoreSettings,
) -> Result<(), Failure> {
    let kept = serde_json::to_value(settings);
    let options = LogstoreOptions {
        ttl_days: settings.ttl,
        settings: kept.map_err(|why| Failure::internal(why.to_string()))?,
    };
    let set = store.set_logstore(at.project, at.logstore, options, now_s());
    set.map_err(|error| of_catalog(error, at))
}

pub(super) fn delete_logstore(store: &LogStore, at: Place<'_>) -> Result<(), Failure> {
    let deleted = store.delete_logstore(at.project, at.logstore);
    deleted.map_err(|error| of_catalog(error, at))
}

/// What is kept beside the logs. A logstore that came with flows has their
/// index until it is given another.
pub(super) fn document(
    store: &LogStore,
    at: Place<'_>,
    which: Document,
) -> Result<Option<Value>, Failure> {
    let failed = |error: CatalogError| of_catalog(error, at);
    let (project, name) = (at.project, at.logstore);
    let kept = store.document(project, name, kept_as(which));
    if let Some(document) = kept.map_err(failed)? {
        return Ok(Some(document));
    }
    let is_of_flows = store
        .logstore(project, name)
        .map_err(failed)?
        .options
        .is_none();
    let own = is_of_flows && which == Document::Index;
    Ok(own.then(|| search::IndexConfig::of_flows().to_json()))
}

pub(super) fn set_document(
    store: &LogStore,
    at: Place<'_>,
    which: Document,
    document: Option<Value>,
) -> Result<(), Failure> {
    if let (Document::Index, Some(index)) = (which, &document) {
        let index = search::IndexConfig::from_json(index.to_string().as_bytes());
        index.map_err(|why| Failure::bad("IndexInfoInvalid", why.to_string()))?;
    }
    let set = store.set_document(at.project, at.logstore, kept_as(which), document);
    set.map_err(|error| of_catalog(error, at))
}

/// What can be asked for in a logstore: without an index of its own, all that
/// flows have, and words.
pub(super) fn index(store: &LogStore, at: Place<'_>) -> Result<search::IndexConfig, Failure> {
    let kept = store.document(at.project, at.logstore, logstore::Document::Index);
    let Some(index) = kept.map_err(|error| of_catalog(error, at))? else {
        return Ok(search::IndexConfig::of_flows());
    };
    let index = search::IndexConfig::from_json(index.to_string().as_bytes());
    index.map_err(|why| Failure::bad("IndexInfoInvalid", why.to_string()))
}

/// The only shard.
pub(super) fn shards(store: &LogStore, at: Place<'_>) -> Result<Vec<Shard>, Failure> {
    let numbers = store.numbers(at.project, at.logstore);
    let numbers = numbers.map_err(|error| of_catalog(error, at))?;
    Ok(vec![Shard {
        id: 0,
        begin: numbers.start,
        end: numbers.end,
        created_s: find(store, at)?.created_s,
    }])
}

fn shown(found: LogstoreInfo) -> Logstore {
    let settings = found.options.and_then(|options| {
        let kept = serde_json::from_value::<LogstoreSettings>(options.settings);
        kept.ok()
    });
    Logstore {
        name: found.name.logstore().to_owned(),
        settings: settings.unwrap_or_default(),
        created_s: found.created_s,
        changed_s: found.changed_s,
    }
}

fn kept_as(which: Document) -> logstore::Document {
    match which {
        Document::Index => logstore::Document::Index,
        Document::ConsumerGroups => logstore::Document::ConsumerGroups,
    }
}

const fn in_project(project: &str) -> Place<'_> {
    Place {
        project,
        logstore: "",
    }
}

fn now_s() -> i64 {
    Timestamp::now().as_second()
}
