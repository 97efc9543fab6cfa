//! Diagnostic events of special cases.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use strands_core::testing::{ScriptedModel, ScriptedTurn};

use crate::support::{agent, naming, newest_results, tool};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "strands"
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!(" {field}={value:?}");
            }
        }
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn diagnostics_do_not_show_names_of_unknown_tools() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("pay with 4111 1111 1111 1111", json!({})),
        ScriptedTurn::text("done"),
    ]);
    agent(&model, [naming("pay")]).await.prompt("go").await.unwrap();
    let lines = lines.0.lock().unwrap().clone();
    assert!(lines.iter().all(|line| !line.contains("4111")), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn diagnostics_report_the_repair_after_a_dropped_invocation() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("hangs", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let hangs = tool("hangs", |_, _| pending());
    let mut agent = agent(&model, [hangs]).await;
    tokio::time::timeout(Duration::from_millis(5), agent.prompt("go").into_future()).await.unwrap_err();
    agent.prompt("again").await.unwrap();
    let lines = lines.0.lock().unwrap().clone();
    assert!(newest_results(agent.messages())[0].0);
    assert!(lines.iter().any(|line| line.contains("message=repaired")), "{lines:?}");
}
