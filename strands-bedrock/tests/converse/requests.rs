//! Requests: signatures, API keys, stable bytes, adaptation after errors, and token counts.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::loopback::{CLAUDE, NOVA, answer, ask, builder, events, kind, model, turn, weather_tools};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use serde_json::{Value, json};
use strands_bedrock::{BedrockBuildError, BedrockModel, CacheConfig, CacheSection, Guardrail, GuardrailStreamMode};
use strands_core::message::{
    CachePoint, ContentBlock, Message, Role, SystemBlock, ToolResult, ToolResultStatus, ToolUse,
};
use strands_core::models::{Model, ModelRequest, ToolChoice, estimate_tokens};
use strands_testkit::converse::ConverseStream;
use strands_testkit::{Request, Response, Server};

fn fine() -> Response {
    ConverseStream::text_turn("ok").response()
}

fn validation_error(message: &str) -> Response {
    Response::json(400, &json!({"message": message})).header("x-amzn-errortype", "ValidationException")
}

fn tool_round_trip() -> Vec<Arc<Message>> {
    let call = ToolUse::new("t-1", "get_weather", json!({"city": "Oslo", "a": {"z": 1, "b": 2}}));
    let result = ToolResult::new("t-1", ToolResultStatus::Success, ["sunny"]);
    vec![
        Arc::new(Message::user("Weather?")),
        Arc::new(Message::new(Role::Assistant, [call])),
        Arc::new(Message::new(Role::User, [result])),
    ]
}

#[tokio::test]
async fn each_body_begins_with_the_bytes_of_the_one_before() {
    let server = Server::repeat(fine()).await;
    let model = builder(&server.url())
        .additional_request_field("thinking", json!({"type": "enabled", "budget_tokens": 1024}))
        .additional_request_field("alpha", 1)
        .extra("requestMetadata", json!({"z": "1", "a": "2"}))
        .max_tokens(100)
        .temperature(1.0)
        .build()
        .await
        .unwrap();
    let system = [SystemBlock::from("Be kind.")];
    let mut history = tool_round_trip();
    history.extend([Arc::new(Message::assistant("Sunny.")), Arc::new(Message::user("And tomorrow?"))]);
    for length in [1, 3, 5] {
        // Tools are new in every turn, so that the bytes do not depend on cached translations.
        let tools = weather_tools();
        let request = ModelRequest::new(&history[..length]).with_system(&system).with_tools(&tools);
        assert!(turn(&model, request).await.is_ok());
    }
    let bodies: Vec<_> = server.requests().into_iter().map(|request| request.body).collect();
    for pair in bodies.windows(2) {
        let before = pair[0].strip_suffix(b"]}").unwrap();
        assert!(
            pair[1].starts_with(before),
            "{}\n{}",
            String::from_utf8_lossy(&pair[0]),
            String::from_utf8_lossy(&pair[1])
        );
    }
}

#[tokio::test]
async fn the_signature_covers_the_body_that_is_sent() {
    use aws_sdk_bedrockruntime::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4;

    let credentials = Credentials::new("AKTEST", "secret-of-tests", None, None, "tests");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-north-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
        .build();
    let server = Server::repeat(fine()).await;
    let model =
        BedrockModel::builder().model_id(CLAUDE).sdk_config(&config).base_url(server.url()).build().await.unwrap();
    answer(&model, "sign this").await.unwrap();

    let request = &server.requests()[0];
    assert!(String::from_utf8_lossy(&request.body).contains("sign this"));
    let header = |name: &str| request.header(name).unwrap();
    let time = iso_time(header("x-amz-date"));
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-north-1")
        .name("bedrock")
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let signed = request
        .headers
        .iter()
        .filter(|(name, _)| ["content-type", "content-length", "x-amz-user-agent"].contains(&name.as_str()));
    let url = format!("{}{}", server.url(), request.path);
    let expected = |body: &[u8]| {
        let signable = SignableRequest::new(
            "POST",
            url.as_str(),
            signed.clone().map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(body),
        )
        .unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let (headers, _) = instructions.into_parts();
        headers.iter().find(|header| header.name() == "authorization").unwrap().value().to_owned()
    };
    assert!(request.sends_credential("authorization", &expected(&request.body)));
    assert!(!request.sends_credential("authorization", &expected(b"{}")));
}

