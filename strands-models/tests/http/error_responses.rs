//! Error responses in the format of any server, through any provider: error kinds, and the number of attempts.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use strands_core::models::{Model, ModelError, ModelErrorKind};
use strands_core::{Agent, AgentError, RetryPolicy};
use strands_testkit::case::Case;
#[cfg(feature = "openai")]
use strands_testkit::case::cases;
use strands_testkit::ports::RefusedPort;
use strands_testkit::provider::Tuned;
use strands_testkit::recording::shared_path;
use strands_testkit::{Response, Server};
use tokio::time::Instant;

use crate::case;
#[cfg(feature = "openai")]
use crate::chat_completions::{call, delta, finish};
use crate::providers::all;

/// Returns every provider that supports arbitrary servers.
fn providers() -> Vec<&'static str> {
    let all = [
        (cfg!(feature = "anthropic"), "anthropic"),
        (cfg!(feature = "gemini"), "gemini"),
        (cfg!(feature = "llamacpp"), "llamacpp"),
        (cfg!(feature = "mistral"), "mistral"),
        (cfg!(feature = "ollama"), "ollama"),
        (cfg!(feature = "openai"), "openai"),
        (cfg!(feature = "openai"), "responses"),
    ];
    all.into_iter().filter(|(is_there, _)| *is_there).map(|(_, provider)| provider).collect()
}

/// Returns the model's error for this response.
async fn error(provider: &str, status: u16, body: &Value) -> ModelError {
    let case = json!({"provider": provider, "replies": [{"status": status, "json": body}]});
    let running = case::start(&Case::parse(provider, &case.to_string())).await;
    running.turn().await.unwrap_err()
}

/// Returns an agent with up to ten attempts, using the provider's model at this server.
async fn agent(provider: &str, server: &Server) -> Agent {
    let case = Case::parse(provider, &json!({"provider": provider, "replies": []}).to_string());
    retrying_agent(case::model(&case, server)).await
}

async fn retrying_agent(model: Arc<dyn Model>) -> Agent {
    let retry = RetryPolicy::new().max_attempts(10).initial_delay(Duration::from_millis(1));
    Agent::builder().model(model).retry(retry).build().await.unwrap()
}

fn model_error(error: AgentError) -> (u32, ModelError) {
    match error {
        AgentError::Model { attempts, source } => (attempts, source),
        other => panic!("{other:?}"),
    }
}

