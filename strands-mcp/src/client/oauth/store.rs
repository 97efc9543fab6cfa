//! Stores of credentials, so that a user authorizes once and not once for each process.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

/// Store of the credentials of one server: tokens, and the client's registration.
///
/// A record is opaque text with secrets: store it where only the user can read it, such as a keychain. Processes may share a
/// record; the last one to save wins, and tokens that another process refreshed are used.
///
/// Implement it under `#[async_trait]`, which is re-exported:
///
/// ```
/// use std::error::Error;
///
/// use strands::mcp::CredentialStore;
/// use strands::mcp::secrecy::{ExposeSecret, SecretString};
///
/// # mod keychain {
/// #     pub async fn read(_: &str) -> std::io::Result<Option<String>> { Ok(None) }
/// #     pub async fn write(_: &str, _: &str) -> std::io::Result<()> { Ok(()) }
/// # }
/// struct Keychain;
///
/// #[strands::async_trait]
/// impl CredentialStore for Keychain {
///     async fn load(&self) -> Result<Option<SecretString>, Box<dyn Error + Send + Sync>> {
///         Ok(keychain::read("travel").await?.map(SecretString::from))
///     }
///
///     async fn save(&self, record: SecretString) -> Result<(), Box<dyn Error + Send + Sync>> {
///         Ok(keychain::write("travel", record.expose_secret()).await?)
///     }
/// }
/// ```
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Returns the record, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can't be read. No token is obtained then.
    async fn load(&self) -> Result<Option<SecretString>, Box<dyn StdError + Send + Sync>>;

    /// Replaces the record.
    ///
    /// # Errors
    ///
    /// Returns an error if the record can't be stored. The tokens are used nevertheless, and a warning is logged.
    async fn save(&self, record: SecretString) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

/// Store in memory: credentials are gone with the process.
#[derive(Default)]
pub(super) struct MemoryStore {
    record: Mutex<Option<SecretString>>,
}

#[async_trait]
impl CredentialStore for MemoryStore {
    async fn load(&self) -> Result<Option<SecretString>, Box<dyn StdError + Send + Sync>> {
        Ok(self.record.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn save(&self, record: SecretString) -> Result<(), Box<dyn StdError + Send + Sync>> {
        *self.record.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
        Ok(())
    }
}

/// Time before the end of a token's life at which it is renewed. Tokens with a shorter life are renewed after half of it.
const RENEW_BEFORE: Duration = Duration::from_secs(30);

/// Credentials at one authorization server.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Credentials {
    pub(super) issuer: Option<String>,
    pub(super) client: Option<RegisteredClient>,
    pub(super) tokens: Option<Tokens>,
}

/// Client of a dynamic registration.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct RegisteredClient {
    pub(super) id: String,
    pub(super) secret: Option<String>,
    /// Redirect URI of the registration; another one needs a registration of its own.
    pub(super) redirect_uri: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
    /// Client that the tokens are for.
    pub(super) client_id: String,
    /// Seconds since the Unix epoch.
    pub(super) received_at: u64,
    /// Seconds.
    pub(super) expires_in: Option<u64>,
    pub(super) requested_scopes: Vec<String>,
    pub(super) granted_scopes: Vec<String>,
}

impl Tokens {
    /// Returns true if the access token is valid at a time, and needs no renewal yet.
    pub(super) fn is_fresh(&self, now: u64) -> bool {
        let before = self.expires_in.map_or(0, |life| RENEW_BEFORE.as_secs().min(life / 2).max(1));
        self.is_valid(now.saturating_add(before))
    }

    /// Returns true if the access token has not expired at a time, as far as the client can know.
    pub(super) fn is_valid(&self, now: u64) -> bool {
        self.expires_in.is_none_or(|life| now < self.received_at.saturating_add(life))
    }
}

/// Text of a store: the credentials, and the server that they are for.
#[derive(Serialize, Deserialize)]
struct Record<C> {
    server: String,
    #[serde(flatten)]
    credentials: C,
}

impl Credentials {
    pub(super) fn to_record(&self, server: &Url) -> Result<SecretString, serde_json::Error> {
        let record = Record { server: name(server), credentials: self };
        serde_json::to_string(&record).map(SecretString::from)
    }

    /// Reads a record. Returns `None` if it is for another server.
    pub(super) fn from_record(record: &SecretString, server: &Url) -> Result<Option<Self>, serde_json::Error> {
        let record: Record<Self> = serde_json::from_str(record.expose_secret())?;
        Ok((record.server == name(server)).then_some(record.credentials))
    }
}

/// URL of a server without a query, which may be a secret.
fn name(server: &Url) -> String {
    let mut server = server.clone();
    server.set_query(None);
    server.into()
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(expires_in: Option<u64>) -> Tokens {
        Tokens {
            access_token: "secret".to_owned(),
            refresh_token: None,
            client_id: "client".to_owned(),
            received_at: 1000,
            expires_in,
            requested_scopes: Vec::new(),
            granted_scopes: Vec::new(),
        }
    }

    #[test]
    fn tokens_are_renewed_before_they_expire() {
        assert!(tokens(None).is_fresh(u64::MAX));
        assert!(tokens(Some(3600)).is_fresh(1000 + 3569));
        assert!(!tokens(Some(3600)).is_fresh(1000 + 3570));
        assert!(tokens(Some(10)).is_fresh(1004));
        assert!(!tokens(Some(10)).is_fresh(1005));
        assert!(tokens(Some(10)).is_valid(1009));
        assert!(!tokens(Some(10)).is_valid(1010));
        assert!(!tokens(Some(0)).is_fresh(1000));
        assert!(tokens(Some(u64::MAX)).is_fresh(1000));
    }

    #[test]
    fn debug_has_no_secrets() {
        let credentials = Credentials { tokens: Some(tokens(None)), ..Credentials::default() };
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
