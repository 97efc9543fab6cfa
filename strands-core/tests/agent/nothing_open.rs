//! Invocations without a prompt: they fail before a model call unless the conversation has a message to respond to.

use futures_util::StreamExt;
use serde_json::json;
use strands_core::message::{ContentBlock, Message, Role};
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{AgentError, InterruptResponse, Limits, Prompt, PromptRequest, Promptable, SharedAgent};

use crate::support::{agent, naming, template};

#[tokio::test]
async fn empty_prompts_after_a_response_are_rejected_without_a_model_call() {
    let nothing = [
        Prompt::none(),
        Prompt::from(Vec::<Message>::new()),
        Prompt::from(Vec::<ContentBlock>::new()),
        Prompt::from(Message::new(Role::User, [""; 0])),
    ];
    for prompt in nothing {
        let model = ScriptedModel::responding("hi");
        let mut agent = agent(&model, []).await;
        agent.prompt("hello").await.unwrap();
        let before = agent.messages().to_vec();
        let error = agent.prompt(prompt.clone()).resume(Vec::<InterruptResponse>::new()).await.unwrap_err();
        assert!(matches!(error, AgentError::NothingToRespondTo), "{prompt:?}: {error}");
        let last = agent.prompt(prompt.clone()).output::<u32>().stream().next().await;
        assert!(matches!(last, Some(Err(AgentError::NothingToRespondTo)) | Some(Ok(_))), "{prompt:?}: {last:?}");
        assert_eq!((model.requests().len(), agent.messages()), (1, &before[..]), "{prompt:?}");
        assert_eq!(agent.prompt("and now?").await.unwrap().text(), "hi", "the agent stays usable");
    }
}

#[tokio::test]
async fn templates_shared_agents_and_session_agents_reject_empty_prompts() {
    let model = ScriptedModel::responding("hi");
    let template = template(&model, []).session_manager(InMemorySessionManager::new("s"));
    template.clone().build().await.unwrap().prompt("hello").await.unwrap();
    let restored = template.clone().build().await.unwrap();
    let shared = SharedAgent::new(template.clone().build().await.unwrap());
    let error = restored.into_prompt(Prompt::none()).await.unwrap_err();
    assert!(matches!(error, AgentError::NothingToRespondTo), "{error}");
    for promptable in [&template as &dyn Promptable, &shared] {
        let last = promptable.stream(PromptRequest::new(Prompt::none())).collect::<Vec<_>>().await.pop();
        assert!(matches!(last, Some(Err(AgentError::NothingToRespondTo))), "{last:?}");
    }
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test]
async fn a_conversation_with_pending_calls_continues_without_a_prompt() {
    // A user message in the history that the agent was built with.
    let model = ScriptedModel::responding("hi");
    let mut seeded = template(&model, []).messages([Message::user("hello")]).build().await.unwrap();
    assert_eq!(seeded.prompt(Prompt::none()).await.unwrap().text(), "hi");

    // Tool results after which a limit ended the invocation.
    let model = ScriptedModel::new([ScriptedTurn::tool_use("one", json!({})), ScriptedTurn::text("done")]);
    let mut agent = agent(&model, [naming("one")]).await;
    let response = agent.prompt("go").limits(Limits::new().turns(1)).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitTurns);
    assert_eq!(agent.prompt(Prompt::none()).await.unwrap().text(), "done");
    // The model's turn is now complete.
    assert!(matches!(agent.prompt(Prompt::none()).await, Err(AgentError::NothingToRespondTo)));
}

#[tokio::test]
async fn a_response_without_an_interrupt_is_an_error() {
    let model = ScriptedModel::responding("hi");
    let mut agent = agent(&model, []).await;
    agent.prompt("hello").await.unwrap();
    let error = agent.prompt(Prompt::none()).resume([InterruptResponse::new("i1", true)]).await.unwrap_err();
    assert!(matches!(&error, AgentError::UnknownInterrupt { id } if id == "i1"), "{error}");
    assert_eq!(model.requests().len(), 1);
}
