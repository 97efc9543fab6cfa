//! Differences between Bedrock's request bodies and those of the reference client, and the reference's names of options.

use std::sync::Arc;

use crate::loopback::builder;
use crate::loopback::provider::{Bedrock, CLAUDE, NOVA};
use async_trait::async_trait;
use serde_json::{Map, Value};
use strands_bedrock::{
    BedrockModelBuilder, CacheConfig, CacheSection, CacheStrategy, Guardrail, GuardrailStreamMode, GuardrailTrace,
    ServiceTier, ToolResultStatusPolicy,
};
use strands_core::models::Model;
use strands_testkit::provider::wire::is_sent_what_the_reference_sends;
use strands_testkit::provider::{Capture, Difference, Provider, Referenced};

/// Known differences. The table in `docs/src/models/bedrock.md` lists them with their reasons.
const DIFFERENCES: &[Difference] = &[
    Difference::unseen("json-result-not-an-object"),
    Difference::unseen("document-names"),
    Difference::unseen("documents-alone"),
    Difference::unseen("result-of-nothing"),
    Difference::unseen("guard-content-image"),
    Difference::unseen("guardrail-mode-without-streaming"),
    Difference::unseen("unnamed-blocks"),
    Difference::unseen("empty-descriptions"),
    Difference::unseen("blank-text"),
    Difference::unseen("empty-media"),
    Difference::unseen("call-ids"),
    Difference::unseen("media-of-models"),
    Difference::unseen("cache-points"),
    Difference::unseen("blank-answers"),
    Difference::unseen("empty-after-caching"),
    Difference::unseen("base-model"),
    Difference::unseen("native-schemas"),
    Difference::unseen("server-tools"),
    Difference::new("strict-schemas", strict_schemas, &["bedrock"]),
    Difference::unseen("accepted-schemas"),
];

#[test]
fn the_book_lists_the_same_differences() {
    strands_testkit::provider::wire::the_book_lists_the_same_differences(&CLAUDE);
}

#[tokio::test]
async fn requests_to_claude_match_the_reference() {
    is_sent_what_the_reference_sends(&CLAUDE).await;
}

#[tokio::test]
async fn requests_to_nova_match_the_reference() {
    is_sent_what_the_reference_sends(&NOVA).await;
}

#[async_trait]
impl Referenced for Bedrock {
    fn captures(&self) -> &'static str {
        self.name()
    }

    fn at_least(&self) -> usize {
        30
    }

    fn differences(&self) -> &'static [Difference] {
        DIFFERENCES
    }

    fn page(&self) -> &'static str {
        include_str!("../../../docs/src/models/bedrock.md")
    }

    async fn configured(&self, server: &str, capture: &Capture) -> Arc<dyn Model> {
        let builder = builder(server).model_id(&capture.model_id);
        Arc::new(configured(builder, &capture.config).build().await.unwrap())
    }

    fn is_whole(&self, capture: &Capture) -> bool {
        capture.config["streaming"] == false
    }
}

/// Moves limits of numbers that strict tools can't have into descriptions.
fn strict_schemas(_: &str, request: &mut Value) -> bool {
    let age = "/body/toolConfig/tools/0/toolSpec/inputSchema/json/properties/traveller/properties/age";
    let is_strict = request.pointer("/body/toolConfig/tools/0/toolSpec/strict") == Some(&Value::Bool(true));
    let Some(Value::Object(age)) = request.pointer_mut(age).filter(|_| is_strict) else { return false };
    let Some(least) = age.shift_remove("minimum") else { return false };
    age.insert("description".to_owned(), format!("{{minimum: {least}}}").into());
    true
}

