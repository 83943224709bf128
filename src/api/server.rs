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

use super::{Backend, admin, guard, sls};

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
    sls: Option<Arc<sls::Front>>,
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
            sls: None,
        })
    }

    /// Serves the SLS API too.
    pub fn with_sls(self, front: Arc<sls::Front>) -> Self {
        let sls = Some(front);
        Self { sls, ..self }
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
        let app = app(backend, self.sls, self.settings);
        axum::serve(self.listener, app)
            .with_graceful_shutdown(stop)
            .await
    }
}

fn app(backend: Arc<dyn Backend>, sls: Option<Arc<sls::Front>>, settings: Settings) -> Router {
    let admin = admin::router(backend)
        .layer(middleware::from_fn(guard::same_site))
        .layer(RequestBodyLimitLayer::new(settings.body_bytes_max))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            settings.timeout,
        ));
    match sls {
        // Outermost: SLS has limits and refusals of its own.
        Some(front) => admin.layer(middleware::from_fn_with_state(front, dispatch)),
        None => admin,
    }
}

/// Hands requests for SLS to its front.
async fn dispatch(State(front): State<Arc<sls::Front>>, request: Request, next: Next) -> Response {
    if is_for_sls(&request) {
        front.answer(request).await
    } else {
        next.run(request).await
    }
}

/// Our own paths stay ours, whatever a request's headers say.
fn is_for_sls(request: &Request) -> bool {
    let first = request.uri().path().split('/').nth(1).unwrap_or_default();
    !RESERVED.contains(&first) && sls::is_sls(request.headers())
}

/// First segments of our own paths.
const RESERVED: [&str; 6] = ["api", "console", "healthz", "metrics", "readyz", "version"];

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn our_own_paths_are_never_those_of_sls() {
        for (target, header, is_sls) in [
            ("/metrics", "x-log-apiversion", false),
            ("/api/v1/query", "x-log-apiversion", false),
            (
                "http://flow-proj.sls.local/healthz",
                "x-log-apiversion",
                false,
            ),
            ("/logstores", "x-log-apiversion", true),
            ("/", "x-log-apiversion", true),
            (
                "http://flow-proj.sls.local:80/logstores/api",
                "x-log-apiversion",
                true,
            ),
            ("/logstores", "accept", false),
        ] {
            let request = Request::builder().uri(target).header(header, "0.6.0");
            let request = request.body(Body::empty()).unwrap();
            assert_eq!(is_for_sls(&request), is_sls, "{target} {header}");
        }
    }
}
