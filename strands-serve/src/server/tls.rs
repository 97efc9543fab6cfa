//! TLS of the server: certificates from files, replaced while the server runs.
//!
//! A whole configuration is replaced, not only the certificate in it, so that sessions which an old certificate has
//! established are not resumed. rustls gets ring explicitly: the process's default provider is left to the program.

use std::error::Error as StdError;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{Error as RustlsError, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::sleep;

const DEFAULT_CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Certificate chain and private key in PEM files, for [`Server::tls`](super::Server::tls).
///
/// While the server runs, it compares the files with those that it has loaded, and uses new ones for new connections. If new
/// files are not valid, for example because only one of them has been written so far, the server keeps the old certificate,
/// logs the error, and looks again. Clones share one certificate.
///
/// ```no_run
/// use strands::serve::Server;
/// use strands::serve::tls::TlsFiles;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let files = TlsFiles::load("/etc/agent/tls.crt", "/etc/agent/tls.key")?;
/// let server = Server::bind("0.0.0.0:8443").await?.tls(files.clone());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TlsFiles {
    shared: Arc<Shared>,
    check_interval: Duration,
}

struct Shared {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
    /// Hash of the files that were read last, whether or not they were valid.
    seen: Mutex<u64>,
    hasher: RandomState,
}

/// An error of loading certificates.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read `{}`", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// A file is not PEM, or has no certificate.
    #[error("invalid certificate file `{}`: expected PEM with at least one `CERTIFICATE` section", path.display())]
    Certificate {
        /// Path of the file.
        path: PathBuf,
    },
    /// A file is not PEM, or has no private key without a password.
    #[error("invalid key file `{}`: expected PEM with one `PRIVATE KEY` section, without a password", path.display())]
    Key {
        /// Path of the file.
        path: PathBuf,
    },
    /// The private key belongs to another certificate.
    #[error("the key in `{}` does not belong to the certificate in `{}`", key.display(), certificate.display())]
    Mismatch {
        /// Path of the certificate file.
        certificate: PathBuf,
        /// Path of the key file.
        key: PathBuf,
    },
    /// The certificate or its key is of a kind that is not supported.
    #[error("the certificate in `{}` can't be used", path.display())]
    Unsupported {
        /// Path of the certificate file.
        path: PathBuf,
        /// The error of the TLS library.
        source: Box<dyn StdError + Send + Sync>,
    },
}

strands_core::__debug_with_sources!(TlsError);

impl TlsFiles {
    /// Loads a certificate chain, with the server's certificate first, and its private key.
    ///
    /// # Errors
    ///
    /// Returns a [`TlsError`] if a file can't be read or is not valid, or if the key belongs to another certificate.
    pub fn load(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (certificate, key, hasher) = (certificate.into(), key.into(), RandomState::new());
        let contents = Contents::read(&certificate, &key)?;
        let shared = Shared {
            seen: Mutex::new(hasher.hash_one(&contents.pem)),
            current: RwLock::new(contents.config(&certificate, &key)?),
            certificate,
            key,
            hasher,
        };
        Ok(Self { shared: Arc::new(shared), check_interval: DEFAULT_CHECK_INTERVAL })
    }

    /// Sets how often a running server compares the files. Default: 30 seconds.
    #[must_use]
    pub fn check_interval(mut self, interval: Duration) -> Self {
        self.check_interval = interval;
        self
    }

    /// Loads the files now, for new connections. It reads files, so in async code it belongs in `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// Returns a [`TlsError`] as [`load`](Self::load) does. The server keeps the certificate that it has.
    pub fn reload(&self) -> Result<(), TlsError> {
        let contents = Contents::read(&self.shared.certificate, &self.shared.key)?;
        self.remember(self.shared.hasher.hash_one(&contents.pem));
        self.replace(&contents)
    }

    /// Loads the files if they differ from those that were read last. Returns whether they are in use now.
    fn reload_changed(&self) -> Result<bool, TlsError> {
        let contents = Contents::read(&self.shared.certificate, &self.shared.key)?;
        if !self.remember(self.shared.hasher.hash_one(&contents.pem)) {
            return Ok(false);
        }
        self.replace(&contents).map(|()| true)
    }

