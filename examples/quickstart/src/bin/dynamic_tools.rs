//! Tools that change at run time: from a provider whose list changes, added for one prompt, or hidden from one prompt.
//!
//! ```text
//! $ cargo run -p quickstart --bin dynamic_tools
//! at first: []
//! with a plugin: ["count_words"] -> count_words: 3
//! with one more for this prompt: ["count_words", "shout"] -> shout: GOOD MORNING
//! hidden: [] -> I am the offline model: no language model, just rules that pick a tool by your words. I have no tools here, so all I can do is say so.
//! ```

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use strands::{Agent, Tool, ToolProvider, Toolset, async_trait, tool, tools};

/// Counts the words of a text.
#[tool]
fn count_words(text: String) -> usize {
    text.split_whitespace().count()
}

/// Writes a text in capitals.
#[tool]
fn shout(text: String) -> String {
    text.to_uppercase()
}

/// The tools of the loaded plugins. Clones share them.
#[derive(Clone, Default)]
struct Plugins(Arc<Loaded>);

#[derive(Default)]
struct Loaded {
    tools: Mutex<Vec<Arc<dyn Tool>>>,
    generation: AtomicU64,
}

impl Plugins {
    fn load(&self, tools: impl Toolset) {
        self.0.tools.lock().unwrap_or_else(PoisonError::into_inner).extend(tools.into_tools());
        // Agents list the tools again when the generation has changed.
        self.0.generation.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl ToolProvider for Plugins {
    fn name(&self) -> &str {
        "plugins"
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.tools.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::SeqCst)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let plugins = Plugins::default();
    let mut agent = Agent::builder().model(quickstart::model().await?).tool_provider(plugins.clone()).build().await?;
    println!("at first: {:?}", names(&agent));

    plugins.load(tools![CountWords]);
    let response = agent.prompt(r#"Count the words of "one two three""#).await?;
    println!("with a plugin: {:?} -> {}", names(&agent), response.text());

    let response = agent.prompt(r#"Shout "good morning""#).tools(tools![Shout]).await?;
    println!("with one more for this prompt: {:?} -> {}", ["count_words", "shout"], response.text());

    let response = agent.prompt(r#"Count the words of "one two three""#).hide_tools(["count_words"]).await?;
    println!("hidden: [] -> {}", response.text());
    Ok(())
}

fn names(agent: &Agent) -> Vec<&str> {
    agent.tools().iter().map(|tool| tool.spec().name.as_str()).collect()
}
