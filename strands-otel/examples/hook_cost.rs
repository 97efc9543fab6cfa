//! Cost of telemetry for an agent whose model responds at once: a turn with one tool call, so two model calls and six spans.
//!
//!     cargo run --release -p strands-otel --example hook_cost

use std::time::{Duration, Instant};

use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use strands::serde_json::json;
use strands::telemetry::{AgentTelemetry, Telemetry};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, tool, tools};

const TURNS: u32 = 2_000;
const ROUNDS: usize = 15;

/// Adds two numbers.
#[tool]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

async fn run(template: &AgentBuilder) -> Result<Duration, Box<dyn std::error::Error>> {
    let began = Instant::now();
    for _ in 0..TURNS {
        let call = ScriptedTurn::tool_use("add", json!({"a": 1, "b": 2}));
        let model = ScriptedModel::new([call, ScriptedTurn::text("It is 3.")]);
        let mut agent = template.clone().model(model).build().await?;
        agent.prompt("What is 1 + 2?").await?;
    }
    Ok(began.elapsed() / TURNS)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plain = Agent::builder().tools(tools![Add]);
    // A collector that is down: batches are queued, and dropped.
    let endpoint = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "http://127.0.0.1:9".to_owned());
    let exporting = Telemetry::builder().variables(endpoint).global(false).build()?;
    let unsampled = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build();
    let hook = || AgentTelemetry::builder().meter_provider(exporting.meter_provider());
    let templates = [
        ("without the hook", plain.clone()),
        ("metrics, no trace sampled", plain.clone().hook(hook().tracer_provider(&unsampled).build())),
        ("traces and metrics", plain.clone().hook(hook().tracer_provider(exporting.tracer_provider()).build())),
        (
            "traces with content, and metrics",
            plain.clone().hook(hook().tracer_provider(exporting.tracer_provider()).capture_content(true).build()),
        ),
    ];
    let mut times = vec![Vec::new(); templates.len()];
    for _ in 0..ROUNDS {
        // In turn, so that a busy machine slows all of them.
        for ((_, template), times) in templates.iter().zip(&mut times) {
            times.push(run(template).await?);
        }
    }
    let mut base = None;
    for ((name, _), times) in templates.iter().zip(&mut times) {
        times.sort();
        let Some(median) = times.get(ROUNDS / 2).copied() else { continue };
        let base = *base.get_or_insert(median);
        #[expect(clippy::print_stdout, reason = "the output of the program")]
        {
            println!(
                "{name}: {:.1} us per turn, {:+.1} us, {:.2}x",
                median.as_secs_f64() * 1e6,
                (median.as_secs_f64() - base.as_secs_f64()) * 1e6,
                median.as_secs_f64() / base.as_secs_f64()
            );
        }
    }
    Ok(())
}
