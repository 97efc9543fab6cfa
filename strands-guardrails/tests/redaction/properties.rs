//! Random texts, split at random places, through an agent with a session and a journal.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use strands_core::guardrails::GuardrailHook;
use strands_core::models::{ReasoningDelta, StopReason, StreamEvent, ToolUseStart};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentEvent, BoxFuture, Journal, JournalError, JournalStep, StreamExt, Tool, ToolContext, ToolError,
    ToolOutput, ToolSpec, async_trait,
};
use strands_guardrails::{PiiKind, PiiRedactor, PiiVault};

use crate::planted::{assert_clean, cuts, noise, response, split, text};

pub(crate) fn redactor() -> PiiRedactor {
    PiiRedactor::builder().kinds(PiiKind::ALL).pattern("CUSTOMER", r"\bC-[0-9]{6}\b").build().unwrap()
}

pub(crate) fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// A tool that returns these texts, as text and as JSON.
struct Lookup {
    spec: ToolSpec,
    texts: Vec<String>,
}

impl Lookup {
    fn new(texts: Vec<String>) -> Self {
        Self { spec: ToolSpec::new("lookup", "Looks something up.", json!({"type": "object"})), texts }
    }
}

#[async_trait]
impl Tool for Lookup {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        match self.texts.first() {
            Some(first) if self.texts.len().is_multiple_of(2) => Err(ToolError::new(first.clone())),
            _ => Ok(ToolOutput::json(json!({"texts": self.texts, "keyed": {self.texts.concat(): true}}))),
        }
    }
}

/// A journal that records all values.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<Vec<Value>>>);

impl Journal for Recorded {
    fn step<'a>(
        &'a self,
        _: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        Box::pin(async {
            let value = effect.await;
            self.0.lock().unwrap().push(value.clone());
            Ok(value)
        })
    }

    fn sleep<'a>(&'a self, _: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            tokio::time::sleep(time).await;
            Ok(())
        })
    }

    fn random(&self) -> u64 {
        7
    }
}

/// Everything that an invocation made visible.
struct Seen {
    texts: Vec<String>,
    events: String,
}

/// Way in which an agent is prompted. An agent has a session or a journal.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Awaited,
    Streamed,
    Journaled,
}

