//! Tools that a provider itself runs, in the provider's JSON.

use std::fmt;
use std::ops::Deref;

use serde_json::Value;

/// Server tools. `Debug` shows only their types, since some contain an API key for a server that the provider calls.
#[derive(Clone, Default)]
pub(crate) struct ServerTools(Vec<Value>);

impl ServerTools {
    pub(crate) fn push(&mut self, tool: Value) {
        self.0.push(tool);
    }
}

impl Deref for ServerTools {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}

impl fmt::Debug for ServerTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Gemini's have their type as the name of a field.
        let kind = |tool: &Value| {
            let named = tool.get("type").and_then(Value::as_str).map(str::to_owned);
            named.or_else(|| tool.as_object()?.keys().next().cloned()).unwrap_or_default()
        };
        f.debug_list().entries(self.0.iter().map(kind)).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn debug_shows_types_without_keys() {
        let mut tools = ServerTools::default();
        tools.push(json!({"type": "mcp", "server_label": "docs", "authorization": "s3cret"}));
        tools.push(json!({"googleSearch": {"key": "s3cret"}}));
        assert_eq!(format!("{tools:?}"), r#"["mcp", "googleSearch"]"#);
    }
}
