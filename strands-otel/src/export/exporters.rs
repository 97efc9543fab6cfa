//! Exporters of OTLP, over HTTP and gRPC.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};
use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use tokio::runtime::Handle;

use super::TelemetryError;
use super::http_client::ExportClient;
use super::variables::{Destination, Transport};

/// Builds an exporter, whose builder has the same methods for each signal.
macro_rules! exporter {
    ($name:ident: $exporter:ident) => {
        pub(super) fn $name(destination: &Destination, runtime: &Handle) -> Result<$exporter, TelemetryError> {
            match destination.transport {
                Transport::Http => {
                    let headers: HashMap<_, _> =
                        destination.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                    let mut builder = $exporter::builder()
                        .with_http()
                        .with_http_client(ExportClient::new(destination, runtime.clone())?)
                        .with_protocol(Protocol::HttpBinary)
                        .with_endpoint(destination.endpoint.as_str())
                        .with_headers(headers)
                        .with_timeout(destination.timeout);
                    if let Some(compression) = destination.compression {
                        builder = builder.with_compression(compression);
                    }
                    builder.build().map_err(TelemetryError::of_exporter)
                }
                Transport::Grpc => {
                    // The channel spawns its work on the current runtime.
                    let _entered = runtime.enter();
                    let mut builder = $exporter::builder()
                        .with_tonic()
                        .with_endpoint(destination.endpoint.as_str())
                        .with_metadata(metadata(destination))
                        .with_timeout(destination.timeout);
                    if let Some(compression) = destination.compression {
                        builder = builder.with_compression(compression);
                    }
                    if destination.endpoint.scheme() == "https" {
                        builder = builder.with_tls_config(tls(destination));
                    }
                    builder.build().map_err(TelemetryError::of_exporter)
                }
            }
        }
    };
}

exporter!(span_exporter: SpanExporter);
exporter!(metric_exporter: MetricExporter);
exporter!(log_exporter: LogExporter);

fn metadata(destination: &Destination) -> MetadataMap {
    let pair = |(name, value): (&String, &String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    MetadataMap::from_headers(destination.headers.iter().filter_map(pair).collect::<HeaderMap>())
}

fn tls(destination: &Destination) -> ClientTlsConfig {
    let config = ClientTlsConfig::new().with_enabled_roots();
    match &destination.certificate {
        Some(certificate) => config.ca_certificate(Certificate::from_pem(certificate)),
        None => config,
    }
}
