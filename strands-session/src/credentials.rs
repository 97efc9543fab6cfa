//! The credentials of the AWS SDK (environment, profile, SSO, web identity, container, instance), for `object_store`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use object_store::aws::AwsCredential;
use object_store::{CredentialProvider, Error};

/// Credentials that expire sooner are fetched anew: a request may take that long.
const MARGIN: Duration = Duration::from_secs(60);

/// Hands on what the AWS SDK finds, and remembers it until it expires.
#[derive(Debug)]
pub(crate) struct SdkCredentials {
    provider: SharedCredentialsProvider,
    remembered: Mutex<Option<Remembered>>,
}

#[derive(Clone, Debug)]
struct Remembered {
    credential: Arc<AwsCredential>,
    expires: Option<SystemTime>,
}

impl SdkCredentials {
    pub(crate) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, remembered: Mutex::new(None) }
    }

    fn remembered(&self) -> Option<Arc<AwsCredential>> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.as_ref().filter(|it| it.is_fresh(SystemTime::now())).map(|it| Arc::clone(&it.credential))
    }
}

impl Remembered {
    fn is_fresh(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now + MARGIN < expires)
    }
}

#[async_trait]
impl CredentialProvider for SdkCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        if let Some(credential) = self.remembered() {
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
        let remembered = Remembered { credential: Arc::clone(&credential), expires: found.expiry() };
        *self.remembered.lock().unwrap_or_else(PoisonError::into_inner) = Some(remembered);
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
    async fn they_are_remembered_until_they_expire_and_never_shown() {
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
