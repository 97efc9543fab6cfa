//! Responses that break off, or that are cancelled: what the provider has said that they cost counts.

use futures_util::StreamExt;
use serde_json::{Value, json};
use strands_core::metrics::Usage;
use strands_core::{Agent, AgentEvent, CancellationToken, RetryPolicy};
use strands_testkit::case::Case;
use strands_testkit::{Cut, Server};

use crate::case::{greetings, model};

/// The pieces of a stream with counts, and what they come to after the first so many pieces.
struct Told {
    provider: &'static str,
    pieces: Vec<Value>,
    counts: Vec<(usize, Usage)>,
}

fn chat(content: &str, usage: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": null}], "usage": usage})
}

fn told() -> Vec<Told> {
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
        Told {
            provider: "anthropic",
            pieces: vec![started, text, changed],
            counts: vec![(1, cached(1)), (2, cached(1)), (3, cached(7))],
        },
        Told {
            provider: "gemini",
            pieces: vec![gemini(1), gemini(1), gemini(6)],
            counts: vec![(1, Usage::new(10, 1)), (2, Usage::new(10, 1)), (3, Usage::new(10, 6))],
        },
        Told { provider: "openai", pieces: chats(), counts: of_chat() },
        Told { provider: "mistral", pieces: chats(), counts: of_chat() },
        Told { provider: "llamacpp", pieces: chats(), counts: of_chat() },
    ];
    let there: Vec<_> = greetings().into_iter().map(|(provider, _)| provider).collect();
    all.into_iter().filter(|told| there.contains(&told.provider)).collect()
}

impl Told {
    /// The response, and the length of its first pieces.
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
async fn what_a_response_has_cost_that_breaks_off_counts() {
    for told in told() {
        for (pieces, usage) in &told.counts {
            for cut in [Cut::Close, Cut::Reset] {
                let (response, length) = told.response(*pieces);
                let server = Server::repeat(response.cut_at(length, cut)).await;
                let mut agent = told.agent(&server, RetryPolicy::never()).await;
                let name = format!("{} after {pieces} pieces, {cut:?}", told.provider);
                let result = agent.prompt("hi").await;
                // Anthropic has said everything when its last piece has come, and a reset may destroy what came before.
                assert!(result.is_err() || told.provider == "anthropic", "{name}");
                let counted = agent.metrics().accumulated_usage();
                assert!(counted == *usage || matches!(cut, Cut::Reset), "{name}: {counted:?}");
            }
        }
    }
}

#[tokio::test]
async fn each_attempt_counts() {
    for told in told() {
        let (response, length) = told.response(2);
        let server = Server::repeat(response.cut_at(length, Cut::Close)).await;
        let retry = RetryPolicy::new().max_attempts(3).initial_delay(std::time::Duration::from_millis(1));
        let mut agent = told.agent(&server, retry).await;
        agent.prompt("hi").await.unwrap_err();
        let mut expected = Usage::default();
        (0..3).for_each(|_| expected.add(told.counts[1].1));
        assert_eq!(agent.metrics().accumulated_usage(), expected, "{}", told.provider);
    }
}

#[tokio::test]
async fn what_a_response_has_cost_that_is_cancelled_counts() {
    for told in told() {
        let (pieces, usage) = told.counts[1];
        let (response, length) = told.response(pieces);
        let server = Server::repeat(response.stall_at(length)).await;
        let mut agent = told.agent(&server, RetryPolicy::never()).await;
        let token = CancellationToken::new();
        let mut stream = agent.prompt("hi").cancel_with(token.clone()).stream();
        let mut heard = 0;
        let mut response = None;
        while let Some(event) = stream.next().await {
            match event.unwrap() {
                AgentEvent::TextDelta { .. } => {
                    heard += 1;
                    if heard == if told.provider == "anthropic" { 1 } else { 2 } {
                        token.cancel();
                    }
                }
                AgentEvent::Result { response: given } => response = Some(given),
                _ => {}
            }
        }
        drop(stream);
        assert_eq!(response.unwrap().usage, usage, "{}", told.provider);
        assert_eq!(agent.metrics().accumulated_usage(), usage, "{}", told.provider);
    }
}

/// A response that comes in one piece, or an event of a stream, which says that it has failed and what that has cost.
#[tokio::test]
#[cfg(all(feature = "openai", feature = "gemini"))]
async fn what_a_response_has_cost_that_says_it_has_failed_counts() {
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
