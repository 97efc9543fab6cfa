//! Values that the issuer gives away and gets back: forms, codes and refresh tokens. Their HMAC shows that it made them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Longest sealed value that is opened, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// A value that can be sealed. Its purpose is sealed, too, so that a code is no refresh token.
pub(super) trait Sealable: Serialize + DeserializeOwned {
    /// The name of the type.
    const PURPOSE: &'static str;

    /// End of its validity, in seconds since 1970.
    fn expires(&self) -> u64;
}

/// Parameters of an authorization request that were checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SignInRequest {
    pub(super) redirect_uri: String,
    pub(super) scope: String,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) code_challenge: String,
}

/// The hidden field of a sign-in form.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Form {
    pub(super) request: SignInRequest,
    /// The value of the browser's cookie: a form of another browser is refused.
    pub(super) browser: String,
    pub(super) expires: u64,
}

/// An authorization code.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) redirect_uri: String,
    pub(super) scope: String,
    pub(super) nonce: Option<String>,
    pub(super) code_challenge: String,
    pub(super) signed_in: u64,
    pub(super) expires: u64,
}

/// A refresh token.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Refresh {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) scope: String,
    pub(super) signed_in: u64,
    pub(super) expires: u64,
}

macro_rules! sealable {
    ($($type:ident: $purpose:literal),*) => {$(
        impl Sealable for $type {
            const PURPOSE: &'static str = $purpose;

            fn expires(&self) -> u64 {
                self.expires
            }
        }
    )*};
}

sealable!(Form: "form", Code: "code", Refresh: "refresh");

/// Seals a value as text that is safe in URLs.
pub(super) fn seal<T: Sealable>(key: &hmac::Key, value: &T) -> String {
    // Structs of texts and numbers can be serialized.
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default());
    let signature = hmac::sign(key, message::<T>(&payload).as_bytes());
    format!("{payload}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Opens a value that was sealed with this key, for this purpose, and has not expired.
pub(super) fn open<T: Sealable>(key: &hmac::Key, sealed: &str, now: u64) -> Option<T> {
    if sealed.len() > MAX_BYTES {
        return None;
    }
    let (payload, signature) = sealed.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    hmac::verify(key, message::<T>(payload).as_bytes(), &signature).ok()?;
    let value: T = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    (now < value.expires()).then_some(value)
}

fn message<T: Sealable>(payload: &str) -> String {
    format!("{}.{payload}", T::PURPOSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refresh() -> Refresh {
        let text = |text: &str| text.to_owned();
        Refresh { id: text("1"), username: text("alice"), scope: text("openid"), signed_in: 1, expires: 100 }
    }

    #[test]
    fn opens_until_it_expires() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let sealed = seal(&key, &refresh());
        assert_eq!(open::<Refresh>(&key, &sealed, 99).unwrap().username, "alice");
        assert!(open::<Refresh>(&key, &sealed, 100).is_none());
    }

    #[test]
    fn refuses_other_purposes_keys_and_changes() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let sealed = seal(&key, &refresh());
        assert!(open::<Code>(&key, &sealed, 1).is_none());
        assert!(open::<Refresh>(&hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]), &sealed, 1).is_none());
        let (payload, signature) = sealed.split_once('.').unwrap();
        let forged = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap().replace("alice", "carol");
        let forged = format!("{}.{signature}", URL_SAFE_NO_PAD.encode(forged));
        for bad in [forged.as_str(), payload, signature, "", ".", "a.b", &"a".repeat(MAX_BYTES + 1)] {
            assert!(open::<Refresh>(&key, bad, 1).is_none(), "{bad:.40}");
        }
    }
}
