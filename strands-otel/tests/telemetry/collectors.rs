//! Collectors that are down, slow or failing: they delay no invocation, and neither a flush nor a shutdown without end.

use std::time::{Duration, Instant};

use strands_core::Agent;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_otel::{AgentTelemetry, Telemetry, TelemetryError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Collector {
    Down,
    Slow,
    Failing,
    Accepting,
}

/// Starts a collector, and returns its address.
async fn start(kind: Collector) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    if kind == Collector::Down {
        return address;
    }
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; 1 << 20];
                while connection.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    if kind == Collector::Slow {
                        std::future::pending::<()>().await;
                    }
                    let status = if kind == Collector::Failing { "500 Internal Server Error" } else { "200 OK" };
                    let response = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    if connection.write_all(response.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn telemetry(endpoint: String, protocol: &'static str) -> Telemetry {
    Telemetry::builder()
        .variables(move |name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.to_owned()),
            "OTEL_EXPORTER_OTLP_TIMEOUT" => Some("60000".to_owned()),
            _ => None,
        })
        .global(false)
        .build()
        .unwrap()
}

/// Runs invocations until more spans are ended than a queue holds. Returns the time of the slower half.
async fn run(hook: &AgentTelemetry) -> Duration {
    let mut times = Vec::new();
    let template = Agent::builder().hook(hook.clone());
    for _ in 0..2_000 {
        let began = Instant::now();
        let model = ScriptedModel::new([ScriptedTurn::text("hi")]);
        let mut agent = template.clone().model(model).build().await.unwrap();
        agent.prompt("go").await.unwrap();
        times.push(began.elapsed());
    }
    times.sort();
    times[times.len() * 9 / 10]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_collector_slows_a_turn() {
    let mut worst = Vec::new();
    for (kind, protocol) in [
        (Collector::Accepting, "http/protobuf"),
        (Collector::Down, "http/protobuf"),
        (Collector::Slow, "http/protobuf"),
        (Collector::Failing, "http/protobuf"),
        (Collector::Down, "grpc"),
        (Collector::Slow, "grpc"),
    ] {
        let exporting = telemetry(start(kind).await, protocol);
        let hook = AgentTelemetry::builder()
            .tracer_provider(exporting.tracer_provider())
            .meter_provider(exporting.meter_provider())
            .build();
        run(&hook).await;
        worst.push((kind, protocol, run(&hook).await));

        let began = Instant::now();
        let flushed = exporting.flush(Duration::from_millis(300)).await;
        let stopped = exporting.shutdown(Duration::from_millis(300)).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{kind:?} {protocol}: {:?}", began.elapsed());
        if kind != Collector::Accepting {
            assert!(flushed.is_err() || stopped.is_err(), "{kind:?} {protocol}: {flushed:?} {stopped:?}");
        } else {
            assert!(flushed.is_ok(), "{flushed:?}");
        }
    }
    let usual = worst[0].2;
    for (kind, protocol, time) in worst {
        assert!(time < usual * 5 + Duration::from_millis(2), "{kind:?} {protocol}: {time:?}, usual {usual:?}");
    }
}

#[tokio::test]
async fn a_flush_of_a_slow_collector_ends_in_time() {
    let exporting = telemetry(start(Collector::Slow).await, "http/protobuf");
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    drop(exporting.tracer_provider().tracer("test").start("span"));
    let began = Instant::now();
    let error = exporting.flush(Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, TelemetryError::Timeout(_)), "{error:?}");
    drop(exporting);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_disabled_sdk_exports_nothing() {
    let disabled = |name: &str| (name == "OTEL_SDK_DISABLED").then(|| "true".to_owned());
    let telemetry = Telemetry::builder().variables(disabled).build().unwrap();
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    assert!(!telemetry.tracer_provider().tracer("test").start("span").is_recording());
    use tracing_subscriber::layer::SubscriberExt as _;
    let subscriber = tracing_subscriber::registry().with(telemetry.log_layer());
    tracing::subscriber::with_default(subscriber, || tracing::info!("not exported"));
}

#[tokio::test]
async fn invalid_settings_are_errors() {
    let with = |name: &'static str, value: &'static str| {
        Telemetry::builder().variables(move |asked| (asked == name).then(|| value.to_owned())).build().unwrap_err()
    };
    assert!(matches!(with("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"), TelemetryError::Variable { .. }));
    assert!(matches!(with("OTEL_EXPORTER_OTLP_CERTIFICATE", "/missing"), TelemetryError::Certificate { .. }));
}
