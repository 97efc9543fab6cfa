//! Providers with exporters in memory, and agents to observe.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use opentelemetry::Value;
use opentelemetry::trace::SpanId;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde_json::json;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use strands_otel::{AgentTelemetry, AgentTelemetryBuilder};

pub(crate) struct Rig {
    spans: InMemorySpanExporter,
    metrics: InMemoryMetricExporter,
    pub(crate) tracer: SdkTracerProvider,
    meter: SdkMeterProvider,
    pub(crate) telemetry: AgentTelemetry,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(set: impl FnOnce(AgentTelemetryBuilder) -> AgentTelemetryBuilder) -> Self {
        let (spans, metrics) = (InMemorySpanExporter::default(), InMemoryMetricExporter::default());
        let tracer = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
        let meter = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(metrics.clone()).build()).build();
        let builder = AgentTelemetry::builder().tracer_provider(&tracer).meter_provider(&meter);
        Self { spans, metrics, telemetry: set(builder).build(), tracer, meter }
    }

    pub(crate) fn agent(&self, turns: impl IntoIterator<Item = ScriptedTurn>) -> AgentBuilder {
        Agent::builder().name("weather-agent").model(ScriptedModel::new(turns)).hook(self.telemetry.clone())
    }

    /// Returns the ended spans, in order of their start.
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        let mut spans = self.spans.get_finished_spans().unwrap();
        spans.sort_by_key(|span| span.start_time);
        spans
    }

    pub(crate) fn span(&self, name: &str) -> SpanData {
        let spans = self.spans();
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:#?}")).clone()
    }

    pub(crate) fn spans_named(&self, name: &str) -> Vec<SpanData> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }

    /// Returns each span with the name of its parent.
    pub(crate) fn tree(&self) -> Vec<String> {
        let spans = self.spans();
        let names: BTreeMap<_, _> =
            spans.iter().map(|span| (span.span_context.span_id().to_string(), &span.name)).collect();
        spans
            .iter()
            .map(|span| {
                let parent = if span.parent_span_id == SpanId::INVALID {
                    "-"
                } else {
                    names.get(&span.parent_span_id.to_string()).map_or("?", |name| name)
                };
                format!("{} < {parent}", span.name)
            })
            .collect()
    }

    /// Returns the points of a metric: attributes, and the value, or the count and the sum.
    pub(crate) fn points(&self, name: &str) -> Vec<(BTreeMap<String, String>, f64, u64)> {
        self.metrics.reset();
        self.meter.force_flush().unwrap();
        let mut points = Vec::new();
        for resource in self.metrics.get_finished_metrics().unwrap() {
            for metric in
                resource.scope_metrics().flat_map(|scope| scope.metrics()).filter(|metric| metric.name() == name)
            {
                match metric.data() {
                    AggregatedMetrics::U64(data) => collect(data, |value| *value as f64, &mut points),
                    AggregatedMetrics::I64(data) => collect(data, |value| *value as f64, &mut points),
                    AggregatedMetrics::F64(data) => collect(data, |value| *value, &mut points),
                }
            }
        }
        points
    }

    /// Returns the names of all metrics that have a value.
    pub(crate) fn metric_names(&self) -> Vec<String> {
        self.metrics.reset();
        self.meter.force_flush().unwrap();
        let finished = self.metrics.get_finished_metrics().unwrap();
        let mut names: Vec<_> = finished
            .iter()
            .flat_map(|resource| resource.scope_metrics())
            .flat_map(|scope| scope.metrics())
            .map(|metric| metric.name().to_owned())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns the name, the unit and the kind of each metric that has a value.
    pub(crate) fn described_metrics(&self) -> Vec<(String, String, &'static str)> {
        self.metrics.reset();
        self.meter.force_flush().unwrap();
        let finished = self.metrics.get_finished_metrics().unwrap();
        let metrics = finished.iter().flat_map(|resource| resource.scope_metrics()).flat_map(|scope| scope.metrics());
        metrics
            .map(|metric| {
                let kind = match metric.data() {
                    AggregatedMetrics::U64(data) => kind(data),
                    AggregatedMetrics::I64(data) => kind(data),
                    AggregatedMetrics::F64(data) => kind(data),
                };
                (metric.name().to_owned(), metric.unit().to_owned(), kind)
            })
            .collect()
    }

    /// Returns the sum of a metric over all attributes.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.points(name).iter().map(|(_, sum, _)| sum).sum()
    }
}

fn kind<T>(data: &MetricData<T>) -> &'static str {
    match data {
        MetricData::Sum(sum) if sum.is_monotonic() => "counter",
        MetricData::Sum(_) | MetricData::Gauge(_) => "gauge",
        _ => "histogram",
    }
}

fn collect<T: Copy>(
    data: &MetricData<T>,
    number: impl Fn(&T) -> f64,
    points: &mut Vec<(BTreeMap<String, String>, f64, u64)>,
) {
    let attributes = |pairs: &mut dyn Iterator<Item = &opentelemetry::KeyValue>| {
        pairs.map(|pair| (pair.key.to_string(), pair.value.to_string())).collect::<BTreeMap<_, _>>()
    };
    match data {
        MetricData::Sum(sum) => {
            points.extend(
                sum.data_points().map(|point| (attributes(&mut point.attributes()), number(&point.value()), 0)),
            );
        }
        MetricData::Histogram(histogram) => points.extend(
            histogram
                .data_points()
                .map(|point| (attributes(&mut point.attributes()), number(&point.sum()), point.count())),
        ),
        _ => {}
    }
}

/// Returns an attribute of a span as text.
pub(crate) fn attribute(span: &SpanData, name: &str) -> Option<String> {
    span.attributes.iter().find(|pair| pair.key.as_str() == name).map(|pair| match &pair.value {
        Value::Array(array) => format!("{array}"),
        value => value.to_string(),
    })
}

pub(crate) fn event_names(span: &SpanData) -> Vec<String> {
    span.events.iter().map(|event| event.name.to_string()).collect()
}

type Run = Arc<dyn Fn(ToolContext) -> BoxFuture<'static, Result<ToolOutput, ToolError>> + Send + Sync>;

/// A tool from a closure.
pub(crate) struct FnTool {
    spec: ToolSpec,
    run: Run,
}

pub(crate) fn tool<F>(name: &str, run: impl Fn(ToolContext) -> F + Send + Sync + 'static) -> FnTool
where
    F: Future<Output = Result<ToolOutput, ToolError>> + Send + 'static,
{
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    FnTool { spec: ToolSpec::new(name, "Get weather.", schema), run: Arc::new(move |ctx| Box::pin(run(ctx))) }
}

#[async_trait]
impl Tool for FnTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, ctx: &ToolContext, _: serde_json::Value) -> Result<ToolOutput, ToolError> {
        (self.run)(ctx.clone()).await
    }
}

pub(crate) fn weather() -> FnTool {
    tool("get_weather", |_| async { Ok(ToolOutput::text("21C in Paris")) })
}

/// A call of the weather tool, and then a response.
pub(crate) fn weather_turns() -> [ScriptedTurn; 2] {
    use strands_core::metrics::Usage;
    [
        ScriptedTurn::tool_use("get_weather", json!({"city": "Paris"})).with_usage(Usage::new(10, 5)),
        ScriptedTurn::text("It is sunny.").with_usage(Usage::new(30, 9)),
    ]
}
