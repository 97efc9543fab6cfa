//! Recording and replay of model responses: the same turns, no secrets, and a clear error for a request that differs.

use std::error::Error;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use proptest::prelude::*;
use serde_json::json;
use strands_core::message::{ImageBlock, ImageFormat, Message, ProviderContent};
use strands_core::metrics::Usage;
use strands_core::models::{
    ErrorDetails, Fallback, Model, ModelCapabilities, ModelError, ModelErrorKind, ModelRequest, ReasoningDelta,
    Recorder, RecordingError, Replay, ReplayError, RequestMatching, RequestPart, StopReason, StreamEvent, ToolUseStart,
};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, AgentError, AgentEvent, RetryPolicy, ToolOutput};

use crate::support::{FnTool, kinds, listen, naming, tool};

/// A sink that can be read, and that fails after this many bytes.
#[derive(Clone)]
pub(crate) struct Paper {
    written: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl Paper {
    pub(crate) fn new() -> Self {
        Self { written: Arc::default(), room: usize::MAX }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.written.lock().unwrap();
        if written.len() + bytes.len() > self.room {
            return Err(io::Error::other("the paper is full"));
        }
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn builder(model: impl Model + 'static, tools: impl IntoIterator<Item = FnTool>) -> AgentBuilder {
    tools.into_iter().fold(Agent::builder().model(model), AgentBuilder::tool)
}

/// Results of prompts to an agent with the tool `look`.
async fn run(model: impl Model + 'static, prompts: &[&str]) -> (Vec<Vec<AgentEvent>>, Vec<Arc<Message>>) {
    let mut agent = builder(model, [naming("look")]).build().await.unwrap();
    let mut all = Vec::new();
    for prompt in prompts {
        all.push(listen(agent.prompt(*prompt).stream()).await.0);
    }
    (all, agent.messages().to_vec())
}

pub(crate) fn replay(recording: &str) -> Replay {
    recording.parse().unwrap()
}

/// Records one response that is read to its end.
pub(crate) async fn recorded(turn: ScriptedTurn) -> String {
    let paper = Paper::new();
    let recorder = Recorder::new(ScriptedModel::new([turn]), paper.clone());
    ask(&recorder, "go").await;
    recorder.finish().unwrap();
    paper.text()
}

/// Returns all events of a model's response, with the error that ends it.
pub(crate) async fn ask(model: &impl Model, text: &str) -> (Vec<StreamEvent>, Option<ModelError>) {
    let messages = [Arc::new(Message::user(text))];
    let mut events = match model.stream(ModelRequest::new(&messages)).await {
        Ok(events) => events,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut received = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => received.push(event),
            Err(error) => return (received, Some(error)),
        }
    }
    (received, None)
}

fn why(error: &AgentError) -> &ReplayError {
    let AgentError::Model { source, attempts: 1 } = error else { panic!("{error:?}") };
    source.source().unwrap().downcast_ref().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_replay_produces_the_same_events_and_history() {
    let script = ScriptedModel::new([
        ScriptedTurn::tool_uses([("look", json!({"at": 1})), ("look", json!({"at": 2}))]),
        ScriptedTurn::text("I have looked."),
        ScriptedTurn::text("half ").breaking_after(2, ModelError::transport("cut")),
        ScriptedTurn::text("Nothing more."),
    ]);
    let paper = Paper::new();
    let recorder = Recorder::new(script, paper.clone());
    let original = run(recorder.clone(), &["look twice", "and now?"]).await;
    recorder.finish().unwrap();
    assert_eq!(paper.text().lines().count(), 5);

    let model = replay(&paper.text());
    assert_eq!(model.remaining(), 4);
    let (events, messages) = run(model.clone(), &["look twice", "and now?"]).await;
    model.finish().unwrap();
    let contents = |messages: &[Arc<Message>]| -> Vec<_> {
        messages.iter().map(|message| (message.content.clone(), message.metadata.clone())).collect()
    };
    assert_eq!(contents(&messages), contents(&original.1));
    for (events, original) in events.iter().zip(&original.0) {
        assert_eq!(kinds(events), kinds(original));
    }
    let deltas = |events: &[Vec<AgentEvent>]| -> Vec<String> {
        let text =
            |event: &AgentEvent| if let AgentEvent::TextDelta { text } = event { Some(text.clone()) } else { None };
        events.iter().flatten().filter_map(text).collect()
    };
    assert_eq!(deltas(&events), deltas(&original.0), "the same deltas");
}

#[tokio::test(start_paused = true)]
async fn errors_are_replayed_with_their_kind() {
    let details =
        || ErrorDetails::new().with_status(418).with_code("teapot").with_request_id("r-1").with_body("short and stout");
    let beneath = || details().with_source(io::Error::other("beneath")).boxed();
    let errors: Vec<fn(Box<ErrorDetails>) -> ModelError> = vec![
        |details| ModelError::Throttled { retry_after: Some(Duration::from_millis(2_500)), details },
        |details| ModelError::Overloaded { retry_after: None, details },
        |details| ModelError::Unreachable { details },
        |details| ModelError::Transport { details },
        |details| ModelError::MalformedOutput { details },
        |details| ModelError::Timeout { after: Some(Duration::from_secs(9)), details },
        |details| ModelError::ContextOverflow { details },
        |details| ModelError::Authentication { details },
        |details| ModelError::InvalidRequest { details },
        |details| ModelError::ContentFiltered { details },
        |details| ModelError::ResponseTooLarge { limit: Some(42), details },
        |details| ModelError::Protocol { what: "nonsense".to_owned(), details },
    ];
    for error in errors {
        let refusal = ScriptedTurn::error(error(beneath()));
        let broken = ScriptedTurn::text("half of it").breaking_after(2, error(beneath()));
        for (turn, count) in [(refusal, 0), (broken, 2)] {
            let (events, replayed) = ask(&replay(&recorded(turn).await), "go").await;
            let (original, replayed) = (error(beneath()), replayed.unwrap());
            assert_eq!(events.len(), count);
            assert_eq!((replayed.kind(), replayed.to_string()), (original.kind(), original.to_string()));
            assert_eq!(replayed.retry_after(), original.retry_after());
            assert_eq!(replayed.details().body(), original.details().body());
            assert_eq!(replayed.source().unwrap().to_string(), "beneath");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_has_the_capabilities_of_the_recorded_model() {
    let able = ModelCapabilities::new().with_structured_output(true).with_tool_choice(false);
    let paper = Paper::new();
    let recorder = Recorder::new(ScriptedModel::responding("x").with_capabilities(able), paper.clone());
    recorder.finish().unwrap();
    let model = replay(&paper.text());
    assert_eq!((model.model_id(), model.context_window(), model.capabilities()), ("scripted", None, able));
    assert_eq!(model.remaining(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_replay_reports_the_differences_of_a_request() {
    let paper = Paper::new();
    let script = || ScriptedModel::new([ScriptedTurn::tool_use("look", json!({})), ScriptedTurn::text("ok")]);
    run(Recorder::new(script(), paper.clone()), &["How is the weather?"]).await;

    let model = replay(&paper.text());
    let mut agent = builder(model.clone(), [naming("look"), naming("listen")]).build().await.unwrap();
    let error = agent.prompt("How is the wetter?").await.unwrap_err();
    let ReplayError::Mismatch { exchange: 0, differences, .. } = why(&error) else { panic!("{error:?}") };
    let parts: Vec<_> = differences.iter().map(|difference| difference.part).collect();
    assert_eq!(parts, [RequestPart::UserText, RequestPart::Tools]);
    assert!(differences[0].recorded.contains("weather?") && differences[0].actual.contains("wetter?"));
    assert!(why(&error).to_string().contains("listen"), "{}", why(&error));
    let AgentError::Model { source, .. } = &error else { panic!("{error:?}") };
    assert!(!source.to_string().contains("wetter"), "the error itself quotes no conversation: {source}");
    assert!(matches!(model.finish(), Err(ReplayError::Unused { used: 0, exchanges: 2, .. })));

    // The same replay still responds to the right request, and to any if it is configured to.
    let right = run(model.clone(), &["How is the weather?"]).await;
    assert_eq!(right.1.last().unwrap().text(), "ok");
    model.finish().unwrap();
    let loose = replay(&paper.text()).matching(RequestMatching::in_order());
    assert_eq!(run(loose, &["something else"]).await.1.last().unwrap().text(), "ok");
}

#[tokio::test(start_paused = true)]
async fn tool_results_are_compared_on_request_only() {
    let counting = |from: i32| {
        let count = Arc::new(std::sync::atomic::AtomicI32::new(from));
        tool("look", move |_, _| {
            let seen = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async move { Ok(ToolOutput::text(format!("seen {seen}"))) }
        })
    };
    let script = ScriptedModel::new([ScriptedTurn::tool_use("look", json!({})), ScriptedTurn::text("ok")]);
    let paper = Paper::new();
    let mut agent = builder(Recorder::new(script, paper.clone()), [counting(1)]).build().await.unwrap();
    agent.prompt("go").await.unwrap();

    for (matching, fits) in [(RequestMatching::new(), true), (RequestMatching::exact(), false)] {
        let model = replay(&paper.text()).matching(matching);
        let mut agent = builder(model, [counting(7)]).build().await.unwrap();
        assert_eq!(agent.prompt("go").await.is_ok(), fits, "{matching:?}");
    }
    // A tool that fails where it succeeded in the recording does not match.
    let broken = tool("look", |_, _| async { Err(strands_core::ToolError::new("dark")) });
    let mut agent = builder(replay(&paper.text()), [broken]).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(matches!(why(&error), ReplayError::Mismatch { exchange: 1, .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_recording_is_an_error() {
    let model = replay(&recorded(ScriptedTurn::text("hi")).await);
    ask(&model, "go").await;
    model.finish().unwrap();
    let mut agent = builder(model.clone(), []).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(matches!(why(&error), ReplayError::Exhausted { exchanges: 1, .. }), "{error:?}");
    assert!(matches!(model.finish(), Err(ReplayError::Exhausted { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_is_recorded_up_to_its_drop() {
    let paper = Paper::new();
    let script = ScriptedModel::new([ScriptedTurn::text("one two three"), ScriptedTurn::text("four")]);
    let recorder = Recorder::new(script, paper.clone());
    let messages = [Arc::new(Message::user("go"))];
    let mut dropped = recorder.stream(ModelRequest::new(&messages)).await.unwrap();
    for _ in 0..2 {
        dropped.next().await.unwrap().unwrap();
    }
    // The other one ends first, and is still the second.
    ask(&recorder, "go on").await;
    drop(dropped);
    let model = replay(&paper.text());
    let (events, error) = ask(&model, "go").await;
    assert_eq!(events, [StreamEvent::start(), StreamEvent::text(0, "one ")]);
    let error = error.unwrap();
    assert_eq!(error.kind(), ModelErrorKind::InvalidRequest);
    let why: &ReplayError = error.source().unwrap().downcast_ref().unwrap();
    assert!(matches!(why, ReplayError::Dropped { exchange: 0, .. }), "{why}");
    let (events, error) = ask(&model, "go on").await;
    assert!(error.is_none() && events.contains(&StreamEvent::text(0, "four")));
    // A listener that reads the stop reason and no further has the whole response.
    let script = ScriptedModel::new([ScriptedTurn::text("one")]);
    let (paper, messages) = (Paper::new(), [Arc::new(Message::user("go"))]);
    let mut events = Recorder::new(script, paper.clone()).stream(ModelRequest::new(&messages)).await.unwrap();
    while !matches!(events.next().await, Some(Ok(StreamEvent::MessageStop { .. }))) {}
    drop(events);
    assert!(ask(&replay(&paper.text()), "go").await.1.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_failing_sink_ends_the_recording_but_not_the_call() {
    let whole = recorded(ScriptedTurn::text("hi")).await.len();
    for room in [0, 10, whole - 1, whole, whole + 10] {
        let paper = Paper { room, ..Paper::new() };
        let recorder = Recorder::new(ScriptedModel::responding("hi"), paper.clone());
        for _ in 0..3 {
            let (events, error) = ask(&recorder, "go").await;
            assert!(error.is_none() && !events.is_empty());
        }
        let failed = recorder.finish().unwrap_err();
        let first_missing = u64::from(room >= whole);
        let RecordingError::Write { exchange, source } = &failed else { panic!("{failed:?}") };
        assert_eq!((*exchange, source.to_string().as_str()), (first_missing, "the paper is full"), "{room}");
        if room >= whole {
            assert_eq!(replay(&paper.text()).remaining(), 1, "the recorded exchange is complete");
        }
        assert!(recorder.finish().is_err(), "the failure persists");
    }
}

#[tokio::test(start_paused = true)]
async fn no_exchange_is_recorded_after_a_failed_write() {
    /// A sink that fails at its first write.
    struct Late(bool, Paper);

    impl Write for Late {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) { self.1.write(bytes) } else { Err(io::Error::other("too early")) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let paper = Paper::new();
    let recorder = Recorder::new(ScriptedModel::responding("hi"), Late(false, paper.clone()));
    for _ in 0..2 {
        ask(&recorder, "go").await;
    }
    assert!(recorder.finish().is_err());
    assert_eq!(paper.text(), "", "an exchange without its header would be no recording");
}

#[tokio::test(start_paused = true)]
async fn lone_surrogates_in_a_recording_are_replaced() {
    let recording = recorded(ScriptedTurn::text("half: HALF")).await.replace("HALF", "\\ud83d");
    let (events, error) = ask(&replay(&recording), "go").await;
    assert!(error.is_none(), "{error:?}");
    assert!(format!("{events:?}").contains("Text(\"\u{fffd}\")"), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn rejects_files_that_are_not_recordings() {
    let good = recorded(ScriptedTurn::text("hi")).await;
    let bad = |text: &str| text.parse::<Replay>().unwrap_err();
    for text in ["", "\n\n", "hello", "{}", "[1]", r#"{"version":"1","modelId":"x"}"#] {
        assert!(matches!(bad(text), ReplayError::NotARecording(_)), "{text}");
    }
    let newer = good.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(bad(&newer), ReplayError::Version { version: 2, .. }));
    let cut = good.get(..good.len() - 20).unwrap();
    assert!(matches!(bad(cut), ReplayError::Malformed { line: 2, .. }), "{:?}", bad(cut));
    assert!(matches!(Replay::read(&b"\xff"[..]), Err(ReplayError::Read(_))));
    // Fields that a newer writer of the same version adds are ignored.
    let more = good
        .replace("\"version\":1", "\"version\":1,\"new\":[1]")
        .replace("\"exchange\":0", "\"exchange\":0,\"new\":{}");
    assert!(ask(&replay(&more), "go").await.1.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_response_over_the_limit_ends_the_recording() {
    let large = "x".repeat(1 << 20);
    let endless = std::iter::repeat_n(StreamEvent::text(0, large), 65);
    let recorder = Recorder::new(ScriptedModel::new([ScriptedTurn::events(endless)]), Paper::new());
    let (events, error) = ask(&recorder, "go").await;
    assert!(error.is_none() && events.len() == 65);
    assert!(matches!(recorder.finish(), Err(RecordingError::TooLarge { exchange: 0, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_recorded_fallback_replays_its_events() {
    let down = ScriptedModel::new([ScriptedTurn::error(ModelError::transport("refused"))]);
    let paper = Paper::new();
    let recorder = Recorder::new(Fallback::new(down).or(ScriptedModel::responding("hi")), paper.clone());
    let original = run(recorder, &["go"]).await;
    let replayed = run(replay(&paper.text()), &["go"]).await;
    assert_eq!(kinds(&replayed.0[0]), kinds(&original.0[0]));
    assert!(kinds(&replayed.0[0]).contains(&"fallback".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_recorded_cancellation_is_replayed() {
    let script = ScriptedModel::new([ScriptedTurn::text("one two").stalling_after(2), ScriptedTurn::text("again")]);
    let paper = Paper::new();
    let invoke = async |model: Box<dyn Model>| {
        let token = strands_core::CancellationToken::new();
        let mut agent = builder(model, []).retry(RetryPolicy::never()).build().await.unwrap();
        let mut stream = agent.prompt("go").cancel_with(token.clone()).stream();
        while let Some(event) = stream.next().await {
            if let AgentEvent::TextDelta { .. } = event.unwrap() {
                token.cancel();
            }
        }
        drop(stream);
        let response = agent.prompt("go").await.unwrap();
        (response.text(), agent.messages().iter().map(|message| message.text()).collect::<Vec<_>>())
    };
    let original = invoke(Box::new(Recorder::new(script, paper.clone()))).await;
    let model = replay(&paper.text());
    assert_eq!(invoke(Box::new(model.clone())).await, original);
    model.finish().unwrap();
}

/// Streams an arbitrary response in chunks.
fn random_events() -> impl Strategy<Value = Vec<StreamEvent>> {
    let words = "[a-zé \"\\\\{}:,]{0,12}";
    let event = prop_oneof![
        3 => (0_usize..3, words).prop_map(|(index, text)| StreamEvent::text(index, text)),
        2 => (0_usize..3, words).prop_map(|(index, text)| StreamEvent::reasoning(index, ReasoningDelta::Text(text))),
        1 => (0_usize..3, words).prop_map(|(index, text)| StreamEvent::reasoning(index, ReasoningDelta::Signature(text))),
        1 => prop::collection::vec(any::<u8>(), 0..9)
            .prop_map(|bytes| StreamEvent::reasoning(0, ReasoningDelta::RedactedContent(bytes.into()))),
        2 => (0_usize..3, "[a-z]{0,3}").prop_map(|(index, id)| StreamEvent::tool_use(index, ToolUseStart::new(id, "look"))),
        2 => (0_usize..3, words).prop_map(|(index, text)| StreamEvent::tool_input(index, text)),
        1 => (0_usize..3).prop_map(StreamEvent::block_stop),
        1 => words.prop_map(|text| StreamEvent::provider_content(0, ProviderContent::new("p", json!({"said": text})))),
        1 => prop::collection::vec(any::<u8>(), 0..9)
            .prop_map(|bytes| StreamEvent::media(0, ImageBlock::new(ImageFormat::Png, bytes))),
        1 => any::<u32>().prop_map(|cost| StreamEvent::metadata(Usage::new(cost.into(), 1), Default::default())),
        1 => Just(StreamEvent::stop(StopReason::EndTurn)),
        1 => Just(StreamEvent::start_from("p")),
    ];
    prop::collection::vec(event, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn random_responses_are_replayed_event_by_event(events in random_events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let recording = recorded(ScriptedTurn::events(events.clone())).await;
            let (replayed, error) = ask(&replay(&recording), "go").await;
            assert!(error.is_none());
            assert_eq!(replayed, events);
        });
    }
}
