//! Standard variables of OpenTelemetry that configure exporters, for each signal.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::Compression;
use strands_http::is_loopback;
use url::Url;

use super::TelemetryError;

/// Default of `OTEL_EXPORTER_OTLP_TIMEOUT`.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Variables of the environment, or of a test.
#[derive(Clone)]
pub(super) struct Variables(Arc<ReadVariable>);

type ReadVariable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

/// Protocol of an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Http,
    Grpc,
}

/// Settings of the exporter of one signal.
pub(super) struct Destination {
    pub(super) transport: Transport,
    pub(super) endpoint: Url,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) timeout: Duration,
    pub(super) compression: Option<Compression>,
    /// Certificate authority of the collector, in PEM.
    pub(super) certificate: Option<Vec<u8>>,
}

impl Variables {
    pub(super) fn of_environment() -> Self {
        Self::from_fn(|name| std::env::var(name).ok())
    }

    pub(super) fn from_fn(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Returns the value of a variable. Empty is the same as unset.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(super) fn is_disabled(&self) -> bool {
        self.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Returns a setting with the name of its variable: that of the signal, or that of all signals.
    fn setting(&self, signal: Signal, setting: &str) -> Option<(String, String)> {
        let names =
            [format!("OTEL_EXPORTER_OTLP_{}_{setting}", signal.as_str()), format!("OTEL_EXPORTER_OTLP_{setting}")];
        names.into_iter().find_map(|name| Some((self.get(&name)?, name)))
    }

    /// Returns the settings of a signal's exporter. `None` if the signal is not exported.
    pub(super) fn destination(&self, signal: Signal) -> Result<Option<Destination>, TelemetryError> {
        let name = format!("OTEL_{}_EXPORTER", signal.as_str());
        match self.get(&name).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(_) => return Err(TelemetryError::Variable { name, expected: "`otlp` or `none`" }),
        }
        let transport = match self.setting(signal, "PROTOCOL") {
            None => Transport::Http,
            Some((protocol, name)) => match protocol.as_str() {
                "http/protobuf" => Transport::Http,
                "grpc" => Transport::Grpc,
                _ => return Err(TelemetryError::Variable { name, expected: "`http/protobuf` or `grpc`" }),
            },
        };
        let (endpoint, endpoint_name) = self.endpoint(signal, transport)?;
        let headers = self.headers(signal)?;
        check_credentials(&endpoint, &headers)?;
        if endpoint.scheme() != "http" && endpoint.scheme() != "https" {
            return Err(TelemetryError::Variable { name: endpoint_name, expected: "an `http://` or `https://` URL" });
        }
        let timeout = match self.setting(signal, "TIMEOUT") {
            None => TIMEOUT,
            Some((milliseconds, name)) => milliseconds
                .parse()
                .map(Duration::from_millis)
                .map_err(|_| TelemetryError::Variable { name, expected: "a number of milliseconds" })?,
        };
        let compression = match self.setting(signal, "COMPRESSION") {
            None => None,
            Some((algorithm, name)) => match algorithm.to_ascii_lowercase().as_str() {
                "none" => None,
                "gzip" => Some(Compression::Gzip),
                _ => return Err(TelemetryError::Variable { name, expected: "`gzip` or `none`" }),
            },
        };
        let certificate = match self.setting(signal, "CERTIFICATE") {
            None => None,
            Some((path, name)) => {
                Some(std::fs::read(path).map_err(|source| TelemetryError::Certificate { name, source })?)
            }
        };
        Ok(Some(Destination { transport, endpoint, headers, timeout, compression, certificate }))
    }

    fn endpoint(&self, signal: Signal, transport: Transport) -> Result<(Url, String), TelemetryError> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.as_str());
        let (text, name, is_base) = match (self.setting(signal, "ENDPOINT"), transport) {
            (Some((text, name)), _) => {
                let is_base = name != own;
                (text, name, is_base)
            }
            (None, Transport::Http) => ("http://localhost:4318".to_owned(), own, true),
            (None, Transport::Grpc) => ("http://localhost:4317".to_owned(), own, true),
        };
        let is_insecure = self.setting(signal, "INSECURE").is_some_and(|(value, _)| value.eq_ignore_ascii_case("true"));
        let text = match transport {
            Transport::Grpc if !text.contains("://") && is_insecure => format!("http://{text}"),
            Transport::Grpc if !text.contains("://") => format!("https://{text}"),
            _ => text,
        };
        let expected = "an `http://` or `https://` URL";
        let mut url = Url::parse(&text).map_err(|_| TelemetryError::Variable { name: name.clone(), expected })?;
        if !url.has_host() {
            return Err(TelemetryError::Variable { name, expected });
        }
        if transport == Transport::Http && is_base {
            url.set_path(&format!("{}/{}", url.path().trim_end_matches('/'), signal.path()));
        }
        Ok((url, name))
    }

    fn headers(&self, signal: Signal) -> Result<BTreeMap<String, String>, TelemetryError> {
        let Some((text, name)) = self.setting(signal, "HEADERS") else { return Ok(BTreeMap::new()) };
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            let name = http::HeaderName::try_from(name.trim()).ok()?;
            let value = percent_decoded(value.trim())?;
            http::HeaderValue::try_from(value.as_str()).ok()?;
            Some((name.as_str().to_owned(), value))
        };
        let pairs = text.split(',').filter(|text| !text.trim().is_empty()).map(pair);
        pairs
            .collect::<Option<_>>()
            .ok_or(TelemetryError::Variable { name, expected: "`name=value` pairs, separated by commas" })
    }
}

