//! Keywords of arrays and objects, rewritten for a provider.

use serde_json::{Map, Value, json};

use super::dialect::{Recursion, Tuples};
use super::keywords::texts;
use super::rewriter::Rewriter;
use super::{StrictSchemaError, references, value_types};

impl Rewriter<'_> {
    /// Rewrites the keywords of objects.
    pub(super) fn object(
        &mut self,
        node: &Map<String, Value>,
        written: &mut Map<String, Value>,
        constraints: &mut Vec<(&str, Value)>,
    ) -> Result<(), StrictSchemaError> {
        let declared = node.get("properties").and_then(Value::as_object);
        let by_pattern = node.contains_key("patternProperties");
        let elsewhere = ["if", "dependentSchemas"].iter().any(|keyword| node.contains_key(*keyword));
        let unevaluated = node.get("unevaluatedProperties").filter(|_| self.rules.closed || !elsewhere);
        let others = node.get("additionalProperties").or(unevaluated);
        let is_closed = others == Some(&Value::Bool(false)) && !by_pattern;
        let is_root = self.path.is_empty();
        if self.rules.closed {
            if others.is_some_and(|others| *others != Value::Bool(false)) || by_pattern {
                return Err(self.error("may have properties of any name; list them, or use a list of entries"));
            }
            if !is_root && !is_closed && declared.is_none_or(Map::is_empty) {
                return Err(self.error("is an object of unknown properties; name them"));
            }
        }
        let mut required: Vec<String> = Vec::new();
        for name in texts(node, "required") {
            if !required.iter().any(|own| own == name) {
                required.push(name.to_owned());
            }
        }
        self.count.level += 1;
        self.count.levels = self.count.levels.max(self.count.level);
        let mut properties = Map::new();
        for (name, schema) in declared.into_iter().flatten().filter(|(_, schema)| **schema != Value::Bool(false)) {
            self.path.push(name.clone());
            let mut property = self.schema(schema)?;
            self.path.pop();
            if self.rules.all_required && !required.contains(name) {
                property = self.nullable(property);
            }
            if self.rules.recursion == Recursion::Optional && self.leads_back(schema) {
                required.retain(|own| own != name);
            }
            properties.insert(name.clone(), property);
        }
        // Some providers require a declaration of each required property.
        let undeclared: Vec<String> = required.iter().filter(|name| !properties.contains_key(*name)).cloned().collect();
        for name in undeclared.into_iter().filter(|_| !is_closed) {
            self.path.push(name.clone());
            let property = match others.filter(|others| others.is_object()) {
                Some(schema) => self.schema(schema)?,
                None => self.anything(&json!({}))?,
            };
            self.path.pop();
            properties.insert(name, property);
        }
        self.count.level -= 1;
        self.count.properties += properties.len();
        self.count.optional += properties.keys().filter(|name| !required.contains(name)).count();
        self.count.chars += properties.keys().map(String::len).sum::<usize>();
        if self.rules.all_required {
            required = properties.keys().cloned().collect();
        } else if is_closed {
            // No object fits then, but the provider would reject the whole schema.
            required.retain(|name| properties.contains_key(name));
        }
        if declared.is_some() || !properties.is_empty() || (self.rules.properties && (is_root || self.rules.closed)) {
            written.insert("properties".to_owned(), properties.into());
        }
        if !required.is_empty() || node.contains_key("required") || self.rules.all_required {
            written.insert("required".to_owned(), required.into());
        }
        match others {
            // A provider without `patternProperties` would reject properties that match a pattern.
            Some(others) if by_pattern && !self.accepts("patternProperties") => {
                constraints.push(("additionalProperties", others.clone()));
            }
            _ if is_closed || self.rules.closed => {
                written.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            Some(Value::Object(_)) => {
                let others = others.unwrap_or(&Value::Null);
                let schema = self.schema(others)?;
                written.insert("additionalProperties".to_owned(), schema);
            }
            Some(others @ Value::Bool(_)) => {
                written.insert("additionalProperties".to_owned(), others.clone());
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns true if a property of the current definition refers back to that definition.
    fn leads_back(&self, schema: &Value) -> bool {
        let is_cyclic = |name: &str| self.cyclic.contains(name);
        if !self.expanding.iter().any(|name| is_cyclic(name)) {
            return false;
        }
        let mut targets = std::collections::HashSet::new();
        references::targets(schema, &mut targets);
        targets.into_iter().any(is_cyclic)
    }

    /// Rewrites the keywords of arrays.
    pub(super) fn array(
        &mut self,
        node: &Map<String, Value>,
        written: &mut Map<String, Value>,
        constraints: &mut Vec<(&str, Value)>,
    ) -> Result<(), StrictSchemaError> {
        let first = node.get("prefixItems").and_then(Value::as_array).filter(|first| !first.is_empty());
        let rest = node.get("items");
        let count = |keyword: &str| node.get(keyword).and_then(Value::as_u64);
        let mut most = count("maxItems");
        if rest == Some(&Value::Bool(false)) {
            let length = first.map_or(0, Vec::len) as u64;
            most = Some(most.map_or(length, |most| most.min(length)));
        }
        self.items += 1;
        match first {
            Some(first) if self.rules.tuples == Tuples::List => {
                let has_rest = most.is_none_or(|most| most > first.len() as u64);
                let mut items = first.clone();
                items.extend(has_rest.then(|| rest.cloned().unwrap_or(Value::Bool(true))));
                let items = value_types::any_of_these(&items);
                if items.get("anyOf").is_some() {
                    constraints.push(("prefixItems", shown(first)));
                }
                let items = if has_rest && !self.is_strict && rest.is_none() { json!({}) } else { items };
                let items = self.schema(&items)?;
                written.insert("items".to_owned(), items);
            }
            Some(first) => {
                let each: Result<Vec<Value>, _> = first.iter().map(|item| self.schema(item)).collect();
                written.insert("prefixItems".to_owned(), each?.into());
                if let Some(rest) = rest.filter(|rest| !rest.is_boolean() && self.rules.tuples == Tuples::Any) {
                    let rest = self.schema(rest)?;
                    written.insert("items".to_owned(), rest);
                }
            }
            None => match rest {
                Some(Value::Bool(false)) | None if self.rules.items => {
                    let items = self.anything(&json!({}))?;
                    written.insert("items".to_owned(), items);
                }
                Some(Value::Bool(false)) | None => {}
                Some(rest) => {
                    let items = self.schema(rest)?;
                    written.insert("items".to_owned(), items);
                }
            },
        }
        self.items -= 1;
        if let Some(least) = count("minItems") {
            if least <= self.rules.min_items {
                written.insert("minItems".to_owned(), least.into());
            } else {
                constraints.push(("minItems", least.into()));
            }
        }
        if let Some(most) = most {
            if self.accepts("maxItems") && most <= self.rules.count {
                written.insert("maxItems".to_owned(), most.into());
            } else {
                constraints.push(("maxItems", most.into()));
            }
        }
        Ok(())
    }
}

/// A short description of tuple items: the title or type of each where it has one.
fn shown(items: &[Value]) -> Value {
    let short = |item: &Value| match item.as_object() {
        Some(fields) => {
            let name = fields.get("title").or_else(|| fields.get("$ref")).or_else(|| fields.get("type"));
            name.cloned().unwrap_or_else(|| item.clone())
        }
        None => json!("anything"),
    };
    items.iter().map(short).collect()
}
