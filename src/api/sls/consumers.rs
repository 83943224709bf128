//! Consumer groups: `/logstores/{logstore}/consumergroups[/{group}]`.
//!
//! A change is answered once it is kept; heartbeats are not kept.

use axum::response::Response;
use serde_json::{Value, json};

use super::groups::{Checkpoint, ConsumerGroups, Groups, Terms};
use super::request::{Parameters, Request};
use super::{Document, Failure, Front, Place, answer, cursors, shards};
use crate::api::auth::Access;

/// The groups of a logstore.
pub(super) async fn list(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let mut all = front.groups.lock().await;
    let groups = groups(front, &mut all, at).await?;
    let shown = groups
        .all()
        .map(|(name, terms)| json!({"name": name, "timeout": terms.timeout, "order": terms.order}));
    answer::json(&shown.collect::<Vec<Value>>())
}

/// Adds a group.
pub(super) async fn create(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Write, logstore)?;
    let body = request.json_parameters()?;
    let name = body.required("consumerGroup")?;
    check_name("consumerGroup", name)?;
    let terms = Terms {
        timeout: timeout(&body)?.unwrap_or(TIMEOUT_S),
        order: body.flag("order")?,
    };
    change(front, at, |groups| groups.create(name, terms)).await
}

/// Changes a group's terms; those that are not named stay.
pub(super) async fn update(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
    group: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Write, logstore)?;
    let body = request.json_parameters()?;
    let timeout = timeout(&body)?;
    let order = body.text("order").map(|_| body.flag("order")).transpose()?;
    change(front, at, |groups| {
        let terms = &mut groups.find(group)?.terms;
        terms.timeout = timeout.unwrap_or(terms.timeout);
        terms.order = order.unwrap_or(terms.order);
        Ok(())
    })
    .await
}

/// Removes a group and its checkpoints.
pub(super) async fn delete(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
    group: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Write, logstore)?;
    change(front, at, |groups| groups.delete(group)).await
}

/// How far the shards are read, or one of them. A shard that nobody has read
/// has an empty checkpoint: without any, the consumer library does not start.
pub(super) async fn checkpoints(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
    group: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let wanted: Option<u32> = request.parameters().number("shard")?;
    let mut shards = front.backend.shards(at).await?;
    shards.retain(|shard| wanted.is_none_or(|wanted| wanted == shard.id));
    let mut all = front.groups.lock().await;
    let group = groups(front, &mut all, at).await?.find(group)?;
    let shown = shards.iter().map(|shard| {
        let said = group.checkpoint(shard.id);
        json!({
            "shard": shard.id,
            "checkpoint": said.map_or("", |said| said.checkpoint.as_str()),
            "updateTime": said.map_or(0, |said| said.update_time_us),
            "consumer": said.map_or("", |said| said.consumer.as_str()),
        })
    });
    answer::json(&shown.collect::<Vec<Value>>())
}

/// A consumer lives, and is told its shards. It reads, so it may.
pub(super) async fn heartbeat(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
    group: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let parameters = request.parameters();
    let consumer = parameters.required("consumer")?;
    check_name("consumer", consumer)?;
    let held: Vec<u32> = serde_json::from_slice(&request.body).map_err(|why| {
        let message = format!("the body must be an array of shards: {why}");
        Failure::bad("PostBodyInvalid", message)
    })?;
    let shards = front.backend.shards(at).await?;
    let shards: Vec<_> = shards.iter().map(|shard| shard.id).collect();
    let now_ms = request.now.as_millisecond();
    let mut all = front.groups.lock().await;
    let group = groups(front, &mut all, at).await?.find(group)?;
    answer::json(&group.heartbeat(consumer, &held, &shards, now_ms)?)
}

/// A consumer says how far it has read. It reads, so it may.
pub(super) async fn commit(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
    group: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let parameters = request.parameters();
    let consumer = parameters.text("consumer").unwrap_or_default();
    if !consumer.is_empty() {
        check_name("consumer", consumer)?;
    }
    let is_forced = parameters.flag("forceSuccess")?;
    let body = request.json_parameters()?;
    let shard = body.required_number("shard")?;
    let cursor = body.required("checkpoint")?;
    cursors::decode(cursor)?;
    shards::find(front, at, shard).await?;
    let checkpoint = Checkpoint {
        checkpoint: cursor.to_owned(),
        update_time_us: request.now.as_microsecond(),
        consumer: consumer.to_owned(),
    };
    let commit = |groups: &mut Groups| groups.find(group)?.commit(shard, checkpoint, is_forced);
    change(front, at, commit).await
}

/// A logstore's groups, read where they are kept on first use.
async fn groups<'a>(
    front: &Front,
    all: &'a mut ConsumerGroups,
    at: Place<'_>,
) -> Result<&'a mut Groups, Failure> {
    if all.known(at).is_none() {
        let document = front.backend.document(at, Document::ConsumerGroups).await?;
        let groups = document.map(serde_json::from_value).transpose();
        let unreadable = |why| Failure::internal(format!("consumer groups are unreadable: {why}"));
        all.learn(at, groups.map_err(unreadable)?.unwrap_or_default());
    }
    let lost = || Failure::internal("consumer groups are lost");
    all.known(at).ok_or_else(lost)
}

/// Changes groups and keeps them. What cannot be kept is not changed.
async fn change(
    front: &Front,
    at: Place<'_>,
    change: impl FnOnce(&mut Groups) -> Result<(), Failure>,
) -> Result<Response, Failure> {
    let mut all = front.groups.lock().await;
    let groups = groups(front, &mut all, at).await?;
    let mut changed = groups.clone();
    change(&mut changed)?;
    let document = serde_json::to_value(&changed);
    let document = document.map_err(|why| Failure::internal(why.to_string()))?;
    let kept = front
        .backend
        .set_document(at, Document::ConsumerGroups, Some(document));
    kept.await?;
    *groups = changed;
    Ok(answer::empty())
}

fn timeout(body: &Parameters) -> Result<Option<u32>, Failure> {
    let timeout = body.number("timeout")?;
    if timeout.is_some_and(|timeout| !(1..=TIMEOUT_S_MAX).contains(&timeout)) {
        let message = format!("timeout must be 1 to {TIMEOUT_S_MAX} seconds");
        return Err(Failure::parameter(message));
    }
    Ok(timeout)
}

/// What the Python SDK asks for.
const TIMEOUT_S: u32 = 60;
/// A day: longer, a dead consumer holds its shards for ever.
const TIMEOUT_S_MAX: u32 = 86_400;

/// Names are kept and shown: short, and without surprises.
fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    let is_plain = |character: char| character.is_ascii_graphic() && character != '/';
    if name.len() > NAME_OCTETS_MAX || !name.chars().all(is_plain) {
        let message = format!("{what} must be at most {NAME_OCTETS_MAX} printable characters");
        return Err(Failure::parameter(message));
    }
    Ok(())
}

const NAME_OCTETS_MAX: usize = 128;
