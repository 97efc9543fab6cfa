//! Turns from their start to their end: identity, failures, tokens, cancellation, limits and output.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use strands::durable::restate::{ObjectAgent, ObjectAgentError, ObjectErrorKind, SecretString};
use strands::models::StopReason;
use strands::schemars::{self, JsonSchema};
use strands::serde::Deserialize;
use strands::testing::contract::check_promptable;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentEvent, CancellationToken, Limits, PromptRequest, Promptable, StreamExt, TraceContext};

use crate::fake::Fake;
use crate::{builder, kind, prompted};

#[tokio::test]
async fn keeps_the_contract_of_promptables() {
    let fake = Fake::start().await;
    let agent = builder(&fake).build().unwrap();
    check_promptable(&agent, || PromptRequest::new("hi")).await.unwrap();
    check_promptable(&agent, || PromptRequest::new("approve")).await.unwrap();
    assert!(agent.is_idempotent() && Arc::new(agent).is_idempotent());
}

#[tokio::test]
async fn requests_with_one_key_start_one_turn() {
    let fake = Fake::start().await;
    let agent = builder(&fake).build().unwrap();
    for _ in 0..2 {
        let response = prompted(&agent, PromptRequest::new("hi").idempotency_key("run-1.call ö")).await.unwrap();
        assert_eq!(response.text(), "hi, please");
    }
    let keys = |fake: &Fake| fake.log().started.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&fake), ["run-1.call%20%C3%B6"]);
    for _ in 0..2 {
        prompted(&agent, "hi").await.unwrap();
    }
    let mut all = keys(&fake);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn a_fixed_key_and_a_kept_conversation_are_one_object() {
    let fake = Fake::start().await;
    let agent = builder(&fake).key("user-17").build().unwrap();
    prompted(&agent, "hi").await.unwrap();
    let agent = builder(&fake).build().unwrap();
    let first = prompted(&agent, PromptRequest::new("hi").keep_conversation()).await.unwrap();
    let next = PromptRequest::new("and then").continue_from(first.continuation.unwrap());
    assert!(prompted(&agent, next).await.unwrap().continuation.is_none());
    let keys: Vec<String> = fake.log().started.iter().map(|(key, _)| key.clone()).collect();
    assert!(keys[0] == "user-17" && keys[1] == keys[2] && keys[1] != "user-17", "{keys:?}");

    let foreign = PromptRequest::new("hi").continue_from(json!({"service": "Flights", "key": "k"}));
    let error = prompted(&agent, foreign).await.unwrap_err();
    assert!(matches!(kind(&error), ("Hotels", ObjectErrorKind::Continuation)), "{error:?}");
}

