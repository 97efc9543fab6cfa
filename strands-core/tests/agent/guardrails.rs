//! Guardrails: what they change or block is neither emitted, stored nor sent.
#![expect(clippy::string_slice, reason = "the tests split texts at the ends of characters")]

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::guardrails::{
    Check, GuardedContent, Guardrail, GuardrailAction, GuardrailHook, Redaction, Verdict, Window,
};
use strands_core::hook::{AfterToolCall, BeforeInvocation, Hook, HookResult};
use strands_core::message::{Citation, CitationText, ContentBlock, Message, ProviderContent, Role};
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{ReasoningDelta, StopReason, StreamEvent, ToolUseStart};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, AgentEvent, Prompt, StreamExt, ToolError, ToolOutput};
use tokio_util::sync::CancellationToken;

use crate::support::{agent, kinds, listen, template, text_of, tool};

type BoxError = Box<dyn Error + Send + Sync>;

/// Replaces the word `secret`, decided by a window of its length.
struct Secrets;

#[async_trait]
impl Guardrail for Secrets {
    fn name(&self) -> &str {
        "secrets"
    }

    fn window(&self) -> Window {
        Window::Bytes(6)
    }

    async fn check(&self, check: &Check<'_>) -> Result<Verdict, BoxError> {
        let found = check.text.match_indices("secret");
        Ok(Verdict::Redact(found.map(|(at, word)| Redaction::new(at..at + word.len(), "[X]")).collect()))
    }
}

/// Returns a verdict about each whole text.
struct Whole<F>(F);

#[async_trait]
impl<F: Fn(&str) -> Result<Verdict, BoxError> + Send + Sync> Guardrail for Whole<F> {
    fn name(&self) -> &str {
        "whole"
    }

    async fn check(&self, check: &Check<'_>) -> Result<Verdict, BoxError> {
        (self.0)(check.text)
    }
}

/// Blocks texts with the word `bad`.
fn no_bad_words() -> GuardrailHook {
    let check = |text: &str| Ok(if text.contains("bad") { Verdict::block("Not that.") } else { Verdict::Pass });
    GuardrailHook::new(Whole(check))
}

fn secrets() -> GuardrailHook {
    GuardrailHook::new(Secrets)
}

fn response(events: impl IntoIterator<Item = StreamEvent>) -> ScriptedTurn {
    let events = events.into_iter().chain([StreamEvent::stop(StopReason::EndTurn)]);
    ScriptedTurn::events([StreamEvent::start()].into_iter().chain(events))
}

async fn guarded(model: &ScriptedModel, hook: GuardrailHook) -> Agent {
    template(model, []).hook(hook).build().await.unwrap()
}

fn deltas(events: &[AgentEvent]) -> Vec<&str> {
    let mut deltas = Vec::new();
    for event in events {
        if let AgentEvent::TextDelta { text } = event {
            deltas.push(text.as_str());
        }
    }
    deltas
}

fn reports(events: &[AgentEvent]) -> Vec<(GuardedContent, GuardrailAction, u32)> {
    let report = |event: &AgentEvent| match event {
        AgentEvent::Guardrail { content, action, count, .. } => Some((content.clone(), action.clone(), *count)),
        _ => None,
    };
    events.iter().filter_map(report).collect()
}