fn parsed<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// Applies the options of the reference client to a builder.
fn configured(mut builder: BedrockModelBuilder, config: &Value) -> BedrockModelBuilder {
    let config = config.as_object().cloned().unwrap_or_default();
    let text = |name: &str| config.get(name).and_then(Value::as_str);
    let object = |name: &str| config.get(name).and_then(Value::as_object).cloned();
    let texts = |name: &str| -> Option<Vec<String>> { Some(parsed(config.get(name)?)) };
    if let Some(tokens) = config.get("max_tokens").and_then(Value::as_u64) {
        builder = builder.max_tokens(tokens.try_into().unwrap());
    }
    if let Some(temperature) = config.get("temperature").and_then(Value::as_f64) {
        builder = builder.temperature(temperature);
    }
    if let Some(top_p) = config.get("top_p").and_then(Value::as_f64) {
        builder = builder.top_p(top_p);
    }
    if let Some(sequences) = texts("stop_sequences") {
        builder = builder.stop_sequences(sequences);
    }
    if let Some(streaming) = config.get("streaming").and_then(Value::as_bool) {
        builder = builder.streaming(streaming);
    }
    if let Some(strict) = config.get("strict_tools").and_then(Value::as_bool) {
        builder = builder.strict_tools(strict);
    }
    builder = match text("service_tier") {
        Some("priority") => builder.service_tier(ServiceTier::Priority),
        Some("flex") => builder.service_tier(ServiceTier::Flex),
        Some("default") => builder.service_tier(ServiceTier::Default),
        _ => builder,
    };
    for (name, value) in object("additional_request_fields").unwrap_or_default() {
        builder = builder.additional_request_field(name, value);
    }
    if let Some(paths) = texts("additional_response_field_paths") {
        builder = builder.additional_response_field_paths(paths);
    }
    for (name, value) in object("additional_args").unwrap_or_default() {
        builder = builder.extra(name, value);
    }
    builder = match config.get("include_tool_result_status") {
        Some(Value::Bool(true)) => builder.tool_result_status(ToolResultStatusPolicy::Always),
        Some(Value::Bool(false)) => builder.tool_result_status(ToolResultStatusPolicy::Never),
        _ => builder,
    };
    if let (Some(id), Some(version)) = (text("guardrail_id"), text("guardrail_version")) {
        builder = builder.guardrail(guardrail(id, version, &config));
    }
    if let Some(cache) = cache(&config) {
        builder = builder.cache(cache);
    }
    builder
}

fn guardrail(id: &str, version: &str, config: &Map<String, Value>) -> Guardrail {
    let mut guardrail =
        Guardrail::new(id, version).trace(match config.get("guardrail_trace").and_then(Value::as_str) {
            Some("enabled_full") => GuardrailTrace::EnabledFull,
            Some("disabled") => GuardrailTrace::Disabled,
            _ => GuardrailTrace::Enabled,
        });
    match config.get("guardrail_stream_processing_mode").and_then(Value::as_str) {
        Some("sync") => guardrail = guardrail.stream_processing_mode(GuardrailStreamMode::Sync),
        Some("async") => guardrail = guardrail.stream_processing_mode(GuardrailStreamMode::Async),
        _ => {}
    }
    guardrail.latest_message(config.get("guardrail_latest_message") == Some(&Value::Bool(true)))
}

fn cache(config: &Map<String, Value>) -> Option<CacheConfig> {
    let section = |value: Option<&Value>, otherwise: CacheSection| match value {
        Some(Value::Bool(true)) => CacheSection::On,
        Some(Value::Bool(false)) => CacheSection::Off,
        Some(Value::String(ttl)) => CacheSection::Ttl(ttl.clone()),
        _ => otherwise,
    };
    let Some(given) = config.get("cache_config").and_then(Value::as_object) else {
        // The older option, for tools only, works with any model.
        config.get("cache_tools").filter(|tools| !tools.is_null())?;
        return Some(
            CacheConfig::new()
                .strategy(CacheStrategy::Anthropic)
                .tools(CacheSection::On)
                .system(CacheSection::Off)
                .messages(CacheSection::Off),
        );
    };
    let mut cache = CacheConfig::new()
        .tools(section(given.get("tools_ttl"), CacheSection::Off))
        .system(section(given.get("system_prompt_ttl"), CacheSection::On));
    if config.get("cache_tools").is_some_and(|tools| !tools.is_null()) {
        cache = cache.tools(CacheSection::On);
    }
    if let Some(ttl) = given.get("ttl").and_then(Value::as_str) {
        cache = cache.ttl(ttl);
    }
    if given.get("strategy").and_then(Value::as_str) == Some("anthropic") {
        cache = cache.strategy(CacheStrategy::Anthropic);
    }
    Some(cache)
}
