//! Trust in a tool after an approval.

use strands::Agent;
use strands::hook::{AuthorizeToolCall, Hook, HookResult};
use strands::identity::{
    ApprovalError, ApprovalHook, ApprovalHookBuilder, ApprovalRequest, ApprovalRequirement, Trust,
};
use strands::serde_json::{Value, json};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Prompt, ToolCallOutcome, ToolRunner, async_trait};

use crate::support::{Log, alice, manager, request, resume, template, tool};

const KEY: &str = "hitl:trusted_tools";

/// Builds an agent whose model calls `book` three times in a row, and then again for the next prompt.
async fn agent(builder: ApprovalHookBuilder, log: &Log) -> Agent {
    let book = |price: u32| ScriptedTurn::tool_use("book", json!({"price": price}));
    let turns = [book(1), book(2), book(3), ScriptedTurn::text("done"), book(4), ScriptedTurn::text("done")];
    template(ScriptedModel::new(turns), [tool("book", log)], builder.build()).build().await.unwrap()
}

/// Approves the first call with a response, and all that is asked after it for the call. Returns the number of questions.
async fn questions(agent: &mut Agent, first: impl Into<Option<Value>>, trust: Trust) -> usize {
    let mut questions = 0;
    let first = first.into();
    for prompt in ["one", "two"] {
        let mut response = agent.prompt(prompt).inject(alice()).await.unwrap();
        while !response.interrupts.is_empty() {
            questions += 1;
            let asked = request(&response);
            let approval = match &first {
                _ if questions > 1 => asked.approve(),
                Some(word) => response.interrupts[0].respond(word.clone()),
                None => asked.approve_with(trust),
            };
            response = resume(agent, approval, manager()).await.unwrap();
        }
    }
    questions
}

#[tokio::test]
async fn trust_ends_with_the_call_the_invocation_or_the_session() {
    for (trust, expected) in [(Trust::Call, 4), (Trust::Invocation, 2), (Trust::Session, 1)] {
        let log = Log::default();
        let mut agent = agent(ApprovalHook::builder().tools(["book"]).trust(Trust::Session), &log).await;
        assert_eq!(questions(&mut agent, None, trust).await, expected, "{trust:?}");
        assert_eq!(log.lines().len(), 4);
        assert_eq!(agent.state().get(KEY), (trust == Trust::Session).then(|| json!(["book"])));
    }
}

#[tokio::test]
async fn the_words_of_strands_grant_trust_if_it_is_allowed() {
    for word in ["t", "Trust "] {
        let log = Log::default();
        let mut agent = agent(ApprovalHook::builder().tools(["book"]).trust(Trust::Session), &log).await;
        assert_eq!(questions(&mut agent, json!(word), Trust::Call).await, 1);
    }
    // As in Strands, it denies otherwise.
    let log = Log::default();
    let mut agent = agent(ApprovalHook::builder().tools(["book"]), &log).await;
    assert_eq!(questions(&mut agent, json!("t"), Trust::Call).await, 4);
    assert_eq!(log.lines().len(), 3);
}

#[tokio::test]
async fn trust_beyond_the_limit_is_refused() {
    let log = Log::default();
    let mut agent = agent(ApprovalHook::builder().tools(["book"]).trust(Trust::Invocation), &log).await;
    let asked = request(&agent.prompt("one").await.unwrap());
    let error = resume(&mut agent, asked.approve_with(Trust::Session), manager()).await.unwrap_err();
    assert!(matches!(ApprovalError::of(&error), Some(ApprovalError::TrustNotAllowed { .. })), "{error:?}");
    assert_eq!(agent.interrupts().len(), 1);
}

#[tokio::test]
async fn trust_in_the_state_has_no_effect_on_a_hook_that_allows_none() {
    let log = Log::default();
    let mut agent = agent(ApprovalHook::builder().tools(["book"]), &log).await;
    agent.state().set(KEY, json!(["book"])).unwrap();
    assert_eq!(questions(&mut agent, None, Trust::Call).await, 4);
}

