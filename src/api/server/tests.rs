//! The listener with a daemon that has nothing to tell.

use axum::body::Body;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::api::{Answering, QueryAnswer, QueryRequest, Refusal, RefusalCode, View};

/// A daemon with nothing to tell, which thinks as long as it is let.
#[derive(Debug)]
pub(in crate::api) struct Silent {
    asked: Semaphore,
    may_answer: Semaphore,
}

impl Default for Silent {
    fn default() -> Self {
        let [asked, may_answer] = [0, 0].map(Semaphore::new);
        Self { asked, may_answer }
    }
}

impl Backend for Silent {
    fn metrics(&self) -> String {
        "nothing 0\n".to_owned()
    }

    fn unready(&self) -> Vec<String> {
        Vec::new()
    }

    fn view(&self, _: View) -> Answering<'_, Value> {
        Box::pin(async { Err(Refusal::new(RefusalCode::Internal, "silent")) })
    }

    fn query(&self, _: QueryRequest) -> Answering<'_, QueryAnswer> {
        Box::pin(async {
            self.asked.add_permits(1);
            self.may_answer.acquire().await.unwrap().forget();
            Err(Refusal::new(RefusalCode::Internal, "silent"))
        })
    }
}

/// A listener in a task.
struct Running {
    backend: Arc<Silent>,
    connections: Arc<Connections>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn new(connections_max: u32) -> Self {
        let settings = Settings {
            connections_max,
            ..Settings::new("127.0.0.1:0".parse().unwrap())
        };
        let server = Server::bind(settings).await.unwrap();
        let backend = Arc::new(Silent::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let connections = Arc::clone(server.connections());
        let address = server.address().unwrap();
        let asked = Arc::clone(&backend) as _;
        let task = tokio::spawn(server.run(asked, async move {
            drop(stopped.await);
        }));
        Self {
            backend,
            connections,
            address,
            stop,
            task,
        }
    }

    async fn send(&self, octets: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(octets.as_bytes()).await.unwrap();
        stream
    }

    /// A connection whose question the daemon thinks about.
    async fn ask(&self) -> TcpStream {
        let stream = self.send(QUESTION).await;
        self.backend.asked.acquire().await.unwrap().forget();
        stream
    }
}

const QUESTION: &str = "POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\n\
    Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"sql\":\"\"}";

/// All that comes until the end.
async fn read(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    // What was there at a reset counts.
    let _is_reset = stream.read_to_end(&mut all).await.is_err();
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn one_more_is_turned_away_where_all_wait_for_us() {
    let running = Running::new(2).await;
    let mut busy = [running.ask().await, running.ask().await];
    assert_eq!(read(running.send("").await).await, "");
    let full = |running: &Running| {
        let closed = running.connections.closed().into_iter();
        closed.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
    };
    assert_eq!(full(&running), [("full", 1)]);
    assert_eq!(running.connections.open(), 2);
    running.backend.may_answer.add_permits(2);
    for stream in &mut busy {
        stream.read_exact(&mut [0; 9]).await.unwrap();
    }
    // Who has an answer makes room.
    let third = running.ask().await;
    running.backend.may_answer.add_permits(1);
    drop(running.stop);
    running.task.await.unwrap();
    for stream in busy {
        let answer = read(stream).await;
        assert!(answer.starts_with("500 "), "{answer}");
    }
    let answer = read(third).await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
}

#[tokio::test]
async fn a_stop_ends_all_but_requests() {
    let running = Running::new(16).await;
    let silent = running.send("").await;
    let half = running.send("GET /healthz HTTP/1.1\r\n").await;
    let mut idle = running
        .send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let mut octet = [0];
    idle.read_exact(&mut octet).await.unwrap();
    let busy = running.ask().await;
    while running.connections.accepted() < 4 {
        tokio::task::yield_now().await;
    }
    drop(running.stop);
    for stream in [silent, half] {
        assert_eq!(read(stream).await, "");
    }
    assert!(read(idle).await.ends_with("\r\n\r\nok\n"));
    assert!(TcpStream::connect(running.address).await.is_err());
    assert!(!running.task.is_finished());
    running.backend.may_answer.add_permits(1);
    running.task.await.unwrap();
    let answer = read(busy).await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(running.connections.open(), 0);
}

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
