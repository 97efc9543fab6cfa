//! Instruments of metrics. Attributes are names of agents, models and tools, and kinds of errors: never ids.

use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, StringValue};
use strands_core::metrics::Usage;

use crate::bounded_names::BoundedNames;
use crate::semconv::{self, metric};

/// Buckets of durations in seconds.
const SECONDS: [f64; 15] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Buckets of durations in milliseconds.
const MILLISECONDS: [f64; 15] = [
    5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0, 60_000.0, 120_000.0,
    300_000.0,
];

/// Buckets of token counts.
const TOKENS: [f64; 11] =
    [1.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

pub(crate) struct Instruments {
    cycles: Counter<u64>,
    started_cycles: Counter<u64>,
    ended_cycles: Counter<u64>,
    cycle_duration: Histogram<f64>,
    latency: Histogram<f64>,
    input_tokens: Histogram<u64>,
    output_tokens: Histogram<u64>,
    cache_read_tokens: Histogram<u64>,
    cache_write_tokens: Histogram<u64>,
    time_to_first_token: Histogram<f64>,
    model_errors: Counter<u64>,
    model_retries: Counter<u64>,
    fallbacks: Counter<u64>,
    tool_calls: Counter<u64>,
    tool_successes: Counter<u64>,
    tool_errors: Counter<u64>,
    tool_duration: Histogram<f64>,
    invocations: Counter<u64>,
    invocation_duration: Histogram<f64>,
    invocation_errors: Counter<u64>,
    in_flight: UpDownCounter<i64>,
    agents: BoundedNames,
    models: BoundedNames,
    tools: BoundedNames,
}

/// One ended model call.
pub(crate) struct ModelCall<'a> {
    pub(crate) agent: &'a str,
    pub(crate) model: &'a str,
    pub(crate) usage: Usage,
    pub(crate) duration: Duration,
    pub(crate) time_to_first_token: Option<Duration>,
    pub(crate) error: Option<&'static str>,
    pub(crate) fallbacks: usize,
}

