//! Addresses that OAuth may connect to, so that metadata can't direct requests into the program's network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddressClass {
    Public,
    Loopback,
    Private,
    /// Link-local, with the metadata services of clouds, multicast, unspecified and the like.
    Reserved,
}

impl AddressClass {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, ..] = address.octets();
        if address.is_loopback() {
            Self::Loopback
        } else if address.is_private() || (a == 100 && (64..128).contains(&b)) {
            Self::Private
        } else if address.is_link_local()
            || address.is_multicast()
            || address.is_broadcast()
            || a == 0
            || a >= 240
            || (a == 198 && matches!(b, 18 | 19))
        {
            Self::Reserved
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_loopback() {
            return Self::Loopback;
        }
        if let Some(embedded) = embedded_v4(address) {
            return Self::of_v4(embedded);
        }
        let [a, b, c, ..] = address.segments();
        if address.is_unique_local() {
            Self::Private
        } else if address.is_unspecified()
            || address.is_multicast()
            || address.is_unicast_link_local()
            || (a == 0x2001 && b == 0)
            || (a == 0x64 && b == 0xff9b && c == 1)
        {
            Self::Reserved
        } else {
            Self::Public
        }
    }
}

/// IPv4 address in an IPv4-mapped, IPv4-compatible, NAT64 or 6to4 address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let from = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(from(g, h)),
        [0, 0, 0, 0, 0, 0] if !address.is_unspecified() => Some(from(g, h)),
        [0x2002, ..] => Some(from(b, c)),
        _ => None,
    }
}

/// Returns true for `localhost`, its subdomains, and loopback addresses.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => {
            let domain = domain.trim_end_matches('.').to_ascii_lowercase();
            domain == "localhost" || domain.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => AddressClass::of_v6(address) == AddressClass::Loopback,
        None => false,
    }
}

/// Addresses that hosts may have that only metadata names.
#[derive(Clone, Debug)]
pub(super) struct AddressPolicy {
    /// The server is on a loopback host, and so may be its authorization server.
    pub(super) loopback: bool,
    /// The program allows private addresses, or the server has one.
    pub(super) private: bool,
    /// Hosts of proxies: a request through a proxy resolves the proxy's name alone.
    pub(super) proxies: Vec<String>,
}

impl AddressPolicy {
    /// Policy for a server at this URL.
    pub(super) fn of(server: &Url, allow_private: bool) -> Self {
        let private = allow_private || literal(server).is_some_and(|ip| AddressClass::of(ip) == AddressClass::Private);
        Self { loopback: is_loopback(server), private, proxies: environment_proxies() }
    }

    fn allows(&self, address: IpAddr) -> bool {
        match AddressClass::of(address) {
            AddressClass::Public => true,
            AddressClass::Loopback => self.loopback,
            AddressClass::Private => self.private,
            AddressClass::Reserved => false,
        }
    }

    /// Checks a host that is an address, which is not resolved. Hosts with names are checked when they are resolved.
    pub(super) fn allows_literal(&self, url: &Url) -> bool {
        literal(url).is_none_or(|address| self.allows(address))
    }
}

impl Resolve for AddressPolicy {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            let addresses = tokio::net::lookup_host((host, 0)).await?;
            let is_proxy = policy.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(host));
            let allowed: Vec<SocketAddr> =
                addresses.filter(|address| is_proxy || policy.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(format!("`{host}` has no address that OAuth may connect to").into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// Hosts of the proxies that HTTP clients read from the environment.
fn environment_proxies() -> Vec<String> {
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .filter_map(|proxy| proxy_host(&proxy))
        .collect()
}

/// Host of a proxy's URL, which may have no scheme.
pub(super) fn proxy_host(proxy: &str) -> Option<String> {
    let with_scheme = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    Url::parse(&with_scheme).ok()?.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(address: &str) -> AddressClass {
        AddressClass::of(address.parse().unwrap())
    }

    #[test]
    fn classifies_addresses() {
        for address in ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"] {
            assert_eq!(class(address), AddressClass::Public, "{address}");
        }
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "2002:7f00:1::"] {
            assert_eq!(class(address), AddressClass::Loopback, "{address}");
        }
        for address in ["10.0.0.9", "192.168.1.1", "172.16.0.1", "100.64.0.1", "fd00::1", "64:ff9b::a00:9"] {
            assert_eq!(class(address), AddressClass::Private, "{address}");
        }
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "2002:a9fe:a9fe::",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "0.0.0.0",
            "::",
            "fe80::1",
            "224.0.0.1",
            "255.255.255.255",
            "2001:0:4136:e378::1",
        ] {
            assert_eq!(class(address), AddressClass::Reserved, "{address}");
        }
    }

    #[test]
    fn only_hosts_of_the_servers_own_class_are_allowed() {
        let allows = |server: &str, url: &str, private: bool| {
            AddressPolicy::of(&Url::parse(server).unwrap(), private).allows_literal(&Url::parse(url).unwrap())
        };
        let public = "https://mcp.example.com/mcp";
        assert!(allows(public, "https://93.184.216.34/token", false));
        for url in ["https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/"] {
            assert!(!allows(public, url, false), "{url}");
        }
        assert!(allows(public, "https://10.0.0.1/", true));
        assert!(!allows(public, "https://169.254.169.254/", true));
        assert!(allows("http://127.0.0.1:3000/mcp", "http://127.0.0.2:8080/token", false));
        assert!(!allows("http://127.0.0.1:3000/mcp", "https://10.0.0.1/", false));
        assert!(allows("https://10.0.0.4/mcp", "https://10.0.0.5/", false));
    }

    #[tokio::test]
    async fn names_that_resolve_to_forbidden_addresses_fail() {
        let resolve = |server: &str| {
            let policy =
                AddressPolicy { proxies: Vec::new(), ..AddressPolicy::of(&Url::parse(server).unwrap(), false) };
            policy.resolve("localhost".parse().unwrap())
        };
        assert!(resolve("https://mcp.example.com/").await.is_err());
        assert!(resolve("http://localhost:3000/").await.is_ok());
    }

    #[test]
    fn hosts_of_proxies_are_read_with_and_without_scheme() {
        assert_eq!(proxy_host("http://user:secret@proxy.corp:3128").as_deref(), Some("proxy.corp"));
        assert_eq!(proxy_host("proxy.corp:3128").as_deref(), Some("proxy.corp"));
    }
}
