//! A tool without the macro: its spec is built at run time.

use schemars::JsonSchema;
use serde::Deserialize;
use strands::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait, serde_json::Value};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// The amount in euros.
    amount: f64,
}

/// Converts euros to another currency.
pub struct Convert {
    spec: ToolSpec,
    rate: f64,
}

impl Convert {
    pub fn to(currency: &str, rate: f64) -> Self {
        let name = format!("convert_to_{}", currency.to_lowercase());
        let schema = schemars::schema_for!(Arguments).to_value();
        Self { spec: ToolSpec::new(name, format!("Converts euros to {currency}."), schema), rate }
    }
}

#[async_trait]
impl Tool for Convert {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn checks_input(&self) -> bool {
        true
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let refused = |error: strands::serde_json::Error| ToolError::invalid_input(error.to_string());
        let Arguments { amount } = strands::serde_json::from_value(input).map_err(refused)?;
        Ok(ToolOutput::text(format!("{:.2}", amount * self.rate)))
    }
}
