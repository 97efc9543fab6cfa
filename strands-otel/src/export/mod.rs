//! Export of telemetry over OTLP: providers from the standard variables, flushing, and shutting down in bounded time.

mod error;
mod exporters;
mod http_client;
mod runtime;
mod variables;

use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, layer};

pub use error::TelemetryError;
use runtime::ExportRuntime;
use variables::{Signal, Variables};

/// Time for the export of what is left when the last handle is dropped.
const DROP_TIMEOUT: Duration = Duration::from_secs(3);

/// Targets of `tracing` whose events come from the exporters themselves.
const EXPORTERS: [&str; 7] = ["opentelemetry", "h2", "hyper", "reqwest", "rustls", "tonic", "tower"];

/// Initializes OpenTelemetry from the standard variables, and sets the global providers.
///
/// Exporters send batches from threads of their own. Queues are bounded: a collector that is slow or down loses telemetry, and
/// delays no invocation. Keep the handle, and call [`shutdown`](Telemetry::shutdown) before the program ends.
///
/// # Errors
///
/// Returns [`TelemetryError`] if a variable is not valid, or if credentials would be sent without TLS to another host. A collector
/// that can't be reached is no error.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use strands::telemetry::{self, AgentTelemetry};
/// # use strands::{Agent, testing::ScriptedModel};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let telemetry = telemetry::init()?;
/// # let model = ScriptedModel::responding("hi");
/// let mut agent = Agent::builder().model(model).hook(AgentTelemetry::new()).build().await?;
/// agent.prompt("Hello").await?;
/// telemetry.shutdown(Duration::from_secs(5)).await?;
/// # Ok(()) }
/// ```
pub fn init() -> Result<Telemetry, TelemetryError> {
    Telemetry::builder().build()
}

/// Handle of the exporters. Cheap to clone. When the last clone is dropped, what is left is exported for at most three seconds.
#[derive(Clone)]
#[must_use = "telemetry is shut down when the handle is dropped"]
pub struct Telemetry {
    exporters: Arc<Exporters>,
}

/// Builder for [`Telemetry`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct TelemetryBuilder {
    variables: Variables,
    service_name: Option<String>,
    is_global: bool,
}

struct Exporters {
    tracer: SdkTracerProvider,
    meter: SdkMeterProvider,
    logger: SdkLoggerProvider,
    runtime: ExportRuntime,
}

impl TelemetryBuilder {
    /// Sets the function that returns the value of a variable. Default: the environment. Variables of the SDK, such as
    /// `OTEL_TRACES_SAMPLER` and `OTEL_BSP_MAX_QUEUE_SIZE`, are always read from the environment.
    pub fn variables(mut self, read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.variables = Variables::from_fn(read);
        self
    }

    /// Sets the name of the service, for a program without `OTEL_SERVICE_NAME`. Default: `strands-agents`.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// Sets the global providers of OpenTelemetry. Default: true.
    pub fn global(mut self, set: bool) -> Self {
        self.is_global = set;
        self
    }

    /// Starts the exporters.
    ///
    /// # Errors
    ///
    /// See [`init`].
    pub fn build(self) -> Result<Telemetry, TelemetryError> {
        let Self { variables, service_name, is_global } = self;
        let runtime = ExportRuntime::start()?;
        let handle = runtime.handle();
        let resource = resource(&variables, service_name);
        let mut tracer = SdkTracerProvider::builder().with_resource(resource.clone());
        let mut meter = SdkMeterProvider::builder().with_resource(resource.clone());
        let mut logger = SdkLoggerProvider::builder().with_resource(resource);
        let is_disabled = variables.is_disabled();
        if is_disabled {
            tracer = tracer.with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOff);
        } else {
            if let Some(destination) = variables.destination(Signal::Traces)? {
                tracer = tracer.with_batch_exporter(exporters::span_exporter(&destination, handle)?);
            }
            if let Some(destination) = variables.destination(Signal::Metrics)? {
                meter = meter.with_periodic_exporter(exporters::metric_exporter(&destination, handle)?);
            }
            if let Some(destination) = variables.destination(Signal::Logs)? {
                logger = logger.with_batch_exporter(exporters::log_exporter(&destination, handle)?);
            }
        }
        let exporters = Exporters { tracer: tracer.build(), meter: meter.build(), logger: logger.build(), runtime };
        if is_global && !is_disabled {
            global::set_tracer_provider(exporters.tracer.clone());
            global::set_meter_provider(exporters.meter.clone());
            global::set_text_map_propagator(TraceContextPropagator::new());
        }
        Ok(Telemetry { exporters: Arc::new(exporters) })
    }
}

