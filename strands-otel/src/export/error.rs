//! Errors of setting telemetry up, of flushing and of shutting down.

use std::error::Error as StdError;
use std::time::Duration;

use opentelemetry_otlp::ExporterBuildError;
use strands_http::ClientError;

/// An error of telemetry.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// A variable has a value that is not valid. The value is not shown, since it may be a secret.
    #[error("invalid value of `{name}`: expected {expected}")]
    Variable {
        /// Name of the variable.
        name: String,
        /// Valid values.
        expected: &'static str,
    },
    /// A header with credentials would be sent over plain HTTP to another host.
    #[error("the header `{header}` would be sent to {host} without TLS; use an `https://` endpoint")]
    InsecureCredentials {
        /// Name of the header.
        header: String,
        /// Host of the endpoint.
        host: String,
    },
    /// The file with the collector's certificate authority can't be read.
    #[error("the file of `{name}` can't be read")]
    Certificate {
        /// Name of the variable.
        name: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The HTTP client can't be set up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The runtime of the exporters can't be started.
    #[error("the runtime of the exporters can't be started")]
    Runtime(#[source] std::io::Error),
    /// An exporter can't be set up.
    #[error("an exporter can't be set up")]
    Exporter(#[source] Box<dyn StdError + Send + Sync>),
    /// Telemetry could not be exported.
    #[error("telemetry could not be exported")]
    Export(#[source] Box<dyn StdError + Send + Sync>),
    /// The export did not end in time. What is left may be exported later, or is lost after a shutdown.
    #[error("telemetry was not exported within {0:?}")]
    Timeout(Duration),
}

strands_core::__debug_with_sources!(TelemetryError);

impl TelemetryError {
    /// The types of the exporters are not part of the public API.
    pub(super) fn of_exporter(error: ExporterBuildError) -> Self {
        Self::Exporter(Box::new(error))
    }
}