/// Prompts an agent whose model calls a tool and then responds.
async fn seen(prompt: &str, texts: &[Vec<&str>], arguments: &[&str], mode: Mode, vault: Option<&PiiVault>) -> Seen {
    let mut call = vec![
        StreamEvent::start(),
        StreamEvent::reasoning(0, ReasoningDelta::Text(texts.concat().concat())),
        StreamEvent::block_stop(0),
        StreamEvent::tool_use(1, ToolUseStart::new("call-1", "lookup")),
    ];
    call.extend(arguments.iter().map(|chunk| StreamEvent::tool_input(1, *chunk)));
    call.extend([StreamEvent::block_stop(1), StreamEvent::stop(StopReason::ToolUse)]);
    let model = ScriptedModel::new([ScriptedTurn::events(call), ScriptedTurn::events(response(texts))]);
    let sessions = InMemorySessionManager::new("s");
    let journal = Recorded::default();
    let results = texts.iter().map(|chunks| chunks.concat()).collect();
    let mut builder = Agent::builder()
        .model(model.clone())
        .agent_id("a")
        .tool(Lookup::new(results))
        .hook(GuardrailHook::new(redactor()));
    if let Some(vault) = vault {
        builder = builder.inject(vault.clone());
    }
    if mode != Mode::Journaled {
        builder = builder.session_manager(sessions.clone());
    }
    let mut agent = builder.build().await.unwrap();
    let mut events = String::new();
    let response = if mode == Mode::Streamed {
        let mut stream = agent.prompt(prompt).stream();
        let mut response = None;
        while let Some(event) = stream.next().await {
            let event = event.unwrap();
            events.push_str(&serde_json::to_string(&event).unwrap());
            if let AgentEvent::Result { response: ended } = event {
                response = Some(*ended);
            }
        }
        response.unwrap()
    } else if mode == Mode::Journaled {
        agent.prompt(prompt).journal(&journal).await.unwrap()
    } else {
        agent.prompt(prompt).await.unwrap()
    };
    assert_clean("the events", &events);
    assert_clean("the response", &serde_json::to_string(&response).unwrap());
    assert_clean("the journal", &serde_json::to_string(&*journal.0.lock().unwrap()).unwrap());
    assert_clean("the messages in the session", &serde_json::to_string(&sessions.messages("a")).unwrap());
    assert_clean("the record in the session", &format!("{:?}", sessions.record("a")));
    for request in model.requests() {
        assert_clean("a request", &format!("{request:?}"));
    }
    if mode != Mode::Journaled {
        let stored = serde_json::to_value(sessions.messages("a")).unwrap();
        assert_eq!(stored, serde_json::to_value(agent.messages()).unwrap());
    }
    assert_clean("the history", &serde_json::to_string(agent.messages()).unwrap());
    let last = &response.message;
    Seen { texts: last.content.iter().map(|block| block.as_text().unwrap_or_default().to_owned()).collect(), events }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_original_is_emitted_stored_or_sent(
        prompt in text(),
        texts in vec((text(), cuts()), 1..4),
        arguments in text(),
        argument_cuts in cuts(),
        mode in select(vec![Mode::Awaited, Mode::Streamed, Mode::Journaled]),
        has_vault: bool,
    ) {
        // A block without text is no block.
        let texts: Vec<_> = texts.into_iter().filter(|(text, _)| !text.is_empty()).collect();
        let chunks: Vec<_> = texts.iter().map(|(text, cuts)| split(text, cuts)).collect();
        let arguments = json!({"query": [&arguments], (arguments.as_str()): 4_111_111_111_111_111_u64}).to_string();
        let arguments = split(&arguments, &argument_cuts);
        let vault = has_vault.then(PiiVault::new);
        let seen = run(seen(&prompt, &chunks, &arguments, mode, vault.as_ref()));
        // The result is that of the whole texts, however they were split.
        let whole: Vec<_> = texts.iter().map(|(text, _)| match &vault {
            Some(vault) => redactor().redact_into(text, vault),
            None => redactor().redact(text),
        }).collect();
        prop_assert_eq!(&seen.texts, &whole);
        prop_assert_eq!(seen.events.is_empty(), mode != Mode::Streamed);
        if let Some(vault) = vault {
            let restored: Vec<_> = seen.texts.iter().map(|text| vault.restore(text)).collect();
            let original: Vec<_> = texts.iter().map(|(text, _)| text.clone()).collect();
            prop_assert_eq!(restored, original);
        }
    }

    #[test]
    fn a_split_text_has_the_result_of_the_whole_text(text in prop_oneof![noise(), "\\PC{0,200}"], cuts in cuts()) {
        let whole = redactor().redact(&text);
        let chunks = split(&text, &cuts);
        let model = ScriptedModel::new([ScriptedTurn::events(response(&[chunks]))]);
        let streamed = run(async {
            let hook = GuardrailHook::new(redactor());
            let mut agent = Agent::builder().model(model).hook(hook).build().await.unwrap();
            let mut stream = agent.prompt("go").stream();
            let mut streamed = String::new();
            while let Some(event) = stream.next().await {
                if let AgentEvent::TextDelta { text } = event.unwrap() {
                    streamed.push_str(&text);
                }
            }
            streamed
        });
        prop_assert_eq!(streamed, whole);
    }

    #[test]
    fn a_vault_restores_any_text(text in noise()) {
        let vault = PiiVault::new();
        let redacted = redactor().redact_into(&text, &vault);
        prop_assert_eq!(vault.restore(&redacted), text);
    }
}
