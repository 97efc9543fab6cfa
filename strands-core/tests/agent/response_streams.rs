//! Response streams that hooks change: what is emitted, stored and returned comes from them alone.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;
use strands_core::hook::{BeforeModelCall, Hook, HookContext};
use strands_core::message::Message;
use strands_core::metrics::Usage;
use strands_core::models::{BlockDelta, ErrorDetails, ModelError, ModelStream, StopReason, StreamEvent};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{AgentError, AgentEvent, RetryPolicy};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fakes::{Recorded, Trip};
use crate::support::{listen, naming, newest_results, template, tool};

/// A hook that changes each stream with a function.
struct Changes<F>(F);

impl<F: Fn(&HookContext, ModelStream) -> ModelStream + Send + Sync> Hook for Changes<F> {
    fn response_stream(&self, context: &HookContext, stream: ModelStream) -> ModelStream {
        (self.0)(context, stream)
    }
}

/// A hook that appends a mark to each text delta.
fn marks(mark: &'static str) -> impl Hook {
    texts(move |text| format!("{}{mark} ", text.trim_end()))
}

/// A hook that changes each text delta.
fn texts(change: impl Fn(&str) -> String + Clone + Send + Sync + 'static) -> impl Hook {
    Changes(move |_: &HookContext, stream: ModelStream| -> ModelStream {
        let change = change.clone();
        Box::pin(stream.map(move |event| match event {
            Ok(StreamEvent::ContentBlockDelta { content_block_index, delta: BlockDelta::Text(text) }) => {
                Ok(StreamEvent::text(content_block_index, change(&text)))
            }
            event => event,
        }))
    })
}