#[tokio::test]
async fn the_response_of_a_delegate_is_checked_as_a_response() {
    for (text, expected) in [("a secret", "a [X]"), ("something bad", "I can't say that.")] {
        let expert = Agent::builder().name("expert").model(ScriptedModel::responding(text));
        let model = ScriptedModel::new([
            ScriptedTurn::tool_use("expert", json!({"input": "x"})),
            ScriptedTurn::text("I can't say that."),
        ]);
        let only = [GuardedContent::Response];
        let builder = template(&model, []).tool(expert.as_tool().delegates(true));
        let mut agent =
            builder.hook(secrets().only(only.clone())).hook(no_bad_words().only(only)).build().await.unwrap();
        assert_eq!(agent.prompt("go").await.unwrap().text(), expected);
        assert!(!serde_json::to_string(agent.messages()).unwrap().contains(text));
        // The result of another tool is no response.
        let look = tool("look", move |_, _| async move { Ok(ToolOutput::text(text)) });
        let model = ScriptedModel::new([ScriptedTurn::tool_use("look", json!({})), ScriptedTurn::text("done")]);
        let hook = secrets().only([GuardedContent::Response]);
        let mut agent = template(&model, [look]).hook(hook).build().await.unwrap();
        agent.prompt("go").await.unwrap();
        assert!(serde_json::to_string(agent.messages()).unwrap().contains(text));
    }
}

#[tokio::test]
async fn redacts_prompts_responses_and_tool_results() {
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("look", json!({"at": "a secret", "n": [1, "secret"]})),
        ScriptedTurn::text("The secret is a secret."),
    ]);
    let look = tool("look", |_, input| async move {
        assert_eq!(input, json!({"at": "a [X]", "n": [1, "[X]"]}));
        Ok(ToolOutput::json(json!({"secret": "no secret", "b": [true, "secret"]})))
    });
    let sessions = InMemorySessionManager::new("s");
    let builder = template(&model, [look]).agent_id("a").session_manager(sessions.clone());
    let mut agent = builder.hook(secrets()).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("My secret").stream()).await;
    assert_eq!(ended.unwrap().text(), "The [X] is a [X].");
    for (what, text) in [
        ("events", serde_json::to_string(&events).unwrap()),
        ("session", serde_json::to_string(&sessions.messages("a")).unwrap()),
        ("requests", format!("{:?}", model.requests())),
    ] {
        // The name of the guardrail is `secrets`.
        assert!(!text.replace("\"secrets\"", "").contains("secret"), "{what}: {text}");
    }
    let redacted = |content, count| (content, GuardrailAction::Redacted, count);
    assert_eq!(
        reports(&events),
        [
            redacted(GuardedContent::Prompt, 1),
            redacted(GuardedContent::ToolArguments, 2),
            redacted(GuardedContent::ToolResult, 3),
            redacted(GuardedContent::Response, 1),
            redacted(GuardedContent::Response, 1),
        ]
    );
    let result = agent.messages()[2].tool_results().next().unwrap();
    assert_eq!(
        serde_json::to_value(&result.content[0]).unwrap(),
        json!({"json": {"b": [true, "[X]"], "[X]": "no [X]"}})
    );
}

#[tokio::test]
async fn a_word_is_found_across_all_splits_and_held_back_by_its_window() {
    let text = "äsecretsecret sec secre t secret";
    let whole = text.replace("secret", "[X]");
    for first in text.char_indices().map(|(at, _)| at) {
        for second in text.char_indices().map(|(at, _)| at).filter(|second| *second >= first) {
            let chunks = [&text[..first], &text[first..second], &text[second..]];
            let model = ScriptedModel::new([response(chunks.map(|chunk| StreamEvent::text(0, chunk)))]);
            let mut agent = guarded(&model, secrets()).await;
            let (events, ended) = listen(agent.prompt("go").stream()).await;
            assert_eq!((deltas(&events).concat(), ended.unwrap().text()), (whole.clone(), whole.clone()), "{chunks:?}");
        }
    }
    let model = ScriptedModel::new([response([StreamEvent::text(0, "0123456789")]).stalling_after(2)]);
    let mut agent = guarded(&model, secrets()).await;
    let mut stream = agent.prompt("go").stream();
    let released = async {
        loop {
            if let Some(Ok(AgentEvent::TextDelta { text })) = stream.next().await {
                return text;
            }
        }
    };
    assert_eq!(released.await, "0123");
}

/// Replaces `secret` unless a letter is before it.
struct WordStarts;