fn advice(error: &ModelError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn recognizes_context_overflows_of_any_server() {
    for provider in providers() {
        for (status, message, expected) in [
            (
                400,
                "The input (12000 tokens) is longer than the model's context length (8193 tokens).",
                ModelErrorKind::ContextOverflow,
            ),
            (400, "invalid params, context window exceeds limit (2013)", ModelErrorKind::ContextOverflow),
            (
                422,
                "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
                ModelErrorKind::ContextOverflow,
            ),
            (
                500,
                "litellm.ContextWindowExceededError: prompt is too long: 2 tokens > 1",
                ModelErrorKind::ContextOverflow,
            ),
            (413, "Request Entity Too Large", ModelErrorKind::ContextOverflow),
            (
                400,
                "max_tokens is too large: 200000. This model supports at most 128000 completion tokens",
                ModelErrorKind::InvalidRequest,
            ),
            (429, "Too many tokens, please wait before trying again.", ModelErrorKind::Throttled),
            (400, "Too many tokens, please wait before trying again.", ModelErrorKind::Throttled),
            (400, "Incorrect API key provided: xa***ai.", ModelErrorKind::Authentication),
        ] {
            for body in [json!({"error": {"message": message}}), json!({"error": message})] {
                let error = error(provider, status, &body).await;
                assert_eq!(error.kind(), expected, "{provider}: {status} {body}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn classifies_the_errors_of_the_shared_table() {
    #[derive(Deserialize)]
    struct Refused {
        provider: String,
        status: u16,
        who: String,
        body: Value,
        expect: String,
    }
    let Some(table) = shared_path("cases/context-overflow-words/table.json") else {
        return;
    };
    let table: Vec<Refused> = serde_json::from_slice(&std::fs::read(table).unwrap()).unwrap();
    let mut known = 0;
    for refused in table.iter().filter(|refused| providers().contains(&refused.provider.as_str())) {
        let error = error(&refused.provider, refused.status, &refused.body).await;
        let expected = format!("{:?}", error.kind());
        assert_eq!(expected, refused.expect, "{}: {}: {error:?}", refused.who, refused.body);
        known += 1;
    }
    assert!(known > 20 || providers().len() < 7, "only {known} of {}", table.len());
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn retries_malformed_calls() {
    let Some(cases) = cases("malformed-call-refused-by-server", &["case.json", "midstream.json"]) else {
        return;
    };
    for case in cases {
        let mut running = case::start(&case).await;
        let response = running.prompt().await.unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
        assert_eq!(response.text(), "Sunny.", "{}", case.name);
        assert_eq!(running.called(), [("get_weather".to_owned(), json!({"city": "Oslo"}))], "{}", case.name);
        assert_eq!(running.server.requests().len(), 3, "{}", case.name);
    }
}

/// Returns responses in which the model generated a call that its server could not parse.
fn malformed() -> Vec<(&'static str, Response)> {
    let groq = json!({"error": {"message": "Failed to call a function. Please adjust your prompt.",
        "type": "invalid_request_error", "code": "tool_use_failed", "failed_generation": "<function=f>"}});
    let json_mode = json!({"error": {"message": "Failed to generate JSON.", "code": "json_validate_failed"}});
    let half = json!({"choices": [{"index": 0, "delta": {"content": "half"}}]});
    let event = Response::sse(format!("data: {half}\n\nevent: error\ndata: {groq}\n\n"));
    let wrapped = json!({"error": {"message": "litellm.BadRequestError: GroqException - Failed to call a function."}});
    let cut = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "malformed_function_call"}]});
    let cut = Response::sse(format!("data: {half}\n\ndata: {cut}\n\ndata: [DONE]\n\n"));
    let gemini = json!({"candidates": [{"finishReason": "UNEXPECTED_TOOL_CALL", "index": 0}]});
    let ollama = json!({"error": "error parsing tool call: raw='{', err=unexpected end of JSON input"});
    let anthropic = json!({"content": [{"type": "text", "text": "half"}], "stop_reason": "malformed_tool_use"});
    [
        ("openai", Response::json(400, &groq)),
        ("openai", Response::json(400, &json_mode)),
        ("openai", event),
        ("openai", Response::json(400, &wrapped)),
        ("openai", cut),
        ("gemini", Response::json(200, &gemini)),
        ("gemini", Response::sse(format!("data: {gemini}\n\n"))),
        ("ollama", Response::json(500, &ollama)),
        ("ollama", Response::json_lines(format!("{ollama}\n"))),
        ("anthropic", Response::json(200, &anthropic)),
        (
            "llamacpp",
            Response::json(
                500,
                &json!({"error": {"type": "server_error", "message": "Failed to parse input at pos 3"}}),
            ),
        ),
    ]
    .into_iter()
    .filter(|(provider, _)| providers().contains(provider))
    .collect()
}

#[tokio::test]
async fn retries_malformed_output_up_to_three_attempts() {
    for (provider, response) in malformed() {
        let server = Server::repeat(response.clone()).await;
        let (attempts, error) = model_error(agent(provider, &server).await.prompt("hi").await.unwrap_err());
        assert_eq!(error.kind(), ModelErrorKind::MalformedOutput, "{provider}: {response:?}: {error:?}");
        assert_eq!((attempts, server.requests().len()), (3, 3), "{provider}: {response:?}");
        let says = format!("{error}: {}", advice(&error));
        assert!(says.contains("could not parse") && !says.contains("the network and TLS"), "{provider}: {says}");
    }
}

#[tokio::test]
async fn does_not_retry_permanent_errors() {
    let server_error = |message: &str| json!({"error": {"code": 500, "message": message, "type": "server_error"}});
    let jinja =
        server_error("Error: Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/...");
    for (provider, body, says) in [
        ("llamacpp", jinja.clone(), "chat template"),
        ("openai", jinja, "chat template"),
        ("openai", server_error("Value is not callable: null at row 1, column 2:\n chat template"), "chat template"),
        (
            "openai",
            server_error(
                "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
            ),
            "mmproj",
        ),
        ("llamacpp", server_error("Failed to load image or audio file"), "another format"),
        (
            "llamacpp",
            server_error("Failed to parse tool call arguments as JSON: [json.exception.parse_error.101]"),
            "history",
        ),
        ("ollama", json!({"error": "failed to process inputs: image: unknown format"}), "another format"),
        (
            "ollama",
            json!({"error": "template: :1:2: executing \"\" at <.Messages>: range can't iterate"}),
            "chat template",
        ),
    ] {
        if !providers().contains(&provider) {
            continue;
        }
        let server = Server::repeat(Response::json(500, &body)).await;
        let (attempts, error) = model_error(agent(provider, &server).await.prompt("hi").await.unwrap_err());
        assert_eq!(error.kind(), ModelErrorKind::InvalidRequest, "{provider}: {body}: {error:?}");
        assert_eq!((attempts, server.requests().len()), (1, 1), "{provider}: {body}");
        assert!(advice(&error).contains(says), "{provider}: {body}: {}", advice(&error));
    }
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn a_failing_template_is_an_invalid_request() {
    for case in cases("never-succeeds-but-500", &["3a_jinja.json"]).into_iter().flatten() {
        let mut running = case::start(&case).await;
        let (attempts, error) = model_error(running.prompt().await.unwrap_err());
        assert_eq!((attempts, error.kind()), (1, ModelErrorKind::InvalidRequest), "{}: {error:?}", case.name);
    }
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn reads_shared_cases_in_every_form() {
    for case in
        cases("framing-is-not-what-the-header-says", &["html.json", "json-type-sse-body.json"]).into_iter().flatten()
    {
        let mut running = case::start(&case).await;
        let response = running.prompt().await;
        if case.name.ends_with("html.json") {
            let (attempts, error) = model_error(response.unwrap_err());
            assert_eq!((attempts, error.kind()), (1, ModelErrorKind::Protocol), "{}: {error:?}", case.name);
        } else {
            assert_eq!(response.unwrap().text(), "Hello", "{}", case.name);
        }
    }
}

#[tokio::test]
async fn full_context_windows_and_aborted_responses_are_errors() {
    let document =
        |reason: &str| json!({"choices": [{"index": 0, "message": {"content": "half"}, "finish_reason": reason}]});
    let anthropic = |reason: &str| json!({"content": [{"type": "text", "text": "half"}], "stop_reason": reason});
    let gemini =
        |reason: &str| json!({"candidates": [{"content": {"parts": [{"text": "half"}]}, "finishReason": reason}]});
    let ollama = |reason: &str| json!({"message": {"content": "half"}, "done": true, "done_reason": reason});
    let responses = |status: &str| json!({"status": status, "output": []});
    for (provider, body, expected) in [
        ("openai", document("model_context_window_exceeded"), ModelErrorKind::ContextOverflow),
        ("openai", document("context_length_exceeded"), ModelErrorKind::ContextOverflow),
        ("openai", document("abort"), ModelErrorKind::Transport),
        ("openai", document("network_error"), ModelErrorKind::Transport),
        ("mistral", document("error"), ModelErrorKind::Transport),
        ("anthropic", anthropic("model_context_window_exceeded"), ModelErrorKind::ContextOverflow),
        ("anthropic", anthropic("cancelled"), ModelErrorKind::Transport),
        ("gemini", gemini("ERROR"), ModelErrorKind::Transport),
        ("gemini", gemini("MALFORMED_RESPONSE"), ModelErrorKind::MalformedOutput),
        ("ollama", ollama("cancelled"), ModelErrorKind::Transport),
        ("responses", responses("cancelled"), ModelErrorKind::Transport),
        ("responses", responses("failed"), ModelErrorKind::Transport),
        ("responses", responses("queued"), ModelErrorKind::InvalidRequest),
        ("responses", responses("in_progress"), ModelErrorKind::InvalidRequest),
    ] {
        if providers().contains(&provider) {
            let error = error(provider, 200, &body).await;
            assert_eq!(error.kind(), expected, "{provider}: {body}: {error:?}");
            assert!(!error.to_string().contains("the network and TLS"), "{provider}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn retries_an_unreachable_server_three_times_within_two_seconds() {
    let mut says = Vec::new();
    for provider in all() {
        let refused = RefusedPort::bind();
        let model = provider.model(&refused.url(), Tuned::default()).await;
        let began = Instant::now();
        let mut agent = Agent::builder().model(model).build().await.unwrap();
        let (attempts, error) = model_error(agent.prompt("hi").await.unwrap_err());
        assert_eq!((attempts, error.kind()), (3, ModelErrorKind::Unreachable), "{}: {error:?}", provider.name());
        assert!(began.elapsed() < Duration::from_secs(2), "{}: {:?}", provider.name(), began.elapsed());
        let advised = advice(&error);
        assert!(advised.contains(&format!("{}{}", refused.url(), provider.path())), "{}: {advised}", provider.name());
        says.push((provider.name(), advised));
    }
    for (name, hint) in [("ollama", "is `ollama serve` running?"), ("llamacpp", "is `llama-server` running?")] {
        assert!(
            says.iter().filter(|(provider, _)| *provider == name).all(|(_, advised)| advised.ends_with(hint)),
            "{says:?}"
        );
    }
}

#[tokio::test]
async fn an_unresolvable_host_is_unreachable() {
    for provider in all() {
        let model = provider.model("https://no-such-host.invalid:9", Tuned::default()).await;
        let error = strands_testkit::provider::answer(&*model, "hi").await.unwrap_err();
        assert_eq!(error.kind(), ModelErrorKind::Unreachable, "{}: {error:?}", provider.name());
        assert!(advice(&error).contains("https://no-such-host.invalid:9/"), "{}", advice(&error));
    }
}

#[tokio::test]
async fn a_missing_path_suggests_checking_the_base_url() {
    for (provider, says) in [
        ("openai", "it usually ends in `/v1`"),
        ("responses", "it usually ends in `/v1`"),
        ("mistral", "it usually ends in `/v1`"),
        ("llamacpp", "it usually ends in `/v1`"),
        ("anthropic", "`/v1` and the path"),
        ("gemini", "it usually ends in `/v1beta`"),
        ("ollama", "it has no path"),
    ] {
        if !providers().contains(&provider) {
            continue;
        }
        for body in [json!({"error": "404 page not found"}), json!({"detail": "Not Found"}), json!("nothing here")] {
            let error = error(provider, 404, &body).await;
            assert_eq!(error.kind(), ModelErrorKind::InvalidRequest, "{provider}: {error:?}");
            assert!(
                advice(&error).contains("is the base URL right?") && advice(&error).contains(says),
                "{provider}: {}",
                advice(&error)
            );
        }
    }
    #[cfg(feature = "openai")]
    for body in [
        json!({"error": {"code": "model_not_found", "message": "no"}}),
        json!({"object": "error", "message": "The model `m` does not exist.", "type": "NotFoundError", "code": 404}),
    ] {
        let error = error("openai", 404, &body).await;
        assert!(advice(&error).contains("does not know this model id"), "{}", advice(&error));
    }
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn runs_a_valid_call_after_a_malformed_one_once() {
    let refused = json!({"error": {"code": "tool_use_failed", "message": "Failed"}});
    let tool = json!({"name": "f", "schema": {"type": "object"}, "result": "ok"});
    let call = [call("a", Some("f"), "{}"), finish("tool_calls")];
    let said = [delta(&json!({"content": "done"})), finish("stop")];
    let replies = json!([{"status": 400, "json": refused}, {"sse": call, "done": true}, {"sse": said, "done": true}]);
    let case = json!({"provider": "openai", "tools": [tool], "prompts": ["hi"], "replies": replies});
    let mut running = case::start(&Case::parse("malformed", &case.to_string())).await;
    assert_eq!(running.prompt().await.unwrap().text(), "done");
    assert_eq!(running.called().len(), 1);
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn errors_do_not_quote_secrets() {
    let secrets = ["k3y-of-the-program", "s3cret/of+the=header", "s3cret of the query", "s3cret-of-the-url"];
    let quoted =
        format!("{} s3cret%20of%20the%20query s3cret%2Fof%2Bthe%3Dheader {}", secrets.join(" "), "x".repeat(60_000));
    for response in [
        Response::json(400, &json!({"error": {"message": quoted, "code": quoted, "type": quoted}})),
        Response::new(400).body(quoted.clone()),
        Response::new(200).content_type("text/html").body(format!("<html>{quoted}</html>")),
        Response::new(200).body(quoted.clone()),
        Response::new(302).header("location", "http://127.0.0.1:1/").body(quoted.clone()),
        Response::sse(format!("data: {}\n\n", json!({"error": {"message": quoted, "code": quoted}}))),
    ] {
        let server = Server::repeat(response.clone()).await;
        let model = strands_models::OpenAiModel::builder()
            .base_url(format!("{}/v1?token={}", server.url(), secrets[3]))
            .api_key(secrets[0])
            .header("x-gateway-key", secrets[1])
            .query("key", secrets[2])
            .build()
            .unwrap();
        let mut agent = Agent::builder().model(model).retry(RetryPolicy::never()).build().await.unwrap();
        let error = agent.prompt("hi").await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.len() < 8_192, "{response:?}: {} bytes", shown.len());
        let (_, source) = model_error(error);
        let shown = format!("{shown} {} {:?}", source.details().body().unwrap_or_default(), source.details().code());
        for secret in secrets.iter().copied().chain(["s3cret%20of", "s3cret%2Fof"]) {
            assert!(!shown.contains(secret), "{response:?}: {secret}: {shown}");
        }
    }
}
