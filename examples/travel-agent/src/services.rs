//! Services that the tools use beside the travel desk's database.

use std::{error::Error, sync::Arc};

use crate::{
    knowledge::{EmbeddedDocuments, PolicySearch},
    location::GeoIp,
};

/// The services of the travel desk, injected into tools.
#[derive(Clone, Debug)]
pub struct Services {
    /// Search of policy documents.
    pub knowledge: Arc<dyn PolicySearch>,
    /// Location of public network addresses.
    pub geo_ip: GeoIp,
    /// Weather forecasts.
    #[cfg(feature = "weather")]
    pub weather: crate::weather::Weather,
}

impl Services {
    /// Creates the default services: the documents in this program, Open-Meteo, and no location of public addresses.
    ///
    /// # Errors
    ///
    /// Returns an error if the documents can't be indexed, or the HTTP client can't be set up.
    pub fn local() -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self {
            knowledge: Arc::new(EmbeddedDocuments::new()?),
            geo_ip: GeoIp::default(),
            #[cfg(feature = "weather")]
            weather: crate::weather::Weather::new(None)?,
        })
    }

    /// Creates the services that the environment chooses: `TRAVEL_KNOWLEDGE_BASE` (feature `aws`), `TRAVEL_WEATHER_URL` and
    /// `TRAVEL_GEOIP_URL` (feature `weather`).
    ///
    /// # Errors
    ///
    /// Returns an error if a variable is invalid, or needs a feature that is not compiled in.
    #[cfg_attr(not(feature = "aws"), expect(clippy::unused_async, reason = "only the AWS SDK waits"))]
    pub async fn from_env() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Ok(Self {
            knowledge: match variable("TRAVEL_KNOWLEDGE_BASE") {
                None => Arc::new(EmbeddedDocuments::new()?),
                #[cfg(feature = "aws")]
                Some(id) => Arc::new(crate::knowledge::BedrockKnowledgeBase::from_env(id).await),
                #[cfg(not(feature = "aws"))]
                Some(_) => return Err("TRAVEL_KNOWLEDGE_BASE needs the feature `aws`, which is not compiled in".into()),
            },
            #[cfg(feature = "weather")]
            geo_ip: GeoIp::new(variable("TRAVEL_GEOIP_URL").as_deref())?,
            #[cfg(not(feature = "weather"))]
            geo_ip: GeoIp::default(),
            #[cfg(feature = "weather")]
            weather: crate::weather::Weather::new(variable("TRAVEL_WEATHER_URL").as_deref())?,
        })
    }
}

/// Returns the configuration of the AWS SDK: the credentials and the region of the environment or the profile.
#[cfg(feature = "aws")]
pub(crate) async fn aws_config() -> aws_config::SdkConfig {
    use aws_smithy_http_client::{
        Builder,
        tls::{Provider, rustls_provider::CryptoMode},
    };
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(http).load().await
}