#[async_trait]
impl Guardrail for WordStarts {
    fn name(&self) -> &str {
        "word-starts"
    }

    fn window(&self) -> Window {
        Window::Bytes(6)
    }

    async fn check(&self, check: &Check<'_>) -> Result<Verdict, BoxError> {
        let starts = check.text.match_indices("secret").map(|(at, _)| at);
        let starts = starts.filter(|at| !check.text[..*at].ends_with(char::is_alphabetic));
        Ok(Verdict::Redact(starts.map(|at| Redaction::new(at..at + 6, "[X]")).collect()))
    }
}

#[tokio::test]
async fn the_text_before_the_decided_part_stays_visible_in_long_texts() {
    for prefix in 0..6 {
        let text = "a".repeat(prefix + 1) + &"secret".repeat(3_000);
        let chunks = text.split_inclusive(|_| true).map(|letter| StreamEvent::text(0, letter)).collect::<Vec<_>>();
        let model = ScriptedModel::new([response(chunks)]);
        let mut agent = guarded(&model, GuardrailHook::new(WordStarts)).await;
        assert!(agent.prompt("go").await.unwrap().text() == text);
    }
}

#[tokio::test]
async fn interleaved_blocks_keep_their_order_and_content() {
    let chunks = [(0, "a se"), (1, "b secr"), (0, "cret a"), (2, "c"), (1, "et b")]
        .map(|(index, text)| StreamEvent::text(index, text));
    for hook in [secrets(), GuardrailHook::new(Whole(|text: &str| Ok(Verdict::Rewrite(text.replace("secret", "[X]")))))]
    {
        let model = ScriptedModel::new([response(chunks.clone())]);
        let mut agent = guarded(&model, hook).await;
        agent.prompt("go").await.unwrap();
        let texts: Vec<_> =
            agent.messages()[1].content.iter().map(|block| block.as_text().unwrap().to_owned()).collect();
        assert_eq!(texts, ["a [X] a", "b [X] b", "c"]);
    }
}

#[tokio::test]
async fn a_blocked_response_is_not_released() {
    let call = StreamEvent::tool_use(1, ToolUseStart::new("call-1", "look"));
    let events = [
        StreamEvent::text(0, "Some "),
        StreamEvent::text(0, "bad text"),
        StreamEvent::block_stop(0),
        call,
        StreamEvent::tool_input(1, "{}"),
        StreamEvent::block_stop(1),
        StreamEvent::metadata(Usage::new(3, 4), ModelMetrics::default()),
    ];
    let model = ScriptedModel::new([response(events)]);
    let look = tool("look", |_, _| async { panic!("a call of a blocked response") });
    let mut agent = template(&model, [look]).hook(no_bad_words()).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    let response = ended.unwrap();
    assert_eq!((response.text().as_str(), response.stop_reason), ("Not that.", StopReason::GuardrailIntervened));
    assert_eq!(kinds(&events), ["start", "cycle_start", "guardrail", "redacted", "message", "message"]);
    assert_eq!(reports(&events), [(GuardedContent::Response, GuardrailAction::Blocked, 1)]);
    // With the space: a random id may contain the letters.
    assert!(!serde_json::to_string(&events).unwrap().contains("bad "));
    assert_eq!(response.usage, Usage::new(3, 4));
}

#[tokio::test]
async fn a_block_that_ends_with_the_response_is_checked() {
    let model = ScriptedModel::new([response([StreamEvent::text(0, "bad text")])]);
    let mut agent = guarded(&model, no_bad_words()).await;
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.text().as_str(), response.stop_reason), ("Not that.", StopReason::GuardrailIntervened));
}

