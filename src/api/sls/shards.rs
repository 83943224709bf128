//! ListShards: `GET /logstores/{logstore}/shards`.

use axum::response::Response;
use serde_json::{Value, json};

use super::request::Request;
use super::{Failure, Front, Place, Shard, answer};
use crate::api::auth::Access;

/// The shards of a logstore, with an equal part of the hash keys each.
pub(super) async fn list(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
) -> Result<Response, Failure> {
    let at = request.place(Access::Read, logstore)?;
    let shards = front.backend.shards(at).await?;
    let count = shards.len();
    let shown = shards.iter().enumerate().map(|(index, shard)| {
        json!({
            "shardID": shard.id,
            "status": "readwrite",
            "inclusiveBeginKey": key(index, count),
            "exclusiveEndKey": key(index + 1, count),
            "createTime": shard.created_s,
        })
    });
    answer::json(&shown.collect::<Vec<Value>>())
}

/// Where one of the parts of the 128-bit hash keys begins; the end is written
/// as the last key, as SLS does.
fn key(index: usize, count: usize) -> String {
    if index >= count {
        return format!("{:032x}", u128::MAX);
    }
    let width = u128::MAX / (count.max(1) as u128);
    format!("{:032x}", width.saturating_mul(index as u128))
}

/// The shard of this number.
///
/// # Errors
/// `ShardNotExist`.
pub(super) async fn find(front: &Front, at: Place<'_>, number: u32) -> Result<Shard, Failure> {
    let mut shards = front.backend.shards(at).await?.into_iter();
    let missing = || Failure::missing("ShardNotExist", format!("shard {number} does not exist"));
    shards.find(|shard| shard.id == number).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_the_hash_keys() {
        assert_eq!(key(0, 1), "0".repeat(32));
        assert_eq!(key(1, 1), "f".repeat(32));
        assert_eq!(key(1, 2), format!("7{}", "f".repeat(31)));
        assert_eq!(key(2, 2), "f".repeat(32));
    }
}
