//! The fallback model: the order of the models, its announcements, and the error if all of them fail.

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use strands_core::message::Message;
use strands_core::metrics::Usage;
use strands_core::models::{
    ErrorDetails, Fallback, FallbackFailures, FallbackOn, Model, ModelCapabilities, ModelError, ModelErrorKind,
    ModelRequest, ModelStream, StopReason, StreamEvent,
};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, AgentEvent, AgentResponse, RetryPolicy, async_trait};
use tokio::time::{Instant, advance};

use crate::support::{kinds, listen, poll_once};

/// A scripted model with an id and a context window.
#[derive(Clone)]
struct Named {
    id: &'static str,
    window: Option<u64>,
    script: ScriptedModel,
}

fn named(id: &'static str, script: ScriptedModel) -> Named {
    Named { id, window: None, script }
}

impl Named {
    fn window(mut self, window: u64) -> Self {
        self.window = Some(window);
        self
    }

    fn request_count(&self) -> usize {
        self.script.requests().len()
    }
}

#[async_trait]
impl Model for Named {
    fn model_id(&self) -> &str {
        self.id
    }

    fn context_window(&self) -> Option<u64> {
        self.window
    }

    fn capabilities(&self) -> ModelCapabilities {
        self.script.capabilities()
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        self.script.stream(request).await
    }

    async fn count_tokens(&self, _: ModelRequest<'_>) -> Result<u64, ModelError> {
        Ok(self.window.unwrap_or(0))
    }
}

/// A model that always fails with this error.
fn failing(id: &'static str, error: fn() -> ModelError) -> Named {
    named(id, ScriptedModel::from_fn(move |_| ScriptedTurn::error(error())))
}

fn responding(id: &'static str) -> Named {
    named(id, ScriptedModel::responding(format!("I am {id}")))
}

fn refused(kind: ModelErrorKind) -> ModelError {
    kind.into_error(None, ErrorDetails::new())
}

fn throttled(seconds: u64) -> ModelError {
    ModelErrorKind::Throttled.into_error(Some(Duration::from_secs(seconds)), ErrorDetails::new())
}

fn transport() -> ModelError {
    ModelError::transport("connection refused")
}

async fn agent(model: &Fallback) -> Agent {
    Agent::builder().model(model.clone()).retry(RetryPolicy::never()).build().await.unwrap()
}

async fn prompt(model: &Fallback) -> Result<AgentResponse, AgentError> {
    agent(model).await.prompt("go").await
}

/// Outcome of an invocation of a fallback model.
async fn response_text(model: &Fallback) -> String {
    let hour = Duration::from_secs(60 * 60);
    tokio::time::timeout(hour, prompt(model)).await.unwrap().unwrap().text()
}

fn announced(events: &[AgentEvent]) -> Vec<(String, String, String)> {
    let fallback = |event: &AgentEvent| match event {
        AgentEvent::Fallback { from, to, error } => Some((from.clone(), to.clone(), error.clone())),
        _ => None,
    };
    events.iter().filter_map(fallback).collect()
}

#[tokio::test(start_paused = true)]
async fn each_fallback_is_announced_before_the_response() {
    let model = Fallback::new(failing("a", || throttled(30))).or(failing("b", transport)).or(responding("c"));
    let (events, ended) = listen(agent(&model).await.prompt("go").stream()).await;
    assert_eq!(ended.unwrap().text(), "I am c");
    let announced = announced(&events);
    let pairs: Vec<_> = announced.iter().map(|(from, to, _)| (from.as_str(), to.as_str())).collect();
    assert_eq!(pairs, [("a", "b"), ("b", "c")]);
    assert!(announced[0].2.contains("throttled") && announced[1].2.contains("broke off"), "{announced:?}");
    assert_eq!(kinds(&events)[..5], ["start", "cycle_start", "fallback", "fallback", "text_delta"]);
}

