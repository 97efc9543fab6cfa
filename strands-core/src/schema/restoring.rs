//! Values of a rewritten schema as the original has them: a provider that wants every property gets `null` for one that may
//! be left out, and names that it refuses are replaced.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::keywords::{texts, types};
use super::merging::values;
use super::references::{self, Gathered};
use super::separating::Separator;
use super::{names, root};

/// The most schemas that one value is looked up in.
const MOST_VIEWS: usize = 256;

/// The most levels of a schema that are followed to see if `null` fits.
const MOST_LEVELS: usize = 16;

/// Returns the value without each `null` of an optional property that does not take it, and with the original names of
/// properties.
///
/// ```
/// use serde_json::json;
/// use strands::schema::restored;
///
/// let schema = json!({"type": "object", "properties": {"to day": {"type": "string"}, "page": {"type": "integer"}}});
/// assert_eq!(*restored(&schema, &json!({"to_day": "Friday", "page": null})), json!({"to day": "Friday"}));
/// ```
pub fn restored<'v>(schema: &Value, value: &'v Value) -> Cow<'v, Value> {
    let declared = schema.get("properties").and_then(Value::as_object);
    let is_known = |name: &String| declared.is_some_and(|declared| declared.contains_key(name));
    let is_renamed = value.as_object().is_some_and(|fields| !fields.keys().all(is_known));
    let has_null = has_null(value);
    if !is_renamed && !has_null {
        return Cow::Borrowed(value);
    }
    let gathered = references::gathered(schema);
    let mut restored = value.clone();
    if is_renamed {
        rename(&gathered, &mut restored);
    }
    if has_null {
        let schemas = Schemas { definitions: &gathered.definitions };
        schemas.without_nulls(&[&gathered.root], &mut restored);
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

/// Gives properties of the root their own names back.
fn rename(gathered: &Gathered, value: &mut Value) {
    let Value::Object(fields) = value else { return };
    let separator = Separator::new(&gathered.definitions);
    let Ok(root) = root::object(&gathered.root, &separator) else { return };
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

/// Schemas without unions and references that a value may have to fit.
#[derive(Default)]
struct Views<'a> {
    fitting: Vec<&'a Map<String, Value>>,
    /// Those of them that it has to fit in any case: they are in no branch of a union.
    always: Vec<&'a Map<String, Value>>,
    /// Branches of unions that the value does not fit.
    others: Vec<&'a Map<String, Value>>,
}

struct Schemas<'a> {
    definitions: &'a Map<String, Value>,
}

impl<'a> Schemas<'a> {
    fn without_nulls(&self, schemas: &[&'a Value], value: &mut Value) {
        let mut all = Views::default();
        schemas.iter().for_each(|schema| self.views(schema, value, &mut all, false, 0));
        let Views { fitting: views, always, others } = all;
        match value {
            Value::Object(fields) => fields.retain(|name, value| {
                let mut declared: Vec<&Value> =
                    views.iter().filter_map(|view| view.get("properties")?.get(name)).collect();
                if value.is_null() {
                    let is_of_other =
                        others.iter().any(|view| view.get("properties").is_some_and(|own| own.get(name).is_some()));
                    let is_required = always.iter().any(|view| texts(view, "required").any(|own| own == name));
                    let takes_null = declared.iter().any(|schema| self.takes_null(schema, 0));
                    let is_declared = is_of_other || !declared.is_empty();
                    return !is_declared || is_required || takes_null;
                }
                if declared.is_empty() {
                    declared = views.iter().filter_map(|view| view.get("additionalProperties")).collect();
                }
                self.without_nulls(&declared, value);
                true
            }),
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let of_item = |view: &&'a Map<String, Value>| {
                        let first = view.get("prefixItems").and_then(Value::as_array);
                        first.and_then(|first| first.get(index)).or_else(|| view.get("items"))
                    };
                    let schemas: Vec<&Value> = views.iter().filter_map(of_item).collect();
                    self.without_nulls(&schemas, item);
                }
            }
            _ => {}
        }
    }

    /// Collects the parts of a schema.
    fn views(&self, schema: &'a Value, value: &Value, views: &mut Views<'a>, is_branch: bool, level: usize) {
        let Value::Object(node) = schema else { return };
        let Views { fitting, always, others } = views;
        if level > MOST_LEVELS || fitting.len() + others.len() == MOST_VIEWS {
            return;
        }
        if fitting.iter().chain(others.iter()).any(|view| std::ptr::eq(*view, node)) {
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
            self.views(part, value, views, is_branch, level + 1);
        }
        for branch in list("anyOf").chain(list("oneOf")) {
            self.views(branch, value, views, true, level + 1);
        }
    }

    /// False if the value is about another branch of a union: it has another tag, or `null` for what this one requires.
    fn is_about(&self, node: &'a Map<String, Value>, value: &Value) -> bool {
        let Value::Object(fields) = value else { return true };
        let properties = node.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().all(|(name, schema)| match fields.get(name) {
            None => true,
            Some(Value::Null) => !texts(node, "required").any(|own| own == name) || self.takes_null(schema, 0),
            Some(own) => schema.as_object().and_then(values).is_none_or(|listed| listed.contains(own)),
        })
    }

    /// True if `null` may fit.
    fn takes_null(&self, schema: &Value, level: usize) -> bool {
        let Value::Object(node) = schema else { return schema != &Value::Bool(false) };
        if level > MOST_LEVELS {
            return true;
        }
        let list = |keyword: &str| node.get(keyword).and_then(Value::as_array);
        types(node).is_none_or(|types| types.contains(&"null"))
            && values(node).is_none_or(|values| values.contains(&Value::Null))
            && list("allOf").is_none_or(|parts| parts.iter().all(|part| self.takes_null(part, level + 1)))
            && ["anyOf", "oneOf"]
                .into_iter()
                .filter_map(list)
                .all(|branches| branches.iter().any(|branch| self.takes_null(branch, level + 1)))
            && references::target(node)
                .and_then(|name| self.definitions.get(name))
                .is_none_or(|target| self.takes_null(target, level + 1))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_null_for_what_may_be_left_out_is_left_out() {
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
        assert_eq!(*restored(&schema, &given), expected);
        let other = json!({"kind": {"tag": "b", "x": null}, "must": "x"});
        assert_eq!(*restored(&schema, &other), other);
    }

    #[test]
    fn names_go_back_to_what_they_stand_for() {
        let schema = json!({"oneOf": [{"type": "object", "properties": {"$top": {"type": "integer"}, "_top": {}}}]});
        assert_eq!(*restored(&schema, &json!({"_top_2": 3, "_top": 1})), json!({"$top": 3, "_top": 1}));
        let as_is = json!({"$top": 3});
        assert!(matches!(restored(&schema, &as_is), Cow::Owned(same) if same == as_is));
    }
}
