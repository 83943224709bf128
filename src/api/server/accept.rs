//! Connections: accepted, bounded, timed, ended.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::seat::{Answer, Patience, Question, Seat, Seats};
use super::tls::{Certificate, Look};
use super::watched::Watched;
use super::{Closed, Connections};

/// What all connections share.
pub(super) struct Hall {
    pub(super) app: Router,
    pub(super) certificate: Option<Certificate>,
    pub(super) patience: Patience,
    pub(super) connections: Arc<Connections>,
    pub(super) seats: Seats,
    pub(super) rooms: Arc<Semaphore>,
    pub(super) rooms_max: u32,
}

/// Accepts connections until `stop` resolves, then waits for their requests.
pub(super) async fn accept(
    hall: Arc<Hall>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send,
) {
    let (stopping, told) = watch::channel(false);
    let mut stop = pin!(stop);
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.as_mut() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                is_failing = false;
                hall.connections.accept();
                match hall.room().await {
                    Some(room) => hall.admit(stream, peer, room, told.clone()),
                    None => {
                        hall.connections.close(Closed::Full);
                        hall.connections.end();
                    }
                }
            }
            Err(error) => {
                hall.connections.fail_to_accept();
                if is_the_clients(&error) {
                    continue;
                }
                if !is_failing {
                    tracing::error!(%error, "cannot accept HTTP connections just now");
                }
                is_failing = true;
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = stop.as_mut() => break,
                }
            }
        }
    }
    drop(listener);
    // Whoever is busy hears of it here, all others from their seats.
    stopping.send_replace(true);
    hall.seats.clear();
    // The rooms are never closed.
    let _all = hall.rooms.acquire_many(hall.rooms_max).await;
}

/// Whether a connection is gone before it was accepted, which says nothing of
/// the next one.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// How long nothing is accepted when there are too few descriptors, or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// Octets of a head, at most, and of what is read at once: the longest URI that
/// is taken at all has 64 KiB.
const HEAD_BYTES_MAX: usize = 128 << 10;

impl Hall {
    /// Room for another connection; none where all wait for us.
    ///
    /// Nobody is left to wait in the kernel's queue: it is a queue, and behind
    /// those that send nothing whoever does would wait as long as they do.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        let rooms = || Arc::clone(&self.rooms);
        match rooms().try_acquire_owned() {
            Ok(room) => Some(room),
            // Whoever was displaced has nothing left to do.
            Err(_) if self.seats.displace() => rooms().acquire_owned().await.ok(),
            Err(_) => None,
        }
    }

    /// Serves a connection in a task of its own.
    fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        room: OwnedSemaphorePermit,
        stop: watch::Receiver<bool>,
    ) {
        let hall = Arc::clone(self);
        let seat = Arc::new(Seat::new(self.patience, Instant::now()));
        let number = self.seats.take(&seat);
        tokio::spawn(async move {
            let closed = tokio::select! {
                closed = hall.serve(stream, peer, &seat, stop) => closed,
                closed = seat.overdue() => closed,
            };
            if let Some(why) = closed {
                hall.connections.close(why);
            }
            hall.seats.free(number);
            hall.connections.end();
            drop(room);
        });
    }

    async fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        seat: &Arc<Seat>,
        stop: watch::Receiver<bool>,
    ) -> Option<Closed> {
        // An answer must not wait for what TLS sent before to be confirmed. A
        // socket that refuses this is slower.
        let _is_slower = stream.set_nodelay(true).is_err();
        let stream = Watched::new(stream, Arc::clone(seat));
        let Some(certificate) = &self.certificate else {
            return self.speak(stream, peer, seat, stop).await;
        };
        let (acceptor, look) = certificate.acceptor(Instant::now());
        self.tell(&look);
        match acceptor.accept(stream).await {
            Ok(stream) => self.speak(stream, peer, seat, stop).await,
            Err(error) => {
                tracing::debug!(%peer, %error, "TLS failed");
                Some(Closed::Handshake)
            }
        }
    }

    /// Says what became of other certificate files.
    fn tell(&self, look: &Look) {
        let is_taken = match look {
            Look::Same => return,
            Look::Taken => {
                tracing::info!("an HTTP listener shows another certificate from now on");
                true
            }
            Look::Refused(error) => {
                tracing::error!(%error, "an HTTP listener keeps its old certificate");
                false
            }
        };
        self.connections.look_at_certificate(is_taken);
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        seat: &Arc<Seat>,
        mut stop: watch::Receiver<bool>,
    ) -> Option<Closed> {
        let door = Door {
            app: TowerToHyperService::new(self.app.clone()),
            peer,
            seat: Arc::clone(seat),
        };
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), door);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = told(&mut stop) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        // Of other errors the client is the cause, or has seen an end.
        let error = ended.err()?;
        error.is_parse().then_some(Closed::Malformed)
    }
}

/// Resolves when the listener stops, or is gone.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _told_or_gone = stop.wait_for(|is_stopping| *is_stopping).await.is_ok();
}

/// What answers the requests of one connection.
struct Door {
    app: TowerToHyperService<Router>,
    peer: SocketAddr,
    seat: Arc<Seat>,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

impl Service<Request<Incoming>> for Door {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        if !self.seat.begin() {
            // The connection ends without it: nothing may come of it.
            return Box::pin(std::future::pending());
        }
        let seat = &self.seat;
        let body = |body| Body::new(Question::new(body, Arc::clone(seat)));
        let mut request = request.map(body);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        // A Content-Length beside it is gone by now. What it would have made
        // part of the body must not be read as a request (RFC 9112 §6.1).
        let is_last = request.headers().contains_key(TRANSFER_ENCODING);
        let seat = Arc::clone(seat);
        let answer = self.app.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if is_last {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            Ok(response.map(|body| Answer::new(body, seat)))
        })
    }
}
