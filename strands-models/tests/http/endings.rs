//! End of a response: with a stop reason, with the protocol's end mark, as a document, or because the connection was
//! cut.

use serde_json::{Value, json};
use strands_core::models::{ModelError, StopReason};
use strands_testkit::case::Case;
#[cfg(feature = "openai")]
use strands_testkit::case::cases;

use crate::case::start;

/// A provider's format for the same response.
struct WireFormat {
    provider: &'static str,
    /// Form of a stream's reply.
    form: &'static str,
    /// Events of a stream with the text `4`, without stop reason and end mark.
    text: Value,
    /// The same with a call of the tool `f` instead of text.
    call: Value,
    /// End mark of the stream, if the protocol has one.
    mark: Option<Value>,
    /// Documents with the same content, each without its stop reason in another form.
    documents: Vec<(Value, StopReason)>,
}

/// Returns a document without the reason, with it as `null`, and with it as an empty text.
fn documents(document: &Value, reason: &str, stop_reason: &StopReason) -> Vec<(Value, StopReason)> {
    let with = |value: Value| {
        let mut document = document.clone();
        *document.pointer_mut(reason).unwrap() = value;
        (document, stop_reason.clone())
    };
    let mut without = document.clone();
    let (above, name) = reason.rsplit_once('/').unwrap();
    without.pointer_mut(above).unwrap().as_object_mut().unwrap().shift_remove(name);
    vec![(without, stop_reason.clone()), with(Value::Null), with(json!(""))]
}

fn chat(provider: &'static str) -> WireFormat {
    let call = json!([{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}]);
    let chunk = |delta: &Value| json!([{"choices": [{"index": 0, "delta": delta, "finish_reason": null}]}]);
    let document = |message: &Value| json!({"choices": [{"index": 0, "message": message, "finish_reason": ""}]});
    let (text, call) = (json!({"content": "4"}), json!({"tool_calls": call}));
    let documents = [
        documents(&document(&text), "/choices/0/finish_reason", &StopReason::EndTurn),
        documents(&document(&call), "/choices/0/finish_reason", &StopReason::ToolUse),
    ];
    WireFormat {
        provider,
        form: "sse",
        text: chunk(&text),
        call: chunk(&call),
        mark: Some(json!("[DONE]")),
        documents: documents.concat(),
    }
}

fn responses() -> WireFormat {
    let text = json!({"type": "message", "content": [{"type": "output_text", "text": "4"}]});
    let call = json!({"type": "function_call", "id": "fc", "call_id": "c1", "name": "f", "arguments": "{}"});
    let stream = |item: &Value| json!([{"type": "response.output_item.done", "output_index": 0, "item": item}]);
    let document = |item: &Value| json!({"status": "", "output": [item]});
    let documents = [
        documents(&document(&text), "/status", &StopReason::EndTurn),
        documents(&document(&call), "/status", &StopReason::ToolUse),
    ];
    let mark = json!({"type": "response.completed", "response": {"status": null}});
    WireFormat {
        provider: "responses",
        form: "anthropic",
        text: stream(&text),
        call: stream(&call),
        mark: Some(mark),
        documents: documents.concat(),
    }
}

fn anthropic() -> WireFormat {
    let (text, call) =
        (json!({"type": "text", "text": "4"}), json!({"type": "tool_use", "id": "c1", "name": "f", "input": {}}));
    let stream = |block: &Value| json!([{"type": "content_block_start", "index": 0, "content_block": block}]);
    let document = |block: &Value| json!({"type": "message", "content": [block], "stop_reason": ""});
    let documents = [
        documents(&document(&text), "/stop_reason", &StopReason::EndTurn),
        documents(&document(&call), "/stop_reason", &StopReason::ToolUse),
    ];
    let mark = json!({"type": "message_stop"});
    WireFormat {
        provider: "anthropic",
        form: "anthropic",
        text: stream(&text),
        call: stream(&call),
        mark: Some(mark),
        documents: documents.concat(),
    }
}

fn gemini() -> WireFormat {
    let (text, call) = (json!({"text": "4"}), json!({"functionCall": {"name": "f", "args": {}}}));
    let document = |part: &Value| json!({"candidates": [{"content": {"parts": [part]}, "finishReason": "FINISH_REASON_UNSPECIFIED"}]});
    let mut all = documents(&document(&text), "/candidates/0/finishReason", &StopReason::EndTurn);
    all.extend(documents(&document(&call), "/candidates/0/finishReason", &StopReason::ToolUse));
    all.push((document(&text), StopReason::EndTurn));
    let stream = |part: &Value| json!([document(part)]);
    WireFormat { provider: "gemini", form: "sse", text: stream(&text), call: stream(&call), mark: None, documents: all }
}

