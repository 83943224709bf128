//! Projects, logstores and indexes made on the first write.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use super::Way;
use super::shared::Shared;
use super::stats::Desk;
use crate::sink::sls::FieldChoice;
use crate::sink::sls::Hold;
use crate::sink::sls::Place;
use crate::sink::sls::Request;
use crate::sink::sls::index;

/// Creates what a destination lacks: its project, logstore and index.
///
/// What is there already counts as created.
///
/// # Errors
/// What the service said instead.
pub(super) async fn create(
    shared: &Arc<Shared>,
    desk: &Desk,
    missing: Hold,
    fields: &FieldChoice,
) -> Result<(), String> {
    let destination = &desk.destination;
    let way = shared.route(destination);
    let way = way.map_err(|trouble| trouble.what)?;
    let place = Place::new(way.endpoint.clone(), &destination.project);
    let place = place.map_err(|error| error.to_string())?;
    let (project, logstore) = (&destination.project, &destination.logstore);
    if missing == Hold::Project {
        let body = json!({ "projectName": project, "description": DESCRIPTION });
        call(shared, &way, &place, "/", &body).await?;
    }
    let body = json!({
        "logstoreName": logstore,
        "ttl": TTL_DAYS,
        "shardCount": SHARDS,
        "autoSplit": true,
        "maxSplitShard": SHARDS_MAX,
    });
    call(shared, &way, &place, "/logstores", &body).await?;
    let path = format!("/logstores/{logstore}/index");
    call(shared, &way, &place, &path, &index(fields)).await
}

async fn call(
    shared: &Arc<Shared>,
    way: &Way,
    place: &Place,
    path: &str,
    body: &Value,
) -> Result<(), String> {
    let request = Request::call(place, "POST", path, Some(Bytes::from(body.to_string())));
    let now_s = way.skew.corrected(shared.unix_s());
    let keys = way.keeper.credentials(now_s).await;
    let keys = keys.map_err(|error| error.to_string())?;
    let signed = request.signed(&way.scheme, &keys, way.skew.corrected(shared.unix_s()));
    let answer = shared.client.send(signed).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let code = answer.error_code.as_deref().unwrap_or("no code");
    let is_there = matches!(
        code,
        "ProjectAlreadyExist" | "LogStoreAlreadyExist" | "IndexAlreadyExist"
    );
    let is_done = is_there || (answer.status == 200 && answer.request_id.is_some());
    is_done
        .then_some(())
        .ok_or_else(|| format!("POST {path}: {} {code}: {}", answer.status, answer.message))
}

const DESCRIPTION: &str = "created by flowlogd";
/// As the console's default.
const TTL_DAYS: u32 = 30;
/// As the console's default: 10 MB/s.
const SHARDS: u32 = 2;
/// What the service may split them into under load.
const SHARDS_MAX: u32 = 64;
