//! Usage of responses that are cut off or cancelled: the counts reported by then are added.

use futures_util::StreamExt;
use serde_json::{Value, json};
use strands_core::metrics::Usage;
use strands_core::{Agent, AgentEvent, CancellationToken, RetryPolicy};
use strands_testkit::case::Case;
use strands_testkit::{Cut, Server};

use crate::case::{greetings, model};

/// Events of a stream with counts, and the expected usage after a number of events.
struct CountedStream {
    provider: &'static str,
    pieces: Vec<Value>,
    counts: Vec<(usize, Usage)>,
}

fn chat(content: &str, usage: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": null}], "usage": usage})
}

fn counted_streams() -> Vec<CountedStream> {
    let started = json!({"type": "message_start", "message": {"usage": {"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 5}}});
    let text = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}});
    let changed = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}});
    let cached = |output: u64| Usage::new(10, output).with_cache(Some(5), None).with_total(15 + output);
    let gemini = |output: u64| {
        json!({"candidates": [{"content": {"parts": [{"text": "Hel"}]}}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": output, "totalTokenCount": 10 + output}})
    };
    let counted = |output: u64| json!({"prompt_tokens": 10, "completion_tokens": output});
    let chats = || vec![chat("Hel", &counted(1)), chat("lo", &counted(4)), chat(".", &Value::Null)];
    let of_chat = || vec![(1, Usage::new(10, 1)), (2, Usage::new(10, 4)), (3, Usage::new(10, 4))];
    let all = [
        CountedStream {
            provider: "anthropic",
            pieces: vec![started, text, changed],
            counts: vec![(1, cached(1)), (2, cached(1)), (3, cached(7))],
        },
        CountedStream {
            provider: "gemini",
            pieces: vec![gemini(1), gemini(1), gemini(6)],
            counts: vec![(1, Usage::new(10, 1)), (2, Usage::new(10, 1)), (3, Usage::new(10, 6))],
        },
        CountedStream { provider: "openai", pieces: chats(), counts: of_chat() },
        CountedStream { provider: "mistral", pieces: chats(), counts: of_chat() },
        CountedStream { provider: "llamacpp", pieces: chats(), counts: of_chat() },
    ];
    let there: Vec<_> = greetings().into_iter().map(|(provider, _)| provider).collect();
    all.into_iter().filter(|script| there.contains(&script.provider)).collect()
}

impl CountedStream {
    /// Returns the response, and the length of its first events.
    fn response(&self, pieces: usize) -> (strands_testkit::Response, usize) {
        let written = |pieces: &[Value]| pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect::<String>();
        let length = written(&self.pieces[..pieces]).len();
        (strands_testkit::Response::sse(written(&self.pieces)), length)
    }

    async fn agent(&self, server: &Server, retry: RetryPolicy) -> Agent {
        let case = Case::parse(self.provider, &json!({"provider": self.provider}).to_string());
        Agent::builder().model(model(&case, server)).retry(retry).build().await.unwrap()
    }
}

#[tokio::test]
async fn counts_usage_of_cut_responses() {
    for script in counted_streams() {
        for (pieces, usage) in &script.counts {
            for cut in [Cut::Close, Cut::Reset] {
                let (response, length) = script.response(*pieces);
                let server = Server::repeat(response.cut_at(length, cut)).await;
                let mut agent = script.agent(&server, RetryPolicy::never()).await;
                let name = format!("{} after {pieces} pieces, {cut:?}", script.provider);
                let result = agent.prompt("hi").await;
                // Anthropic's stream is complete after its last event, and a reset may destroy earlier bytes.
                assert!(result.is_err() || script.provider == "anthropic", "{name}");
                let counted = agent.metrics().accumulated_usage();
                assert!(counted == *usage || matches!(cut, Cut::Reset), "{name}: {counted:?}");
            }
        }
    }
}

#[tokio::test]
async fn counts_usage_of_each_attempt() {
    for script in counted_streams() {
        let (response, length) = script.response(2);
        let server = Server::repeat(response.cut_at(length, Cut::Close)).await;
        let retry = RetryPolicy::new().max_attempts(3).initial_delay(std::time::Duration::from_millis(1));
        let mut agent = script.agent(&server, retry).await;
        agent.prompt("hi").await.unwrap_err();
        let mut expected = Usage::default();
        (0..3).for_each(|_| expected.add(script.counts[1].1));
        assert_eq!(agent.metrics().accumulated_usage(), expected, "{}", script.provider);
    }
}

#[tokio::test]
async fn counts_usage_of_cancelled_responses() {
    for script in counted_streams() {
        let (pieces, usage) = script.counts[1];
        let (response, length) = script.response(pieces);
        let server = Server::repeat(response.stall_at(length)).await;
        let mut agent = script.agent(&server, RetryPolicy::never()).await;
        let token = CancellationToken::new();
        let mut stream = agent.prompt("hi").cancel_with(token.clone()).stream();
        let mut received = 0;
        let mut response = None;
        while let Some(event) = stream.next().await {
            match event.unwrap() {
                AgentEvent::TextDelta { .. } => {
                    received += 1;
                    if received == if script.provider == "anthropic" { 1 } else { 2 } {
                        token.cancel();
                    }
                }
                AgentEvent::Result { response: given } => response = Some(given),
                _ => {}
            }
        }
        drop(stream);
        assert_eq!(response.unwrap().usage, usage, "{}", script.provider);
        assert_eq!(agent.metrics().accumulated_usage(), usage, "{}", script.provider);
    }
}

/// A document, or an event of a stream, that reports an error with its usage.
#[tokio::test]
#[cfg(all(feature = "openai", feature = "gemini"))]
async fn counts_usage_of_failed_responses() {
    let failed = json!({"status": "failed", "error": {"code": "server_error", "message": "no"}, "output": [], "usage": {"input_tokens": 10, "output_tokens": 2}});
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10}});
    let malformed = json!({"candidates": [{"finishReason": "IMAGE_SAFETY"}], "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 2}});
    let broken =
        json!({"error": {"code": 502, "message": "upstream"}, "usage": {"prompt_tokens": 10, "completion_tokens": 3}});
    for (provider, reply, usage) in [
        ("responses", json!({"json": failed}), Usage::new(10, 2)),
        ("responses", json!({"anthropic": [{"type": "response.failed", "response": failed}]}), Usage::new(10, 2)),
        ("openai", json!({"sse": [broken]}), Usage::new(10, 3)),
        ("openai", json!({"json": broken}), Usage::new(10, 3)),
        ("gemini", json!({"sse": [blocked]}), Usage::new(10, 0)),
        ("gemini", json!({"json": blocked}), Usage::new(10, 0)),
        ("gemini", json!({"sse": [malformed]}), Usage::new(10, 2)),
    ] {
        let is_whole = reply.get("json").is_some();
        let case = json!({"provider": provider, "options": {"streaming": !is_whole}, "replies": [reply]});
        let case = Case::parse(provider, &case.to_string());
        let server = Server::sequence(case.replies.iter().map(|reply| reply.response())).await;
        let mut agent =
            Agent::builder().model(model(&case, &server)).retry(RetryPolicy::never()).build().await.unwrap();
        let _ = agent.prompt("hi").await;
        assert_eq!(agent.metrics().accumulated_usage(), usage, "{provider}: {:?}", case.replies);
    }
}
