//! Negotiation of the protocol version.

use axum::http::request::Parts;

use crate::server::failure::{Failure, quote};

const VERSION: &str = "A2A-Version";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V03,
    V1,
}

impl Version {
    /// Returns the version that a request asks for, in a header or a parameter of the query. None is 0.3, as the specification demands.
    pub(super) fn of(parts: &Parts) -> Result<Self, Failure> {
        let header = parts.headers.get(VERSION).map(|value| value.to_str().unwrap_or("?").to_owned());
        let query = || {
            let query = parts.uri.query().unwrap_or_default();
            let mut parameters = url::form_urlencoded::parse(query.as_bytes());
            parameters.find(|(name, _)| name.eq_ignore_ascii_case(VERSION)).map(|(_, value)| value.into_owned())
        };
        let requested = header.or_else(query).unwrap_or_default();
        let mut numbers = requested.trim().split('.');
        match (numbers.next(), numbers.next()) {
            (Some(""), None) | (Some("0"), Some("3")) => Ok(Self::V03),
            (Some("1"), Some("0") | None) => Ok(Self::V1),
            _ => Err(Failure::Version(quote(&requested))),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn version(header: Option<&str>, uri: &str) -> Result<Version, Failure> {
        let mut request = Request::get(uri);
        if let Some(header) = header {
            request = request.header(VERSION, header);
        }
        Version::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_patch_version_does_not_count_and_none_is_the_oldest() {
        for (header, expected) in [
            (None, Version::V03),
            (Some(""), Version::V03),
            (Some("0.3"), Version::V03),
            (Some("0.3.7"), Version::V03),
            (Some("1.0"), Version::V1),
            (Some("1.0.2"), Version::V1),
            (Some("1"), Version::V1),
        ] {
            assert_eq!(version(header, "/"), Ok(expected), "{header:?}");
        }
        assert_eq!(version(None, "/tasks?a2a-version=1.0"), Ok(Version::V1));
        for unsupported in ["0.2", "1.1", "2.0", "99.0", "one", "0"] {
            assert!(version(Some(unsupported), "/").is_err(), "{unsupported}");
        }
    }
}
