//! The HTTP listener over TLS, and certificates that are replaced.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use reqwest::Certificate;

use crate::support::{Daemon, PROGRAM, block_on, configure, have};

/// An authority, and the files of a daemon that shows certificates of it.
pub(crate) struct Secure {
    authority: CertifiedIssuer<'static, KeyPair>,
    dir: tempfile::TempDir,
}

impl Secure {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Named like what it signs, it would be taken for the same.
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap());
        let secure = Self {
            authority: authority.unwrap(),
            dir: tempfile::tempdir().unwrap(),
        };
        fs::write(secure.path("ca.pem"), secure.authority.pem()).unwrap();
        secure.write(&["127.0.0.1"]);
        secure
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a new pair, each file at once.
    pub(crate) fn write(&self, names: &[&str]) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        self.replace("http.key", &key.serialize_pem());
        self.replace("http.pem", &certificate.pem());
    }

    fn replace(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// Writes the configuration; where it is.
    fn configure(&self) -> PathBuf {
        let config = configure(0, self.dir.path(), "");
        let text = fs::read_to_string(&config).unwrap();
        let shown = |name| self.path(name).display().to_string();
        let (certificate, key) = (shown("http.pem"), shown("http.key"));
        let section = format!(
            "[http]\nheader-timeout-s = 2\ncertificate-file = {certificate:?}\nkey-file = {key:?}\n"
        );
        fs::write(&config, text.replace("[http]\n", &section)).unwrap();
        config
    }

    fn start(&self) -> Daemon {
        let mut command = Command::new(PROGRAM);
        command.arg("run").arg("--config").arg(self.configure());
        Daemon::launch_trusting(command, 0, Some(self.trusted()))
    }

    /// Whom a client of it trusts.
    pub(crate) fn trusted(&self) -> Certificate {
        Certificate::from_pem(self.authority.pem().as_bytes()).unwrap()
    }

    fn health(&self, daemon: &Daemon, ca_file: Option<&Path>) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(["health", "--url", &daemon.url]);
        command.args(ca_file.map(|path| format!("--ca-file={}", path.display())));
        command.output().unwrap()
    }
}

#[test]
fn a_client_that_trusts_the_authority_is_answered() {
    let secure = Secure::new();
    let daemon = secure.start();
    assert!(daemon.url.starts_with("https://"), "{}", daemon.url);
    assert!(
        secure
            .health(&daemon, Some(&secure.path("ca.pem")))
            .status
            .success()
    );
    let stranger = secure.health(&daemon, None);
    let said = String::from_utf8_lossy(&stranger.stderr);
    assert!(said.contains("name its authority with --ca-file"), "{said}");
    // Nothing but TLS is spoken.
    let plain = daemon.url.replace("https://", "http://");
    assert!(block_on(reqwest::get(format!("{plain}/healthz"))).is_err());
    daemon.wait_until("counted", |daemon| {
        let closed = "flowlogd_api_closed_connections_total{reason=\"handshake\"} ";
        let text = daemon.text("/metrics");
        let count = text.lines().find_map(|line| line.strip_prefix(closed));
        count.is_some_and(|count| count != "0")
    });
    if have(&["curl"]) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--noproxy", "*", "--cacert"]);
        curl.arg(secure.path("ca.pem"));
        let answer = curl
            .arg(format!("{}/healthz", daemon.url))
            .output()
            .unwrap();
        assert!(answer.status.success(), "{answer:?}");
    }
}

#[test]
fn another_certificate_is_shown_and_old_connections_go_on() {
    let secure = Secure::new();
    let daemon = secure.start();
    // Named so, only the new certificate is theirs.
    let (_, port) = daemon.url.rsplit_once(':').unwrap();
    let renamed = format!("https://localhost:{port}/healthz");
    let ask = async |client: &reqwest::Client, url: &str| {
        client.get(url).send().await.map(|answer| answer.status())
    };
    block_on(async {
        let old = daemon.client();
        let url = format!("{}/healthz", daemon.url);
        assert_eq!(ask(&old, &url).await.unwrap(), 200);
        assert!(ask(&daemon.client(), &renamed).await.is_err());
        let accepted = || async {
            let text = old.get(format!("{}/metrics", daemon.url)).send().await;
            let text = text.unwrap().text().await.unwrap();
            let name = "flowlogd_api_accepted_connections_total ";
            let count = text.lines().find_map(|line| line.strip_prefix(name));
            count.unwrap().parse::<u64>().unwrap()
        };
        let before = accepted().await;
        assert_eq!(accepted().await, before, "the connection is not kept");

        // A key that is another's changes nothing.
        let other = KeyPair::generate().unwrap().serialize_pem();
        secure.replace("http.key", &other);
        let mut tries = 0;
        while daemon.logged("keeps its old certificate") == 0 {
            assert_eq!(ask(&daemon.client(), &url).await.unwrap(), 200);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            tries += 1;
            assert!(tries < 600, "never said");
        }
        secure.write(&["localhost"]);
        tries = 0;
        while ask(&daemon.client(), &renamed).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            tries += 1;
            assert!(tries < 600, "never shown");
        }
        let news = accepted().await;
        assert_eq!(accepted().await, news, "the old connection does not go on");
        assert_eq!(ask(&old, &url).await.unwrap(), 200);
        assert_eq!(accepted().await, news, "the old connection does not go on");
    });
    let said = daemon.logged("keeps its old certificate");
    assert_eq!(said, 1, "it is said once");
    assert_eq!(daemon.logged("BEGIN"), 0);
}

#[test]
fn a_pair_that_cannot_be_shown_is_told_before_and_at_the_start() {
    let secure = Secure::new();
    let other = KeyPair::generate().unwrap().serialize_pem();
    for (name, text, words) in [
        (
            "http.key",
            other.as_str(),
            "does not belong to the certificate",
        ),
        (
            "http.key",
            "secret words",
            "has no unencrypted private key in PEM",
        ),
        ("http.pem", "nothing", "has no certificate in PEM"),
    ] {
        secure.write(&["127.0.0.1"]);
        fs::write(secure.path(name), text).unwrap();
        for verb in ["check", "run"] {
            let mut command = Command::new(PROGRAM);
            command.arg(verb).arg("--config").arg(secure.configure());
            let ended = command.output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(said.contains(words), "{verb}: {said}");
            assert!(!said.contains("secret words"), "{verb}: {said}");
            assert_eq!(ended.status.success(), verb == "check", "{said}");
        }
    }
}