#[tokio::test]
async fn a_blocked_prompt_is_neither_stored_nor_sent() {
    let model = ScriptedModel::responding("Hello.");
    let sessions = InMemorySessionManager::new("s");
    let builder = template(&model, []).agent_id("a").session_manager(sessions.clone());
    let mut agent = builder.hook(no_bad_words()).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("A bad prompt").stream()).await;
    assert_eq!(ended.unwrap().text(), "Not that.");
    assert_eq!(reports(&events), [(GuardedContent::Prompt, GuardrailAction::Blocked, 1)]);
    assert_eq!(model.requests().len(), 0);
    let texts: Vec<_> = sessions.messages("a").iter().map(|message| message.text()).collect();
    assert_eq!(texts, ["[blocked by a guardrail]", "Not that."]);
    assert_eq!(agent.prompt("Hi").await.unwrap().text(), "Hello.");
}

#[tokio::test]
async fn a_blocked_tool_result_is_an_error_result() {
    for fails in [false, true] {
        let model = ScriptedModel::new([ScriptedTurn::tool_use("look", json!({})), ScriptedTurn::text("done")]);
        let look = tool("look", move |_, _| async move {
            if fails { Err(ToolError::new("bad error")) } else { Ok(ToolOutput::text("bad result")) }
        });
        let mut agent = template(&model, [look]).hook(no_bad_words()).build().await.unwrap();
        let (events, ended) = listen(agent.prompt("go").stream()).await;
        ended.unwrap();
        let result = agent.messages()[2].tool_results().next().unwrap();
        assert_eq!((text_of(result).as_str(), result.is_error()), ("Not that.", true));
        assert_eq!(reports(&events), [(GuardedContent::ToolResult, GuardrailAction::Blocked, 1)]);
        assert!(!serde_json::to_string(&events).unwrap().contains("bad "));
    }
}

#[tokio::test]
async fn blocked_arguments_run_no_tool() {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("look", json!({"at": "a bad place"}))]);
    let look = tool("look", |_, _| async { panic!("a blocked call") });
    let mut agent = template(&model, [look]).hook(no_bad_words()).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.text().as_str(), response.stop_reason), ("Not that.", StopReason::GuardrailIntervened));
    assert_eq!(agent.messages().len(), 2);
}

