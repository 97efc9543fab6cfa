//! Models that violate their contract.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::StreamExt;
use strands_core::async_trait;
use strands_core::message::Message;
use strands_core::models::{ErrorDetails, Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent};
use strands_core::testing::contract::{
    ContractViolation, Promise, check_model, check_model_failure, check_model_secret,
};
use strands_core::testing::{ScriptedModel, ScriptedTurn};

fn sending(events: impl Fn() -> Vec<StreamEvent> + Send + Sync + 'static) -> ScriptedModel {
    ScriptedModel::from_fn(move |_| ScriptedTurn::events(events()))
}

async fn broken(model: impl Model) -> Promise {
    check_model(&model).await.unwrap_err().promise
}

#[tokio::test]
async fn a_stream_that_just_ends_is_caught() {
    let model = sending(|| vec![StreamEvent::start(), StreamEvent::text(0, "Hel")]);
    let violation = check_model(&model).await.unwrap_err();
    assert_eq!(violation.promise, Promise::ModelStreamEnds);
    assert!(violation.to_string().contains("expected a stop event or an error"), "{violation}");
    assert_eq!(check_model_failure(&model).await.unwrap_err().promise, Promise::ModelBrokenResponse);
}

#[tokio::test]
async fn detects_events_out_of_order() {
    let stop = || StreamEvent::stop(StopReason::EndTurn);
    let text = |index| StreamEvent::text(index, "Hello.");
    let (start, block_stop) = (StreamEvent::start, StreamEvent::block_stop);
    for events in [
        vec![text(0), block_stop(0), stop()],
        vec![start(), text(0), stop()],
        vec![start(), text(0), block_stop(0), text(0), block_stop(0), stop()],
        vec![start(), text(0), block_stop(0), stop(), text(1)],
        vec![start(), start(), text(0), block_stop(0), stop()],
        vec![start(), StreamEvent::tool_input(0, "{}"), block_stop(0), stop()],
    ] {
        assert_eq!(broken(sending(move || events.clone())).await, Promise::ModelEventOrder);
    }
}

#[tokio::test]
async fn distinguishes_failing_from_responding_models() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("connection refused")));
    let violation = check_model(&model).await.unwrap_err();
    assert_eq!(violation.promise, Promise::ModelResponds);
    assert!(format!("{violation:?}").contains("connection refused"), "{violation:?}");
    check_model_failure(&model).await.unwrap();
    assert_eq!(
        check_model_failure(&ScriptedModel::responding("Hello.")).await.unwrap_err().promise,
        Promise::ModelBrokenResponse
    );
}

/// A model with one connection, which a dropped call never releases.
struct Occupied(Arc<AtomicBool>);

#[async_trait]
impl Model for Occupied {
    fn model_id(&self) -> &str {
        "occupied"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        if self.0.swap(true, Ordering::Relaxed) {
            return Err(ModelError::Overloaded { retry_after: None, details: ErrorDetails::new().boxed() });
        }
        let stream = ScriptedModel::responding("Hello.").stream(request).await?;
        let occupied = Arc::clone(&self.0);
        Ok(stream
            .inspect(move |event| {
                if let Ok(StreamEvent::Metadata { .. }) = event {
                    occupied.store(false, Ordering::Relaxed);
                }
            })
            .boxed())
    }
}

#[tokio::test]
async fn detects_calls_that_affect_each_other() {
    assert_eq!(broken(Occupied(Arc::default())).await, Promise::ModelResponds);
}

/// A model with a different id each time, or with a constant count of tokens.
struct Unsteady {
    ids: Option<AtomicUsize>,
}

#[async_trait]
impl Model for Unsteady {
    fn model_id(&self) -> &str {
        let asked = self.ids.as_ref().map(|ids| ids.fetch_add(1, Ordering::Relaxed));
        if asked.is_some_and(|asked| asked > 0) { "another" } else { "one" }
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        ScriptedModel::responding("Hello.").stream(request).await
    }

    async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
        if self.ids.is_some() { ScriptedModel::responding("").count_tokens(request).await } else { Ok(7) }
    }
}

#[tokio::test]
async fn detects_changing_ids_and_constant_counts() {
    assert_eq!(broken(Unsteady { ids: Some(AtomicUsize::new(0)) }).await, Promise::ModelStable);
    assert_eq!(broken(Unsteady { ids: None }).await, Promise::ModelCountsTokens);
}

/// A model that leaks its API key.
struct Talkative {
    in_debug: bool,
    answer: fn() -> ScriptedTurn,
}

const KEY: &str = "sk-1234";

impl fmt::Debug for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Talkative").field("key", if self.in_debug { &KEY } else { &"…" }).finish()
    }
}

#[async_trait]
impl Model for Talkative {
    fn model_id(&self) -> &str {
        "talkative"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        ScriptedModel::new([(self.answer)()]).stream(request).await
    }
}

#[tokio::test]
async fn detects_secrets_in_all_outputs() {
    let promise_of = |violation: Result<(), ContractViolation>| {
        let violation = violation.unwrap_err();
        assert!(!format!("{violation:?}").contains(KEY), "{violation:?}");
        violation.promise
    };
    let plain = || ScriptedTurn::text("Hello.");
    check_model_secret(&Talkative { in_debug: false, answer: plain }, KEY).await.unwrap();
    let models = [
        Talkative { in_debug: true, answer: plain },
        Talkative { in_debug: false, answer: || ScriptedTurn::text(format!("Hello, {KEY}.")) },
        Talkative { in_debug: false, answer: || ScriptedTurn::error(ModelError::protocol(format!("bad key {KEY}"))) },
        Talkative {
            in_debug: false,
            answer: || ScriptedTurn::text("Hello.").breaking_after(1, ModelError::transport(format!("?key={KEY}"))),
        },
    ];
    for model in &models {
        assert_eq!(promise_of(check_model_secret(model, KEY).await), Promise::ModelHidesSecrets);
    }
}

#[tokio::test]
async fn accepts_an_echo_model() {
    let model = ScriptedModel::from_fn(|request| {
        ScriptedTurn::text(request.messages.last().map(|message: &Arc<Message>| message.text()).unwrap_or_default())
    });
    check_model(&model).await.unwrap();
}