    /// Returns true if this hash is new.
    fn remember(&self, hash: u64) -> bool {
        let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *seen, hash) != hash
    }

    fn replace(&self, contents: &Contents) -> Result<(), TlsError> {
        let config = contents.config(&self.shared.certificate, &self.shared.key)?;
        *self.shared.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Returns the configuration of a new connection.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Watches the files; never returns.
    pub(super) async fn reload_on_changes(self) {
        // A file that stays away is reported once.
        let mut reported = String::new();
        loop {
            sleep(self.check_interval).await;
            let files = self.clone();
            let Ok(result) = tokio::task::spawn_blocking(move || files.reload_changed()).await else { continue };
            let certificate = self.shared.certificate.display();
            match result {
                Ok(changed) => {
                    reported.clear();
                    if changed {
                        tracing::info!(%certificate, "certificate replaced");
                    }
                }
                Err(error) => {
                    let text = format!("{error:?}");
                    if text != reported {
                        tracing::error!(%certificate, error = text, "the new certificate is not valid; the old one stays");
                        reported = text;
                    }
                }
            }
        }
    }
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFiles")
            .field("certificate", &self.shared.certificate)
            .field("key", &self.shared.key)
            .finish_non_exhaustive()
    }
}

/// The files' contents: certificate and key.
struct Contents {
    pem: [Vec<u8>; 2],
}

impl Contents {
    fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source });
        Ok(Self { pem: [read(certificate)?, read(key)?] })
    }

    fn config(&self, certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
        let [certificate_pem, key_pem] = &self.pem;
        let unsupported =
            |error: RustlsError| TlsError::Unsupported { path: certificate.to_owned(), source: error.into() };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate_pem).collect();
        let chain = chain
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| TlsError::Certificate { path: certificate.to_owned() })?;
        let private = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| TlsError::Key { path: key.to_owned() })?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unsupported)?
            .with_no_client_auth()
            .with_single_cert(chain, private);
        let mut config = config.map_err(|error| match error {
            RustlsError::InconsistentKeys(_) => {
                TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() }
            }
            error => unsupported(error),
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn written(folder: &tempfile::TempDir, certificate: &str, key: &str) -> (PathBuf, PathBuf) {
        let (first, second) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        std::fs::write(&first, certificate).unwrap();
        std::fs::write(&second, key).unwrap();
        (first, second)
    }

    #[test]
    fn names_the_file_that_is_not_valid() {
        let folder = tempfile::tempdir().unwrap();
        let ((one, key), (_, other_key)) = (certificate(), certificate());
        let broken = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        let cases = [
            (one.as_str(), other_key.as_str(), "does not belong"),
            ("", key.as_str(), "tls.crt`: expected PEM"),
            (one.as_str(), "secret", "tls.key`: expected PEM"),
            (one.as_str(), broken, "can't be used"),
        ];
        for (certificate, key, expected) in cases {
            let (first, second) = written(&folder, certificate, key);
            let error = TlsFiles::load(first, second).unwrap_err();
            let text = format!("{error:?}");
            assert!(text.contains(expected) && !text.contains("c2VjcmV0"), "{text}");
        }
        let error = TlsFiles::load(folder.path().join("missing"), "missing").unwrap_err();
        assert!(matches!(error, TlsError::Read { .. }), "{error:?}");
    }

    #[test]
    fn keeps_the_certificate_until_the_new_files_are_valid() {
        let folder = tempfile::tempdir().unwrap();
        let ((old, old_key), (new, new_key)) = (certificate(), certificate());
        let (first, second) = written(&folder, &old, &old_key);
        let files = TlsFiles::load(first, second).unwrap();
        let before = files.current();
        assert!(!files.reload_changed().unwrap());
        written(&folder, &new, &old_key);
        assert!(matches!(files.reload_changed(), Err(TlsError::Mismatch { .. })));
        assert!(matches!(files.reload(), Err(TlsError::Mismatch { .. })));
        assert!(!files.reload_changed().unwrap(), "reports files that are not valid once");
        assert!(Arc::ptr_eq(&before, &files.current()));
        written(&folder, &new, &new_key);
        assert!(files.reload_changed().unwrap());
        assert!(!Arc::ptr_eq(&before, &files.current()));
    }

    #[test]
    fn debug_has_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let (pem, key) = certificate();
        let (first, second) = written(&folder, &pem, &key);
        let text = format!("{:?}", TlsFiles::load(first, second).unwrap());
        assert!(text.contains("tls.key") && !text.contains("PRIVATE") && text.len() < 300, "{text}");
    }
}