#[tokio::test]
async fn a_tool_that_always_needs_an_approval_is_never_trusted() {
    let log = Log::default();
    let mut agent = agent(ApprovalHook::builder().always(["book"]).trust(Trust::Session), &log).await;
    assert_eq!(questions(&mut agent, None, Trust::Session).await, 4);
    assert_eq!(agent.state().get(KEY), None);
    // Trusted by another hook, or by Strands.
    let mut agent = self::agent(ApprovalHook::builder().always(["book"]).trust(Trust::Session), &log).await;
    agent.state().set(KEY, json!(["book"])).unwrap();
    assert_eq!(questions(&mut agent, None, Trust::Call).await, 4);
}

struct Asks;

#[async_trait]
impl Hook for Asks {
    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        event.require_approval("above the limit");
        Ok(())
    }
}

#[tokio::test]
async fn trust_does_not_answer_an_authorizer() {
    let log = Log::default();
    let book = |price: u32| ScriptedTurn::tool_use("book", json!({"price": price}));
    let model = ScriptedModel::new([book(1), book(2), ScriptedTurn::text("done")]);
    let builder = Agent::builder().model(model).tools([tool("book", &log)]).hook(Asks);
    let mut agent = builder.hook(ApprovalHook::builder().trust(Trust::Session).build()).build().await.unwrap();
    let asked = request(&agent.prompt("one").await.unwrap());
    let response = resume(&mut agent, asked.approve_with(Trust::Session), manager()).await.unwrap();
    let asked = request(&response);
    assert_eq!(asked.input, json!({"price": 2}));
    agent.prompt(Prompt::none()).resume([asked.deny()]).await.unwrap();
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn trust_does_not_cover_calls_that_others_must_approve() {
    let log = Log::default();
    let expensive = |call: &AuthorizeToolCall<'_>| {
        let is_expensive = call.input["price"].as_u64().is_some_and(|price| price > 2);
        is_expensive.then(|| ApprovalRequirement::new("expensive").by_role("director"))
    };
    let hook = ApprovalHook::builder().tools(["book"]).by_role("manager").when(expensive).trust(Trust::Session);
    let mut agent = agent(hook, &log).await;
    let asked = request(&agent.prompt("one").inject(alice()).await.unwrap());
    let response = resume(&mut agent, asked.approve_with(Trust::Session), manager()).await.unwrap();
    let asked = request(&response);
    assert_eq!((&asked.input["price"], &asked.requirement.approvers[..]), (&json!(3), &["director".to_owned()][..]));
    assert_eq!(log.lines().len(), 2);
}

#[tokio::test]
async fn a_direct_call_grants_no_trust() {
    let log = Log::default();
    let hook = ApprovalHook::builder().tools(["book"]).trust(Trust::Session).build();
    let runner = ToolRunner::new([tool("book", &log)]).unwrap().hook(hook);
    let call = || runner.call("book", json!({})).id("call_0");
    let ToolCallOutcome::Interrupted { interrupts, .. } = call().await.unwrap() else { panic!("no interrupt") };
    let asked = ApprovalRequest::from_interrupt(&interrupts[0]).unwrap();
    let error = call().resume([asked.approve_with(Trust::Session)]).await.unwrap_err();
    assert!(matches!(ApprovalError::of(&error), Some(ApprovalError::TrustNotAllowed { .. })), "{error:?}");
    // As the word of Strands, where no trust is allowed.
    let denied = call().resume([interrupts[0].respond("trust")]).await.unwrap();
    assert!(matches!(&denied, ToolCallOutcome::Result(result) if result.is_error()), "{denied:?}");
    call().resume([asked.approve()]).await.unwrap();
    assert!(matches!(call().await.unwrap(), ToolCallOutcome::Interrupted { .. }));
    assert_eq!(log.lines().len(), 1);
}
