//! Location of a traveller, from the address of the client.

use std::net::IpAddr;

use serde::Serialize;
use strands::identity::Identity;

use crate::trip::Traveller;

/// The network address of the user's client. The host injects it; `None` if it is unknown, as on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// Claim of an identity with the address of the request. Hosts set it: a token's own claim of this name does not count.
    pub const CLAIM: &str = "client_address";

    /// Returns the address of the request of an identity.
    pub fn of(user: &Identity) -> Self {
        Self(user.claim(Self::CLAIM).and_then(|address| address.as_str()?.parse().ok()))
    }
}

/// The place of a traveller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// City, with its state or country.
    pub place: String,
    /// The basis of the place.
    pub basis: Basis,
}

/// The basis of a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The traveller's home city, since the address says nothing about a place.
    HomeCity,
    /// The public network address.
    NetworkAddress,
}

/// An error of a location.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// No service for public addresses is configured.
    #[error("the location is unknown: no service for network addresses is configured, so ask the traveller")]
    NoService,
    /// The service does not know the address.
    #[error("the location is unknown: the service has no city for this network address, so ask the traveller")]
    Unknown,
    /// The service has failed.
    #[cfg(feature = "weather")]
    #[error("the location is unknown, so ask the traveller: {0}")]
    Web(#[from] crate::web::WebError),
}

/// Service that returns the city of a public network address.
#[derive(Clone, Debug, Default)]
pub struct GeoIp {
    #[cfg(feature = "weather")]
    service: Option<service::Service>,
}

impl GeoIp {
    /// Returns the location of a traveller.
    ///
    /// # Errors
    ///
    /// Returns [`LocationError`] if the address is public, and its place can't be found out.
    pub async fn locate(&self, address: ClientAddress, traveller: &Traveller) -> Result<Location, LocationError> {
        match address.0.map(|address| address.to_canonical()) {
            Some(address) if is_public(address) => self.city(address).await,
            _ => Ok(Location { place: traveller.home.to_string(), basis: Basis::HomeCity }),
        }
    }

    #[cfg(not(feature = "weather"))]
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    async fn city(&self, _address: IpAddr) -> Result<Location, LocationError> {
        Err(LocationError::NoService)
    }
}

/// Returns true for an address that belongs to one place on the internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // 100.64.0.0/10 is shared by the customers of a provider.
            let is_shared =
                v4.octets().first() == Some(&100) && v4.octets().get(1).is_some_and(|second| second & 0xc0 == 64);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || is_shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

#[cfg(feature = "weather")]
mod service {
    use std::net::IpAddr;

    use reqwest::Url;
    use serde::Deserialize;

    use super::{Basis, GeoIp, Location, LocationError};
    use crate::web::{WebError, WebService};

    const NAME: &str = "network location";
    /// Stands for the address in the URL.
    const ADDRESS: &str = "{ip}";
    const MOST_CHARS: usize = 60;

    #[derive(Clone, Debug)]
    pub(super) struct Service {
        url: String,
        web: WebService,
    }

    /// The fields that the common services share.
    #[derive(Deserialize)]
    struct Response {
        city: Option<String>,
        #[serde(alias = "regionName", alias = "region_name")]
        region: Option<String>,
        #[serde(alias = "countryCode", alias = "country_code")]
        country: Option<String>,
    }

    impl GeoIp {
        /// Creates a client for a service that returns JSON with `city`, `region` and `country`. `{ip}` in the URL stands for the
        /// address. Without a URL, public addresses have no location: nothing is sent.
        ///
        /// # Errors
        ///
        /// Returns [`WebError::Address`] if the URL is invalid or has no `{ip}`.
        pub fn new(url: Option<&str>) -> Result<Self, WebError> {
            let Some(url) = url else { return Ok(Self::default()) };
            let parsed = url.contains(ADDRESS).then(|| Url::parse(&url.replace(ADDRESS, "192.0.2.1")).ok()).flatten();
            let parsed = parsed.ok_or(WebError::Address { service: NAME })?;
            Ok(Self { service: Some(Service { url: url.to_owned(), web: WebService::new(NAME, &parsed)? }) })
        }

        pub(super) async fn city(&self, address: IpAddr) -> Result<Location, LocationError> {
            let service = self.service.as_ref().ok_or(LocationError::NoService)?;
            let url = Url::parse(&service.url.replace(ADDRESS, &address.to_string()));
            let found: Response = service.web.get(url.map_err(|_| WebError::Address { service: NAME })?).await?;
            let city = found.city.filter(|city| !city.trim().is_empty()).ok_or(LocationError::Unknown)?;
            let parts = [Some(city), found.region, found.country].into_iter().flatten();
            // The text goes to the model: names of places only.
            let name = |part: String| part.chars().filter(|c| !c.is_control()).take(MOST_CHARS).collect::<String>();
            let parts: Vec<String> = parts.map(name).filter(|part| !part.is_empty()).collect();
            Ok(Location { place: parts.join(", "), basis: Basis::NetworkAddress })
        }
    }
}
