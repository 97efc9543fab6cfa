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
    /// Returns the version that a request asks for. None is 0.3, as the specification demands.
    pub(super) fn of(parts: &Parts) -> Result<Self, Failure> {
        Ok(Self::requested(parts)?.unwrap_or(Self::V03))
    }

    /// Returns the version of a call over JSON-RPC. A call without one, and with a name of 1.0, is of 1.0 if the header may be lost.
    pub(super) fn of_call(parts: &Parts, method: &str, may_lose_header: bool) -> Result<Self, Failure> {
        let from_name = || if may_lose_header && is_of_v1(method) { Self::V1 } else { Self::V03 };
        Ok(Self::requested(parts)?.unwrap_or_else(from_name))
    }

    /// Returns the version in the header or in a parameter of the query.
    fn requested(parts: &Parts) -> Result<Option<Self>, Failure> {
        let header = parts.headers.get(VERSION).map(|value| value.to_str().unwrap_or("?").to_owned());
        let query = || {
            let query = parts.uri.query().unwrap_or_default();
            let mut parameters = url::form_urlencoded::parse(query.as_bytes());
            parameters.find(|(name, _)| name.eq_ignore_ascii_case(VERSION)).map(|(_, value)| value.into_owned())
        };
        let requested = header.or_else(query).unwrap_or_default();
        let mut numbers = requested.trim().split('.');
        match (numbers.next(), numbers.next()) {
            (Some(""), None) => Ok(None),
            (Some("0"), Some("3")) => Ok(Some(Self::V03)),
            (Some("1"), Some("0") | None) => Ok(Some(Self::V1)),
            _ => Err(Failure::Version(quote(&requested))),
        }
    }
}

/// Returns true for the name of a method in 1.0. No method of 0.3 has one of them.
fn is_of_v1(method: &str) -> bool {
    use a2a::methods;
    [
        methods::SEND_MESSAGE,
        methods::SEND_STREAMING_MESSAGE,
        methods::GET_TASK,
        methods::LIST_TASKS,
        methods::CANCEL_TASK,
        methods::SUBSCRIBE_TO_TASK,
        methods::CREATE_PUSH_CONFIG,
        methods::GET_PUSH_CONFIG,
        methods::LIST_PUSH_CONFIGS,
        methods::DELETE_PUSH_CONFIG,
        methods::GET_EXTENDED_AGENT_CARD,
    ]
    .contains(&method)
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
