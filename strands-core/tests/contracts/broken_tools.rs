//! Tools that violate their contract.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use strands_core::testing::ToolContextBuilder;
use strands_core::testing::contract::{Promise, check_tool};
use strands_core::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait};

/// A tool with configurable violations.
struct Handmade {
    specs: [ToolSpec; 2],
    asked: AtomicUsize,
    changes: bool,
    checks: bool,
    /// One call at a time: a second one fails.
    single: Option<AtomicBool>,
}

impl Handmade {
    fn new(name: &str, schema: Value) -> Self {
        let spec = |description: &str| ToolSpec::new(name, description, schema.clone());
        Self {
            specs: [spec("Finds a city."), spec("Finds another city.")],
            asked: AtomicUsize::new(0),
            changes: false,
            checks: false,
            single: None,
        }
    }
}

#[async_trait]
impl Tool for Handmade {
    fn spec(&self) -> &ToolSpec {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        &self.specs[usize::from(self.changes && asked > 0)]
    }

    fn checks_input(&self) -> bool {
        self.checks
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        if let Some(single) = &self.single {
            if single.swap(true, Ordering::Relaxed) {
                return Err(ToolError::new("a call is running"));
            }
            tokio::task::yield_now().await;
            single.store(false, Ordering::Relaxed);
        }
        Ok(ToolOutput::text("Oslo"))
    }
}

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

async fn check(tool: &Handmade, example: Value) -> Result<(), Promise> {
    let ctx = ToolContextBuilder::new("find").build();
    check_tool(tool, &ctx, &example).await.map_err(|violation| violation.promise)
}

#[tokio::test]
async fn accepts_a_valid_tool() {
    assert_eq!(check(&Handmade::new("find", schema()), json!({"city": "Oslo"})).await, Ok(()));
}

#[tokio::test]
async fn detects_invalid_and_changing_specs() {
    let example = || json!({"city": "Oslo"});
    assert_eq!(check(&Handmade::new("find city", schema()), example()).await, Err(Promise::ToolSpecValid));
    for schema in [json!({}), json!(true), json!({"type": "string"}), json!({"type": "object", "properties": []})] {
        assert_eq!(check(&Handmade::new("find", schema), example()).await, Err(Promise::ToolSpecValid));
    }
    let changing = Handmade { changes: true, ..Handmade::new("find", schema()) };
    assert_eq!(check(&changing, example()).await, Err(Promise::ToolStable));
}

#[tokio::test]
async fn requires_an_example_that_fits_the_schema() {
    let tool = Handmade::new("find", schema());
    assert_eq!(check(&tool, json!({"city": 1})).await, Err(Promise::ToolAcceptsInput));
    assert_eq!(check(&tool, json!({})).await, Err(Promise::ToolAcceptsInput));
}

#[tokio::test]
async fn detects_missing_validation_of_a_tool_that_checks_its_input() {
    let tool = Handmade { checks: true, ..Handmade::new("find", schema()) };
    assert_eq!(check(&tool, json!({"city": "Oslo"})).await, Err(Promise::ToolRejectsInput));
}

#[tokio::test]
async fn detects_calls_that_affect_each_other() {
    let tool = Handmade { single: Some(AtomicBool::new(false)), ..Handmade::new("find", schema()) };
    assert_eq!(check(&tool, json!({"city": "Oslo"})).await, Err(Promise::ToolCallsIndependent));
}
