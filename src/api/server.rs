//! The one HTTP listener.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::{Backend, admin, guard};

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
}

impl Server {
    /// Binds the listener.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.address).await?;
        Ok(Self { listener, settings })
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
        let app = app(backend, self.settings);
        axum::serve(self.listener, app)
            .with_graceful_shutdown(stop)
            .await
    }
}

fn app(backend: Arc<dyn Backend>, settings: Settings) -> Router {
    admin::router(backend)
        .layer(middleware::from_fn(guard::same_site))
        .layer(RequestBodyLimitLayer::new(settings.body_bytes_max))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            settings.timeout,
        ))
}