fn ollama() -> WireFormat {
    let text = json!({"message": {"content": "4"}, "done": false});
    let call = json!({"message": {"tool_calls": [{"function": {"name": "f", "arguments": {}}}]}, "done": false});
    let mut all = documents(&text, "/done", &StopReason::EndTurn);
    all.extend(documents(&call, "/done", &StopReason::ToolUse));
    all.push((text.clone(), StopReason::EndTurn));
    WireFormat {
        provider: "ollama",
        form: "lines",
        text: json!([text]),
        call: json!([call]),
        mark: Some(json!({"done": true})),
        documents: all,
    }
}

/// Returns the formats of all providers that are compiled in.
fn all() -> Vec<WireFormat> {
    let all = [
        (cfg!(feature = "openai"), chat("openai")),
        (cfg!(feature = "mistral"), chat("mistral")),
        (cfg!(feature = "llamacpp"), chat("llamacpp")),
        (cfg!(feature = "openai"), responses()),
        (cfg!(feature = "anthropic"), anthropic()),
        (cfg!(feature = "gemini"), gemini()),
        (cfg!(feature = "ollama"), ollama()),
    ];
    all.into_iter().filter(|(is_there, _)| *is_there).map(|(_, wire)| wire).collect()
}

impl WireFormat {
    fn case(&self, streaming: bool, reply: &Value) -> Case {
        let case = json!({"provider": self.provider, "options": {"streaming": streaming}, "replies": [reply]});
        Case::parse(&format!("{}, {reply}", self.provider), &case.to_string())
    }

    /// Returns a stream of these events, with its end mark.
    fn stream(&self, events: &Value, marked: bool) -> Case {
        let mut events = events.clone();
        let mark = self.mark.as_ref().filter(|_| marked);
        let is_done = mark.is_some_and(Value::is_string);
        events.as_array_mut().unwrap().extend(mark.filter(|_| !is_done).cloned());
        self.case(true, &json!({self.form: events, "done": is_done}))
    }
}

async fn ends(case: &Case, expected: &StopReason) {
    let name = &case.name;
    let turn = start(case).await.turn().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert_eq!(turn.stop_reason, *expected, "{name}");
    let calls: Vec<_> = turn.message.tool_uses().map(|call| call.name.as_str()).collect();
    let is_call = *expected == StopReason::ToolUse;
    assert_eq!((turn.message.text().as_str(), calls), if is_call { ("", vec!["f"]) } else { ("4", vec![]) }, "{name}");
}

#[tokio::test]
#[cfg(feature = "openai")]
async fn shared_documents_without_a_reason_are_complete() {
    let files = ["2a_empty_finish_document.json", "2c_null_finish_document.json", "2d_null_finish_document_tool.json"];
    for case in cases("finish-reason-missing", &files).into_iter().flatten() {
        let is_call = case.name.ends_with("_tool.json");
        ends(&case, if is_call { &StopReason::ToolUse } else { &StopReason::EndTurn }).await;
    }
}

#[tokio::test]
async fn documents_without_a_reason_are_complete() {
    for wire in all() {
        for (document, expected) in &wire.documents {
            for streaming in [false, true] {
                ends(&wire.case(streaming, &json!({"json": document})), expected).await;
            }
        }
    }
}

#[tokio::test]
async fn streams_with_an_end_mark_and_no_reason_are_complete() {
    for wire in all().into_iter().filter(|wire| wire.mark.is_some()) {
        ends(&wire.stream(&wire.text, true), &StopReason::EndTurn).await;
        ends(&wire.stream(&wire.call, true), &StopReason::ToolUse).await;
    }
}

#[tokio::test]
async fn streams_without_reason_and_end_mark_are_cut() {
    for wire in all() {
        for events in [&wire.text, &wire.call] {
            let case = wire.stream(events, false);
            let error = start(&case).await.turn().await.unwrap_err();
            assert!(matches!(error, ModelError::Transport { .. }), "{}: {error:?}", case.name);
            let said = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            assert!(said.contains("the connection was cut"), "{}: {error}: {said}", case.name);
        }
    }
}

/// Gateways pass on the finish reason of the provider behind them unchanged.
#[tokio::test]
#[cfg(feature = "openai")]
async fn reads_finish_reasons_of_other_providers() {
    let document =
        |reason: &str| json!({"choices": [{"index": 0, "message": {"content": "4"}, "finish_reason": reason}]});
    for (reason, expected) in [
        ("STOP", StopReason::EndTurn),
        ("end_turn", StopReason::EndTurn),
        ("LENGTH", StopReason::MaxTokens),
        ("max_tokens", StopReason::MaxTokens),
        ("MAX_TOKENS", StopReason::MaxTokens),
        ("max_output_tokens", StopReason::MaxTokens),
        ("SAFETY", StopReason::ContentFiltered),
        ("RECITATION", StopReason::ContentFiltered),
        ("refusal", StopReason::ContentFiltered),
    ] {
        ends(&chat("openai").case(false, &json!({"json": document(reason)})), &expected).await;
    }
}