/// Parses a time such as `20261122T135459Z`.
fn iso_time(text: &str) -> SystemTime {
    let number = |range: std::ops::Range<usize>| text[range].parse::<u64>().unwrap();
    let (year, month, day) = (number(0..4), number(4..6), number(6..8));
    // Days since 1970, counting years from March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let seconds = number(9..11) * 3600 + number(11..13) * 60 + number(13..15);
    SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400 + seconds)
}

#[tokio::test]
async fn a_call_without_credentials_is_an_authentication_error() {
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("us-east-1"))
        .build();
    let server = Server::repeat(fine()).await;
    let model = BedrockModel::builder().sdk_config(&config).base_url(server.url()).build().await.unwrap();
    let error = answer(&model, "hi").await.unwrap_err();
    assert_eq!(kind(&error), "authentication", "{error:?}");
    assert_eq!(server.requests().len(), 0);

    let provider = aws_sdk_bedrockruntime::config::SharedCredentialsProvider::new(NoCredentials);
    let config = config.into_builder().credentials_provider(provider).build();
    let model = BedrockModel::builder().sdk_config(&config).base_url(server.url()).build().await.unwrap();
    let error = answer(&model, "hi").await.unwrap_err();
    assert_eq!(kind(&error), "authentication", "{error:?}");
}

#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("no credentials")))
    }
}

const CHILD: &str = "STRANDS_BEDROCK_TEST_ENDPOINT";

/// Runs in a child process, with the environment variables of the test below. Without them it does nothing.
#[tokio::test]
async fn child_with_a_key_in_its_environment() {
    let Some(endpoint) = std::env::var_os(CHILD) else {
        return;
    };
    let of_environment = BedrockModel::builder().base_url(endpoint.into_string().unwrap());
    let explicit = of_environment.clone().api_key("key-of-its-own");
    for builder in [of_environment, explicit] {
        answer(&builder.build().await.unwrap(), "hi").await.unwrap();
    }
}

#[tokio::test]
async fn the_api_key_defaults_to_the_environment() {
    let server = Server::repeat(fine()).await;
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "requests::child_with_a_key_in_its_environment"])
        .env(CHILD, server.url())
        .env("AWS_BEARER_TOKEN_BEDROCK", "key-of-the-environment")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let exit = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert!(exit.success());
    for (at, key) in ["key-of-the-environment", "key-of-its-own"].into_iter().enumerate() {
        assert!(server.requests()[at].sends_credential("authorization", &format!("Bearer {key}")), "{key}");
    }
}

#[tokio::test]
async fn debug_output_has_no_secrets() {
    let server = Server::sequence([validation_error("no"), Response::new(200).body("no stream")]).await;
    let builder = builder(&server.url()).api_key("hunter2-hunter2");
    let model = builder.clone().build().await.unwrap();
    let mut shown = format!("{builder:?} {model:?}");
    for _ in 0..2 {
        let error = answer(&model, "the user's own words").await.unwrap_err();
        shown.push_str(&format!("{error:?} {error}"));
    }
    let refused = BedrockModel::builder().base_url("https://user:hunter2-hunter2@host").build().await;
    shown.push_str(&format!("{:?}", refused.unwrap_err()));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(!shown.contains("own words"), "{shown}");
}

#[tokio::test]
async fn models_share_connections() {
    let server = Server::repeat(fine()).await;
    for _ in 0..3 {
        let model = model(&server.url()).await;
        answer(&model, "hi").await.unwrap();
    }
    assert_eq!(server.counts().connections, 1);
    let other_key = builder(&server.url()).api_key("another").build().await.unwrap();
    answer(&other_key, "hi").await.unwrap();
    assert!(server.requests()[3].sends_credential("authorization", "Bearer another"));
}