#[tokio::test(start_paused = true)]
async fn falls_back_on_provider_errors_but_not_on_request_errors() {
    let failures: Vec<(fn() -> ModelError, bool)> = vec![
        (|| throttled(1), true),
        (|| refused(ModelErrorKind::Overloaded), true),
        (transport, true),
        (|| ModelError::Timeout { after: Some(Duration::from_secs(9)), details: Box::default() }, true),
        (|| refused(ModelErrorKind::Authentication), true),
        (|| refused(ModelErrorKind::MalformedOutput), true),
        (|| ModelError::Unreachable { details: Box::default() }, true),
        (|| ModelError::protocol("nonsense"), true),
        (|| refused(ModelErrorKind::InvalidRequest), false),
        (|| refused(ModelErrorKind::ContentFiltered), false),
        (|| refused(ModelErrorKind::ContextOverflow), false),
        (|| ModelError::ResponseTooLarge { limit: Some(1), details: Box::default() }, false),
    ];
    for (failure, gives_way) in failures {
        let kind = failure().kind();
        let second = responding("b");
        let model = Fallback::new(failing("a", failure)).or(second.clone());
        assert_eq!(prompt(&model).await.is_ok(), gives_way, "{kind:?}");
        assert_eq!(second.request_count(), usize::from(gives_way), "{kind:?}");
        // And the other way round if the user configures it so.
        let only = FallbackOn::new();
        let other = if gives_way { only.without(kind) } else { only.with(kind) };
        let model = Fallback::new(failing("a", failure)).or(responding("b")).on(other);
        assert_eq!(prompt(&model).await.is_ok(), !gives_way, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_closure_can_request_a_fallback() {
    fn coded(code: &str) -> ModelError {
        ModelErrorKind::InvalidRequest.into_error(None, ErrorDetails::new().with_code(code))
    }
    let quota = |error: &ModelError| error.details().code() == Some("insufficient_quota");
    let first = failing("a", || coded("insufficient_quota"));
    let model = Fallback::new(first.clone()).or(responding("b")).when(quota);
    assert_eq!(response_text(&model).await, "I am b");
    assert_eq!(
        (response_text(&model).await.as_str(), first.request_count()),
        ("I am b", 1),
        "the first model is in its cooldown"
    );
    let model = Fallback::new(failing("a", || coded("model_not_found"))).or(responding("b")).when(quota);
    assert!(prompt(&model).await.is_err());
    let model = Fallback::new(failing("a", transport)).or(responding("b")).on(FallbackOn::empty()).when(quota);
    assert!(prompt(&model).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn falls_back_if_a_stream_breaks_before_its_first_content() {
    let silent = |events| {
        let costly = StreamEvent::metadata(Usage::new(7, 0), Default::default());
        let stream_events =
            [StreamEvent::start_from("a"), costly, StreamEvent::text(0, ""), StreamEvent::block_stop(0)];
        ScriptedTurn::events(stream_events.into_iter().take(events))
    };
    for events in 0..=4 {
        for broken in [silent(events), silent(events).breaking_after(events, transport())] {
            let model = Fallback::new(named("a", ScriptedModel::new([broken]))).or(responding("b"));
            let (events, ended) = listen(agent(&model).await.prompt("go").stream()).await;
            assert_eq!(ended.unwrap().text(), "I am b");
            assert_eq!(
                kinds(&events)[..4],
                ["start", "cycle_start", "fallback", "text_delta"],
                "no content of `a` is streamed"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_content_the_retry_starts_with_the_next_model() {
    let broken: Vec<ScriptedTurn> = vec![
        ScriptedTurn::text("half of it").breaking_after(2, throttled(500)),
        ScriptedTurn::tool_use("look", json!({})).breaking_after(2, throttled(500)),
    ];
    for broken in broken {
        let first = named("a", ScriptedModel::new([broken]));
        let model = Fallback::new(first.clone()).or(responding("b"));
        let mut agent = Agent::builder().model(model).build().await.unwrap();
        let began = Instant::now();
        let (events, ended) = listen(agent.prompt("go").stream()).await;
        let response = ended.unwrap();
        assert_eq!((response.text().as_str(), first.request_count()), ("I am b", 1));
        assert_eq!(began.elapsed(), Duration::ZERO, "the wait is for a model that gets no request");
        assert!(announced(&events).is_empty());
        let retried = |event: &AgentEvent| matches!(event, AgentEvent::Retry { discards_output: true, .. });
        assert!(events.iter().any(retried), "{events:?}");
    }
    // A stream that ends without an error after its first content is broken, too.
    let cut = ScriptedTurn::events([StreamEvent::start(), StreamEvent::text(0, "half")]);
    let model = Fallback::new(named("a", ScriptedModel::new([cut]))).or(responding("b"));
    let mut agent = Agent::builder().model(model).build().await.unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().text(), "I am b");
}

#[tokio::test(start_paused = true)]
async fn a_failed_model_is_skipped_during_its_cooldown() {
    let first = named("a", ScriptedModel::new([ScriptedTurn::error(transport()), ScriptedTurn::text("I am a again")]));
    let model = Fallback::new(first.clone()).or(responding("b")).cool_down(Duration::from_secs(20));
    assert_eq!(response_text(&model).await, "I am b");
    advance(Duration::from_secs(19)).await;
    let (events, ended) = listen(agent(&model).await.prompt("go").stream()).await;
    assert_eq!((ended.unwrap().text().as_str(), first.request_count()), ("I am b", 1));
    assert!(announced(&events).is_empty(), "nothing failed in this call");
    advance(Duration::from_secs(1)).await;
    assert_eq!(response_text(&model).await, "I am a again");
}

#[tokio::test(start_paused = true)]
async fn retry_after_sets_the_cooldown() {
    let first =
        named("a", ScriptedModel::new([ScriptedTurn::error(throttled(300)), ScriptedTurn::text("I am a again")]));
    let model = Fallback::new(first.clone()).or(responding("b")).cool_down(Duration::from_secs(20));
    assert_eq!(response_text(&model).await, "I am b");
    advance(Duration::from_secs(299)).await;
    assert_eq!(response_text(&model).await, "I am b");
    advance(Duration::from_secs(1)).await;
    assert_eq!(response_text(&model).await, "I am a again");
    // Even a duration that overflows the clock.
    let for_ever = || ModelErrorKind::Throttled.into_error(Some(Duration::MAX), ErrorDetails::new());
    let model = Fallback::new(failing("a", for_ever)).or(responding("b"));
    assert_eq!(response_text(&model).await, "I am b");
}

#[tokio::test(start_paused = true)]
async fn one_request_probes_a_model_after_its_cooldown() {
    // The first request fails; the next one stalls.
    let stalled = || ScriptedTurn::text("never").stalling_after(1);
    let first = named("a", ScriptedModel::new([ScriptedTurn::error(transport()), stalled(), stalled()]));
    let model = Fallback::new(first.clone()).or(responding("b"));
    assert_eq!(response_text(&model).await, "I am b");
    advance(Duration::from_secs(60)).await;
    let mut probing = agent(&model).await;
    let mut probing = probing.prompt("go").stream();
    for _ in 0..100 {
        let _ = poll_once(&mut probing.next()).await;
    }
    assert_eq!(first.request_count(), 2);
    assert_eq!(
        (response_text(&model).await.as_str(), first.request_count()),
        ("I am b", 2),
        "other requests do not wait for the probe"
    );
}

#[tokio::test(start_paused = true)]
async fn request_errors_start_no_cooldown() {
    let filtered = || ScriptedTurn::error(refused(ModelErrorKind::ContentFiltered));
    let first = named("a", ScriptedModel::new([filtered(), ScriptedTurn::text("I am a again")]));
    let on = FallbackOn::new().with(ModelErrorKind::ContentFiltered);
    let model = Fallback::new(first).or(responding("b")).on(on);
    assert_eq!(response_text(&model).await, "I am b");
    assert_eq!(response_text(&model).await, "I am a again");

    // Nor is a model that works again and finds the first request invalid.
    let invalid = ScriptedTurn::error(refused(ModelErrorKind::InvalidRequest));
    let script = [ScriptedTurn::error(transport()), invalid, ScriptedTurn::text("I am a again")];
    let model = Fallback::new(named("a", ScriptedModel::new(script))).or(responding("b"));
    assert_eq!(response_text(&model).await, "I am b");
    advance(Duration::from_secs(60)).await;
    assert!(prompt(&model).await.is_err());
    assert_eq!(response_text(&model).await, "I am a again");
}

#[tokio::test(start_paused = true)]
async fn models_in_cooldown_are_tried_last() {
    let back = || ScriptedModel::new([ScriptedTurn::error(transport()), ScriptedTurn::text("I am a again")]);
    let second = named("b", ScriptedModel::new([ScriptedTurn::text("I am b"), ScriptedTurn::error(transport())]));
    let model = Fallback::new(named("a", back())).or(second.clone());
    assert_eq!(response_text(&model).await, "I am b");
    let (events, ended) = listen(agent(&model).await.prompt("go").stream()).await;
    assert_eq!(ended.unwrap().text(), "I am a again");
    assert_eq!(announced(&events).len(), 1);
    assert_eq!((announced(&events)[0].0.as_str(), announced(&events)[0].1.as_str()), ("b", "a"));
}

fn failures(error: &AgentError) -> &FallbackFailures {
    let AgentError::Model { source, .. } = error else { panic!("{error:?}") };
    source.source().unwrap().downcast_ref().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_error_of_all_models_is_the_one_to_retry_soonest() {
    let model = Fallback::new(failing("a", || throttled(30)))
        .or(failing("b", || throttled(5)))
        .or(failing("c", || refused(ModelErrorKind::Authentication)));
    let error = prompt(&model).await.unwrap_err();
    let AgentError::Model { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.retry_after(), Some(Duration::from_secs(5)));
    let failures = failures(&error);
    assert_eq!(failures.model_id(), "b");
    let others: Vec<_> = failures.others().map(|(id, error)| (id, error.kind())).collect();
    assert_eq!(others, [("a", ModelErrorKind::Throttled), ("c", ModelErrorKind::Authentication)]);
    for name in ["`a`", "`b`", "`c`"] {
        assert!(failures.to_string().contains(name), "{failures}");
    }

    // Without a retryable error the newest is returned; an error that does not cause a fallback is returned at once.
    let auth = || refused(ModelErrorKind::Authentication);
    let model = Fallback::new(failing("a", auth)).or(failing("b", || refused(ModelErrorKind::InvalidRequest)));
    let model = model.or(responding("c"));
    let error = prompt(&model).await.unwrap_err();
    assert!(matches!(&error, AgentError::Model { source: ModelError::InvalidRequest { .. }, .. }), "{error:?}");
    assert_eq!(failures_of(&error), ["a"]);
    // The error of a single model is unchanged.
    let error = prompt(&Fallback::new(failing("a", transport))).await.unwrap_err();
    let AgentError::Model { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.source().unwrap().to_string(), "connection refused");
}

fn failures_of(error: &AgentError) -> Vec<&str> {
    failures(error).others().map(|(id, _)| id).collect()
}

#[tokio::test(start_paused = true)]
async fn the_loop_retries_if_all_models_fail_temporarily() {
    let once = || ScriptedModel::new([ScriptedTurn::error(throttled(7)), ScriptedTurn::text("back")]);
    let model = Fallback::new(named("a", once())).or(failing("b", || refused(ModelErrorKind::Authentication)));
    let mut agent = Agent::builder().model(model).build().await.unwrap();
    let began = Instant::now();
    assert_eq!(agent.prompt("go").await.unwrap().text(), "back");
    assert_eq!(began.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_context_overflow_falls_back_to_larger_context_windows() {
    let overflow = || refused(ModelErrorKind::ContextOverflow);
    let small = failing("small", overflow).window(8_000);
    let (unknown, as_small, large) =
        (responding("unknown"), responding("as small"), responding("large").window(1_000_000));
    let model = Fallback::new(small.clone()).or(unknown.clone()).or(as_small.clone().window(8_000)).or(large);
    for _ in 0..2 {
        assert_eq!(response_text(&model).await, "I am large");
    }
    assert_eq!(
        (small.request_count(), unknown.request_count(), as_small.request_count()),
        (2, 0, 0),
        "a context overflow starts no cooldown, and unknown context windows are skipped"
    );
    // Without a larger model, the conversation manager reduces the conversation.
    let model = Fallback::new(failing("large", overflow).window(9_000)).or(responding("small").window(8_000));
    let error = prompt(&model).await.unwrap_err();
    assert!(matches!(error, AgentError::ContextOverflow { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn combines_the_capabilities_of_its_models() {
    let able = ModelCapabilities::new().with_structured_output(true);
    let script = |capabilities| ScriptedModel::responding("x").with_capabilities(capabilities);
    let first = named("a", script(able)).window(200_000);
    let model = Fallback::new(first.clone()).or(named("b", script(able)).window(8_000)).or(responding("c"));
    assert_eq!((model.model_id(), model.context_window()), ("a", Some(8_000)));
    assert!(!model.capabilities().structured_output && model.capabilities().tool_choice);
    let unable = named("d", script(able.with_tool_choice(false)));
    assert_eq!(Fallback::new(first.clone()).capabilities(), able);
    assert_eq!(Fallback::new(first.clone()).or(unable).capabilities(), able.with_tool_choice(false));
    let searching = named("e", script(able.with_server_tools(true)));
    assert!(
        Fallback::new(first.clone()).or(searching).capabilities().server_tools,
        "a model with server tools may respond first"
    );

    // The model that would get the request counts the tokens.
    let messages = [Message::user("go").into()];
    let model = Fallback::new(failing("a", transport).window(1)).or(responding("b").window(2));
    assert_eq!(model.count_tokens(ModelRequest::new(&messages)).await.unwrap(), 1);
    response_text(&model).await;
    assert_eq!(model.count_tokens(ModelRequest::new(&messages)).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_response_names_the_model_that_produced_it() {
    let says = |provider: &'static str, tokens| {
        ScriptedTurn::events([
            StreamEvent::start_from(provider),
            StreamEvent::text(0, "hi"),
            StreamEvent::stop(StopReason::EndTurn),
            StreamEvent::metadata(Usage::new(tokens, 1), Default::default()),
        ])
    };
    let first = named("a", ScriptedModel::new([says("one", 100).breaking_after(1, transport())]));
    let model = Fallback::new(first).or(named("b", ScriptedModel::new([says("two", 3)])));
    let mut agent = agent(&model).await;
    let response = agent.prompt("go").await.unwrap();
    assert_eq!(response.usage, Usage::new(3, 1));
    let message = agent.messages().last().unwrap();
    assert_eq!(message.metadata.as_ref().unwrap().provider.as_deref(), Some("two"));
}

#[tokio::test(start_paused = true)]
async fn a_nested_fallback_announces_its_own_models() {
    // A model that announces and then breaks: its announcement stays.
    let inner = StreamEvent::Fallback {
        from: "x".to_owned(),
        to: "y".to_owned(),
        error: "down".to_owned(),
        usage: Usage::default(),
    };
    let broken = ScriptedTurn::events([inner, StreamEvent::start()]).breaking_after(2, transport());
    let model = Fallback::new(named("a", ScriptedModel::new([broken]))).or(responding("c"));
    let (events, ended) = listen(agent(&model).await.prompt("go").stream()).await;
    assert_eq!(ended.unwrap().text(), "I am c");
    let fallbacks = announced(&events);
    let pairs: Vec<_> = fallbacks.iter().map(|(from, to, _)| (from.as_str(), to.as_str())).collect();
    assert_eq!(pairs, [("x", "y"), ("a", "c")]);

    let inner = Fallback::new(failing("a", transport)).or(responding("b"));
    let model = Fallback::new(inner).or(responding("c"));
    let (events, _) = listen(agent(&model).await.prompt("go").stream()).await;
    assert_eq!((announced(&events)[0].0.as_str(), announced(&events)[0].1.as_str()), ("a", "b"));
}

#[tokio::test(start_paused = true)]
async fn buffering_before_the_first_content_is_bounded() {
    // An endless stream without visible content counts as a started response: memory stays bounded.
    let chatter = std::iter::repeat_n(StreamEvent::block_stop(0), 10_000);
    let silent = named("a", ScriptedModel::new([ScriptedTurn::events(chatter)]));
    let model = Fallback::new(silent).or(responding("b"));
    let messages = [Message::user("go").into()];
    let mut events = model.stream(ModelRequest::new(&messages)).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(StreamEvent::ContentBlockStop { .. }))));
}

#[tokio::test]
async fn usage_of_failed_models_is_counted() {
    let costly = |id, input| {
        let usage = StreamEvent::metadata(Usage::new(input, 1), Default::default());
        let turn = ScriptedTurn::events([StreamEvent::start(), usage]).breaking_after(2, ModelError::transport("cut"));
        named(id, ScriptedModel::new([turn]))
    };
    let greeting = ScriptedTurn::text("Hello.").with_usage(Usage::new(5, 2));
    let model = Fallback::new(costly("a", 10)).or(costly("b", 20)).or(named("c", ScriptedModel::new([greeting])));
    let mut agent = Agent::builder().model(model).retry(RetryPolicy::never()).build().await.unwrap();
    let response = agent.prompt("hi").await.unwrap();
    assert_eq!(response.usage, Usage::new(35, 4));
    assert_eq!(agent.metrics().accumulated_usage(), Usage::new(35, 4));
    let own = response.message.metadata.as_ref().unwrap().usage;
    assert_eq!(own, Some(Usage::new(5, 2)), "the size of the conversation is that of its own request");

    let model = Fallback::new(costly("a", 10)).or(costly("b", 20));
    let mut agent = Agent::builder().model(model).retry(RetryPolicy::never()).build().await.unwrap();
    agent.prompt("hi").await.unwrap_err();
    assert_eq!(agent.metrics().accumulated_usage(), Usage::new(30, 2));
}
