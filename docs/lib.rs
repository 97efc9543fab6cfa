//! The pages of the book and the README, so that `cargo test` compiles and runs their code.

macro_rules! pages {
    ($($name:ident: $file:literal,)+) => {
        $(
            #[doc = include_str!(concat!("src/", $file))]
            pub mod $name {}
        )+

        #[cfg(test)]
        const PAGES: &[&str] = &[$($file),+];
    };
}

pages! {
    quickstart: "quickstart.md",
    cookbook: "cookbook.md",
    examples: "examples.md",
    tools: "tools.md",
    schemas: "schemas.md",
    structured_output: "structured-output.md",
    agent_loop: "loop.md",
    choosing_multi_agent: "choosing-multi-agent.md",
    agents_as_tools: "agents-as-tools.md",
    graph: "graph.md",
    workflow_patterns: "workflow-patterns.md",
    swarm: "swarm.md",
    multi_agent_persistence: "multi-agent-persistence.md",
    events: "events.md",
    limits: "limits.md",
    retries: "retries.md",
    hooks: "hooks.md",
    identity: "identity.md",
    authorization: "authorization.md",
    approval: "approval.md",
    guardrails: "guardrails.md",
    serving: "serving.md",
    agentcore: "agentcore.md",
    lambda: "lambda.md",
    operations: "operations.md",
    servers: "servers.md",
    observability: "observability.md",
    durable: "durable.md",
    durable_restate: "durable/restate.md",
    durable_lambda: "durable/lambda.md",
    durable_capacity: "durable/capacity.md",
    travel_system: "travel-system.md",
    deployment: "deployment.md",
    costs: "costs.md",
    mcp: "mcp.md",
    a2a: "a2a.md",
    conversation: "conversation.md",
    models: "models.md",
    models_bedrock: "models/bedrock.md",
    models_anthropic: "models/anthropic.md",
    models_gemini: "models/gemini.md",
    models_llamacpp: "models/llamacpp.md",
    models_mistral: "models/mistral.md",
    models_ollama: "models/ollama.md",
    models_openai: "models/openai.md",
    models_offline: "models/offline.md",
    models_decorators: "models/decorators.md",
    sessions: "sessions.md",
    extending: "extending.md",
    contracts: "contracts.md",
    errors: "errors.md",
    performance: "performance.md",
    security: "security.md",
    from_python_strands: "from-python-strands.md",
    from_rig: "from-rig.md",
    glossary: "glossary.md",
}

#[doc = include_str!("../README.md")]
pub mod readme {}

#[cfg(test)]
mod setters;

#[cfg(test)]
mod tests {
    use super::PAGES;

    #[test]
    fn compiles_and_lists_every_page() {
        let summary = include_str!("src/SUMMARY.md");
        let listed: Vec<&str> = summary.split('(').skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert_eq!(listed, PAGES);
    }

    /// Readers have only the dependencies of the quickstart in their `Cargo.toml`.
    #[test]
    fn pages_name_the_other_crates_that_they_use() {
        let book = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        for page in PAGES {
            let text = std::fs::read_to_string(format!("{book}/{page}")).unwrap_or_default();
            assert!(!text.is_empty(), "{page}");
            assert!(!text.contains("use futures_util::") || text.contains("futures-util = "), "{page}");
        }
    }

    #[test]
    fn openai_page_lists_every_service() {
        let page = include_str!("src/models/openai.md");
        for service in strands::models::openai::Service::all() {
            let row =
                page.lines().find(|line| line.starts_with(&format!("| `{}/", service.name()))).unwrap_or_default();
            for cell in
                [service.base_url().unwrap_or_default(), service.base_url_variable(), service.api_key_variable()]
            {
                assert!(row.contains(cell) && !row.is_empty(), "{}: {row}", service.name());
            }
        }
    }

    #[test]
    fn travel_system_page_shows_the_code_of_the_sample() {
        let page = include_str!("src/travel-system.md");
        let sample = concat!(
            include_str!("../examples/travel-agent/src/agent.rs"),
            include_str!("../examples/travel-agent/src/cli/hosts.rs"),
        );
        let unindented = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        let sample = unindented(sample);
        let blocks: Vec<&str> =
            page.split("```rust,ignore\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(blocks.len(), 5, "`call_agent` and four hosts");
        for block in blocks {
            assert!(sample.contains(unindented(block).trim()), "not in the sample:\n{block}");
        }
    }
}
