//! Tests that run for all providers that are compiled in.

use strands_testkit::provider::Recorded;
use strands_testkit::provider::recorded_output::recorded_objects_are_structured_output;
use strands_testkit::provider::support::differences_to_the_book;

pub(crate) fn all() -> Vec<Box<dyn Recorded>> {
    vec![
        #[cfg(feature = "anthropic")]
        Box::new(crate::anthropic::Anthropic),
        #[cfg(feature = "gemini")]
        Box::new(crate::gemini::Gemini),
        #[cfg(feature = "llamacpp")]
        Box::new(crate::llamacpp::LlamaCpp),
        #[cfg(feature = "mistral")]
        Box::new(crate::mistral::Mistral),
        #[cfg(feature = "ollama")]
        Box::new(crate::ollama::Ollama),
        #[cfg(feature = "openai")]
        Box::new(crate::openai::Api::Chat),
        #[cfg(feature = "openai")]
        Box::new(crate::openai::Api::Responses),
    ]
}

#[tokio::test]
async fn book_lists_the_capabilities_of_each_provider() {
    let mut differences = Vec::new();
    for provider in all() {
        differences.extend(differences_to_the_book(&*provider, include_str!("../../../docs/src/models.md")).await);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test]
async fn recorded_json_is_structured_output() {
    let mut objects = Vec::new();
    for provider in all() {
        let found = recorded_objects_are_structured_output(&*provider).await;
        objects.push((provider.name(), found));
    }
    let is_there = std::env::var_os("STRANDS_SHARED").is_some();
    assert!(
        !is_there || objects.iter().all(|(_, found)| *found > 0),
        "a provider without structured output: {objects:?}"
    );
}
