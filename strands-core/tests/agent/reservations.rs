//! Shares of an invocation's limits that work elsewhere reserves, and that stay reserved if its usage is not known.

use serde_json::json;
use strands_core::metrics::Usage;
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{CancellationToken, Limits, Prompt, PromptRequest, PromptScope, ToolOutput, ToolPolicy};

use crate::fakes::Recorded;
use crate::support::{FnTool, naming, template, tool};

/// A tool whose work elsewhere never reports its usage.
fn lost() -> FnTool {
    tool("lost", |_, _| async {
        let scope = PromptScope::new(&PromptRequest::new("go"), Limits::unlimited()).unwrap();
        drop(scope.reserve(&PromptRequest::new("go")));
        Ok(ToolOutput::text("out of reach"))
    })
}

fn calling(tools: &'static [&'static str]) -> ScriptedModel {
    ScriptedModel::from_fn(move |_| ScriptedTurn::tool_uses(tools.iter().map(|name| (*name, json!({})))))
}

#[tokio::test]
async fn work_elsewhere_of_unknown_usage_counts_in_the_limits() {
    let model = calling(&["lost"]);
    let mut agent = template(&model, [lost()]).limits(Limits::new().turns(4)).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 2), "of three, two were reserved");
    assert_eq!(model.requests().len(), 2);
}

#[tokio::test]
async fn a_replay_knows_what_work_elsewhere_may_have_used() {
    let model = calling(&["lost"]);
    let template = template(&model, [lost()]).limits(Limits::new().turns(4));
    // The response of the model and the result of the call.
    let journal = Recorded { crash_after: Some(2), ..Recorded::default() };
    template.clone().build().await.unwrap().prompt("go").journal(&journal).await.unwrap_err();
    let replay = journal.replaying();
    let response = template.build().await.unwrap().prompt("go").journal(&replay).await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 2));
}

#[tokio::test]
async fn a_resumed_invocation_knows_what_work_elsewhere_may_have_used() {
    let session = InMemorySessionManager::new("s");
    let model = calling(&["lost", "asks"]);
    let asks = naming("asks").policy(ToolPolicy::new().with_approval(true));
    let build = || {
        let template = template(&model, [lost(), asks.clone()]).limits(Limits::new().turns(4));
        template.session_manager(session.clone()).build()
    };
    build().await.unwrap().prompt("go").await.unwrap();
    let mut agent = build().await.unwrap();
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    let response = agent.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::Interrupt, 2));
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
    let response = agent.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 2));
}

#[tokio::test]
async fn a_replay_of_a_stopped_turn_keeps_the_shares_of_its_calls() {
    let token = CancellationToken::new();
    let cancelling = token.clone();
    let hangs = tool("hangs", move |_, _| {
        let token = cancelling.clone();
        async move {
            let scope = PromptScope::new(&PromptRequest::new("go"), Limits::unlimited()).unwrap();
            let _share = scope.reserve(&PromptRequest::new("go"));
            token.cancel();
            std::future::pending().await
        }
    });
    let template = template(&calling(&["hangs"]), [hangs]);
    let journal = Recorded::default();
    let around = || PromptScope::new(&PromptRequest::new("go"), Limits::new().turns(9)).unwrap();
    let outer = around();
    let mut agent = template.clone().build().await.unwrap();
    let first = outer.run(agent.prompt("go").cancel_with(token).journal(&journal).into_future()).await.unwrap();
    assert_eq!((first.stop_reason, outer.remaining()), (StopReason::Cancelled, Limits::unlimited().turns(4)));
    let (outer, replay) = (around(), journal.replaying());
    let mut agent = template.build().await.unwrap();
    outer.run(agent.prompt("go").journal(&replay).into_future()).await.unwrap();
    assert_eq!(outer.remaining(), Limits::unlimited().turns(4));
}

#[tokio::test]
async fn agents_in_this_process_leave_what_is_reserved() {
    let scope = PromptScope::new(&PromptRequest::new("go"), Limits::unlimited().turns(4)).unwrap();
    let share = scope.reserve(&PromptRequest::new("go"));
    let model = calling(&["leaf"]);
    let mut agent = template(&model, [naming("leaf")]).build().await.unwrap();
    let response = scope.run(agent.prompt("go").into_future()).await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 2));
    scope.charge(Usage::default(), 1);
    share.release();
    assert_eq!(scope.remaining(), Limits::unlimited().turns(1));
}
