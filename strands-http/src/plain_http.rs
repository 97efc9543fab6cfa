//! Secrets over plain HTTP: to which hosts they may be sent, and which headers have them.

use std::net::IpAddr;

use reqwest::Url;

/// Returns true for a URL whose host is this machine: `localhost`, its subdomains, and loopback addresses. A secret may be sent
/// to it over plain HTTP.
///
/// ```
/// use strands_http::is_loopback;
///
/// assert!(is_loopback(&reqwest::Url::parse("http://127.0.0.1:8080/v1").unwrap()));
/// assert!(!is_loopback(&reqwest::Url::parse("http://10.0.0.1:8080/v1").unwrap()));
/// ```
pub fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = host.strip_suffix('.').unwrap_or(host);
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

/// Returns true for the name of a header or of a query parameter that carries credentials, such as `Authorization`, `Cookie` or
/// `X-Api-Key`.
pub fn has_credentials(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    ["authorization", "proxy-authorization", "cookie"].contains(&name.as_str())
        || ["access-key", "api-key", "apikey", "password", "secret", "token"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_hosts_of_this_machine() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST.", true),
            ("models.localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9:8080", true),
            ("2130706433", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("notlocalhost", false),
            ("10.0.0.1", false),
            ("0.0.0.0", false),
            ("[fe80::1]", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(&format!("http://{host}/")).unwrap()), expected, "{host}");
        }
    }

    #[test]
    fn finds_credentials_by_name() {
        for (name, expected) in
            [("Authorization", true), ("Cookie", true), ("x_api_key", true), ("X-Auth-Token", true), ("Accept", false)]
        {
            assert_eq!(has_credentials(name), expected, "{name}");
        }
    }
}