impl Instruments {
    pub(crate) fn new(meter: &Meter, max_names: usize) -> Self {
        let counter = |name: &'static str, unit: &'static str| meter.u64_counter(name).with_unit(unit).build();
        let tokens = |name: &'static str| {
            meter.u64_histogram(name).with_unit("{token}").with_boundaries(TOKENS.to_vec()).build()
        };
        let seconds =
            |name: &'static str| meter.f64_histogram(name).with_unit("s").with_boundaries(SECONDS.to_vec()).build();
        let milliseconds = |name: &'static str| {
            meter.f64_histogram(name).with_unit("ms").with_boundaries(MILLISECONDS.to_vec()).build()
        };
        Self {
            cycles: counter(metric::CYCLES, "{cycle}"),
            started_cycles: counter(metric::STARTED_CYCLES, "{cycle}"),
            ended_cycles: counter(metric::ENDED_CYCLES, "{cycle}"),
            cycle_duration: seconds(metric::CYCLE_DURATION),
            latency: milliseconds(metric::MODEL_LATENCY),
            input_tokens: tokens(metric::INPUT_TOKENS),
            output_tokens: tokens(metric::OUTPUT_TOKENS),
            cache_read_tokens: tokens(metric::CACHE_READ_TOKENS),
            cache_write_tokens: tokens(metric::CACHE_WRITE_TOKENS),
            time_to_first_token: milliseconds(metric::TIME_TO_FIRST_TOKEN),
            model_errors: counter(metric::MODEL_ERRORS, "{call}"),
            model_retries: counter(metric::MODEL_RETRIES, "{retry}"),
            fallbacks: counter(metric::FALLBACKS, "{fallback}"),
            tool_calls: counter(metric::TOOL_CALLS, "{call}"),
            tool_successes: counter(metric::TOOL_SUCCESSES, "{call}"),
            tool_errors: counter(metric::TOOL_ERRORS, "{call}"),
            tool_duration: seconds(metric::TOOL_DURATION),
            invocations: counter(metric::INVOCATIONS, "{invocation}"),
            invocation_duration: seconds(metric::INVOCATION_DURATION),
            invocation_errors: counter(metric::INVOCATION_ERRORS, "{invocation}"),
            in_flight: meter.i64_up_down_counter(metric::IN_FLIGHT).with_unit("{invocation}").build(),
            agents: BoundedNames::new(max_names),
            models: BoundedNames::new(max_names),
            tools: BoundedNames::new(max_names),
        }
    }

    fn agent(&self, name: &str) -> KeyValue {
        KeyValue::new(semconv::AGENT_NAME, self.agents.bounded(name))
    }

    pub(crate) fn begin_invocation(&self) {
        self.in_flight.add(1, &[]);
    }

    pub(crate) fn end_invocation(
        &self,
        agent: &str,
        outcome: &'static str,
        error: Option<&'static str>,
        duration: Duration,
    ) {
        self.in_flight.add(-1, &[]);
        let agent = self.agent(agent);
        self.invocations.add(1, &[agent.clone(), KeyValue::new(metric::OUTCOME, outcome)]);
        self.invocation_duration.record(duration.as_secs_f64(), std::slice::from_ref(&agent));
        if let Some(error) = error {
            self.invocation_errors.add(1, &[agent, KeyValue::new(semconv::ERROR_TYPE, error)]);
        }
    }

    pub(crate) fn begin_cycle(&self, agent: &str) {
        let agent = [self.agent(agent)];
        self.cycles.add(1, &agent);
        self.started_cycles.add(1, &agent);
    }

    pub(crate) fn end_cycle(&self, agent: &str, duration: Duration) {
        let agent = [self.agent(agent)];
        self.ended_cycles.add(1, &agent);
        self.cycle_duration.record(duration.as_secs_f64(), &agent);
    }

    pub(crate) fn retry(&self, agent: &str, model: &str) {
        self.model_retries.add(1, &self.of_model(agent, model));
    }

    fn of_model(&self, agent: &str, model: &str) -> [KeyValue; 2] {
        [self.agent(agent), KeyValue::new(semconv::REQUEST_MODEL, self.models.bounded(model))]
    }

    pub(crate) fn end_model_call(&self, call: &ModelCall<'_>) {
        let attributes = self.of_model(call.agent, call.model);
        if call.fallbacks > 0 {
            self.fallbacks.add(u64::try_from(call.fallbacks).unwrap_or(u64::MAX), &attributes);
        }
        self.latency.record(call.duration.as_secs_f64() * 1_000.0, &attributes);
        if let Some(error) = call.error {
            let [agent, model] = attributes.clone();
            self.model_errors.add(1, &[agent, model, KeyValue::new(semconv::ERROR_TYPE, error)]);
        }
        if call.usage != Usage::default() {
            self.input_tokens.record(call.usage.prompt_tokens(), &attributes);
            self.output_tokens.record(call.usage.output_tokens, &attributes);
        }
        if let Some(read) = call.usage.cache_read_input_tokens {
            self.cache_read_tokens.record(read, &attributes);
        }
        if let Some(written) = call.usage.cache_write_input_tokens {
            self.cache_write_tokens.record(written, &attributes);
        }
        if let Some(time) = call.time_to_first_token {
            self.time_to_first_token.record(time.as_secs_f64() * 1_000.0, &attributes);
        }
    }

    /// Records a tool call. `tool` is `None` for a tool that does not exist, whose name is text of the model.
    pub(crate) fn end_tool_call(
        &self,
        agent: &str,
        tool: Option<&str>,
        error: Option<&'static str>,
        duration: Duration,
    ) {
        let tool = tool.map_or_else(|| StringValue::from(semconv::OTHER), |tool| self.tools.bounded(tool));
        let attributes = [self.agent(agent), KeyValue::new(metric::TOOL_NAME, tool)];
        self.tool_calls.add(1, &attributes);
        self.tool_duration.record(duration.as_secs_f64(), &attributes);
        match error {
            None => self.tool_successes.add(1, &attributes),
            Some(error) => {
                let [agent, tool] = attributes;
                self.tool_errors.add(1, &[agent, tool, KeyValue::new(semconv::ERROR_TYPE, error)]);
            }
        }
    }
}