#[tokio::test]
async fn arguments_hide_nothing_in_repeated_fields_and_escapes() {
    for (raw, checked) in
        [(r#"{"a": "secret", "a": "x", "c": 1}"#, r#"{"a":"x","c":1}"#), (r#"{"b": "s\u0065cret"}"#, r#"{"b":"[X]"}"#)]
    {
        let model = ScriptedModel::new([ScriptedTurn::raw_tool_uses([("look", raw)]), ScriptedTurn::text("done")]);
        let look = tool("look", |_, input: Value| async move { Ok(ToolOutput::text(input.to_string())) });
        let mut agent = template(&model, [look]).hook(secrets()).build().await.unwrap();
        let (events, _) = listen(agent.prompt("go").stream()).await;
        let input = events.iter().filter_map(|event| match event {
            AgentEvent::ToolUseDelta { input, .. } => Some(input.as_str()),
            _ => None,
        });
        assert_eq!(input.collect::<String>(), checked);
        assert_eq!(agent.messages()[1].tool_uses().next().unwrap().input.to_string(), checked);
    }
}

#[tokio::test]
async fn changed_reasoning_has_no_signature() {
    for (text, signature) in [("no news", Some("sig")), ("a secret", None)] {
        let events = [
            StreamEvent::reasoning(0, ReasoningDelta::Text(text.into())),
            StreamEvent::reasoning(0, ReasoningDelta::Signature("sig".into())),
            StreamEvent::block_stop(0),
            StreamEvent::text(1, "done"),
        ];
        let model = ScriptedModel::new([response(events)]);
        let mut agent = guarded(&model, secrets()).await;
        agent.prompt("go").await.unwrap();
        let ContentBlock::Reasoning(reasoning) = &agent.messages()[1].content[0] else { panic!("no reasoning") };
        let reasoning = reasoning.reasoning_text.as_ref().unwrap();
        assert_eq!(
            (reasoning.text.as_str(), reasoning.signature.as_deref()),
            (&*text.replace("secret", "[X]"), signature)
        );
    }
}

/// Responses in the shapes that providers send, without anything to redact.
fn shapes() -> Vec<(&'static str, Vec<StreamEvent>)> {
    let reasoning = |index, text: &str| StreamEvent::reasoning(index, ReasoningDelta::Text(text.into()));
    let signature = |index| StreamEvent::reasoning(index, ReasoningDelta::Signature("sig".into()));
    let encrypted = |index| StreamEvent::reasoning(index, ReasoningDelta::RedactedContent(vec![1, 2, 3].into()));
    let call = |index, id: &str| StreamEvent::tool_use(index, ToolUseStart::new(id, "look"));
    let mut signed_call = ToolUseStart::new("call-1", "look");
    signed_call.reasoning_signature = Some("sig".into());
    let server_tool = |index| StreamEvent::provider_content(index, ProviderContent::new("p", json!({"id": [1, 2.5]})));
    let stop = StreamEvent::block_stop;
    vec![
        (
            "signed and encrypted reasoning, text and calls, one after the other",
            vec![
                reasoning(0, "Let me "),
                reasoning(0, "see."),
                signature(0),
                stop(0),
                encrypted(1),
                stop(1),
                StreamEvent::text(2, "I look."),
                stop(2),
                call(3, "call-1"),
                StreamEvent::tool_input(3, "{\"at\": "),
                StreamEvent::tool_input(3, "[1.0, 1e3, \"a\"]}"),
                stop(3),
                call(4, "call-2"),
                stop(4),
            ],
        ),
        (
            "interleaved calls that are not stopped",
            vec![
                StreamEvent::text(0, "I look."),
                call(1, "call-1"),
                call(2, "call-2"),
                StreamEvent::tool_input(1, "{\"at\""),
                StreamEvent::tool_input(2, "{\"at\": 2"),
                StreamEvent::tool_input(1, ": 1}"),
                StreamEvent::tool_input(2, "}"),
            ],
        ),
        (
            "a signature before its text, and one of a call",
            vec![
                signature(0),
                reasoning(0, "so"),
                StreamEvent::text(1, "Well."),
                StreamEvent::tool_use(2, signed_call),
                StreamEvent::tool_input(2, "{}"),
                stop(2),
            ],
        ),
        (
            "content of server tools between texts",
            vec![
                StreamEvent::text(0, "I search"),
                stop(0),
                server_tool(1),
                stop(1),
                server_tool(2),
                StreamEvent::text(3, "Found it."),
                StreamEvent::citation(3, Citation::default()),
                stop(3),
            ],
        ),
        ("arguments that are no JSON", vec![call(0, "call-1"), StreamEvent::tool_input(0, "{\"at\": ")]),
        ("a signature alone", vec![signature(0), stop(0), StreamEvent::text(1, "Done.")]),
    ]
}

#[tokio::test]
async fn a_response_without_findings_stays_as_it_is() {
    let passes = || GuardrailHook::new(Whole(|_: &str| Ok(Verdict::Pass)));
    for (shape, events) in shapes() {
        let mut messages = Vec::new();
        for hooks in [vec![], vec![secrets()], vec![passes()], vec![secrets(), passes()]] {
            let model = ScriptedModel::new([response(events.clone()), ScriptedTurn::text("done")]);
            let look = tool("look", |_, _| async { Ok(ToolOutput::text("found")) });
            let mut builder = template(&model, [look]);
            for hook in hooks {
                builder = builder.hook(hook);
            }
            let mut agent = builder.build().await.unwrap();
            agent.prompt("go").await.unwrap();
            let content = agent.messages().iter().map(|message| serde_json::to_value(&message.content).unwrap());
            messages.push(content.collect::<Vec<_>>());
        }
        let unchecked = &messages[0];
        assert!(messages.iter().all(|checked| checked == unchecked), "{shape}: {messages:#?}");
    }
}

#[tokio::test]
async fn citations_and_provider_content_are_checked() {
    let mut citation = Citation::default();
    citation.title = Some("a secret".into());
    citation.source_content = vec![CitationText::new("the secret")];
    let events = [
        StreamEvent::text(0, "It is so."),
        StreamEvent::citation(0, citation),
        StreamEvent::block_stop(0),
        StreamEvent::provider_content(1, ProviderContent::new("p", json!({"found": ["secret"]}))),
    ];
    let model = ScriptedModel::new([response(events)]);
    let mut agent = guarded(&model, secrets()).await;
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    ended.unwrap();
    let seen = serde_json::to_string(&events).unwrap() + &serde_json::to_string(agent.messages()).unwrap();
    assert!(!seen.replace("\"secrets\"", "").contains("secret"), "{seen}");
}

#[tokio::test]
async fn citations_of_a_prompt_are_checked() {
    let cited = json!({"role": "assistant", "content": [{"citationsContent": {
        "citations": [{
            "title": "a secret",
            "location": {"web": {"url": "https://secret.example"}},
            "sourceContent": [{"text": "the secret"}],
        }],
        "content": [{"text": "It is a secret."}],
    }}]});
    let [question, more] = ["Is it?", "And?"].map(|text| Message::new(Role::User, [text]));
    let messages = vec![question, serde_json::from_value(cited).unwrap(), more];
    let model = ScriptedModel::responding("done");
    let mut agent = guarded(&model, secrets()).await;
    agent.prompt(messages).await.unwrap();
    let stored = serde_json::to_string(agent.messages()).unwrap();
    assert!(stored.matches("[X]").count() == 4 && !stored.contains("secret"), "{stored}");
}

#[tokio::test]
async fn a_check_that_fails_blocks_unless_failures_pass() {
    type Fails = fn(&str) -> Result<Verdict, BoxError>;
    let failures: [Fails; 3] = [
        |_| Err("secret error".into()),
        |_| panic!("secret panic"),
        |_| Ok(Verdict::Redact(vec![Redaction::new(1..99, "")])),
    ];
    for fails in failures {
        let model = ScriptedModel::responding("Hello.");
        let mut agent = guarded(&model, GuardrailHook::new(Whole(fails))).await;
        assert_eq!(agent.prompt("Hi").await.unwrap().text(), "blocked, since the check `whole` failed");
        assert_eq!(model.requests().len(), 0);
        let model = ScriptedModel::responding("Hello.");
        let mut agent = guarded(&model, GuardrailHook::new(Whole(fails)).pass_on_failure()).await;
        assert_eq!(agent.prompt("Hi").await.unwrap().text(), "Hello.");
        // The same in a response.
        let model = ScriptedModel::responding("Hello.");
        let hook = GuardrailHook::new(Whole(fails)).only([GuardedContent::Response]);
        let mut agent = guarded(&model, hook).await;
        let response = agent.prompt("Hi").await.unwrap();
        assert_eq!(response.stop_reason, StopReason::GuardrailIntervened);
        assert!(!format!("{:?}", agent.messages()).contains("Hello"));
    }
}

/// Never returns a verdict.
struct Stuck;

#[async_trait]
impl Guardrail for Stuck {
    fn name(&self) -> &str {
        "stuck"
    }

    async fn check(&self, _: &Check<'_>) -> Result<Verdict, BoxError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_takes_too_long_blocks() {
    let model = ScriptedModel::responding("Hello.");
    let hook = GuardrailHook::new(Stuck).only([GuardedContent::Response]).timeout(Duration::from_secs(3));
    let mut agent = guarded(&model, hook).await;
    let response = agent.prompt("Hi").await.unwrap();
    assert_eq!(response.text(), "blocked, since the check `stuck` failed");
}

#[tokio::test(start_paused = true)]
async fn content_whose_check_is_cancelled_is_neither_stored_nor_emitted() {
    for (content, text) in [
        (GuardedContent::Prompt, "of the prompt"),
        (GuardedContent::ToolArguments, "of the arguments"),
        (GuardedContent::ToolResult, "of the result"),
        (GuardedContent::Response, "of the response"),
    ] {
        let model = ScriptedModel::new([
            ScriptedTurn::tool_use("look", json!({"at": "of the arguments"})),
            ScriptedTurn::text("of the response"),
        ]);
        let look = tool("look", |_, _| async { Ok(ToolOutput::text("of the result")) });
        let sessions = InMemorySessionManager::new("s");
        let hook = GuardrailHook::new(Stuck).only([content.clone()]).timeout(Duration::from_secs(60));
        let builder = template(&model, [look]).agent_id("a").session_manager(sessions.clone());
        let mut agent = builder.hook(hook).build().await.unwrap();
        let token = CancellationToken::new();
        let cancel = token.clone();
        let (ended, ()) = tokio::join!(listen(agent.prompt("of the prompt").cancel_with(token).stream()), async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.cancel();
        });
        let (events, response) = ended;
        assert_eq!(response.unwrap().stop_reason, StopReason::Cancelled, "{content:?}");
        let seen = serde_json::to_string(&events).unwrap()
            + &serde_json::to_string(&sessions.messages("a")).unwrap()
            + &serde_json::to_string(agent.messages()).unwrap()
            + &format!("{:?}", model.requests());
        assert!(!seen.contains(text), "{content:?}: {seen}");
    }
}

#[tokio::test]
async fn texts_beyond_the_limits_are_blocked() {
    struct Short;
    #[async_trait]
    impl Guardrail for Short {
        fn name(&self) -> &str {
            "short"
        }
        fn window(&self) -> Window {
            Window::whole(10)
        }
        async fn check(&self, _: &Check<'_>) -> Result<Verdict, BoxError> {
            Ok(Verdict::Pass)
        }
    }
    let endless = (0..100).map(|_| StreamEvent::text(0, "0123"));
    let arguments =
        [StreamEvent::tool_use(0, ToolUseStart::new("c", "look")), StreamEvent::tool_input(0, "0123456789")];
    for (hook, events) in [
        (GuardrailHook::new(Short), endless.clone().collect::<Vec<_>>()),
        (no_bad_words().max_held_bytes(10), endless.collect()),
        (secrets().max_held_bytes(9), arguments.to_vec()),
    ] {
        let model = ScriptedModel::new([response(events)]);
        let mut agent = guarded(&model, hook).await;
        let response = agent.prompt("Hi").await.unwrap();
        assert_eq!(response.stop_reason, StopReason::GuardrailIntervened);
        assert!(response.text().starts_with("blocked"), "{}", response.text());
    }
}

#[tokio::test]
async fn text_that_is_held_back_is_dropped_when_the_response_breaks_off() {
    let broken = response([StreamEvent::text(0, "a bad"), StreamEvent::text(0, "ly cut text")]);
    let error = strands_core::models::ModelError::transport("reset");
    let model = ScriptedModel::new([broken.breaking_after(3, error), ScriptedTurn::text("second")]);
    let mut agent = guarded(&model, no_bad_words()).await;
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    assert_eq!(ended.unwrap().text(), "second");
    assert_eq!(deltas(&events), ["second"]);
}

#[tokio::test]
async fn responses_to_interrupts_are_checked() {
    for (reply, blocks) in [("the secret", false), ("a bad reply", true)] {
        let model = ScriptedModel::new([ScriptedTurn::tool_use("ask", json!({})), ScriptedTurn::text("done")]);
        let replies = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&replies);
        let ask = tool("ask", move |ctx, _| {
            let seen = Arc::clone(&seen);
            async move {
                seen.lock().unwrap().push(ctx.interrupt("which", "which one?")?);
                Ok(ToolOutput::text("done"))
            }
        });
        let mut agent = template(&model, [ask]).hook(secrets()).hook(no_bad_words()).build().await.unwrap();
        let interrupted = agent.prompt("go").await.unwrap();
        let resumed = agent.prompt(Prompt::none()).resume([interrupted.interrupts[0].respond(reply)]).await;
        if blocks {
            assert!(matches!(resumed, Err(AgentError::Hook { .. })), "{resumed:?}");
            assert_eq!(agent.interrupts().len(), 1);
        } else {
            resumed.unwrap();
            assert_eq!(*replies.lock().unwrap(), ["the [X]"]);
        }
    }
}

#[tokio::test]
async fn structured_output_is_that_of_the_checked_text() {
    #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
    struct Found {
        word: String,
    }
    let model = ScriptedModel::from_fn(|request| {
        let name = request.tools.iter().last().unwrap().name.clone();
        ScriptedTurn::tool_use(name, json!({"word": "a secret"}))
    });
    let mut agent = guarded(&model, secrets()).await;
    let (events, ended) = listen(agent.prompt("go").output::<Found>().stream()).await;
    assert_eq!(ended.unwrap().output.unwrap().word, "a [X]");
    let partial = events.iter().filter_map(|event| match event {
        AgentEvent::PartialOutput { value } => Some(value.to_string()),
        _ => None,
    });
    assert!(partial.into_iter().all(|value| !value.contains("secret")));
}

/// Appends a text to the prompt and to tool results, as a hook that was added later.
struct Appends(&'static str);

#[async_trait]
impl Hook for Appends {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        event.prompt.push(Message::new(Role::User, [self.0]));
        Ok(())
    }

    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        event.result.content.push(self.0.into());
        Ok(())
    }
}

