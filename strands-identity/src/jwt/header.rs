//! The header of a token: all that may be believed before the signature is verified.

use serde_json::{Map, Value};

use super::algorithm::JwtAlgorithm;
use super::reason::JwtReason;

/// A header without members that could change the meaning of the token, or choose its key.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: JwtAlgorithm,
    pub(super) key_id: Option<String>,
}

impl Header {
    /// Checks a header. `types` are the allowed types of tokens, in lower case.
    pub(super) fn check(
        header: &Map<String, Value>,
        allowed: &[JwtAlgorithm],
        types: &[String],
    ) -> Result<Self, JwtReason> {
        let has = |names: &[&str]| names.iter().any(|name| header.contains_key(*name));
        if has(&["enc"]) {
            return Err(JwtReason::Encrypted);
        }
        if has(&["cty"]) {
            return Err(JwtReason::Nested);
        }
        if has(&["jku", "jwk", "x5c", "x5u"]) {
            return Err(JwtReason::KeyInHeader);
        }
        if has(&["crit", "b64", "zip"]) {
            return Err(JwtReason::Extension);
        }
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(JwtReason::Malformed),
        };
        let algorithm = text("alg")?.and_then(JwtAlgorithm::from_name).ok_or(JwtReason::Algorithm)?;
        if !allowed.contains(&algorithm) {
            return Err(JwtReason::Algorithm);
        }
        if let Some(media_type) = text("typ")? {
            let media_type = media_type.to_ascii_lowercase();
            let name = media_type.strip_prefix("application/").unwrap_or(&media_type);
            if !types.iter().any(|allowed| allowed == name) {
                return Err(JwtReason::TokenType);
            }
        }
        Ok(Self { algorithm, key_id: text("kid")?.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(header: &Value) -> Result<Header, JwtReason> {
        let types = ["jwt".to_owned(), "at+jwt".to_owned()];
        Header::check(header.as_object().unwrap(), &[JwtAlgorithm::Rs256], &types)
    }

    #[test]
    fn accepts_ordinary_headers() {
        for header in [
            json!({"alg": "RS256"}),
            json!({"alg": "RS256", "typ": "JWT", "kid": "1", "x5t": "thumbprint"}),
            json!({"alg": "RS256", "typ": "application/at+JWT"}),
        ] {
            assert!(check(&header).is_ok(), "{header}");
        }
    }

    #[test]
    fn refuses_all_that_would_change_the_meaning_or_choose_the_key() {
        for (header, reason) in [
            (json!({"alg": "RS256", "enc": "A128GCM"}), JwtReason::Encrypted),
            (json!({"alg": "RS256", "cty": "JWT"}), JwtReason::Nested),
            (json!({"alg": "RS256", "jku": "https://example.com"}), JwtReason::KeyInHeader),
            (json!({"alg": "RS256", "jwk": {}}), JwtReason::KeyInHeader),
            (json!({"alg": "RS256", "x5c": []}), JwtReason::KeyInHeader),
            (json!({"alg": "RS256", "x5u": "https://example.com"}), JwtReason::KeyInHeader),
            (json!({"alg": "RS256", "crit": ["exp"], "exp": 1}), JwtReason::Extension),
            (json!({"alg": "RS256", "crit": []}), JwtReason::Extension),
            (json!({"alg": "RS256", "b64": false}), JwtReason::Extension),
            (json!({"alg": "RS256", "zip": "DEF"}), JwtReason::Extension),
            (json!({"alg": "RS256", "typ": "dpop+jwt"}), JwtReason::TokenType),
            (json!({"alg": "RS256", "typ": 1}), JwtReason::Malformed),
            (json!({"alg": "RS256", "kid": 1}), JwtReason::Malformed),
            (json!({"alg": ["RS256"]}), JwtReason::Malformed),
            (json!({}), JwtReason::Algorithm),
            (json!({"alg": "none"}), JwtReason::Algorithm),
            (json!({"alg": "rs256"}), JwtReason::Algorithm),
            (json!({"alg": "RS384"}), JwtReason::Algorithm),
            (json!({"alg": "HS256"}), JwtReason::Algorithm),
        ] {
            assert_eq!(check(&header).unwrap_err(), reason, "{header}");
        }
    }
}
