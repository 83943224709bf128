//! An HTTP server that does to each request what its script says.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// What is done to one request.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A whole answer: status, further header lines, body.
    Answer(u16, String, String),
    /// Octets as they are, then the end of the connection.
    Raw(String),
    /// Octets as they are, then a reset.
    Reset(String),
    /// Octets as they are, then nothing.
    Stall(String),
    /// One octet of an answer now and then, for longer than anybody waits.
    Drip,
}

impl Step {
    /// The service's answer to rows it took.
    pub(crate) fn taken() -> Self {
        Self::Answer(200, "x-log-requestid: 6A\r\n".to_owned(), String::new())
    }

    /// The service's refusal.
    pub(crate) fn refused(status: u16, code: &str, message: &str) -> Self {
        let body = format!(r#"{{"errorCode":"{code}","errorMessage":"{message}"}}"#);
        Self::Answer(status, "x-log-requestid: 6A\r\n".to_owned(), body)
    }

    /// An answer with a body and nothing else.
    pub(crate) fn body(status: u16, body: &str) -> Self {
        Self::Answer(status, String::new(), body.to_owned())
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `POST /path HTTP/1.1` and the header lines.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Which connection it came on, from 0.
    pub(crate) connection: usize,
}

impl Seen {
    /// The value of a header.
    pub(crate) fn header(&self, wanted: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    }
}

#[derive(Default)]
struct State {
    script: VecDeque<Step>,
    seen: Vec<Seen>,
}

/// Runs on its own port until it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Follows a script; requests beyond it are taken.
    pub(crate) async fn new(script: impl IntoIterator<Item = Step>) -> Self {
        let state = Arc::new(Mutex::new(State {
            script: script.into_iter().collect(),
            seen: Vec::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { port, state, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What came until now.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    // Connections end with the task that accepts them.
    let mut connections = tokio::task::JoinSet::new();
    for connection in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        connections.spawn(async move { serve(stream, connection, &state).await });
    }
}

async fn serve(mut stream: TcpStream, connection: usize, state: &Mutex<State>) -> io::Result<()> {
    while let Some(mut seen) = read_request(&mut stream).await? {
        seen.connection = connection;
        let step = {
            let mut state = state.lock().unwrap();
            state.seen.push(seen);
            state.script.pop_front().unwrap_or_else(Step::taken)
        };
        match step {
            Step::Answer(status, headers, body) => {
                let text = answer(status, &headers, &body);
                stream.write_all(text.as_bytes()).await?;
            }
            Step::Raw(text) => {
                stream.write_all(text.as_bytes()).await?;
                return stream.shutdown().await;
            }
            Step::Reset(text) => {
                stream.write_all(text.as_bytes()).await?;
                stream.flush().await?;
                // Lets the octets arrive before the reset overtakes them.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return stream.set_zero_linger();
            }
            Step::Stall(text) => {
                stream.write_all(text.as_bytes()).await?;
                std::future::pending::<()>().await;
            }
            Step::Drip => loop {
                stream.write_all(b"H").await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            },
        }
    }
    Ok(())
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Whatever\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

/// Takes one request and lets it be delivered; for servers behind TLS.
pub(crate) async fn take_one(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> io::Result<bool> {
    let Some(_) = read_request(stream).await? else {
        return Ok(false);
    };
    let text = answer(200, "x-log-requestid: 6A\r\n", "");
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await?;
    Ok(true)
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Seen>> {
    let mut octets = Vec::new();
    let end = loop {
        if let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut octets).await? == 0 {
            return Ok(None);
        }
    };
    let mut body = octets.split_off(end + 4);
    let mut seen = Seen {
        head: String::from_utf8(octets).unwrap(),
        body: Vec::new(),
        connection: 0,
    };
    let length = seen
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    seen.body = body;
    Ok(Some(seen))
}
