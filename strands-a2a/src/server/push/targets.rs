//! Targets of push notifications. Clients choose them, so that a server must not reach with them what the clients can't.

use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use strands_http::{ClientError, HttpOptions};
use url::{Host, Url};

use super::addresses::is_public;

/// Maximum length of a URL, in bytes.
const MAX_URL: usize = 2_048;

/// URLs that clients may choose for push notifications.
///
/// By default: HTTPS to addresses of the public internet. A name is resolved for each connection, and only its public addresses
/// are used. Redirects are not followed, and proxies not used.
///
/// ```
/// use strands::a2a::PushTargets;
///
/// let targets = PushTargets::public().allow_host("hooks.internal.example.com");
/// # drop(targets);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PushTargets {
    allows_http: bool,
    allows_private: bool,
    hosts: Vec<String>,
    certificates: Vec<Vec<u8>>,
}

impl PushTargets {
    /// Creates targets of the public internet, over HTTPS.
    pub fn public() -> Self {
        Self { allows_http: false, allows_private: false, hosts: Vec::new(), certificates: Vec::new() }
    }

    /// Allows a host, by its name or address, whatever its addresses are.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(normalized(&host.into()));
        self
    }

    /// Allows private, loopback and link-local addresses, for development and networks in which clients may reach everything that the
    /// server reaches. Default: false.
    pub fn allow_private(mut self, allow: bool) -> Self {
        self.allows_private = allow;
        self
    }

    /// Allows plain HTTP. Default: false.
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allows_http = allow;
        self
    }

    /// Trusts additional certificate authorities, in PEM.
    pub fn trust_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(pem.into());
        self
    }

    /// Returns the settings of the client.
    pub(super) fn http_options(&self) -> Result<HttpOptions, ClientError> {
        let options = HttpOptions::https().allow_http(self.allows_http);
        self.certificates.iter().try_fold(options, |options, pem| options.trust_pem(pem))
    }

    /// Checks a URL before anything is sent to it. The addresses of names are checked when a connection is made.
    pub(in crate::server) fn check(&self, url: &str) -> Result<Url, String> {
        if url.len() > MAX_URL {
            return Err(format!("the URL for push notifications is longer than {MAX_URL} bytes"));
        }
        let url = Url::parse(url).map_err(|_| "the URL for push notifications is invalid".to_owned())?;
        match url.scheme() {
            "https" => {}
            "http" if self.allows_http => {}
            _ => return Err("the URL for push notifications must be of HTTPS".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL for push notifications must have no credentials; use `authentication`".to_owned());
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err("the URL for push notifications has no host".to_owned()),
        };
        // The same text as for a host that has no public address, since it tells nothing of the network.
        if address.is_some_and(|address| !self.allows(&address.to_string(), address)) {
            return Err("the URL for push notifications is not of the public internet".to_owned());
        }
        Ok(url)
    }

    fn allows(&self, host: &str, address: IpAddr) -> bool {
        self.allows_private || self.hosts.contains(&normalized(host)) || is_public(address)
    }
}

/// Resolver of names to addresses that are allowed. The client connects to one of these, so that no second resolution can give
/// another one.
pub(super) struct AllowedAddresses(pub(super) PushTargets);

impl Resolve for AllowedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let targets = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|found| targets.allows(host, found.ip())).collect();
            if allowed.is_empty() {
                return Err(io::Error::other("the host has no address of the public internet").into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn normalized(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(targets: &PushTargets, url: &str) -> bool {
        targets.check(url).is_ok()
    }

    #[test]
    fn rejects_urls_that_are_not_of_the_public_internet() {
        let targets = PushTargets::public();
        assert!(is_allowed(&targets, "https://example.com/hook?a=b"));
        assert!(is_allowed(&targets, "https://8.8.8.8:8443/"));
        for url in [
            "http://example.com/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/latest/meta-data",
            "https://169.254.169.254/",
            "https://user:secret@example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "https://",
            "",
        ] {
            assert!(!is_allowed(&targets, url), "{url}");
        }
        assert!(!is_allowed(&targets, &format!("https://example.com/{}", "a".repeat(MAX_URL))));
    }

    #[test]
    fn programs_can_allow_more() {
        assert!(is_allowed(&PushTargets::public().allow_http(true), "http://example.com/"));
        assert!(is_allowed(&PushTargets::public().allow_private(true), "https://10.0.0.1/"));
        let targets = PushTargets::public().allow_host("10.0.0.1").allow_host("[::1]");
        assert!(is_allowed(&targets, "https://10.0.0.1/"));
        assert!(is_allowed(&targets, "https://[::1]/"));
        assert!(!is_allowed(&targets, "https://10.0.0.2/"));
    }

    #[tokio::test]
    async fn names_resolve_to_allowed_addresses_alone() {
        let resolve = |targets: PushTargets| async move {
            let addresses = AllowedAddresses(targets).resolve("localhost".parse().unwrap()).await;
            addresses.map(Iterator::count)
        };
        assert!(resolve(PushTargets::public()).await.is_err());
        assert!(resolve(PushTargets::public().allow_private(true)).await.unwrap() > 0);
        assert!(resolve(PushTargets::public().allow_host("LOCALHOST.")).await.unwrap() > 0);
    }
}
