//! Interrupts within a member, resumed in another process, with and without a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use strands::hook::HookResult;
use strands::models::StopReason;
use strands::multiagent::{BeforeNode, NodeHook, Swarm, SwarmBuilder};
use strands::serde_json::{self, json};
use strands::testing::contract::check_promptable;
use strands::testing::{InMemorySessionManager, ScriptedTurn};
use strands::{AgentError, Prompt, PromptRequest, async_trait, tool, tools};

use crate::support::{member_of, to};

struct Paid(AtomicU32);

/// Pays.
#[tool(approval)]
fn pay(amount: u32, paid: &Paid) -> String {
    paid.0.fetch_add(amount, Ordering::Relaxed);
    "paid".to_owned()
}

/// A swarm whose second member pays, and hands over to the third one.
fn desk(paid: &Arc<Paid>) -> SwarmBuilder {
    let clerk = member_of("clerk", |messages| match messages.last().unwrap().tool_results().next() {
        Some(result) if !result.is_error() => to("writer", "It is paid."),
        Some(_) => ScriptedTurn::text("Not paid."),
        None => ScriptedTurn::tool_use("pay", json!({"amount": 7})),
    });
    Swarm::builder("desk")
        .member(member_of("agent", |_| to("clerk", "Pay.")))
        .member(clerk.tools(tools![Pay]))
        .member(member_of("writer", |messages| ScriptedTurn::text(messages[0].text())))
        .inject(Arc::clone(paid))
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_member_goes_on_in_another_process_without_a_session() {
    let paid = Arc::new(Paid(AtomicU32::new(0)));
    let asked = desk(&paid).build().unwrap().run("Pay the bill.").await.unwrap();
    let response = asked.response;
    assert_eq!((response.stop_reason, response.interrupts.len()), (StopReason::Interrupt, 1));
    let interrupt = &response.interrupts[0];
    assert!(
        interrupt.id.starts_with("v1:node:clerk:") && interrupt.innermost_id().starts_with("v1:before_tool_call:"),
        "{interrupt:?}"
    );
    // As another process reads it.
    let continuation = serde_json::to_string(&response.continuation.unwrap()).unwrap();
    let continuation: strands::Continuation = serde_json::from_str(&continuation).unwrap();

    let unknown = PromptRequest::new(Prompt::none()).continue_from(continuation.clone());
    let refused = desk(&paid).build().unwrap().run(unknown.resume([strands::InterruptResponse::new("x", true)])).await;
    assert!(matches!(refused, Err(AgentError::UnknownInterrupt { id }) if id == "x"));

    let resumed = PromptRequest::new(Prompt::none()).continue_from(continuation).resume([interrupt.respond(true)]);
    let response = desk(&paid).build().unwrap().run(resumed).await.unwrap();
    assert!(response.text().starts_with("Handoff Message: It is paid."), "{response}");
    assert_eq!((paid.0.load(Ordering::Relaxed), response.history.len()), (7, 3));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_member_goes_on_from_the_session() {
    let (paid, sessions) = (Arc::new(Paid(AtomicU32::new(0))), InMemorySessionManager::new("s"));
    let desk = || desk(&paid).session_manager(sessions.clone()).build().unwrap();
    let asked = desk().run("Pay the bill.").await.unwrap();
    assert!(asked.response.continuation.is_none());
    let waiting = desk().run(Prompt::none()).await.unwrap();
    assert_eq!(waiting.response.interrupts, asked.response.interrupts);
    let other = desk().run("Another task.").await.unwrap_err();
    assert!(matches!(&other, AgentError::Interrupted { interrupts } if interrupts.len() == 1), "{other:?}");
    let response = PromptRequest::new(Prompt::none()).resume([asked.response.interrupts[0].respond(false)]);
    let response = desk().run(response).await.unwrap();
    assert_eq!((response.text().as_str(), paid.0.load(Ordering::Relaxed)), ("Not paid.", 0));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_swarm_keeps_the_contract_of_promptables() {
    let desk = desk(&Arc::new(Paid(AtomicU32::new(0)))).build().unwrap();
    check_promptable(&desk, || PromptRequest::new("Pay the bill.")).await.unwrap();
}

/// Asks before the clerk gets the task.
struct AskBefore;

#[async_trait]
impl NodeHook for AskBefore {
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        if event.node == "clerk"
            && let Some(response) = event.interrupt("clerk?", json!("Let the clerk work?"))
            && response != true
        {
            event.deny = Some("the clerk must not work".into());
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_and_a_tool_ask_one_after_the_other() {
    let (paid, sessions) = (Arc::new(Paid(AtomicU32::new(0))), InMemorySessionManager::new("s"));
    let run = |responses: Option<strands::InterruptResponse>| {
        let desk = desk(&paid).hook(AskBefore).session_manager(sessions.clone()).build().unwrap();
        let request = match responses {
            Some(response) => PromptRequest::new(Prompt::none()).resume([response]),
            None => PromptRequest::new("Pay."),
        };
        async move { desk.run(request).await.unwrap().response }
    };
    let asked = run(None).await;
    assert!(asked.interrupts[0].id.starts_with("v1:before_node_call:clerk:"), "{asked:?}");
    let asked = run(Some(asked.interrupts[0].respond(true))).await;
    assert!(asked.interrupts[0].id.starts_with("v1:node:clerk:"), "{asked:?}");
    let response = run(Some(asked.interrupts[0].respond(true))).await;
    assert_eq!((response.stop_reason, paid.0.load(Ordering::Relaxed)), (StopReason::EndTurn, 7));
}

/// Asks before the clerk goes on with a response.
struct AskAgain;

#[async_trait]
impl NodeHook for AskAgain {
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        if event.prompt.messages().is_empty() {
            event.interrupt("again?", json!("Let the clerk go on?"));
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_may_ask_before_a_member_goes_on_with_a_response() {
    let (paid, sessions) = (Arc::new(Paid(AtomicU32::new(0))), InMemorySessionManager::new("s"));
    let run = |request: PromptRequest| {
        let desk = desk(&paid).hook(AskAgain).session_manager(sessions.clone()).build().unwrap();
        async move { desk.run(request).await.unwrap().response }
    };
    let asked = run(PromptRequest::new("Pay.")).await;
    assert!(asked.interrupts[0].id.starts_with("v1:node:clerk:"), "{asked:?}");
    let asked = run(PromptRequest::new(Prompt::none()).resume([asked.interrupts[0].respond(true)])).await;
    assert!(asked.interrupts[0].id.starts_with("v1:before_node_call:clerk:"), "{asked:?}");
    let response = run(PromptRequest::new(Prompt::none()).resume([asked.interrupts[0].respond(true)])).await;
    assert_eq!((response.stop_reason, paid.0.load(Ordering::Relaxed)), (StopReason::EndTurn, 7));
}