/// Returns the resource: the service, and the attributes of `OTEL_RESOURCE_ATTRIBUTES`.
fn resource(variables: &Variables, service_name: Option<String>) -> Resource {
    let builder = Resource::builder();
    let is_named = variables.get("OTEL_SERVICE_NAME").is_some()
        || variables.get("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|text| text.contains("service.name="));
    match (variables.get("OTEL_SERVICE_NAME"), is_named) {
        (Some(name), _) => builder.with_service_name(name),
        (None, true) => builder,
        (None, false) => {
            builder.with_service_name(service_name.unwrap_or_else(|| crate::semconv::STRANDS_AGENTS.to_owned()))
        }
    }
    .build()
}

impl Telemetry {
    /// Returns a builder.
    pub fn builder() -> TelemetryBuilder {
        TelemetryBuilder { variables: Variables::of_environment(), service_name: None, is_global: true }
    }

    /// Returns the tracer provider.
    pub fn tracer_provider(&self) -> &SdkTracerProvider {
        &self.exporters.tracer
    }

    /// Returns the meter provider.
    pub fn meter_provider(&self) -> &SdkMeterProvider {
        &self.exporters.meter
    }

    /// Returns the logger provider.
    pub fn logger_provider(&self) -> &SdkLoggerProvider {
        &self.exporters.logger
    }

    /// Returns a layer for the subscriber of `tracing` that exports its events as logs, except for those of the exporters.
    ///
    /// A log has the trace and the span that are current: inside of a tool those of its call, and elsewhere those of
    /// [`in_context`](crate::in_context).
    ///
    /// Add a filter: at the levels `DEBUG` and `TRACE`, events of other libraries can have contents of requests.
    ///
    /// ```no_run
    /// use tracing_subscriber::filter::LevelFilter;
    /// use tracing_subscriber::layer::SubscriberExt as _;
    /// use tracing_subscriber::util::SubscriberInitExt as _;
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let telemetry = strands::telemetry::init()?;
    /// tracing_subscriber::registry().with(telemetry.log_layer()).with(LevelFilter::INFO).init();
    /// # Ok(()) }
    /// ```
    pub fn log_layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        let is_ours = |target: &str| {
            EXPORTERS
                .iter()
                .any(|name| target.strip_prefix(name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)))
        };
        let filter = filter_fn(move |metadata| !is_ours(metadata.target()));
        layer::Identity::new().and_then(OpenTelemetryTracingBridge::new(&self.exporters.logger)).with_filter(filter)
    }

    /// Exports what is left, and waits for it, for example at the end of an invocation of AWS Lambda.
    ///
    /// # Errors
    ///
    /// Returns [`TelemetryError::Export`] if an export failed, and [`TelemetryError::Timeout`] if it is not done in time.
    pub async fn flush(&self, timeout: Duration) -> Result<(), TelemetryError> {
        let (tracer, meter, logger) =
            (self.exporters.tracer.clone(), self.exporters.meter.clone(), self.exporters.logger.clone());
        self.run(
            timeout,
            [
                Box::new(move || tracer.force_flush()),
                Box::new(move || meter.force_flush()),
                Box::new(move || logger.force_flush()),
            ],
        )
        .await
    }

    /// Exports what is left and stops the exporters. Telemetry after that is dropped.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush). The exporters are stopped in each case.
    pub async fn shutdown(&self, timeout: Duration) -> Result<(), TelemetryError> {
        let (tracer, meter, logger) =
            (self.exporters.tracer.clone(), self.exporters.meter.clone(), self.exporters.logger.clone());
        self.run(
            timeout,
            [
                Box::new(move || tracer.shutdown_with_timeout(timeout)),
                Box::new(move || meter.shutdown_with_timeout(timeout)),
                Box::new(move || logger.shutdown_with_timeout(timeout)),
            ],
        )
        .await
    }

    /// Runs work on the runtime of the exporters, since it blocks.
    async fn run(
        &self,
        timeout: Duration,
        work: [Box<dyn FnOnce() -> OTelSdkResult + Send>; 3],
    ) -> Result<(), TelemetryError> {
        let runtime = self.exporters.runtime.handle();
        let running = work.map(|work| runtime.spawn_blocking(work));
        let waiting = runtime.spawn(tokio::time::timeout(timeout, futures_util::future::join_all(running)));
        let Ok(Ok(ended)) = waiting.await else { return Err(TelemetryError::Timeout(timeout)) };
        for result in ended.into_iter().flatten() {
            match result {
                Ok(()) | Err(OTelSdkError::AlreadyShutdown) => {}
                Err(OTelSdkError::Timeout(_)) => return Err(TelemetryError::Timeout(timeout)),
                Err(error) => return Err(TelemetryError::Export(Box::new(error))),
            }
        }
        Ok(())
    }
}

impl Drop for Exporters {
    fn drop(&mut self) {
        let (tracer, meter, logger) = (self.tracer.clone(), self.meter.clone(), self.logger.clone());
        let (ended, is_ended) = mpsc::channel();
        let stop = move || {
            let _ = tracer.shutdown_with_timeout(DROP_TIMEOUT);
            let _ = meter.shutdown_with_timeout(DROP_TIMEOUT);
            let _ = logger.shutdown_with_timeout(DROP_TIMEOUT);
            // The receiver may have given up.
            let _ = ended.send(());
        };
        // A thread, since the wait must be bounded.
        if std::thread::Builder::new().name("strands-otel-drop".to_owned()).spawn(stop).is_ok() {
            let _ = is_ended.recv_timeout(DROP_TIMEOUT);
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

impl fmt::Debug for TelemetryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetryBuilder").field("service_name", &self.service_name).finish_non_exhaustive()
    }
}
