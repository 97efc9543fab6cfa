//! Logs: events of `tracing` have the trace and the span that are current.

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use serde_json::json;
use strands_core::testing::ScriptedTurn;
use strands_core::{ToolError, TraceContext};
use strands_otel::in_context;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::rig::{Rig, tool};

#[tokio::test]
async fn logs_of_tools_and_of_the_loop_belong_to_their_spans() {
    let rig = Rig::new();
    let exporter = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let subscriber = tracing_subscriber::registry().with(OpenTelemetryTracingBridge::new(&provider));
    let _subscribed = tracing::subscriber::set_default(subscriber);

    let logs = tool("logs", |_| async {
        tracing::info!("before");
        tokio::task::yield_now().await;
        tracing::info!("after");
        Err(ToolError::new("boom"))
    });
    let turns = [ScriptedTurn::tool_use("logs", json!({})), ScriptedTurn::text("done")];
    let mut agent = rig.agent(turns).tool(logs).build().await.unwrap();
    let caller: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    let invocation = IntoFuture::into_future(agent.prompt("go").inject(caller.clone()));
    in_context(&caller, invocation).await.unwrap();
    tracing::info!("outside");

    let call = rig.span("execute_tool logs").span_context;
    let logged: Vec<_> = exporter
        .get_emitted_logs()
        .unwrap()
        .iter()
        .filter(|log| !log.record.target().is_some_and(|target| target.starts_with("opentelemetry")))
        .map(|log| {
            let trace = log.record.trace_context();
            let span = trace.map(|trace| (trace.trace_id.to_string(), trace.span_id.to_string()));
            (format!("{:?}", log.record.body()), span)
        })
        .collect();
    let at = |trace: &str, span: &str| Some((trace.to_owned(), span.to_owned()));
    let in_tool = at("0af7651916cd43dd8448eb211c80319c", &call.span_id().to_string());
    assert_eq!(logged.len(), 4, "{logged:#?}");
    assert!(logged[0].0.contains("before") && logged[0].1 == in_tool, "{logged:#?}");
    assert!(logged[1].0.contains("after") && logged[1].1 == in_tool, "{logged:#?}");
    // The loop's own event about the failure, outside of the tool.
    assert!(logged[2].0.contains("tool call failed"), "{logged:#?}");
    assert_eq!(logged[2].1, at("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"));
    assert_eq!(logged[3].1, None);
}