#[tokio::test]
async fn repeats_requests_that_the_server_did_not_take() {
    let fake = Fake::start().await;
    fake.log().broken = (3, 503);
    let agent = builder(&fake).build().unwrap();
    assert_eq!(prompted(&agent, "hi").await.unwrap().text(), "hi, please");
    assert_eq!(fake.log().started.len(), 1);

    let gone = ObjectAgent::builder("http://127.0.0.1:1", "Hotels").reconnect_timeout(Duration::from_millis(80));
    let request = PromptRequest::new("secret prompt").idempotency_key("k");
    let error = prompted(&gone.build().unwrap(), request).await.unwrap_err();
    assert!(matches!(kind(&error), ("Hotels/k", ObjectErrorKind::Unreachable { .. })), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn failures_say_which_object_and_why_in_bounded_text() {
    let fake = Fake::start().await;
    let agent = builder(&fake).build().unwrap();
    let error = prompted(&agent, PromptRequest::new("fail").idempotency_key("k")).await.unwrap_err();
    let ("Hotels/k", ObjectErrorKind::Failed { status: 502, message }) = kind(&error) else { panic!("{error:?}") };
    assert!(message.starts_with("no model") && message.len() <= 1024, "{}", message.len());
    assert!(fake.log().cancelled.is_empty());

    let unknown = ObjectAgent::new(&*fake.url, "Flights").unwrap();
    let error = prompted(&unknown, "hi").await.unwrap_err();
    assert!(matches!(kind(&error).1, ObjectErrorKind::Rejected { status: 404, .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("`Flights` failed: a call of the object `Flights/"), "{text}");
    assert!(text.ends_with("the ingress responded with status 404: service 'Flights' not found"), "{text}");

    let error = prompted(&agent, PromptRequest::new(strands::Prompt::none())).await.unwrap_err();
    assert!(matches!(kind(&error).1, ObjectErrorKind::Prompt), "{error:?}");
}

#[tokio::test]
async fn each_request_has_a_token_and_no_text_does() {
    let fake = Fake::start().await;
    let agent = builder(&fake).token(|| async { Ok::<_, std::env::VarError>(SecretString::from("s3cret")) });
    let agent = agent.build().unwrap();
    let response = prompted(&agent, "hi").await.unwrap();
    assert!(
        fake.log().tokens.len() == 3 && fake.log().tokens.iter().all(|token| token.as_deref() == Some("Bearer s3cret"))
    );
    assert!(!format!("{agent:?} {response:?}").contains("s3cret"));

    let failing = builder(&fake).token(|| async { Err::<SecretString, _>("no token today") }).build().unwrap();
    let error = prompted(&failing, "hi").await.unwrap_err();
    assert!(matches!(kind(&error).1, ObjectErrorKind::Token(_)), "{error:?}");
    assert_eq!(fake.log().started.len(), 1);
}

#[test]
fn invalid_settings_are_refused() {
    for url in ["", "localhost:8080", "ftp://a", "http://user:pw@localhost", "http://localhost?q=1"] {
        let error = ObjectAgent::new(url, "Hotels").unwrap_err();
        assert!(matches!(error, ObjectAgentError::Url), "{url}: {error:?}");
    }
    let token = || async { Ok::<_, std::env::VarError>(SecretString::from("s3cret")) };
    let error = ObjectAgent::builder("http://restate.example", "Hotels").token(token).build().unwrap_err();
    assert!(matches!(&error, ObjectAgentError::PlaintextToken { host } if host == "restate.example"), "{error:?}");
    assert!(ObjectAgent::builder("https://restate.example/base", "Hotels").token(token).build().is_ok());
}

/// Reads the start of a stream.
async fn begin(agent: &ObjectAgent, request: PromptRequest) -> strands::PromptStream {
    let mut events = agent.stream(request);
    assert!(matches!(events.next().await, Some(Ok(AgentEvent::Start { .. }))));
    events
}

#[tokio::test]
async fn cancelling_a_request_cancels_its_turn() {
    let fake = Fake::start().await;
    let agent = builder(&fake).build().unwrap();
    for (number, prompt) in ["slow", "starts slowly"].into_iter().enumerate() {
        let token = CancellationToken::new();
        let mut request = PromptRequest::new(prompt).cancel_with(token.clone()).idempotency_key(prompt);
        request.is_durable = number == 0;
        let mut events = begin(&agent, request).await;
        let running = tokio::spawn(async move { events.next().await });
        fake.until(|log| log.started.len() == number + 1).await;
        token.cancel();
        let began = Instant::now();
        let Some(Ok(AgentEvent::Result { response })) = running.await.unwrap() else { panic!("no response") };
        assert_eq!(response.stop_reason, StopReason::Cancelled);
        assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
        // The second one is cancelled once the server has said which one it is.
        fake.acknowledgements.add_permits(number);
        fake.until(|log| log.cancelled.len() == number + 1).await;
    }
    assert_eq!(fake.log().cancelled, ["inv_0", "inv_1"]);
}

#[tokio::test]
async fn dropping_a_stream_cancels_its_turn_unless_it_is_durable() {
    let fake = Fake::start().await;
    let agent = builder(&fake).build().unwrap();
    let mut durable = PromptRequest::new("slow").idempotency_key("durable");
    durable.is_durable = true;
    for (number, request) in [durable, PromptRequest::new("slow").idempotency_key("plain")].into_iter().enumerate() {
        let mut events = begin(&agent, request).await;
        let running = tokio::spawn(async move { events.next().await.is_some() });
        fake.until(|log| log.started.len() == number + 1).await;
        running.abort();
        assert!(running.await.is_err());
    }
    // The cancellation of the durable one would have come first.
    fake.until(|log| !log.cancelled.is_empty()).await;
    assert_eq!(fake.log().cancelled, ["inv_1"]);
}

#[tokio::test]
async fn the_caller_stops_the_turn_at_its_deadline() {
    let fake = Fake::start().await;
    let agent = builder(&fake).build().unwrap();
    let request = PromptRequest::new("slow").limits(Limits::new().turns(7).duration(Duration::from_millis(300)));
    let response = prompted(&agent, request).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitDuration);
    fake.until(|log| log.cancelled.len() == 1).await;
    let limits: Limits = serde_json::from_value(fake.log().started[0].1["limits"].clone()).unwrap();
    let debug = format!("{limits:?}");
    assert!(debug.contains("turns: Some(4)") && debug.contains("duration: Some("), "{debug}");
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "strands::serde")]
struct Price {
    #[expect(dead_code, reason = "it is only validated")]
    euros: u32,
}

#[tokio::test]
async fn a_tool_of_an_agent_charges_its_usage_and_passes_on_what_is_left() {
    let fake = Fake::start().await;
    let agent = builder(&fake).name("hotels").turn_metadata(|request| {
        let tenant = request.injected::<String>().map(|tenant| ("tenant".to_owned(), json!(tenant)));
        tenant.into_iter().collect()
    });
    let tool = agent.build().unwrap().as_tool().output::<Price>();
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("hotels", json!({"input": "price"})),
        ScriptedTurn::tool_use("hotels", json!({"input": "price again"})),
        ScriptedTurn::text("420 euros."),
    ]);
    let mut outer = Agent::builder().model(model).tools([tool]).limits(Limits::new().turns(6)).build().await.unwrap();
    let trace: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    let response = outer.prompt("go").inject("acme".to_owned()).inject(trace).await.unwrap();
    // Two calls of the model, and three of each turn elsewhere: no more is left.
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 8));
    assert_eq!(outer.messages()[2].tool_results().next().unwrap().content, vec![json!({"euros": 420}).into()]);
    let log = fake.log();
    let inputs: Vec<_> = log.started.iter().map(|(_, input)| input).collect();
    assert_eq!(inputs[0]["metadata"], json!({"tenant": "acme"}));
    assert_eq!((&inputs[0]["limits"]["turns"], &inputs[1]["limits"]["turns"]), (&json!(4), &json!(1)));
    assert!(inputs[0]["traceparent"].as_str().unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
    assert_eq!(inputs[0]["output"]["name"], "Price");
}
