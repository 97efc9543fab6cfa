//! The tools that a provider itself runs, as the program describes them to it.

use std::fmt;
use std::ops::Deref;

use serde_json::Value;

/// Tools that a provider runs. `Debug` shows what they are and nothing else: some have a key in them, for servers that the
/// provider calls.
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
        // Gemini's have their kind for a field.
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
    fn what_they_are_is_shown_and_no_key() {
        let mut tools = ServerTools::default();
        tools.push(json!({"type": "mcp", "server_label": "docs", "authorization": "s3cret"}));
        tools.push(json!({"googleSearch": {"key": "s3cret"}}));
        assert_eq!(format!("{tools:?}"), r#"["mcp", "googleSearch"]"#);
    }
}
