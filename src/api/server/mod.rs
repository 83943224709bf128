//! The HTTP listeners: one for this host, and perhaps one for all others.

mod accept;
mod connections;
mod seat;
#[cfg(test)]
pub(super) mod tests;
mod tls;
mod watched;

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
use nix::sys::resource::{Resource, getrlimit};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use self::accept::Hall;
use self::seat::{Patience, Seats};
use self::tls::Certificate;
use super::{Backend, admin, control, guard, sls};

pub use connections::{Closed, Connections};
pub use tls::{BadCertificate, CertificateFiles};

/// Whom a listener serves, and so with what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Audience {
    /// Programs of this host: with all there is.
    Host,
    /// Whoever can sign a request: with the APIs that ask everybody to.
    Signers,
}

/// Where and how an HTTP listener serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address to listen on.
    pub address: SocketAddr,
    /// Whom it serves.
    pub audience: Audience,
    /// Octets a request body may have.
    pub body_bytes_max: usize,
    /// Time a request may take; so long a client may also take nothing of an
    /// answer.
    pub timeout: Duration,
    /// Time for the head of a request, from its first octet, and from the
    /// connecting to the end of the first one.
    pub header_timeout: Duration,
    /// Connections open at once.
    pub connections_max: u32,
    /// HTTP listeners of the process, which share half of its descriptors.
    pub listeners: u32,
    /// What is shown, for TLS; without it there is none.
    pub certificate: Option<CertificateFiles>,
}

impl Settings {
    /// Usual limits, for programs of this host, without TLS.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            audience: Audience::Host,
            body_bytes_max: 1 << 20,
            timeout: Duration::from_secs(60),
            header_timeout: Duration::from_secs(10),
            connections_max: 1024,
            listeners: 1,
            certificate: None,
        }
    }
}

/// The bound listener, not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    settings: Settings,
    certificate: Option<Certificate>,
    connections: Arc<Connections>,
    fronts: Fronts,
}

/// What serves the paths that are not our own.
#[derive(Clone, Debug, Default)]
struct Fronts {
    sls: Option<Arc<sls::Front>>,
    control: Option<Arc<control::Front>>,
}

impl Fronts {
    /// Those that ask everybody for a signature.
    fn signed(self) -> Self {
        Self {
            sls: self.sls.filter(|front| front.asks_for_signatures()),
            control: self.control.filter(|front| front.asks_for_signatures()),
        }
    }
}

impl Server {
    /// Binds the listener.
    ///
    /// # Errors
    /// The address is taken or not ours, or the certificate cannot be shown.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        let certificate = settings.certificate.clone().map(Certificate::open);
        let certificate = certificate.transpose().map_err(BadCertificate::into_io)?;
        let listener = TcpListener::bind(settings.address).await?;
        Ok(Self {
            listener,
            settings,
            certificate,
            connections: Arc::default(),
            fronts: Fronts::default(),
        })
    }

    /// Counts its connections with those of another listener.
    pub fn counting_with(mut self, connections: &Arc<Connections>) -> Self {
        self.connections = Arc::clone(connections);
        self
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

    /// What becomes of its connections.
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Serves until `stop` resolves, then lets open requests end.
    pub async fn run(
        self,
        backend: Arc<dyn Backend>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        let settings = &self.settings;
        let rooms_max = connections_max(settings.connections_max, settings.listeners);
        let hall = Hall {
            app: app(backend, self.fronts, settings),
            certificate: self.certificate,
            patience: Patience {
                head: settings.header_timeout,
                idle: IDLE_TIMEOUT,
                write: settings.timeout,
            },
            connections: self.connections,
            seats: Seats::default(),
            rooms: Arc::new(Semaphore::new(
                usize::try_from(rooms_max).unwrap_or(usize::MAX),
            )),
            rooms_max,
        };
        accept::accept(Arc::new(hall), self.listener, stop).await;
    }
}

/// How long a connection is kept for another request: longer than any client
/// keeps one in its pool, as some do not try again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Connections that may be open: those of all listeners have half of the
/// process's descriptors at most, as the log store must be able to open its
/// files.
fn connections_max(wanted: u32, listeners: u32) -> u32 {
    let Ok((descriptors, _)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return wanted;
    };
    let half = u32::try_from(descriptors / 2).unwrap_or(u32::MAX);
    let share = half.checked_div(listeners).unwrap_or(half).max(1);
    if share < wanted {
        tracing::info!(
            "{share} connections at most to an HTTP listener: all have half of the {descriptors} \
             open files"
        );
    }
    wanted.min(share)
}

/// What a listener serves: the one place that says who is served what.
fn app(backend: Arc<dyn Backend>, fronts: Fronts, settings: &Settings) -> Router {
    let (own, fronts) = match settings.audience {
        Audience::Host => (own(backend, settings), fronts),
        Audience::Signers => (Router::new(), fronts.signed()),
    };
    // Outermost: the fronts have limits and refusals of their own.
    own.layer(middleware::from_fn_with_state(fronts, dispatch))
}

/// Our own paths, which nobody signs.
fn own(backend: Arc<dyn Backend>, settings: &Settings) -> Router {
    admin::router(backend)
        .layer(middleware::from_fn(guard::same_site))
        .layer(RequestBodyLimitLayer::new(settings.body_bytes_max))
        .layer(middleware::map_response(admin::refuse_large))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            settings.timeout,
        ))
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
