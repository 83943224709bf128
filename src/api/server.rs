//! The one HTTP listener.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::net::TcpListener;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::{Backend, admin, control, guard, sls};

/// Where and how the HTTP listener serves.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Address to listen on.
    pub address: SocketAddr,
    /// Octets a request body may have.
    pub body_bytes_max: usize,
    /// Time a request may take.
    pub timeout: Duration,
}

/// The bound listener, not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    settings: Settings,
    fronts: Fronts,
}

/// What serves the paths that are not our own.
#[derive(Clone, Debug, Default)]
struct Fronts {
    sls: Option<Arc<sls::Front>>,
    control: Option<Arc<control::Front>>,
}

impl Server {
    /// Binds the listener.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.address).await?;
        Ok(Self {
            listener,
            settings,
            fronts: Fronts::default(),
        })
    }

    /// Serves the SLS API too.
    pub fn with_sls(mut self, front: Arc<sls::Front>) -> Self {
        self.fronts.sls = Some(front);
        self
    }

    /// Serves the clouds' control APIs too: all that is neither ours nor SLS's
    /// is theirs to answer, so that each refusal has a shape they know.
    pub fn with_control(mut self, front: Arc<control::Front>) -> Self {
        self.fronts.control = Some(front);
        self
    }

    /// The address in fact bound, for port 0.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` resolves, then lets open requests end.
    ///
    /// # Errors
    /// The listener can never work again.
    pub async fn run(
        self,
        backend: Arc<dyn Backend>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let app = app(backend, self.fronts, self.settings);
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(self.listener, app)
            .with_graceful_shutdown(stop)
            .await
    }
}

fn app(backend: Arc<dyn Backend>, fronts: Fronts, settings: Settings) -> Router {
    let admin = admin::router(backend)
        .layer(middleware::from_fn(guard::same_site))
        .layer(RequestBodyLimitLayer::new(settings.body_bytes_max))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            settings.timeout,
        ));
    // Outermost: the fronts have limits and refusals of their own.
    admin.layer(middleware::from_fn_with_state(fronts, dispatch))
}

/// Hands requests that are not for ourselves to their front.
async fn dispatch(State(fronts): State<Fronts>, request: Request, next: Next) -> Response {
    if is_ours(&request) {
        return next.run(request).await;
    }
    let is_sls = sls::is_sls(request.headers());
    match (fronts.sls, fronts.control) {
        (Some(front), _) if is_sls => front.answer(request).await,
        (_, Some(front)) => front.answer(request).await,
        (_, None) => next.run(request).await,
    }
}

/// Our own paths stay ours, whatever a request's headers say.
fn is_ours(request: &Request) -> bool {
    let first = request.uri().path().split('/').nth(1).unwrap_or_default();
    RESERVED.contains(&first)
}

/// First segments of our own paths.
const RESERVED: [&str; 6] = ["api", "console", "healthz", "metrics", "readyz", "version"];

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn our_own_paths_are_never_those_of_another_api() {
        for (target, is_own) in [
            ("/metrics", true),
            ("/api/v1/query", true),
            ("http://flow-proj.sls.local/healthz", true),
            ("/logstores", false),
            ("/", false),
            ("/v2/index.php", false),
            ("http://flow-proj.sls.local:80/logstores/api", false),
        ] {
            let request = Request::builder().uri(target);
            let request = request.header("x-log-apiversion", "0.6.0");
            let request = request.body(Body::empty()).unwrap();
            assert_eq!(is_ours(&request), is_own, "{target}");
        }
    }
}
