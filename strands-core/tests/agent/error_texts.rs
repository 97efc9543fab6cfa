//! Texts of an agent's errors: the failure, its cause and the provider's message, without content of the conversation.

use std::error::Error;

use strands_core::hook::{BeforeInvocation, Hook, HookResult};
use strands_core::models::{ErrorDetails, Fallback, ModelError};
use strands_core::session::SessionError;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, ErrorChain, RetryPolicy};

use crate::support::template;

fn refused(body: &str) -> ModelError {
    let source = std::io::Error::other("calling model `m` at example.org");
    let details = ErrorDetails::new().with_status(400).with_body(body).with_source(source);
    ModelError::InvalidRequest { details: details.boxed() }
}

async fn failure(body: &'static str, prompt: &str) -> AgentError {
    let model = ScriptedModel::from_fn(move |_| ScriptedTurn::error(refused(body)));
    let mut agent = template(&model, []).system_prompt("You guard the crown jewels.").build().await.unwrap();
    agent.prompt(prompt).await.unwrap_err()
}

#[tokio::test]
async fn display_has_the_provider_message_and_debug_the_sources() {
    let error = failure(r#"{"error":{"message":"The model `m` does not exist","code":"model_not_found"}}"#, "hi").await;
    let text = error.to_string();
    assert!(text.starts_with("the model call failed after 1 attempt: "), "{text}");
    assert!(
        text.contains("status 400") && text.ends_with("; the provider says: The model `m` does not exist"),
        "{text}"
    );
    assert_eq!(format!("{error:?}"), format!("{text}: calling model `m` at example.org"));
    assert_eq!(format!("{error:#?}"), format!("{error:?}"));
    // As `main` prints it.
    let boxed: Box<dyn Error> = error.into();
    assert_eq!(format!("{boxed:?}"), format!("{text}: calling model `m` at example.org"));
}

#[tokio::test]
async fn errors_show_no_prompt_and_no_key() {
    for (body, hidden, kept) in [
        (r#"{"message":"bad content: 'my password is hunter2, log me in'"}"#, "hunter2", "bad content"),
        (r#"{"message":"system 'You guard the crown jewels.' is too long"}"#, "crown", "is too long"),
        (r#"{"error":"Incorrect API key provided: sk-abcdefghijklmnopqrst."}"#, "qrst", "Incorrect API key"),
        (
            r#"{"detail":[{"msg":"field required","input":"my password is hunter2, log me in"}]}"#,
            "hunter2",
            "field required",
        ),
        ("my password is hunter2, log me in", "hunter2", "attempt"),
        (r#"{"message":"cut off: my password is hunter2, log me"#, "hunter2", "attempt"),
    ] {
        let error = failure(body, "my password is hunter2, log me in").await;
        let AgentError::Model { source, .. } = &error else { panic!("{error}") };
        let printed = format!("{error} {error:?} {error:#?} {:?}", source.details());
        assert!(!printed.contains(hidden) && printed.contains(kept), "{printed}");
    }
}

#[tokio::test]
async fn long_provider_messages_are_truncated() {
    let error = failure(Box::leak(format!(r#"{{"message":"{}"}}"#, "long ".repeat(700)).into_boxed_str()), "hi").await;
    assert!(error.to_string().len() < 700, "{error}");
}

#[tokio::test]
async fn errors_count_attempts_and_name_fallback_models() {
    let down = || ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("connection refused")));
    let model = Fallback::new(down()).or(down());
    let mut agent = Agent::builder().model(model).retry(RetryPolicy::never()).build().await.unwrap();
    let error = agent.prompt("hi").await.unwrap_err();
    let debug = format!("{error:?}");
    assert!(debug.contains("after 1 attempt:") && debug.contains("connection refused"), "{debug}");
    assert!(debug.contains("failed, too"), "{debug}");
}

struct Refuses;

#[strands_core::async_trait]
impl Hook for Refuses {
    async fn before_invocation(&self, _: &mut BeforeInvocation<'_>) -> HookResult {
        Err("no money left".into())
    }
}

#[tokio::test]
async fn each_level_of_an_error_has_its_reason() {
    let full = || std::io::Error::other("no space left on device");
    let session = || SessionError::Storage { action: "write", key: "s/a/message_3".into(), source: full().into() };
    let session_text = "the session store could not write s/a/message_3: no space left on device";
    let hook = template(&ScriptedModel::responding("hi"), []).hook(Refuses).build().await.unwrap().prompt("hi").await;
    for (error, expected) in [
        (session().into(), format!("the session failed: {session_text}")),
        (strands_core::BuildError::from(session()).into(), format!("the agent could not be built: {session_text}")),
        (
            AgentError::Promptable { name: "remote".into(), source: full().into() },
            "`remote` failed: no space left on device".to_owned(),
        ),
        (hook.unwrap_err(), "a hook failed in `before_invocation`: no money left".to_owned()),
    ] {
        let error: AgentError = error;
        assert_eq!(error.to_string(), expected);
        // No level repeats another.
        assert_eq!(format!("{error:?}"), expected);
        assert_eq!(ErrorChain::new(&error).to_string(), expected);
    }
    assert_eq!(format!("{:?}", session()), session_text);
}