/// The same for gateways that use the protocols of other providers.
#[tokio::test]
async fn reads_token_limit_reasons_of_other_providers() {
    let providers = [
        (
            cfg!(feature = "anthropic"),
            "anthropic",
            "length",
            json!({"content": [{"type": "text", "text": "4"}], "stop_reason": ""}),
            "/stop_reason",
        ),
        (
            cfg!(feature = "anthropic"),
            "anthropic",
            "MAX_TOKENS",
            json!({"content": [{"type": "text", "text": "4"}], "stop_reason": ""}),
            "/stop_reason",
        ),
        (
            cfg!(feature = "ollama"),
            "ollama",
            "LENGTH",
            json!({"message": {"content": "4"}, "done": true, "done_reason": ""}),
            "/done_reason",
        ),
        (
            cfg!(feature = "gemini"),
            "gemini",
            "max_tokens",
            json!({"candidates": [{"content": {"parts": [{"text": "4"}]}, "finishReason": ""}]}),
            "/candidates/0/finishReason",
        ),
    ];
    for (_, provider, word, mut document, place) in providers.into_iter().filter(|(is_there, ..)| *is_there) {
        *document.pointer_mut(place).unwrap() = json!(word);
        let case = json!({"provider": provider, "options": {"streaming": false}, "replies": [{"json": document}]});
        ends(&Case::parse(&format!("{provider}, {word}"), &case.to_string()), &StopReason::MaxTokens).await;
    }
}

/// Some servers send the missing reason as a text in every chunk.
#[tokio::test]
#[cfg(feature = "openai")]
async fn ignores_placeholder_reasons() {
    for none in ["", " ", "null", "NULL", "None"] {
        let chunk = json!([{"choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": none}]}]);
        let chat = chat("openai");
        ends(&chat.stream(&chunk, true), &StopReason::EndTurn).await;
        let error = start(&chat.stream(&chunk, false)).await.turn().await.unwrap_err();
        assert!(matches!(error, ModelError::Transport { .. }), "{none:?}: {error:?}");
    }
}

/// The blank line after the last event is missing.
#[tokio::test]
#[cfg(feature = "openai")]
async fn reads_a_last_event_without_its_blank_line() {
    let chunk = |reason: Value| {
        let choice = json!({"index": 0, "delta": {"content": "4"}, "finish_reason": reason});
        format!("data: {}", json!({"choices": [choice]}))
    };
    let chat = chat("openai");
    let raw = |raw: &str| chat.case(true, &json!({"raw": raw, "content_type": "text/event-stream"}));
    for end in ["", "\n", "\r\n", "\r"] {
        ends(&raw(&format!("{}\n\ndata: [DONE]{end}", chunk(Value::Null))), &StopReason::EndTurn).await;
        ends(&raw(&format!("{}{end}", chunk(json!("length")))), &StopReason::MaxTokens).await;
    }
    let whole = chunk(json!("stop"));
    for cut in [&whole[..whole.len() - 1], &whole[..20], "data: [DON", "data:", "da"] {
        let error = start(&raw(&format!("{}\n\n{cut}", chunk(Value::Null)))).await.turn().await.unwrap_err();
        assert!(matches!(error, ModelError::Transport { .. }), "{cut}: {error:?}");
    }
}

/// Gateways also append the end mark of Chat Completions to other protocols.
#[tokio::test]
async fn accepts_the_end_mark_of_another_protocol() {
    for wire in all().into_iter().filter(|wire| ["responses", "gemini"].contains(&wire.provider)) {
        for (events, expected) in [(&wire.text, StopReason::EndTurn), (&wire.call, StopReason::ToolUse)] {
            ends(&wire.case(true, &json!({wire.form: events, "done": true})), &expected).await;
        }
    }
}

#[tokio::test]
async fn an_empty_response_is_an_error() {
    for wire in all() {
        let case = wire.stream(&json!([]), wire.mark.as_ref().is_some_and(Value::is_string));
        let error = start(&case).await.turn().await.unwrap_err();
        assert!(matches!(error, ModelError::Transport { .. }), "{}: {error:?}", case.name);
        let case = wire.case(false, &json!({"json": {}}));
        let error = start(&case).await.turn().await.unwrap_err();
        assert!(!matches!(error, ModelError::InvalidRequest { .. }), "{}: {error:?}", case.name);
    }
}
