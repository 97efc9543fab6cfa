//! Adapter from the credentials of the AWS SDK (environment, profile, SSO, web identity, container, instance) to
//! `object_store`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use object_store::aws::AwsCredential;
use object_store::{CredentialProvider, Error};

/// Credentials that expire sooner are refreshed: a request may take that long.
const MARGIN: Duration = Duration::from_secs(60);

/// The credentials of an AWS SDK provider, cached until they expire.
#[derive(Debug)]
pub(crate) struct SdkCredentials {
    provider: SharedCredentialsProvider,
    cached: Mutex<Option<Cached>>,
}

#[derive(Clone, Debug)]
struct Cached {
    credential: Arc<AwsCredential>,
    expires: Option<SystemTime>,
}

impl SdkCredentials {
    pub(crate) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, cached: Mutex::new(None) }
    }

    fn cached(&self) -> Option<Arc<AwsCredential>> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.as_ref().filter(|it| it.is_fresh(SystemTime::now())).map(|it| Arc::clone(&it.credential))
    }
}

impl Cached {
    fn is_fresh(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now + MARGIN < expires)
    }
}

#[async_trait]
impl CredentialProvider for SdkCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        if let Some(credential) = self.cached() {
            return Ok(credential);
        }
        let found = self.provider.provide_credentials().await.map_err(|error| Error::Unauthenticated {
            path: "AWS credentials (environment, profile, SSO, web identity, container, instance)".to_owned(),
            source: error.into(),
        })?;
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        let cached = Cached { credential: Arc::clone(&credential), expires: found.expiry() };
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(cached);
        Ok(credential)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::{self, ProvideCredentials, future};

    use super::*;

    #[derive(Debug)]
    struct Counting {
        asked: Arc<AtomicUsize>,
        lifetime: Option<Duration>,
    }

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            let expires = self.lifetime.map(|lifetime| SystemTime::now() + lifetime);
            let found: provider::Result =
                Ok(Credentials::new(format!("AK{number}"), "S3CRET", Some("T0KEN".into()), expires, "test"));
            future::ProvideCredentials::ready(found)
        }
    }

    async fn ask_twice(lifetime: Option<Duration>) -> (usize, String) {
        let asked = Arc::new(AtomicUsize::new(0));
        let provider = SharedCredentialsProvider::new(Counting { asked: Arc::clone(&asked), lifetime });
        let credentials = SdkCredentials::new(provider);
        credentials.get_credential().await.unwrap();
        let found = credentials.get_credential().await.unwrap();
        assert_eq!((found.secret_key.as_str(), found.token.as_deref()), ("S3CRET", Some("T0KEN")));
        (asked.load(Ordering::SeqCst), format!("{credentials:?}"))
    }

    #[tokio::test]
    async fn caches_credentials_until_they_expire_and_hides_them_in_debug() {
        for (lifetime, fetched) in [
            (None, 1),
            (Some(Duration::from_secs(3_600)), 1),
            (Some(Duration::from_secs(30)), 2),
            (Some(Duration::ZERO), 2),
        ] {
            let (asked, debug) = ask_twice(lifetime).await;
            assert_eq!(asked, fetched, "{lifetime:?}");
            assert!(!debug.contains("S3CRET") && !debug.contains("T0KEN"), "{debug}");
        }
    }
}