#[tokio::test]
async fn the_first_hook_checks_the_results_of_later_ones() {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("look", json!({})), ScriptedTurn::text("done")]);
    let look = tool("look", |_, _| async { Ok(ToolOutput::text("found")) });
    let mut agent = template(&model, [look]).hook(secrets()).hook(Appends("secret")).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!(text_of(agent.messages().iter().find_map(|message| message.tool_results().next()).unwrap()), "found[X]");
}

/// Fails after a tool.
struct Fails;

#[async_trait]
impl Hook for Fails {
    async fn after_tool_call(&self, _: &mut AfterToolCall<'_>) -> HookResult {
        Err("no".into())
    }
}

#[tokio::test]
async fn a_result_is_checked_after_another_hook_has_failed() {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("look", json!({})), ScriptedTurn::text("done")]);
    let look = tool("look", |_, _| async { Ok(ToolOutput::text("a secret")) });
    let mut agent = template(&model, [look]).hook(secrets()).hook(Fails).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    assert!(matches!(ended, Err(AgentError::Hook { .. })), "{ended:?}");
    let seen = serde_json::to_string(&events).unwrap() + &serde_json::to_string(agent.messages()).unwrap();
    assert!(seen.contains("a [X]") && !seen.replace("\"secrets\"", "").contains("secret"), "{seen}");
}

#[tokio::test]
async fn a_direct_call_is_checked() {
    let model = ScriptedModel::responding("unused");
    let look = tool("look", |_, _| async { Ok(ToolOutput::text("a secret")) });
    let agent = template(&model, [look]).hook(secrets()).build().await.unwrap();
    let outcome = agent.call_tool("look", json!({})).await.unwrap();
    assert!(!format!("{outcome:?}").contains("secret"), "{outcome:?}");
}

#[tokio::test]
async fn an_agent_without_guardrails_passes_text_unchanged() {
    let model = ScriptedModel::responding("a secret");
    let mut agent = agent(&model, []).await;
    let (events, _) = listen(agent.prompt("go").stream()).await;
    assert_eq!(deltas(&events).concat(), "a secret");
    assert_eq!(reports(&events), []);
}
