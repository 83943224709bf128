//! The certificate that the listener shows, and its key, from two files.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Where certificate and key are, in PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateFiles {
    /// The certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its key: PKCS#8, SEC1 or PKCS#1, not encrypted.
    pub key: PathBuf,
}

/// Why certificate and key cannot be shown; never what is in the key's file.
#[derive(Debug, Error)]
pub enum BadCertificate {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The first file has no certificate.
    #[error("{} has no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// The second file has no key.
    #[error("{} has no unencrypted private key in PEM", .0.display())]
    NoKey(PathBuf),
    /// The key is another's.
    #[error("the key of {} does not belong to the certificate of {}", key.display(), certificate.display())]
    Mismatch {
        /// The first file.
        certificate: PathBuf,
        /// The second file.
        key: PathBuf,
    },
    /// They are of a kind that TLS has no use for.
    #[error("the certificate of {} cannot be used: {source}", path.display())]
    Unusable {
        /// The first file.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
}

impl BadCertificate {
    /// The same for those who expect errors of a socket.
    pub(super) fn into_io(self) -> io::Error {
        let kind = match &self {
            Self::Unreadable { source, .. } => source.kind(),
            Self::NoCertificate(_)
            | Self::NoKey(_)
            | Self::Mismatch { .. }
            | Self::Unusable { .. } => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, self)
    }
}

impl CertificateFiles {
    /// Reads both, to know whether a listener could show them.
    ///
    /// # Errors
    /// They cannot be read, or do not belong together.
    pub fn check(&self) -> Result<(), BadCertificate> {
        self.load().map(drop)
    }

    fn load(&self) -> Result<Arc<ServerConfig>, BadCertificate> {
        let chain = CertificateDer::pem_slice_iter(&read(&self.certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| BadCertificate::NoCertificate(self.certificate.clone()))?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|_| BadCertificate::NoKey(self.key.clone()))?;
        let unusable = |source| {
            if matches!(source, rustls::Error::InconsistentKeys(_)) {
                return BadCertificate::Mismatch {
                    certificate: self.certificate.clone(),
                    key: self.key.clone(),
                };
            }
            BadCertificate::Unusable {
                path: self.certificate.clone(),
                source,
            }
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth();
        let mut config = config.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// What changes when a file is written, or another takes its name.
    fn marks(&self) -> Marks {
        [&self.certificate, &self.key].map(|path| {
            let found = fs::metadata(path).ok()?;
            let changed = (found.ctime(), found.ctime_nsec());
            let written = (found.mtime(), found.mtime_nsec());
            Some((found.dev(), found.ino(), found.size(), changed, written))
        })
    }
}

type Time = (i64, i64);
type Marks = [Option<(u64, u64, u64, Time, Time)>; 2];

fn read(path: &Path) -> Result<Vec<u8>, BadCertificate> {
    fs::read(path).map_err(|source| BadCertificate::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// The certificate that new connections are shown.
#[derive(Debug)]
pub(super) struct Certificate {
    files: CertificateFiles,
    shown: Mutex<Shown>,
}

#[derive(Debug)]
struct Shown {
    config: Arc<ServerConfig>,
    marks: Marks,
    looked: Instant,
}

/// What became of a look at the files.
#[derive(Debug)]
pub(super) enum Look {
    /// They are as they were.
    Same,
    /// Others are shown from now on.
    Taken,
    /// There are others, and they cannot be shown.
    Refused(BadCertificate),
}

impl Certificate {
    /// Reads the files.
    pub(super) fn open(files: CertificateFiles) -> Result<Self, BadCertificate> {
        // Before they are read: what is written meanwhile is seen later.
        let marks = files.marks();
        let shown = Shown {
            config: files.load()?,
            marks,
            looked: Instant::now(),
        };
        Ok(Self {
            files,
            shown: Mutex::new(shown),
        })
    }

    /// What takes up TLS on a connection. Every second at most the files are
    /// looked at first: so the certificate is as new as it can matter, and
    /// nothing runs where nobody connects. Two calls to the system a second are
    /// too few to have a thread of their own.
    pub(super) fn acceptor(&self, now: Instant) -> (TlsAcceptor, Look) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let look = match now.saturating_duration_since(shown.looked) < LOOK_EVERY {
            true => Look::Same,
            false => {
                shown.looked = now;
                self.look(&mut shown)
            }
        };
        (TlsAcceptor::from(Arc::clone(&shown.config)), look)
    }

    fn look(&self, shown: &mut Shown) -> Look {
        let marks = self.files.marks();
        if marks == shown.marks {
            return Look::Same;
        }
        shown.marks = marks;
        match self.files.load() {
            Ok(config) => {
                shown.config = config;
                Look::Taken
            }
            Err(error) => Look::Refused(error),
        }
    }
}

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// Writes a pair; the files of it.
    fn pair(folder: &Path) -> CertificateFiles {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let files = CertificateFiles {
            certificate: folder.join("http.pem"),
            key: folder.join("http.key"),
        };
        fs::create_dir_all(folder).unwrap();
        fs::write(&files.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn look(certificate: &Certificate, now: Instant) -> (&'static str, Arc<ServerConfig>) {
        let (acceptor, look) = certificate.acceptor(now);
        let look = match look {
            Look::Same => "same",
            Look::Taken => "taken",
            Look::Refused(_) => "refused",
        };
        (look, Arc::clone(acceptor.config()))
    }

    #[test]
    fn files_are_looked_at_again_after_a_second_and_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::open(pair(folder.path())).unwrap();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (look_at, first) = (|at| look(&certificate, at), look(&certificate, start).1);
        assert_eq!(look_at(at(2)).0, "same");
        fs::write(folder.path().join("http.key"), "half of a ke").unwrap();
        assert_eq!(look_at(at(2) + LOOK_EVERY / 2).0, "same");
        let (refused, shown) = look_at(at(4));
        assert_eq!(refused, "refused");
        assert!(Arc::ptr_eq(&shown, &first));
        assert_eq!(look_at(at(6)).0, "same");
        pair(folder.path());
        let (taken, shown) = look_at(at(8));
        assert_eq!(taken, "taken");
        assert!(!Arc::ptr_eq(&shown, &first));
        assert_eq!(look_at(at(10)).0, "same");
        // Gone is no reason to show nothing.
        fs::remove_file(folder.path().join("http.pem")).unwrap();
        assert_eq!(look_at(at(12)).0, "refused");
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new, link] = ["old", "new", "link"].map(|name| folder.path().join(name));
        pair(&old);
        pair(&new);
        symlink(&old, &link).unwrap();
        let files = CertificateFiles {
            certificate: link.join("http.pem"),
            key: link.join("http.key"),
        };
        let certificate = Certificate::open(files).unwrap();
        fs::remove_file(&link).unwrap();
        symlink(&new, &link).unwrap();
        let later = Instant::now() + Duration::from_secs(2);
        assert_eq!(look(&certificate, later).0, "taken");
    }

    #[test]
    fn what_is_in_a_bad_key_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let files = pair(folder.path());
        for text in [
            "geheim",
            "-----BEGIN geheim",
            "-----BEGIN PRIVATE KEY-----\ngeheim!\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\ngeheim\n-----END PRIVATE KEY-----\n",
        ] {
            fs::write(&files.key, text).unwrap();
            let refused = files.check().unwrap_err();
            let told = format!("{refused} {refused:?}");
            assert!(!told.contains("geheim"), "{told}");
        }
    }
}
