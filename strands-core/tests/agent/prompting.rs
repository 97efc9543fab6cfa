//! Prompts that borrow nothing: streams for servers, shared agents, and templates as promptables.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentError, AgentEvent, AgentResponse, BuildError, CancellationToken, Limits, Prompt, PromptRequest,
    PromptStream, Promptable, SharedAgent, ToolOutput, ToolPolicy,
};

use crate::support::{agent, assert_whole, naming, template, tool};

async fn response(mut events: PromptStream) -> Result<AgentResponse, AgentError> {
    let mut last = None;
    while let Some(event) = events.next().await {
        assert!(last.is_none(), "an event after the end: {event:?}");
        match event {
            Ok(AgentEvent::Result { response }) => last = Some(Ok(*response)),
            Ok(_) => {}
            Err(error) => last = Some(Err(error)),
        }
    }
    last.unwrap()
}

fn is_static<T: Send + 'static>(value: T) -> T {
    value
}

#[tokio::test]
async fn an_owned_stream_can_move_to_a_task() {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("one", json!({})), ScriptedTurn::text("done")]);
    let sessions = InMemorySessionManager::new("s");
    let template = template(&model, [naming("one")]).session_manager(sessions.clone());
    let events = is_static(template.clone().build().await.unwrap().into_stream("go"));
    let events: Vec<_> = tokio::spawn(events.collect()).await.unwrap();
    assert!(matches!(events.last(), Some(Ok(AgentEvent::Result { response })) if response.text() == "done"));
    assert_eq!(template.build().await.unwrap().messages().len(), 4, "the session has the conversation");
}

#[tokio::test]
async fn an_owned_invocation_takes_all_options() {
    struct User(&'static str);
    let who = tool("who", |ctx, _| async move { Ok(ToolOutput::text(ctx.injected::<User>()?.0)) });
    let model = ScriptedModel::new([ScriptedTurn::tool_use("who", json!({}))]);
    let agent = agent(&model, [who]).await;
    let invocation = agent.into_prompt("go").inject(User("alice")).limits(Limits::new().turns(1));
    let response = is_static(invocation.into_future()).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitTurns);
}

#[tokio::test]
async fn dropping_an_owned_stream_leaves_a_valid_session() {
    let sessions = InMemorySessionManager::new("s");
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("never ends").stalling_after(1));
    let template = template(&model, []).session_manager(sessions);
    let mut events = template.clone().build().await.unwrap().into_stream("go");
    events.next().await.unwrap().unwrap();
    drop(events);
    let mut again = template.model(ScriptedModel::responding("hi")).build().await.unwrap();
    again.prompt("go").await.unwrap();
    assert_whole(&mut again).await;
}

#[tokio::test]
async fn a_template_builds_an_agent_per_prompt() {
    let model = ScriptedModel::responding("hi");
    let template: Arc<dyn Promptable> =
        Arc::new(Agent::builder().model(model.clone()).name("expert").description("Knows everything."));
    assert_eq!((template.name(), template.description()), ("expert", "Knows everything."));
    let prompts = (0..20).map(|_| template.stream("go".into())).map(response);
    for response in futures_util::future::join_all(prompts).await {
        assert_eq!(response.unwrap().text(), "hi");
    }
    assert!(model.requests().iter().all(|request| request.messages.len() == 1));
    // Nothing happens before the stream is polled.
    drop(template.stream("go".into()));
    assert_eq!(model.requests().len(), 20);

    let error = response(Agent::builder().stream("go".into())).await.unwrap_err();
    assert!(matches!(error, AgentError::Build(BuildError::MissingModel)), "{error:?}");
}

#[tokio::test]
async fn a_prompt_request_carries_all_options() {
    struct User(&'static str);
    let who = tool("who", |ctx, _| async move { Ok(ToolOutput::text(ctx.injected::<User>()?.0)) })
        .policy(ToolPolicy::new().with_approval(true));
    let model = ScriptedModel::new([ScriptedTurn::tool_use("who", json!({})), ScriptedTurn::text("done")]);
    let shared = SharedAgent::new(agent(&model, [who]).await);
    let interrupts = response(shared.stream(PromptRequest::new("go").inject(User("alice")))).await.unwrap().interrupts;
    let request = PromptRequest::new(Prompt::none()).resume([interrupts[0].respond(true)]).inject(User("bob"));
    let limited = request.limits(Limits::new().turns(1));
    assert_eq!(limited.injected::<User>().unwrap().0, "bob");
    let ended = response(shared.stream(limited)).await.unwrap();
    assert_eq!(ended.stop_reason, StopReason::LimitTurns);
    let agent = shared.try_into_agent().unwrap();
    let results: Vec<_> = agent.messages().iter().flat_map(|message| message.tool_results()).collect();
    assert_eq!(crate::support::text_of(results[0]), "bob");
}

#[tokio::test(start_paused = true)]
async fn a_shared_agent_runs_one_prompt_at_a_time() {
    let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().text().as_str() {
        "stall" => ScriptedTurn::text("endless").stalling_after(1),
        _ => ScriptedTurn::text("hi"),
    });
    let shared = SharedAgent::new(agent(&model, []).await);
    let mut first = shared.stream("stall".into());
    let second = shared.clone().stream("go".into());
    // The first prompt that is polled locks the agent.
    first.next().await.unwrap().unwrap();
    let error = response(second).await.unwrap_err();
    assert!(matches!(&error, AgentError::Busy { .. }), "{error:?}");
    let shared = shared.try_into_agent().unwrap_err();
    drop(first);
    assert_eq!(response(shared.stream("go".into())).await.unwrap().text(), "hi");

    let token = CancellationToken::new();
    let cancelled = response(shared.stream(PromptRequest::new("stall").cancel_with(token.clone())));
    let (ended, ()) = tokio::join!(cancelled, async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        token.cancel();
    });
    assert_eq!(ended.unwrap().stop_reason, StopReason::Cancelled);
    assert_eq!(response(shared.stream("go".into())).await.unwrap().text(), "hi");
    assert_whole(&mut shared.try_into_agent().unwrap()).await;
}
