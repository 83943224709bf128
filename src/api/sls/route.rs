//! Which handler a request is for.

use axum::response::Response;

use super::request::Request;
use super::{
    Failure, Front, consumers, cursors, histograms, index, logs, logstores, projects, pull, put,
    shards, topics,
};

/// Answers a request whose caller is known.
pub(super) async fn answer(front: &Front, request: &Request<'_>) -> Result<Response, Failure> {
    let method = request.raw.method.as_str();
    let path: Vec<_> = request.raw.path.split('/').skip(1).collect();
    match *path.as_slice() {
        [""] => project(front, request, method).await,
        ["logstores"] => match method {
            "GET" => logstores::list(front, request).await,
            "POST" => logstores::create(front, request).await,
            _ => Err(Failure::method(method)),
        },
        ["logstores", logstore] => self::logstore(front, request, method, logstore).await,
        ["logstores", logstore, "logs"] => match method {
            "POST" => logs::post(front, request, logstore).await,
            _ => Err(Failure::method(method)),
        },
        ["logstores", logstore, "index"] => index(front, request, method, logstore).await,
        ["logstores", logstore, "shards"] => match method {
            "GET" => shards::list(front, request, logstore).await,
            _ => Err(Failure::method(method)),
        },
        ["logstores", logstore, "shards", "lb" | "route"] => match method {
            "POST" => put::put(front, request, logstore).await,
            _ => Err(Failure::method(method)),
        },
        ["logstores", logstore, "shards", shard] => {
            self::shard(front, request, logstore, shard).await
        }
        ["logstores", logstore, "consumergroups"] => match method {
            "GET" => consumers::list(front, request, logstore).await,
            "POST" => consumers::create(front, request, logstore).await,
            _ => Err(Failure::method(method)),
        },
        ["logstores", logstore, "consumergroups", group] => {
            self::group(front, request, logstore, group).await
        }
        _ => Err(Failure::unknown_route(&request.raw.path)),
    }
}

async fn project(front: &Front, request: &Request<'_>, method: &str) -> Result<Response, Failure> {
    match method {
        "GET" if request.has_project() => projects::get(front, request).await,
        "GET" => projects::list(front, request).await,
        "POST" => projects::create(front, request).await,
        "PUT" => projects::update(front, request).await,
        "DELETE" => projects::delete(front, request).await,
        _ => Err(Failure::method(method)),
    }
}

async fn logstore(
    front: &Front,
    request: &Request<'_>,
    method: &str,
    logstore: &str,
) -> Result<Response, Failure> {
    let parameters = request.parameters();
    match (method, parameters.text("type")) {
        ("GET", None) => logstores::get(front, request, logstore).await,
        ("GET", Some("log")) => logs::get(front, request, logstore).await,
        ("GET", Some("histogram")) => histograms::get(front, request, logstore).await,
        ("GET", Some("topic")) => topics::list(front, request, logstore).await,
        ("GET", Some(_)) => Err(Failure::parameter("type must be log, histogram or topic")),
        ("POST", _) => put::put(front, request, logstore).await,
        ("PUT", _) => logstores::update(front, request, logstore).await,
        ("DELETE", _) => logstores::delete(front, request, logstore).await,
        _ => Err(Failure::method(method)),
    }
}

async fn index(
    front: &Front,
    request: &Request<'_>,
    method: &str,
    logstore: &str,
) -> Result<Response, Failure> {
    let parameters = request.parameters();
    match (method, parameters.text("type")) {
        // `alibabacloud-sls20201230` asks for them here.
        ("GET", Some("histogram")) => histograms::get(front, request, logstore).await,
        ("GET", _) => index::get(front, request, logstore).await,
        ("POST", _) => index::create(front, request, logstore).await,
        ("PUT", _) => index::update(front, request, logstore).await,
        ("DELETE", _) => index::delete(front, request, logstore).await,
        _ => Err(Failure::method(method)),
    }
}

async fn shard(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
    shard: &str,
) -> Result<Response, Failure> {
    let method = request.raw.method.as_str();
    let Ok(number) = shard.parse::<u32>() else {
        return Err(Failure::unknown_route(&request.raw.path));
    };
    if method != "GET" {
        return Err(Failure::method(method));
    }
    match request.parameters().text("type") {
        Some("cursor") => cursors::cursor(front, request, logstore, number).await,
        Some("cursor_time") => cursors::time(front, request, logstore, number).await,
        None | Some("log" | "logs") => pull::pull(front, request, logstore, number).await,
        Some(_) => Err(Failure::parameter(
            "type must be log, cursor or cursor_time",
        )),
    }
}

async fn group(
    front: &Front,
    request: &Request<'_>,
    logstore: &str,
    group: &str,
) -> Result<Response, Failure> {
    let method = request.raw.method.as_str();
    let parameters = request.parameters();
    match (method, parameters.text("type")) {
        ("GET", _) => consumers::checkpoints(front, request, logstore, group).await,
        ("PUT", _) => consumers::update(front, request, logstore, group).await,
        ("DELETE", _) => consumers::delete(front, request, logstore, group).await,
        ("POST", Some("heartbeat")) => consumers::heartbeat(front, request, logstore, group).await,
        ("POST", Some("checkpoint")) => consumers::commit(front, request, logstore, group).await,
        ("POST", _) => Err(Failure::parameter("type must be heartbeat or checkpoint")),
        _ => Err(Failure::method(method)),
    }
}
