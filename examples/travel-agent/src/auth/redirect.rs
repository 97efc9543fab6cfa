//! URIs that a browser is sent to: of programs on this machine alone.

use strands::serve::axum::{
    http::{HeaderValue, StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use url::{Host, Url};

/// Returns the URI if it is on this machine. RFC 8252 allows any port of a loopback address.
pub(super) fn loopback(uri: &str) -> Option<Url> {
    // The parser removes tabs and line breaks, and reads `\` as `/`: a URI with them is not what it seems.
    if uri.len() > 2048 || uri.contains(|c: char| c.is_ascii_control() || c == '\\' || c == ' ') {
        return None;
    }
    let url = Url::parse(uri).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_http = matches!(url.scheme(), "http" | "https");
    (is_plain && is_http && url.host().is_some_and(is_loopback)).then_some(url)
}

/// Returns true if a host is a name or an address of this machine.
pub(super) fn is_loopback(host: Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Sends the browser to a URI, with more parameters.
pub(super) fn to(mut url: Url, parameters: &[(&str, Option<&str>)]) -> Response {
    if parameters.iter().any(|(_, value)| value.is_some()) {
        let mut query = url.query_pairs_mut();
        for (name, value) in parameters {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
    }
    // A URL is ASCII without control characters.
    match HeaderValue::from_str(url.as_str()) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_this_machine_alone() {
        for good in [
            "http://127.0.0.1:8080/",
            "http://localhost:1234/callback?page=1",
            "http://[::1]:9/",
            "https://localhost/",
            "http://127.8.9.1:80/",
        ] {
            assert!(loopback(good).is_some(), "{good}");
        }
        for bad in [
            "https://evil.example/",
            "http://localhost.evil.example/",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://evil.example#@127.0.0.1/",
            "http://localhost:8080/#fragment",
            "http://user@localhost:8080/",
            "http:\\\\evil.example",
            "http://127.0.0.1\\@evil.example/",
            "http://local\thost/",
            "http://localhost/\r\nset-cookie: a=b",
            "//evil.example",
            "/relative",
            "javascript:alert(1)",
            "data:text/html,hello",
            "travel-page://localhost/",
            "http://0.0.0.0:8080/",
            "http://[::ffff:127.0.0.1]/",
            "",
        ] {
            assert!(loopback(bad).is_none(), "{bad}");
        }
        assert!(loopback(&format!("http://localhost/{}", "a".repeat(2048))).is_none());
    }

    #[test]
    fn parameters_can_not_break_out_of_the_header() {
        let response = to(loopback("http://localhost:1/?a=b").unwrap(), &[("state", Some("x\r\ny&z=1#")), ("n", None)]);
        let location = response.headers().get(LOCATION).unwrap();
        assert_eq!(location, "http://localhost:1/?a=b&state=x%0D%0Ay%26z%3D1%23");
    }
}
