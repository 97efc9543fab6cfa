//! Restoring of generated values to the original schema: providers that require every property send `null` for optional
//! ones, and names that they reject are replaced.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::composition::Resolver;
use super::keywords::{texts, types};
use super::merging::values;
use super::references::{self, Bundle};
use super::{names, root};

/// The most schemas that are searched for one value.
const MAX_CANDIDATES: usize = 256;

/// The most levels of a schema that are followed to see if `null` fits.
const MAX_LEVELS: usize = 16;

/// Returns the value with the original property names, and without `null` for optional properties that are not nullable.
///
/// ```
/// use serde_json::json;
/// use strands::schema::restore_value;
///
/// let schema = json!({"type": "object", "properties": {"to day": {"type": "string"}, "page": {"type": "integer"}}});
/// assert_eq!(*restore_value(&schema, &json!({"to_day": "Friday", "page": null})), json!({"to day": "Friday"}));
/// ```
pub fn restore_value<'v>(schema: &Value, value: &'v Value) -> Cow<'v, Value> {
    let declared = schema.get("properties").and_then(Value::as_object);
    let is_known = |name: &String| declared.is_some_and(|declared| declared.contains_key(name));
    let is_renamed = value.as_object().is_some_and(|fields| !fields.keys().all(is_known));
    let has_null = has_null(value);
    if !is_renamed && !has_null {
        return Cow::Borrowed(value);
    }
    let bundle = references::bundle(schema);
    let mut restored = value.clone();
    if is_renamed {
        rename(&bundle, &mut restored);
    }
    if has_null {
        let schemas = Schemas { definitions: &bundle.definitions };
        schemas.without_nulls(&[&bundle.root], &mut restored);
    }
    Cow::Owned(restored)
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

/// Restores the original names of the root's properties.
fn rename(bundle: &Bundle, value: &mut Value) {
    let Value::Object(fields) = value else { return };
    let resolver = Resolver::new(&bundle.definitions);
    let Ok(root) = root::object(&bundle.root, &resolver) else { return };
    let Some(Value::Object(properties)) = root.object.get("properties") else { return };
    let plain = names::plain(properties.keys().map(String::as_str));
    if !plain.iter().any(|(name, plain)| name != plain && fields.contains_key(plain)) {
        return;
    }
    let own = |name: String| match plain.iter().find(|(_, plain)| *plain == name) {
        Some((own, _)) => (*own).to_owned(),
        None => name,
    };
    *fields = std::mem::take(fields).into_iter().map(|(name, value)| (own(name), value)).collect();
}

/// Schemas without unions and references that may apply to a value.
#[derive(Default)]
struct Candidates<'a> {
    fitting: Vec<&'a Map<String, Value>>,
    /// Those outside of unions, which always apply.
    always: Vec<&'a Map<String, Value>>,
    /// Branches of unions that the value does not fit.
    others: Vec<&'a Map<String, Value>>,
}

struct Schemas<'a> {
    definitions: &'a Map<String, Value>,
}

