//! Links between an interrupted invocation and the one that resumes it, in another process.

use serde_json::json;
use strands_core::testing::{InMemorySessionManager, ScriptedTurn};
use strands_core::{Prompt, ToolOutput};
use strands_otel::semconv;

use crate::rig::{Rig, attribute, event_names, tool};

#[tokio::test]
async fn a_resumed_invocation_links_to_the_interrupted_one() {
    let (first, second) = (Rig::new(), Rig::new());
    let sessions = InMemorySessionManager::new("s");
    let ask = || tool("ask", |ctx| async move { Ok(ToolOutput::text(ctx.interrupt("sure", "really?")?.to_string())) });
    let turns = [ScriptedTurn::tool_use("ask", json!({}))];
    let mut agent = first.agent(turns).tool(ask()).session_manager(sessions.clone()).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    drop(agent);
    let interrupted = first.span("invoke_agent weather-agent");
    assert_eq!(attribute(&interrupted, semconv::STOP_REASON).as_deref(), Some("interrupt"));
    assert_eq!(event_names(&first.span("execute_tool ask")), [semconv::INTERRUPT_EVENT]);

    let mut agent =
        second.agent([ScriptedTurn::text("done")]).tool(ask()).session_manager(sessions).build().await.unwrap();
    agent.prompt(Prompt::none()).resume([response.interrupts[0].respond("yes")]).await.unwrap();
    let resumed = second.span("invoke_agent weather-agent");
    let link = &resumed.links.links[0].span_context;
    assert_eq!(link.trace_id(), interrupted.span_context.trace_id());
    assert_eq!(link.span_id(), interrupted.span_context.span_id());
    assert_ne!(resumed.span_context.trace_id(), interrupted.span_context.trace_id());
    assert_eq!(
        second.tree(),
        [
            "invoke_agent weather-agent < -",
            "execute_event_loop_cycle < invoke_agent weather-agent",
            "execute_tool ask < execute_event_loop_cycle",
            "execute_event_loop_cycle < invoke_agent weather-agent",
            "chat < execute_event_loop_cycle",
        ]
    );

    // A later invocation has no link.
    agent.prompt("again").await.unwrap_err();
    assert!(second.spans_named("invoke_agent weather-agent")[1].links.links.is_empty());
}