#[tokio::test]
async fn rejects_invalid_options() {
    let error = |builder: strands_bedrock::BedrockModelBuilder| async { builder.build().await.unwrap_err() };
    let new = BedrockModel::builder;
    assert!(matches!(error(new().model_id(" ")).await, BedrockBuildError::EmptyModelId));
    for url in ["localhost:80", "ftp://host", "https://", "https://user@host"] {
        assert!(matches!(error(new().base_url(url)).await, BedrockBuildError::InvalidBaseUrl), "{url}");
    }
    for url in ["https://me:s3cret@host/", "https://host/?key=s3cret", "me:s3cret@host"] {
        let shown = format!("{:?}", new().base_url(url));
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let hot = error(new().temperature(1.5)).await.to_string();
    assert_eq!(hot, "`temperature` is 1.5; it must be from 0 to 1");
    assert!(matches!(error(new().top_p(f64::NAN)).await, BedrockBuildError::InvalidNumber { .. }));
    assert!(matches!(error(new().max_tokens(0)).await, BedrockBuildError::InvalidNumber { .. }));
    for (field, setter) in [("modelId", "model_id"), ("additionalModelRequestFields", "additional_request_field")] {
        let reserved = error(new().extra(field, "x")).await;
        assert!(matches!(reserved, BedrockBuildError::ReservedField { method, .. } if method == setter), "{reserved}");
    }
}

fn messages_of(request: &Request) -> Value {
    request.json()["messages"].clone()
}

#[tokio::test]
async fn separates_tool_results_after_bedrock_rejects_them() {
    let same_turn = "Conversation blocks and tool result blocks cannot be provided in the same turn.";
    let server = Server::sequence([validation_error(same_turn), fine(), fine()]).await;
    let model = model(&server.url()).await;
    let mut history = tool_round_trip();
    history.push(Arc::new(Message::user("And now?")));
    let tools = weather_tools();
    for _ in 0..2 {
        let request = ModelRequest::new(&history).with_tools(&tools);
        assert_eq!(turn(&model, request).await.unwrap().message.text(), "ok");
    }
    let sent: Vec<_> = server.requests().iter().map(messages_of).collect();
    assert_eq!(sent[0].as_array().unwrap().len(), 4);
    assert_eq!(sent[1][3], json!({"role": "assistant", "content": [{"text": "Tool result received."}]}));
    assert_eq!(sent[1], sent[2], "the adaptation is remembered");
    assert_eq!(history.len(), 4);
}

#[tokio::test]
async fn returns_an_error_that_no_adaptation_solves() {
    let same_turn = "Conversation blocks and tool result blocks cannot be provided in the same turn.";
    let server = Server::repeat(validation_error(same_turn)).await;
    let error = answer(&model(&server.url()).await, "hi").await.unwrap_err();
    assert_eq!(kind(&error), "invalid request");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn drops_stale_reasoning_after_bedrock_rejects_it() {
    let stale = "messages.1.content.0: thinking block is bound to a different conversation";
    let server = Server::sequence([validation_error(stale), fine(), fine()]).await;
    let model = builder(&server.url())
        .additional_request_field("thinking", json!({"type": "adaptive"}))
        .additional_request_field("anthropic_beta", json!(["a-beta"]))
        .build()
        .await
        .unwrap();
    for _ in 0..2 {
        answer(&model, "hi").await.unwrap();
    }
    let fields: Vec<_> =
        server.requests().iter().map(|request| request.json()["additionalModelRequestFields"].clone()).collect();
    assert_eq!(fields[0], json!({"thinking": {"type": "adaptive"}, "anthropic_beta": ["a-beta"]}));
    let adapted = json!({
        "thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}},
        "anthropic_beta": ["a-beta", "thinking-binding-controls-2026-08-01"],
    });
    assert_eq!((&fields[1], &fields[2]), (&adapted, &adapted));

    // Without `thinking` there is nothing to adapt, and the caller's own setting takes precedence.
    for thinking in [None, Some(json!({"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "error"}}))] {
        let server = Server::repeat(validation_error(stale)).await;
        let mut builder = builder(&server.url());
        if let Some(thinking) = thinking {
            builder = builder.additional_request_field("thinking", thinking);
        }
        assert!(answer(&builder.build().await.unwrap(), "hi").await.is_err());
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn omits_thinking_if_a_tool_call_is_forced() {
    let server = Server::repeat(fine()).await;
    let model =
        builder(&server.url()).additional_request_field("thinking", json!({"type": "adaptive"})).build().await.unwrap();
    let (messages, tools) = (ask("hi"), weather_tools());
    for choice in [ToolChoice::Any {}, ToolChoice::Tool { name: "get_weather".into() }, ToolChoice::Auto {}] {
        let request = ModelRequest::new(&messages).with_tools(&tools).with_tool_choice(&choice);
        turn(&model, request).await.unwrap();
    }
    let sent: Vec<_> =
        server.requests().iter().map(|request| request.json()["additionalModelRequestFields"].clone()).collect();
    assert_eq!(sent, [Value::Null, Value::Null, json!({"thinking": {"type": "adaptive"}})]);
}

#[tokio::test]
async fn counts_tokens_with_bedrock_where_supported() {
    let counted = || Response::json(200, &json!({"inputTokens": 77}));
    let unsupported = || validation_error("The provided model doesn't support counting tokens.");
    let server = Server::sequence([counted(), unsupported(), counted(), unsupported(), unsupported()]).await;
    let model = builder(&server.url()).native_token_count(true).build().await.unwrap();
    let (messages, tools, system) = (ask("hi"), weather_tools(), [SystemBlock::from("s")]);
    let request = ModelRequest::new(&messages).with_tools(&tools).with_system(&system);
    assert_eq!(model.count_tokens(request).await.unwrap(), 77);
    let sent = &server.requests()[0];
    assert_eq!(sent.path.replace("%3A", ":"), format!("/model/{CLAUDE}/count-tokens"));
    let body = sent.json();
    let converse = body["input"]["converse"].as_object().unwrap();
    assert_eq!(converse.keys().collect::<Vec<_>>(), ["toolConfig", "system", "messages"]);

    // CountTokens does not know the profile, but knows its base model.
    assert_eq!(model.count_tokens(request).await.unwrap(), 77);
    assert!(server.requests()[2].path.starts_with("/model/anthropic.claude"));
    // Neither is known: the count is an estimate, and no further request is sent.
    for _ in 0..2 {
        assert_eq!(model.count_tokens(request).await.unwrap(), estimate_tokens(&request));
    }
    assert_eq!(server.requests().len(), 5);

    let denied = Response::json(403, &json!({"message": "no"})).header("x-amzn-errortype", "AccessDeniedException");
    let server = Server::repeat(denied).await;
    let model = builder(&server.url()).native_token_count(true).build().await.unwrap();
    for _ in 0..2 {
        assert_eq!(model.count_tokens(request).await.unwrap(), estimate_tokens(&request));
    }
    assert_eq!(server.requests().len(), 1);

    let without = builder(&server.url()).build().await.unwrap();
    assert_eq!(without.count_tokens(request).await.unwrap(), estimate_tokens(&request));
    assert_eq!(server.requests().len(), 1, "native counts are opt-in");
}

#[tokio::test]
async fn cache_points_follow_the_configuration() {
    let server = Server::repeat(fine()).await;
    let cache = CacheConfig::new().ttl("1h").tools(CacheSection::On);
    let (tools, system) = (weather_tools(), [SystemBlock::from("Be kind.")]);
    let first = Message::new(Role::User, [ContentBlock::text("long"), CachePoint::default().into()]);
    let messages = [Arc::new(first), Arc::new(Message::assistant("ok")), Arc::new(Message::user("go on"))];
    let request = ModelRequest::new(&messages).with_tools(&tools).with_system(&system);
    for (id, base) in
        [(CLAUDE, None), (NOVA, None), ("arn:aws:bedrock:us-east-1:1:application-inference-profile/x", Some(CLAUDE))]
    {
        let mut builder = builder(&server.url()).model_id(id).cache(cache.clone());
        if let Some(base) = base {
            builder = builder.base_model(base);
        }
        turn(&builder.build().await.unwrap(), request).await.unwrap();
    }
    let sent: Vec<_> = server.requests().iter().map(Request::json).collect();
    let point = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
    for body in [&sent[0], &sent[2]] {
        assert_eq!(body["toolConfig"]["tools"][1], point);
        assert_eq!(body["system"][1], point);
        assert_eq!(body["messages"][0]["content"], json!([{"text": "long"}]));
        assert_eq!(body["messages"][2]["content"], json!([{"text": "go on"}, point]));
    }
    let plain = &sent[1];
    assert_eq!(plain["system"].as_array().unwrap().len(), 1);
    assert_eq!(plain["messages"][0]["content"][1], json!({"cachePoint": {"type": "default"}}));
}

#[tokio::test]
async fn the_base_model_determines_the_capabilities_of_a_profile() {
    let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3";
    let server = Server::repeat(fine()).await;
    let model = builder(&server.url()).model_id(profile).base_model(CLAUDE).build().await.unwrap();
    assert_eq!(model.context_window(), Some(1_000_000));
    let history = tool_round_trip();
    turn(&model, ModelRequest::new(&history)).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.path.replace("%3A", ":").replace("%2F", "/"), format!("/model/{profile}/converse-stream"));
    assert_eq!(messages_of(request)[2]["content"][0]["toolResult"]["status"], "success");
    let explicit = builder(&server.url()).context_window(5).build().await.unwrap();
    assert_eq!(explicit.context_window(), Some(5));
}

#[tokio::test]
async fn runs_calls_concurrently() {
    let server = Server::repeat(fine()).await;
    let model = model(&server.url()).await;
    let messages = ask("hi");
    let calls = (0..50).map(|_| events(&model, ModelRequest::new(&messages)));
    let responses = futures_util::future::join_all(calls).await;
    assert!(responses.iter().all(|(events, error)| !events.is_empty() && error.is_none()));
}

#[tokio::test]
async fn guardrails_evaluate_images_and_have_a_stream_mode_only_when_streaming() {
    let document = json!({"output": {"message": {"content": [{"text": "ok"}]}}, "stopReason": "end_turn"});
    let server =
        Server::handler(
            move |request| {
                if request.path.ends_with("/converse") { Response::json(200, &document) } else { fine() }
            },
        )
        .await;
    let message: Message = serde_json::from_value(json!({"role": "user", "content": [
        {"guardContent": {"image": {"format": "png", "source": {"bytes": "AQI="}}}},
        {"text": " "},
        {"image": {"format": "gif", "source": {"bytes": "AQI="}}},
        {"text": "look"},
    ]}))
    .unwrap();
    let messages = [Arc::new(message)];
    for streaming in [true, false] {
        let guardrail =
            Guardrail::new("gr", "1").stream_processing_mode(GuardrailStreamMode::Async).latest_message(true);
        let model = builder(&server.url()).guardrail(guardrail).streaming(streaming).build().await.unwrap();
        turn(&model, ModelRequest::new(&messages)).await.unwrap();
    }
    let sent: Vec<_> = server.requests().iter().map(Request::json).collect();
    assert_eq!(sent[0]["guardrailConfig"]["streamProcessingMode"], "async");
    assert!(sent[1]["guardrailConfig"].get("streamProcessingMode").is_none());
    let content = &sent[0]["messages"][0]["content"];
    assert_eq!(content[0], json!({"guardContent": {"image": {"format": "png", "source": {"bytes": "AQI="}}}}));
    assert_eq!(
        content[1],
        json!({"image": {"format": "gif", "source": {"bytes": "AQI="}}}),
        "guardrails do not support GIF"
    );
    assert_eq!(content[2], json!({"guardContent": {"text": {"text": "look"}}}));
}

#[tokio::test]
async fn the_book_lists_the_supported_features() {
    let page = include_str!("../../../docs/src/models.md");
    let differences =
        strands_testkit::provider::support::differences_to_the_book(&crate::loopback::provider::CLAUDE, page).await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
