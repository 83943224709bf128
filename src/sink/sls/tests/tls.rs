//! Who is not who he should be gets nothing; a certificate put right is enough.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::server::take_one;
use super::*;

/// An authority, and a server that shows a certificate of it.
struct Secure {
    port: u16,
    authority: CertifiedIssuer<'static, KeyPair>,
    shown: Arc<Mutex<TlsAcceptor>>,
    ca_file: PathBuf,
    _folder: tempfile::TempDir,
    _task: tokio::task::JoinHandle<()>,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for a name or address, until the end of a year.
fn certificate(of: &CertifiedIssuer<'_, KeyPair>, name: &str, year: i32) -> TlsAcceptor {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(year, 12, 31);
    let key = KeyPair::generate().unwrap();
    let shown = params.signed_by(&key, of).unwrap();
    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![shown.der().clone()], private)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Secure {
    async fn new(name: &str, year: i32) -> Self {
        let authority = authority();
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, authority.pem()).unwrap();
        let shown = Arc::new(Mutex::new(certificate(&authority, name, year)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let theirs = Arc::clone(&shown);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = theirs.lock().unwrap().clone();
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = take_one(&mut stream).await;
                }
            }
        });
        Self {
            port,
            authority,
            shown,
            ca_file,
            _folder: folder,
            _task: task,
        }
    }

    fn client(&self, trusts: bool) -> Client {
        let transport = Transport {
            ca_file: trusts.then(|| self.ca_file.clone()),
            ..hasty()
        };
        Client::new(&transport).unwrap()
    }

    fn request(&self) -> Request {
        put(&format!("https://127.0.0.1:{}", self.port), 0..4)
    }

    #[track_caller]
    fn refuses(outcome: Result<Response, TransportError>, reason: &str) {
        let error = outcome.unwrap_err();
        assert_eq!(error.label(), "tls", "{error}");
        let text = error.to_string().to_ascii_lowercase();
        assert!(text.contains(reason), "{text}");
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named() {
    let server = Secure::new("127.0.0.1", 2999).await;
    let answer = send(&server.client(true), &server.request()).await.unwrap();
    assert_eq!(answer.status, 200);
    let stranger = send(&server.client(false), &server.request()).await;
    Secure::refuses(stranger, "unknownissuer");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_until_it_is_replaced() {
    let server = Secure::new("127.0.0.1", 2021).await;
    let client = server.client(true);
    Secure::refuses(send(&client, &server.request()).await, "expired");
    *server.shown.lock().unwrap() = certificate(&server.authority, "127.0.0.1", 2999);
    let answer = send(&client, &server.request()).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let server = Secure::new("sls.example", 2999).await;
    let outcome = send(&server.client(true), &server.request()).await;
    Secure::refuses(outcome, "not valid for");
}
