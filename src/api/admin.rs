//! `/metrics`, `/healthz`, `/readyz`, `/version` and `/api/v1`.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde_json::json;

use super::{Backend, Page, QueryRequest, Refusal, RefusalCode, View};

/// Content type of the Prometheus text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What paths there are, and what they answer.
const OPENAPI: &str = include_str!("openapi.json");

/// The admin API in front of a daemon.
pub fn router(backend: Arc<dyn Backend>) -> Router {
    let view = |view: View| {
        get(move |State(backend): State<Arc<dyn Backend>>| async move {
            backend.view(view).await.map(Json)
        })
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .route("/api/v1/openapi.json", get(openapi))
        .route("/api/v1/exporters", paged(View::Exporters))
        .route("/api/v1/templates", paged(View::Templates))
        .route("/api/v1/flow-logs", view(View::FlowLogs))
        .route("/api/v1/stats", view(View::Stats))
        .route("/api/v1/destinations", view(View::Destinations))
        .route("/api/v1/parts", view(View::Parts))
        .route("/api/v1/query", post(query))
        .fallback(|| async { Refusal::new(RefusalCode::NotFound, "no such path") })
        .with_state(backend)
}

/// A view that comes in pages: `?exporter=`, `?offset=` and `?limit=`.
fn paged(view: fn(Page) -> View) -> MethodRouter<Arc<dyn Backend>> {
    type Wanted = Result<Query<Page>, QueryRejection>;
    get(
        move |State(backend): State<Arc<dyn Backend>>, page: Wanted| async move {
            let bad = |why: &str| Refusal::new(RefusalCode::BadRequest, why);
            let Query(page) = page.map_err(|rejection| bad(&rejection.body_text()))?;
            if page.limit > Page::LIMIT_MAX {
                let most = Page::LIMIT_MAX;
                return Err(bad(&format!(
                    "limit must be {most} or less; ask page by page"
                )));
            }
            backend.view(view(page)).await.map(Json)
        },
    )
}

async fn ready(State(backend): State<Arc<dyn Backend>>) -> Response {
    let reasons = backend.unready();
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({"ready": reasons.is_empty(), "reasons": reasons});
    (status, Json(body)).into_response()
}

async fn version() -> impl IntoResponse {
    Json(json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")}))
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn metrics(State(backend): State<Arc<dyn Backend>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS)], backend.metrics())
}

async fn query(
    State(backend): State<Arc<dyn Backend>>,
    request: Result<Json<QueryRequest>, JsonRejection>,
) -> Response {
    match request {
        Ok(Json(request)) => backend.query(request).await.map(Json).into_response(),
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        Err(rejection) => {
            Refusal::new(RefusalCode::BadRequest, &rejection.body_text()).into_response()
        }
    }
}

/// Gives a body that is refused for the length it tells the answer that one has
/// which turns out to be as long.
pub(super) async fn refuse_large(response: Response) -> Response {
    match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => response,
    }
}

fn too_large() -> Response {
    let refusal = Refusal::new(RefusalCode::TooMuch, "the body is larger than allowed");
    let mut response = refusal.into_response();
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(code: RefusalCode, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.code {
            RefusalCode::BadRequest => StatusCode::BAD_REQUEST,
            RefusalCode::Forbidden => StatusCode::FORBIDDEN,
            RefusalCode::NotFound => StatusCode::NOT_FOUND,
            RefusalCode::TooMuch => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalCode::Busy => StatusCode::TOO_MANY_REQUESTS,
            RefusalCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
            RefusalCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({"error": self}))).into_response()
    }
}
