//! Logstores: `/logstores` and `/logstores/{logstore}`.

use axum::response::Response;
use serde_json::{Value, json};

use super::request::Request;
use super::{Failure, Front, Logstore, LogstoreSettings, Place, answer};
use crate::api::auth::Access;

/// The names of a project's logstores.
pub(super) async fn list(front: &Front, request: &Request<'_>) -> Result<Response, Failure> {
    let project = request.project(Access::Read)?;
    let parameters = request.parameters();
    let wanted = parameters.text("logstoreName").unwrap_or_default();
    let logstores = front.backend.logstores(project).await?;
    let names = logstores.into_iter().map(|logstore| logstore.name);
    let names = names.filter(|name| name.contains(wanted)).collect();
    let offset = parameters.number("offset")?.unwrap_or(0);
    let size = parameters.number("size")?.unwrap_or(SIZE_MAX);
    let (total, names) = answer::page::<String>(names, offset, size.min(SIZE_MAX));
    answer::json(&json!({"count": names.len(), "total": total, "logstores": names}))
}

/// Logstores of one page, at most.
const SIZE_MAX: usize = 500;

/// One logstore and its settings.
pub(super) async fn get(
    front: &Front,
    request: &Request<'_>,
    name: &str,
) -> Result<Response, Failure> {
    let project = request.project(Access::Read)?;
    match find(front, project, name).await? {
        Some(logstore) => answer::json(&shown(&logstore)?),
        None => Err(Failure::no_logstore(name)),
    }
}

/// Creates a logstore; members this server does not know are ignored.
pub(super) async fn create(front: &Front, request: &Request<'_>) -> Result<Response, Failure> {
    let project = request.project(Access::Write)?;
    let name = request.json_parameters()?;
    let name = name.required("logstoreName")?;
    let settings = settings(request, &LogstoreSettings::default())?;
    let _one = front.changes.lock().await;
    if find(front, project, name).await?.is_some() {
        let message = format!("logstore {name} already exists");
        return Err(Failure::bad("LogStoreAlreadyExist", message));
    }
    let at = Place {
        project,
        logstore: name,
    };
    front.backend.set_logstore(at, settings).await?;
    Ok(answer::empty())
}

/// Changes a logstore; settings that are not named stay.
pub(super) async fn update(
    front: &Front,
    request: &Request<'_>,
    name: &str,
) -> Result<Response, Failure> {
    let project = request.project(Access::Write)?;
    let _one = front.changes.lock().await;
    let logstore = find(front, project, name).await?;
    let logstore = logstore.ok_or_else(|| Failure::no_logstore(name))?;
    let settings = settings(request, &logstore.settings)?;
    let at = Place {
        project,
        logstore: name,
    };
    front.backend.set_logstore(at, settings).await?;
    Ok(answer::empty())
}

/// Deletes a logstore, its logs, its index and its consumer groups.
pub(super) async fn delete(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Write, logstore)?;
    let _one = front.changes.lock().await;
    front.backend.delete_logstore(at).await?;
    front.groups.lock().await.forget(at);
    Ok(answer::empty())
}

async fn find(front: &Front, project: &str, name: &str) -> Result<Option<Logstore>, Failure> {
    let logstores = front.backend.logstores(project).await?;
    Ok(logstores.into_iter().find(|logstore| logstore.name == name))
}

/// The settings of a body over those that stand.
fn settings(request: &Request<'_>, base: &LogstoreSettings) -> Result<LogstoreSettings, Failure> {
    let mut merged = members(base)?;
    let given = request.object()?.into_iter();
    merged.extend(given.filter(|(_, value)| !value.is_null()));
    let settings: LogstoreSettings = serde_json::from_value(Value::Object(merged))
        .map_err(|why| Failure::bad("LogStoreInfoInvalid", why.to_string()))?;
    if !(1..=TTL_DAYS_MAX).contains(&settings.ttl) {
        let message = format!("ttl must be 1 to {TTL_DAYS_MAX} days");
        return Err(Failure::bad("LogStoreInfoInvalid", message));
    }
    Ok(settings)
}

/// What SLS calls for ever.
const TTL_DAYS_MAX: u32 = 3_650;

fn shown(logstore: &Logstore) -> Result<Value, Failure> {
    let mut shown = members(&logstore.settings)?;
    shown.insert("logstoreName".to_owned(), logstore.name.clone().into());
    shown.insert("createTime".to_owned(), logstore.created_s.into());
    shown.insert("lastModifyTime".to_owned(), logstore.changed_s.into());
    Ok(Value::Object(shown))
}

fn members(settings: &LogstoreSettings) -> Result<serde_json::Map<String, Value>, Failure> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(Failure::internal("settings are an object")),
    }
}
