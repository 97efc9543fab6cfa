//! OpenTelemetry, with the standard `OTEL_*` variables (feature `otel`). Without the feature nothing is recorded.

use strands::serve::AgentServiceBuilder;

use super::BoxError;

/// Maximum time for exporting what is left, at the end of the program or of an invocation on Lambda.
#[cfg(feature = "otel")]
const FLUSH: std::time::Duration = std::time::Duration::from_secs(3);

/// The exporters of traces, metrics and logs.
#[derive(Clone)]
pub(crate) struct Telemetry {
    #[cfg(feature = "otel")]
    exporters: strands::telemetry::Telemetry,
}

#[cfg(feature = "otel")]
impl Telemetry {
    /// Starts the exporters.
    pub(crate) fn start() -> Result<Self, BoxError> {
        use tracing_subscriber::filter::LevelFilter;
        use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

        let exporters = strands::telemetry::Telemetry::builder().service_name("travel-agent").build()?;
        tracing_subscriber::registry().with(exporters.log_layer()).with(LevelFilter::INFO).try_init()?;
        Ok(Self { exporters })
    }

    /// Records the turns of a service.
    pub(crate) fn observe(&self, service: AgentServiceBuilder) -> AgentServiceBuilder {
        // The hook uses the global providers, which these exporters have set.
        service.telemetry(strands::telemetry::AgentTelemetry::new())
    }

    /// Exports what is left. A collector that is down is no failure of the program.
    pub(crate) async fn flush(&self) {
        let _ = self.exporters.flush(FLUSH).await;
    }
}

#[cfg(not(feature = "otel"))]
#[expect(clippy::unnecessary_wraps, clippy::unused_self, clippy::unused_async, reason = "the feature `otel` needs it")]
impl Telemetry {
    pub(crate) fn start() -> Result<Self, BoxError> {
        Ok(Self {})
    }

    pub(crate) fn observe(&self, service: AgentServiceBuilder) -> AgentServiceBuilder {
        service
    }

    pub(crate) async fn flush(&self) {}
}
