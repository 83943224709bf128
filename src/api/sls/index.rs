//! The index of a logstore: `/logstores/{logstore}/index`, JSON that is given
//! back as it came.

use axum::response::Response;
use serde_json::Value;

use super::request::Request;
use super::{Document, Failure, Front, Place, answer};
use crate::api::auth::Access;

/// The index.
pub(super) async fn get(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    match front.backend.document(at, Document::Index).await? {
        Some(index) => answer::json(&index),
        None => Err(missing()),
    }
}

/// Gives an index to a logstore that has none.
pub(super) async fn create(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Write, logstore)?;
    let index = Value::Object(request.object()?);
    let _one = front.changes.lock().await;
    if front.backend.document(at, Document::Index).await?.is_some() {
        let message = "log store index already exist";
        return Err(Failure::bad("IndexAlreadyExist", message));
    }
    set(front, at, Some(index)).await
}

/// Replaces an index.
pub(super) async fn update(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Write, logstore)?;
    let index = Value::Object(request.object()?);
    replace(front, at, Some(index)).await
}

/// Takes an index away.
pub(super) async fn delete(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Write, logstore)?;
    replace(front, at, None).await
}

/// Puts another index, or none, in the place of one that is there.
async fn replace(front: &Front, at: Place<'_>, index: Option<Value>) -> Result<Response, Failure> {
    let _one = front.changes.lock().await;
    let document = front.backend.document(at, Document::Index).await?;
    document.ok_or_else(missing)?;
    set(front, at, index).await
}

async fn set(front: &Front, at: Place<'_>, index: Option<Value>) -> Result<Response, Failure> {
    front
        .backend
        .set_document(at, Document::Index, index)
        .await?;
    Ok(answer::empty())
}

fn missing() -> Failure {
    Failure::missing("IndexConfigNotExist", "index config doesn't exist")
}