impl Signal {
    fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Traces => "v1/traces",
            Self::Metrics => "v1/metrics",
            Self::Logs => "v1/logs",
        }
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let (high, low) = (char::from(bytes.next()?).to_digit(16)?, char::from(bytes.next()?).to_digit(16)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Checks that no credentials are sent over plain HTTP to another host.
fn check_credentials(endpoint: &Url, headers: &BTreeMap<String, String>) -> Result<(), TelemetryError> {
    if endpoint.scheme() == "https" || is_loopback(endpoint) {
        return Ok(());
    }
    let host = endpoint.host_str().unwrap_or_default().to_owned();
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err(TelemetryError::InsecureCredentials { header: "authorization".to_owned(), host });
    }
    match headers.iter().find(|(name, value)| is_credential(name, value)) {
        Some((header, _)) => Err(TelemetryError::InsecureCredentials { header: header.clone(), host }),
        None => Ok(()),
    }
}

/// Returns true for a header that carries credentials, by its name or its value.
fn is_credential(name: &str, value: &str) -> bool {
    // `team` is that of Honeycomb's key, and `dsn` that of Uptrace's.
    const WORDS: [&str; 10] =
        ["auth", "key", "token", "secret", "cookie", "password", "credential", "signature", "team", "dsn"];
    let (name, value) = (name.to_ascii_lowercase(), value.to_ascii_lowercase());
    WORDS.iter().any(|word| name.contains(word)) || value.starts_with("bearer ") || value.starts_with("basic ")
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of headers are secrets.
        let names: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Destination")
            .field("transport", &self.transport)
            .field("endpoint", &self.endpoint.host_str())
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let pairs: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Variables::from_fn(move |name| pairs.get(name).cloned())
    }

    fn endpoint(pairs: &[(&str, &str)], signal: Signal) -> String {
        variables(pairs).destination(signal).unwrap().unwrap().endpoint.to_string()
    }

    #[test]
    fn endpoints_follow_the_specification() {
        assert_eq!(endpoint(&[], Signal::Traces), "http://localhost:4318/v1/traces");
        assert_eq!(endpoint(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], Signal::Logs), "http://localhost:4317/");
        let base = [("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otel.example/base/")];
        assert_eq!(endpoint(&base, Signal::Metrics), "https://otel.example/base/v1/metrics");
        let own = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otel.example"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example/in"),
        ];
        assert_eq!(endpoint(&own, Signal::Traces), "https://traces.example/in");
        let bare = [("OTEL_EXPORTER_OTLP_ENDPOINT", "otel.example:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
        assert_eq!(endpoint(&bare, Signal::Traces), "https://otel.example:4317/");
        assert!(variables(&[("OTEL_TRACES_EXPORTER", "none")]).destination(Signal::Traces).unwrap().is_none());
    }

    #[test]
    fn invalid_values_are_errors_that_do_not_show_them() {
        for (name, value) in [
            ("OTEL_TRACES_EXPORTER", "jaeger-s3cret"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "s3cret"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cret"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://s3cret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "s3cret"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "s3cret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=%zzs3cret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret%0d%0ab: c"),
        ] {
            let error = variables(&[(name, value)]).destination(Signal::Traces).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains(name) && !text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn credentials_never_go_over_plain_http_to_another_host() {
        let check = |endpoint: &str, headers: &str| {
            let pairs = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_EXPORTER_OTLP_HEADERS", headers)];
            variables(&pairs).destination(Signal::Traces)
        };
        for headers in [
            "authorization=Bearer%20x",
            "X-API-Key=x",
            "dd-api-key=x",
            "custom=Basic eA==",
            "x-token=a",
            "x-honeycomb-team=a",
        ] {
            let error = check("http://otel.example:4318", headers).unwrap_err();
            assert!(matches!(error, TelemetryError::InsecureCredentials { .. }), "{error:?}");
            for endpoint in ["https://otel.example", "http://localhost:4318", "http://127.0.0.1:1", "http://[::1]:1"] {
                assert!(check(endpoint, headers).is_ok(), "{endpoint}");
            }
        }
        assert!(check("http://user:pass@otel.example", "").is_err());
        assert!(check("http://localhost.example", "authorization=Bearer x").is_err());
        assert!(check("http://otel.example", "x-scope-orgid=tenant").is_ok(), "no credentials");
    }
}