fn streamed(events: &[AgentEvent]) -> String {
    let text = |event: &AgentEvent| match event {
        AgentEvent::TextDelta { text, .. } => Some(text.to_string()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

fn stored(sessions: &InMemorySessionManager) -> Vec<String> {
    sessions.messages("default").iter().map(|message: &Arc<Message>| message.text()).collect()
}

#[tokio::test]
async fn the_last_hook_has_the_stream_of_the_provider() {
    for is_streamed in [false, true] {
        let sessions = InMemorySessionManager::new("s");
        let model = ScriptedModel::new([ScriptedTurn::text("one two"), ScriptedTurn::text("more")]);
        let builder = template(&model, []).hook(marks("a")).hook(marks("b")).session_manager(sessions.clone());
        let mut agent = builder.build().await.unwrap();
        let expected = "oneba twoba ";
        let response = if is_streamed {
            let (events, ended) = listen(agent.prompt("go").stream()).await;
            assert_eq!(streamed(&events), expected);
            ended.unwrap()
        } else {
            agent.prompt("go").await.unwrap()
        };
        assert_eq!(response.text(), expected);
        assert_eq!(agent.messages().last().unwrap().text(), expected);
        assert_eq!(stored(&sessions), ["go", expected]);
        // The next request has what was stored.
        agent.prompt("again").await.unwrap();
        assert_eq!(model.requests()[1].messages[1].text(), expected);
    }
}

#[tokio::test]
async fn a_removed_delta_is_nowhere() {
    let secret = "4111-1111-1111-1111";
    let sessions = InMemorySessionManager::new("s");
    let model = ScriptedModel::new([ScriptedTurn::text(format!("card {secret} charged"))]);
    let redacts = texts(|text| text.replace("4111-1111-1111-1111", "[card]"));
    let mut agent = template(&model, []).hook(redacts).session_manager(sessions.clone()).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    assert_eq!(ended.unwrap().text(), "card [card] charged");
    let everything = format!("{events:?} {:?} {:?}", stored(&sessions), agent.messages());
    assert!(!everything.contains(secret), "{everything}");
}

#[tokio::test]
async fn changed_arguments_are_those_of_the_call() {
    let changes = Changes(|_: &HookContext, stream: ModelStream| -> ModelStream {
        Box::pin(stream.map(|event| match event {
            Ok(StreamEvent::ContentBlockDelta { content_block_index, delta: BlockDelta::ToolUse { .. } }) => {
                Ok(StreamEvent::tool_input(content_block_index, r#"{"to":"Bergen"}"#))
            }
            event => event,
        }))
    });
    let model = ScriptedModel::new([ScriptedTurn::tool_use("t", json!({"to": "Oslo"})), ScriptedTurn::text("done")]);
    let t = tool("t", |_, input| async move { strands_core::ToolOutput::serialize(&input["to"]) });
    let mut agent = template(&model, [t]).hook(changes).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    assert!(newest_results(agent.messages())[0].1.contains("Bergen"));
    let uses = agent.messages().iter().flat_map(|message| message.tool_uses()).map(|call| call.input.clone());
    assert_eq!(uses.collect::<Vec<_>>(), [json!({"to": "Bergen"})]);
}

#[tokio::test]
async fn a_structured_output_is_read_from_the_changed_stream() {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("Trip", json!({"city": "Oslo"}))]);
    let changes = Changes(|_: &HookContext, stream: ModelStream| -> ModelStream {
        Box::pin(stream.map(|event| match event {
            Ok(StreamEvent::ContentBlockDelta { content_block_index, delta: BlockDelta::ToolUse { .. } }) => {
                Ok(StreamEvent::tool_input(content_block_index, r#"{"city":"Bergen"}"#))
            }
            event => event,
        }))
    });
    let mut agent = template(&model, []).hook(changes).build().await.unwrap();
    let trip = agent.prompt("go").output::<Trip>().await.unwrap().output.unwrap();
    assert!(format!("{trip:?}").contains("Bergen"));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_hook_is_like_one_of_the_model() {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let breaks = Changes(move |context: &HookContext, stream: ModelStream| -> ModelStream {
        assert_eq!(context.cycle(), 1);
        if counted.fetch_add(1, Ordering::SeqCst) > 0 {
            return stream;
        }
        Box::pin(stream.take(2).chain(stream::iter([Err(ModelError::transport("cut off"))])))
    });
    let model = ScriptedModel::new([ScriptedTurn::text("one two"), ScriptedTurn::text("three four")]);
    let mut agent = template(&model, []).hook(breaks).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    assert_eq!(ended.unwrap().text(), "three four");
    let retry = events.iter().find_map(|event| match event {
        AgentEvent::Retry { discards_output, .. } => Some(*discards_output),
        _ => None,
    });
    assert_eq!((retry, attempts.load(Ordering::SeqCst)), (Some(true), 2));
    let refuses = Changes(|_: &HookContext, _: ModelStream| -> ModelStream {
        Box::pin(stream::iter([Err(ModelError::InvalidRequest { details: ErrorDetails::new().boxed() })]))
    });
    let model = ScriptedModel::responding("hi");
    let mut agent = template(&model, []).hook(refuses).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(matches!(&error, AgentError::Model { attempts: 1, .. }), "{error:?}");
    assert!(agent.messages().is_empty());
}

#[tokio::test]
async fn each_attempt_has_a_stream_and_a_denied_call_has_none() {
    let count = Arc::new(AtomicU32::new(0));
    let counts = || {
        let count = Arc::clone(&count);
        Changes(move |_: &HookContext, stream: ModelStream| {
            count.fetch_add(1, Ordering::SeqCst);
            stream
        })
    };
    let broken = ScriptedTurn::text("one two three").breaking_after(2, ModelError::transport("connection reset"));
    let model = ScriptedModel::new([broken, ScriptedTurn::text("done")]);
    let delay = Duration::from_millis(1);
    let retry = RetryPolicy::new().initial_delay(delay).max_delay(delay);
    template(&model, []).hook(counts()).retry(retry).build().await.unwrap().prompt("go").await.unwrap();
    assert_eq!(count.swap(0, Ordering::SeqCst), 2);
    let denies = |event: &mut BeforeModelCall<'_>| event.deny = Some("no".into());
    let builder = template(&ScriptedModel::responding("hi"), []).hook(counts()).on_before_model_call(denies);
    assert_eq!(builder.build().await.unwrap().prompt("go").await.unwrap().text(), "no");
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_stream_is_cancelled_in_time() {
    let delays = Changes(|_: &HookContext, stream: ModelStream| -> ModelStream {
        Box::pin(stream.then(|event| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            event
        }))
    });
    let mut agent = template(&ScriptedModel::responding("hi"), []).hook(delays).build().await.unwrap();
    let (token, began) = (CancellationToken::new(), Instant::now());
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        token.cancel();
    };
    let (response, ()) = tokio::join!(agent.prompt("go").cancel_with(token.clone()).into_future(), cancel);
    assert_eq!(response.unwrap().stop_reason, StopReason::Cancelled);
    assert!(began.elapsed() <= Duration::from_millis(1_050), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_replay_has_the_changed_response_and_no_stream() {
    let streams = Arc::new(Mutex::new(0));
    let build = || {
        let streams = Arc::clone(&streams);
        let counts = Changes(move |_: &HookContext, stream: ModelStream| {
            *streams.lock().unwrap() += 1;
            stream
        });
        template(&ScriptedModel::responding("one"), [naming("t")]).hook(marks("a")).hook(counts).build()
    };
    let journal = Recorded::default();
    build().await.unwrap().prompt("go").journal(&journal).await.unwrap();
    let replayed = build().await.unwrap().prompt("go").journal(&journal.replaying()).await.unwrap();
    assert_eq!((replayed.text().as_str(), *streams.lock().unwrap()), ("onea ", 1));
    let recorded = format!("{:?}", journal.entries.lock().unwrap());
    assert!(recorded.contains("onea "), "{recorded}");
}

#[tokio::test]
async fn agents_that_a_hook_prompts_for_a_response_count() {
    let judged = Changes(|_: &HookContext, stream: ModelStream| -> ModelStream {
        Box::pin(stream.then(async |event| {
            if matches!(&event, Ok(StreamEvent::MessageStop { .. })) {
                let judge = ScriptedModel::new([ScriptedTurn::text("fine").with_usage(Usage::new(5, 1))]);
                template(&judge, []).build().await.unwrap().prompt("Is it fine?").await.unwrap();
            }
            event
        }))
    });
    let model = ScriptedModel::new([ScriptedTurn::text("hi").with_usage(Usage::new(10, 2))]);
    let mut agent = template(&model, []).hook(judged).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.turns, response.usage), (2, Usage::new(15, 3)));
}
