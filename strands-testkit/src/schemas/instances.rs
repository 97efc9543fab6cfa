//! Generated values for a schema. They may not match it exactly: a test validates them before it uses them.

use std::collections::HashSet;

use serde_json::{Map, Number, Value, json};

/// Maximum depth to which definitions are followed.
const DEEPEST: usize = 12;

/// Generates values for a schema, the same ones for the same schema.
pub fn instances(schema: &Value) -> Vec<Value> {
    let mut seen = HashSet::new();
    let made = (0..24).map(|seed| Maker { root: schema, state: seed * 7_919 + 1, seed }.value(schema, 0));
    made.filter(|value| seen.insert(value.to_string())).collect()
}

struct Maker<'a> {
    root: &'a Value,
    state: u64,
    seed: u64,
}

impl Maker<'_> {
    fn next(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).unwrap_or_default().checked_rem(below).unwrap_or_default()
    }

    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        let Some(node) = schema.as_object() else { return json!("anything") };
        if let Some(only) = node.get("const") {
            return only.clone();
        }
        let list = |keyword: &str| node.get(keyword).and_then(Value::as_array).filter(|list| !list.is_empty());
        if let Some(listed) = list("enum") {
            let at = self.next(listed.len());
            return listed.get(at).cloned().unwrap_or_default();
        }
        let mut made = self.of_type(node, depth);
        for keyword in ["anyOf", "oneOf"] {
            if let Some(branches) = list(keyword) {
                // The last branch usually ends a recursion.
                let at = if depth > DEEPEST { branches.len() - 1 } else { self.next(branches.len()) };
                let branch = branches.get(at).map(|branch| self.value(branch, depth + 1));
                made = joined(made, branch.unwrap_or_default());
            }
        }
        for part in list("allOf").into_iter().flatten() {
            let part = self.value(part, depth + 1);
            made = joined(made, part);
        }
        if let Some(reference) = node.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap_or_default().replace("%3C", "<").replace("%3E", ">");
            let by_name = || self.root["$defs"].as_object()?.values().find(|own| own["$anchor"] == pointer.as_str());
            let target = if depth > DEEPEST { None } else { self.root.pointer(&pointer).or_else(by_name) };
            let target = target.map(|target| self.value(target, depth + 1));
            made = joined(made, target.unwrap_or_default());
        }
        made.unwrap_or_else(|| json!("anything"))
    }

    fn of_type(&mut self, node: &Map<String, Value>, depth: usize) -> Option<Value> {
        let kind = match node.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(Value::Array(kinds)) => {
                let at = if depth > DEEPEST { kinds.len() - 1 } else { self.next(kinds.len()) };
                kinds.get(at)?.as_str()?.to_owned()
            }
            _ if node.contains_key("properties") || node.contains_key("required") => "object".to_owned(),
            _ if node.contains_key("items") || node.contains_key("prefixItems") => "array".to_owned(),
            _ if node.contains_key("minimum") || node.contains_key("maximum") => "number".to_owned(),
            _ => return None,
        };
        let number = |keyword: &str| node.get(keyword).and_then(Value::as_f64);
        Some(match kind.as_str() {
            "null" => Value::Null,
            "boolean" => json!(self.next(2) == 0),
            "integer" | "number" => {
                let least = number("minimum").or(number("exclusiveMinimum").map(|over| over + 1.0));
                let most = number("maximum").or(number("exclusiveMaximum").map(|under| under - 1.0));
                let step = number("multipleOf").unwrap_or(1.0);
                let low = least.or(most.map(|most| most - 10.0)).unwrap_or(-3.0);
                let value = (low / step).ceil() * step + step * self.next(3) as f64;
                let value = most.map_or(value, |most| value.min(most));
                if value.fract() == 0.0 && value.abs() < 9e15 {
                    json!(value as i64)
                } else {
                    Number::from_f64(value)?.into()
                }
            }
            "string" => json!(self.text(node)),
            "array" => {
                let first = node.get("prefixItems").or_else(|| node.get("items").filter(|items| items.is_array()));
                let first = first.and_then(Value::as_array);
                let mut items: Vec<Value> =
                    first.into_iter().flatten().map(|item| self.value(item, depth + 1)).collect();
                let least = number("minItems").unwrap_or(0.0) as usize;
                let most = number("maxItems").map_or(usize::MAX, |most| most as usize);
                let wanted = if depth > DEEPEST { least } else { (items.len() + self.next(3)).max(least).min(most) };
                let rest = node.get("items").filter(|items| items.is_object());
                while items.len() < wanted && (rest.is_some() || items.len() < least) {
                    let item = self.value(rest.unwrap_or(&json!({"type": "integer"})), depth + 1);
                    items.push(if node.contains_key("uniqueItems") && items.contains(&item) {
                        json!(items.len())
                    } else {
                        item
                    });
                }
                items.into()
            }
            _ => {
                let required: Vec<&str> = node
                    .get("required")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let mut object = Map::new();
                for (name, schema) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    let takes = required.contains(&name.as_str()) || (depth <= DEEPEST && self.next(2) == 0);
                    if takes && *schema != Value::Bool(false) {
                        let value = self.value(schema, depth + 1);
                        object.insert(name.clone(), value);
                    }
                }
                if let Some(others) = node.get("additionalProperties").filter(|others| others.is_object()) {
                    for at in 0..self.next(3) {
                        let value = self.value(others, depth + 1);
                        object.insert(format!("{at}"), value);
                    }
                }
                for name in required {
                    object.entry(name).or_insert_with(|| json!("anything"));
                }
                object.into()
            }
        })
    }

    fn text(&mut self, node: &Map<String, Value>) -> String {
        let known = match node.get("format").and_then(Value::as_str).unwrap_or_default() {
            "date" => "2026-11-28",
            "date-time" => "2026-11-28T12:00:00Z",
            "time" => "12:00:00Z",
            "uuid" => "67e55044-10b1-426f-9247-bb680e5fe0c8",
            "email" => "a@example.com",
            "uri" => "https://example.com/",
            "ipv4" => "127.0.0.1",
            "ipv6" => "::1",
            _ => "",
        };
        if !known.is_empty() {
            return known.to_owned();
        }
        let pattern = node.get("pattern").and_then(Value::as_str).unwrap_or_default();
        let example = [
            ("[A-Z]{3}", "OSL"),
            ("[A-Z]{2", "NO"),
            ("d+", "42"),
            ("[0-9]", "007"),
            ("(ab|c)", "abc"),
            ("^a", "a"),
            ("^x", "x"),
        ];
        if let Some((_, text)) = example.iter().find(|(part, _)| pattern.contains(part)) {
            return (*text).to_owned();
        }
        let count = |keyword: &str| node.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let (least, most) = (count("minLength").unwrap_or(0), count("maxLength").unwrap_or(usize::MAX));
        let letters = ["a", "Oslo", "12", "ABC-123", "x y", "AB", "#1a2b3c", "007"];
        let at = usize::try_from(self.seed).unwrap_or_default() + self.next(2);
        let text = letters.get(at % letters.len()).copied().unwrap_or_default();
        text.chars().cycle().take(text.chars().count().max(least).min(most)).collect()
    }
}

/// Merges the values of two schemas that one value has to match.
fn joined(first: Option<Value>, second: Value) -> Option<Value> {
    match (first, second) {
        (Some(Value::Object(mut one)), Value::Object(other)) => {
            for (name, value) in other {
                if value != "anything" || !one.contains_key(&name) {
                    one.insert(name, value);
                }
            }
            Some(one.into())
        }
        (Some(Value::Object(one)), Value::String(_)) => Some(one.into()),
        (_, second) => Some(second),
    }
}