impl<'a> Schemas<'a> {
    fn without_nulls(&self, schemas: &[&'a Value], value: &mut Value) {
        let mut all = Candidates::default();
        schemas.iter().for_each(|schema| self.collect(schema, value, &mut all, false, 0));
        let Candidates { fitting: candidates, always, others } = all;
        match value {
            Value::Object(fields) => fields.retain(|name, value| {
                let mut declared: Vec<&Value> =
                    candidates.iter().filter_map(|candidate| candidate.get("properties")?.get(name)).collect();
                if value.is_null() {
                    let is_of_other = others
                        .iter()
                        .any(|candidate| candidate.get("properties").is_some_and(|own| own.get(name).is_some()));
                    let is_required =
                        always.iter().any(|candidate| texts(candidate, "required").any(|own| own == name));
                    let accepts_null = declared.iter().any(|schema| self.accepts_null(schema, 0));
                    let is_declared = is_of_other || !declared.is_empty();
                    return !is_declared || is_required || accepts_null;
                }
                if declared.is_empty() {
                    declared =
                        candidates.iter().filter_map(|candidate| candidate.get("additionalProperties")).collect();
                }
                self.without_nulls(&declared, value);
                true
            }),
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let of_item = |candidate: &&'a Map<String, Value>| {
                        let first = candidate.get("prefixItems").and_then(Value::as_array);
                        first.and_then(|first| first.get(index)).or_else(|| candidate.get("items"))
                    };
                    let schemas: Vec<&Value> = candidates.iter().filter_map(of_item).collect();
                    self.without_nulls(&schemas, item);
                }
            }
            _ => {}
        }
    }

    /// Collects the schemas that may apply to a value.
    fn collect(
        &self,
        schema: &'a Value,
        value: &Value,
        candidates: &mut Candidates<'a>,
        is_branch: bool,
        level: usize,
    ) {
        let Value::Object(node) = schema else { return };
        let Candidates { fitting, always, others } = candidates;
        if level > MAX_LEVELS || fitting.len() + others.len() == MAX_CANDIDATES {
            return;
        }
        if fitting.iter().chain(others.iter()).any(|candidate| std::ptr::eq(*candidate, node)) {
            return;
        }
        if is_branch && !self.is_about(node, value) {
            others.push(node);
            return;
        }
        fitting.push(node);
        if !is_branch {
            always.push(node);
        }
        let target = references::target(node).and_then(|name| self.definitions.get(name));
        let list = |keyword: &str| node.get(keyword).and_then(Value::as_array).into_iter().flatten();
        for part in target.into_iter().chain(list("allOf")) {
            self.collect(part, value, candidates, is_branch, level + 1);
        }
        for branch in list("anyOf").chain(list("oneOf")) {
            self.collect(branch, value, candidates, true, level + 1);
        }
    }

    /// Returns false if the value fits another branch of the union: it has another tag, or `null` for a required property.
    fn is_about(&self, node: &'a Map<String, Value>, value: &Value) -> bool {
        let Value::Object(fields) = value else { return true };
        let properties = node.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().all(|(name, schema)| match fields.get(name) {
            None => true,
            Some(Value::Null) => !texts(node, "required").any(|own| own == name) || self.accepts_null(schema, 0),
            Some(own) => schema.as_object().and_then(values).is_none_or(|listed| listed.contains(own)),
        })
    }

    /// Returns true if `null` may fit.
    fn accepts_null(&self, schema: &Value, level: usize) -> bool {
        let Value::Object(node) = schema else { return schema != &Value::Bool(false) };
        if level > MAX_LEVELS {
            return true;
        }
        let list = |keyword: &str| node.get(keyword).and_then(Value::as_array);
        types(node).is_none_or(|types| types.contains(&"null"))
            && values(node).is_none_or(|values| values.contains(&Value::Null))
            && list("allOf").is_none_or(|parts| parts.iter().all(|part| self.accepts_null(part, level + 1)))
            && ["anyOf", "oneOf"]
                .into_iter()
                .filter_map(list)
                .all(|branches| branches.iter().any(|branch| self.accepts_null(branch, level + 1)))
            && references::target(node)
                .and_then(|name| self.definitions.get(name))
                .is_none_or(|target| self.accepts_null(target, level + 1))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn removes_nulls_of_optional_properties() {
        let schema = json!({
            "type": "object",
            "properties": {
                "page": {"type": "integer"},
                "note": {"type": ["string", "null"]},
                "leg": {"$ref": "#/$defs/Leg"},
                "legs": {"type": "array", "items": {"$ref": "#/$defs/Leg"}},
                "kind": {"oneOf": [
                    {"properties": {"tag": {"const": "a"}, "x": {"type": "string"}}, "required": ["tag"]},
                    {"properties": {"tag": {"const": "b"}, "x": {"type": ["string", "null"]}}, "required": ["tag"]},
                ]},
                "must": {"type": "string"},
                "any": {},
            },
            "required": ["must"],
            "$defs": {"Leg": {"type": "object", "properties": {"to": {"type": "string"}, "via": {"anyOf": [{"$ref": "#/$defs/Leg"}]}}}},
        });
        let given = json!({
            "page": null, "note": null, "leg": {"to": null, "via": {"to": "x", "via": null}}, "legs": [{"to": null}, null],
            "kind": {"tag": "a", "x": null}, "must": null, "any": null, "unknown": null,
        });
        let expected = json!({
            "note": null, "leg": {"via": {"to": "x"}}, "legs": [{}, null], "kind": {"tag": "a"}, "must": null, "any": null,
            "unknown": null,
        });
        assert_eq!(*restore_value(&schema, &given), expected);
        let other = json!({"kind": {"tag": "b", "x": null}, "must": "x"});
        assert_eq!(*restore_value(&schema, &other), other);
    }

    #[test]
    fn restores_original_names() {
        let schema = json!({"oneOf": [{"type": "object", "properties": {"$top": {"type": "integer"}, "_top": {}}}]});
        assert_eq!(*restore_value(&schema, &json!({"_top_2": 3, "_top": 1})), json!({"$top": 3, "_top": 1}));
        let unchanged = json!({"$top": 3});
        assert!(matches!(restore_value(&schema, &unchanged), Cow::Owned(same) if same == unchanged));
    }
}
