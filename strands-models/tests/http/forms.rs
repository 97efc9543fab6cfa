//! Responses in another form than requested, or with another content type: every provider reads them, and rejects other
//! content at once.

use bytes::Bytes;
use serde_json::Value;
use strands_core::models::{ModelError, ModelRequest};
use strands_testkit::provider::{Provider, Recorded, StreamFormat, Tuned, answer, ask, events, text};
use strands_testkit::{Response, Server, Splits};

use crate::providers::all;

const SAID: &str = "fine.";

/// Returns the JSON of each event of a stream.
fn pieces(provider: &dyn Recorded) -> Vec<String> {
    let stream = String::from_utf8(provider.fine().to_vec()).unwrap();
    let data = |line: &str| match provider.format() {
        StreamFormat::JsonLines => Some(line.to_owned()),
        _ => line.strip_prefix("data: ").map(str::to_owned),
    };
    stream.lines().filter_map(data).filter(|json| !json.is_empty() && json != "[DONE]").collect()
}

/// A body, its content type, and whether the request had streaming off.
type Reply = (String, Option<&'static str>, bool);

/// Returns the same response in every form that servers send.
fn replies(provider: &dyn Recorded) -> Vec<Reply> {
    let stream = String::from_utf8(provider.fine().to_vec()).unwrap();
    let document = provider.fine_document().to_string();
    let pieces = pieces(provider);
    let spaced: String = pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect();
    let mut replies = Vec::new();
    for content_type in [Some("application/json"), Some("text/event-stream"), Some("text/plain"), None] {
        for body in [
            stream.clone(),
            spaced.clone(),
            spaced.replace("data: ", "data:"),
            format!("\u{feff}{stream}"),
            format!("\n\r\n \n{spaced}"),
            format!(": keep-alive\n\n{spaced}"),
            document.clone(),
            format!("\u{feff}\n\n{document}\n"),
            format!("{document}data: [DONE]\n\n"),
            format!("{document}\n\ndata: [DONE]\n\n"),
            format!("{:#}", provider.fine_document()),
        ] {
            replies.extend([false, true].map(|whole| (body.clone(), content_type, whole)));
        }
        replies.push((format!("{}\n", pieces.join("\n")), content_type, false));
        if provider.format() == StreamFormat::ServerSentEvents {
            replies.push((format!("[{}]", pieces.join(",\n")), content_type, false));
        }
    }
    // In line-based formats, a line holds one document.
    let is_of_lines = |body: &str| !body.contains("{\n") && !body.contains("}data:");
    replies.retain(|(body, _, whole)| *whole || provider.format() != StreamFormat::JsonLines || is_of_lines(body));
    replies
}

fn response((body, content_type, _): &Reply) -> Response {
    let response = Response::new(200).body(body.clone()).splits(Splits::Random { seed: 7, max: 16 });
    match content_type {
        Some(content_type) => response.content_type(content_type),
        None => response,
    }
}

#[tokio::test]
async fn reads_responses_in_every_form() {
    for provider in all() {
        for reply in replies(&*provider) {
            let server = Server::repeat(response(&reply)).await;
            let model = provider.model(&server.url(), Tuned { whole: reply.2, ..Tuned::default() }).await;
            let turn =
                answer(&*model, "hi").await.unwrap_or_else(|error| panic!("{}: {reply:?}: {error:?}", provider.name()));
            assert_eq!(turn.message.text(), SAID, "{}: {reply:?}", provider.name());
        }
    }
}

async fn failure(provider: &dyn Provider, response: Response, whole: bool) -> (ModelError, usize) {
    let server = Server::repeat(response).await;
    let model = provider.model(&server.url(), Tuned { whole, ..Tuned::default() }).await;
    let error = answer(&*model, "hi").await.unwrap_err();
    (error, server.requests().len())
}

#[tokio::test]
async fn pages_of_other_servers_are_protocol_errors() {
    for provider in all() {
        for (body, says) in [
            ("<html>Login</html>", "HTML page"),
            ("\n\n<!DOCTYPE html>\n<html><body>data: no</body></html>", "HTML page"),
            ("<?xml version=\"1.0\"?><Error/>", "HTML page"),
            ("It works!", "neither events nor JSON"),
            ("error: no healthy upstream", "neither events nor JSON"),
        ] {
            for (whole, content_type) in
                [(false, "text/html"), (true, "text/html"), (false, "application/json"), (false, "text/event-stream")]
            {
                let response = Response::new(200).content_type(content_type).body(body);
                let (error, requests) = failure(&*provider, response, whole).await;
                let named = format!("{}: {body}: {error:?}", provider.name());
                assert!(matches!(&error, ModelError::Protocol { .. }) && !error.is_retryable(), "{named}");
                assert!(
                    error.to_string().contains(says) && error.to_string().contains("check the base URL"),
                    "{named}"
                );
                assert!(error.details().body().is_some_and(|start| body.ends_with(start)), "{named}");
                assert_eq!(requests, 1);
            }
        }
    }
}

#[tokio::test]
async fn replaces_only_the_broken_characters() {
    for provider in all() {
        let replies = [(provider.fine(), false), (provider.fine_document().to_string().into(), true)];
        for (body, whole) in replies {
            let at = body.windows(SAID.len()).rposition(|said| said == SAID.as_bytes()).unwrap();
            for (half, expected) in [
                (&b"\\ud83d"[..], "\u{fffd}fine."),
                (b"\\uDE00", "\u{fffd}fine."),
                (b"\\ud83d\\ude00", "😀fine."),
                (b"\\\\ud83d", "\\ud83dfine."),
                (b"\xff", "\u{fffd}fine."),
                (b"\xf0\x9f", "\u{fffd}fine."),
                (b"\xed\xa0\xbd", "\u{fffd}\u{fffd}\u{fffd}fine."),
            ] {
                let body: Bytes = [&body[..at], half, &body[at..]].concat().into();
                for splits in [Splits::Whole, Splits::Every(1)] {
                    let response =
                        if whole { Response::new(200).body(body.clone()) } else { provider.response(body.clone()) };
                    let server = Server::repeat(response.splits(splits)).await;
                    let model = provider.model(&server.url(), Tuned { whole, ..Tuned::default() }).await;
                    let (events, error) = events(&*model, ModelRequest::new(&ask("hi"))).await;
                    assert!(error.is_none(), "{}: {half:?}: {error:?}", provider.name());
                    assert_eq!(text(&events), expected, "{}: {half:?}", provider.name());
                }
            }
        }
    }
}

#[tokio::test]
async fn reads_error_documents_of_any_content_type() {
    for provider in all() {
        for (body, expected) in provider.refusing_documents() {
            for content_type in ["text/event-stream", "application/json", "text/plain"] {
                for body in [body.clone(), Value::Array(vec![body.clone()])] {
                    let response = Response::new(200).content_type(content_type).body(body.to_string());
                    let (error, _) = failure(&*provider, response, false).await;
                    let named = format!("{}: {body}: {error:?}", provider.name());
                    if provider.format() == StreamFormat::ServerSentEvents || body.is_object() {
                        assert_eq!(strands_testkit::provider::kind(&error), expected, "{named}");
                    }
                }
            }
        }
    }
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn joins_characters_split_between_two_events() {
    let event = |delta: String| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
    let text = |half: &str| event(format!(r#"{{"content":"{half}"}}"#));
    let piece = |half: &str| event(format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{half}"}}}}]}}"#));
    let begun = crate::chat_completions::pieces(&[crate::chat_completions::call("a", Some("f"), "")]);
    let end = |reason: &str| format!("data: {}\n\ndata: [DONE]\n\n", crate::chat_completions::finish(reason));
    for (pieces, expected) in [
        ([r"a\ud83d", r"\ude00b"], "a😀b"),
        ([r"a\uD83D", r"b"], "a\u{fffd}b"),
        ([r"a\ud83d", r"\ud83d"], "a\u{fffd}\u{fffd}"),
    ] {
        let stream = pieces.map(text).concat() + &end("stop");
        let server = Server::repeat(Response::sse(stream)).await;
        let model = crate::openai::Api::Chat.model(&server.url(), Tuned::default()).await;
        assert_eq!(answer(&*model, "hi").await.unwrap().message.text(), expected, "{pieces:?}");
    }
    for pieces in [[r#"{\"a\":\"\ud83d"#, r#"\ude00\"}"#], [r#"{\"a\":\"\\ud83d"#, r#"\\ude00\"}"#]] {
        let stream = begun.clone() + &pieces.map(piece).concat() + &end("tool_calls");
        let server = Server::repeat(Response::sse(stream)).await;
        let model = crate::openai::Api::Chat.model(&server.url(), Tuned::default()).await;
        let message = answer(&*model, "hi").await.unwrap().message;
        let call = message.tool_uses().next().unwrap();
        assert_eq!(call.input, serde_json::json!({"a": "😀"}), "{pieces:?}");
    }
}
