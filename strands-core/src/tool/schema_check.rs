//! Whether arguments fit a JSON Schema, for tools that are only known at run time. Covers what tool schemas use; a
//! keyword beyond that is not checked here, and the tool itself has the last word. The full validators on offer would
//! more than double what this crate compiles.

use std::cell::Cell;

use regex_lite::Regex;
use serde_json::{Map, Value};

/// How deep a schema may refer to itself for one value: past that it goes round in a circle.
const MAX_DEPTH: usize = 64;

/// How many schemas one value may be held against: past that, alternatives inside alternatives would take for ever.
const MAX_STEPS: usize = 100_000;

/// Checks `value` against `schema`; each mistake is named by its path.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    let mut mistakes = Vec::new();
    Checker { root: schema, mistakes: &mut mistakes, steps: &Cell::new(0) }.check(schema, value, "", 0);
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes.join("; ")) }
}

struct Checker<'a> {
    root: &'a Value,
    mistakes: &'a mut Vec<String>,
    steps: &'a Cell<usize>,
}

impl Checker<'_> {
    fn mistake(&mut self, path: &str, what: impl std::fmt::Display) {
        let path = if path.is_empty() { "the arguments" } else { path };
        self.mistakes.push(format!("`{path}`: {what}"));
    }

    fn fits(&self, schema: &Value, value: &Value, path: &str, depth: usize) -> bool {
        let mut mistakes = Vec::new();
        Checker { root: self.root, mistakes: &mut mistakes, steps: self.steps }.check(schema, value, path, depth);
        mistakes.is_empty()
    }

    fn check(&mut self, schema: &Value, value: &Value, path: &str, depth: usize) {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            return;
        }
        let schema = match schema {
            Value::Bool(false) => return self.mistake(path, "nothing is allowed here"),
            Value::Object(schema) if depth < MAX_DEPTH => schema,
            _ => return,
        };
        if let Some(pointer) = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'))
            && let Some(target) = self.root.pointer(pointer)
        {
            self.check(target, value, path, depth + 1);
        }
        if let Some(expected) = schema.get("type")
            && !has_type(expected, value)
        {
            return self.mistake(path, format_args!("expected {}, got {}", in_words(expected), kind(value)));
        }
        if let Some(Value::Array(allowed)) = schema.get("enum")
            && !allowed.contains(value)
        {
            let allowed: Vec<_> = allowed.iter().map(Value::to_string).collect();
            self.mistake(path, format_args!("{value} is not one of {}", allowed.join(", ")));
        }
        if let Some(expected) = schema.get("const")
            && expected != value
        {
            self.mistake(path, format_args!("must be {expected}"));
        }
        self.combinations(schema, value, path, depth);
        match value {
            Value::Object(object) => self.object(schema, object, path, depth),
            Value::Array(items) => self.array(schema, items, path, depth),
            Value::String(text) => self.string(schema, text, path),
            Value::Number(number) => self.number(schema, number.as_f64().unwrap_or_default(), path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn combinations(&mut self, schema: &Map<String, Value>, value: &Value, path: &str, depth: usize) {
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        for part in list("allOf").into_iter().flatten() {
            self.check(part, value, path, depth + 1);
        }
        if let Some(choices) = list("anyOf")
            && !choices.iter().any(|choice| self.fits(choice, value, path, depth + 1))
        {
            self.mistake(path, "fits none of the forms that the schema allows");
        }
        if let Some(choices) = list("oneOf")
            && choices.iter().filter(|choice| self.fits(choice, value, path, depth + 1)).count() != 1
        {
            self.mistake(path, "must fit exactly one of the forms that the schema allows");
        }
        if let Some(refused) = schema.get("not")
            && self.fits(refused, value, path, depth + 1)
        {
            self.mistake(path, "has a form that the schema refuses");
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, object: &Map<String, Value>, path: &str, depth: usize) {
        let at = |name: &str| {
            if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
        };
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                self.mistake(&at(name), "required");
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, value) in object {
            if let Some(property) = properties.and_then(|properties| properties.get(name)) {
                self.check(property, value, &at(name), depth + 1);
            } else if schema.contains_key("patternProperties") {
                // What its patterns cover, the tool checks.
            } else if let Some(Value::Bool(false)) = schema.get("additionalProperties") {
                let known: Vec<_> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                self.mistake(&at(name), format_args!("unknown; expected one of {}", known.join(", ")));
            } else if let Some(others) = schema.get("additionalProperties") {
                self.check(others, value, &at(name), depth + 1);
            }
        }
        self.bounds(schema, "Properties", object.len() as f64, path, "properties");
    }

    fn array(&mut self, schema: &Map<String, Value>, items: &[Value], path: &str, depth: usize) {
        let first = schema.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(index).or_else(|| schema.get("items")) {
                self.check(schema, item, &format!("{path}[{index}]"), depth + 1);
            }
        }
        self.bounds(schema, "Items", items.len() as f64, path, "items");
        if schema.get("uniqueItems") == Some(&Value::Bool(true))
            && items.iter().enumerate().any(|(index, item)| items.iter().take(index).any(|earlier| earlier == item))
        {
            self.mistake(path, "its items must differ");
        }
    }

    fn string(&mut self, schema: &Map<String, Value>, text: &str, path: &str) {
        self.bounds(schema, "Length", text.chars().count() as f64, path, "characters");
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text))
        {
            self.mistake(path, format_args!("does not match the pattern {pattern}"));
        }
    }

    fn bounds(&mut self, schema: &Map<String, Value>, what: &str, actual: f64, path: &str, unit: &str) {
        let bound = |name: &str| schema.get(&format!("{name}{what}")).and_then(Value::as_f64);
        if let Some(least) = bound("min").filter(|least| actual < *least) {
            self.mistake(path, format_args!("needs at least {least} {unit}"));
        }
        if let Some(most) = bound("max").filter(|most| actual > *most) {
            self.mistake(path, format_args!("takes at most {most} {unit}"));
        }
    }

    fn number(&mut self, schema: &Map<String, Value>, number: f64, path: &str) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        if let Some(least) = bound("minimum").filter(|least| number < *least) {
            self.mistake(path, format_args!("must be at least {least}"));
        }
        if let Some(most) = bound("maximum").filter(|most| number > *most) {
            self.mistake(path, format_args!("must be at most {most}"));
        }
        if let Some(over) = bound("exclusiveMinimum").filter(|over| number <= *over) {
            self.mistake(path, format_args!("must be over {over}"));
        }
        if let Some(under) = bound("exclusiveMaximum").filter(|under| number >= *under) {
            self.mistake(path, format_args!("must be under {under}"));
        }
        if let Some(step) = bound("multipleOf").filter(|step| *step > 0.0) {
            let steps = number / step;
            if (steps - steps.round()).abs() > 1e-9 {
                self.mistake(path, format_args!("must be a multiple of {step}"));
            }
        }
    }
}

fn has_type(expected: &Value, value: &Value) -> bool {
    match expected {
        Value::String(name) => match name.as_str() {
            "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "null" => value.is_null(),
            _ => true,
        },
        Value::Array(names) => names.iter().any(|name| has_type(name, value)),
        _ => true,
    }
}

fn in_words(expected: &Value) -> String {
    match expected {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        other => other.to_string(),
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("boolean {value}"),
        Value::Number(number) => format!("number {number}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "city": {"type": "string", "minLength": 2, "pattern": "^[A-Z]"},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
                "units": {"enum": ["C", "F"]},
                "legs": {"type": "array", "items": {"$ref": "#/$defs/Leg"}, "maxItems": 2},
                "budget": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            },
            "required": ["city"],
            "additionalProperties": false,
            "$defs": {"Leg": {"type": "object", "required": ["to"], "properties": {"then": {"$ref": "#/$defs/Leg"}}}},
        })
    }

    #[test]
    fn what_fits_is_let_through() {
        let fits = json!({"city": "Oslo", "days": 3.0, "units": "C", "legs": [{"to": "x", "then": {"to": "y"}}], "budget": null});
        assert_eq!(check(&schema(), &fits), Ok(()));
    }

    #[test]
    fn every_mistake_is_named_by_its_path() {
        let wrong = json!({"days": 9, "units": "K", "legs": [{}, {"to": 1, "then": {}}], "budget": "much", "when": 1});
        let mistakes = check(&schema(), &wrong).unwrap_err();
        assert_eq!(
            mistakes,
            "`city`: required; `days`: must be at most 7; `units`: \"K\" is not one of \"C\", \"F\"; \
             `legs[0].to`: required; `legs[1].then.to`: required; \
             `budget`: fits none of the forms that the schema allows; \
             `when`: unknown; expected one of city, days, units, legs, budget"
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_not_looked_into() {
        assert_eq!(check(&schema(), &json!([])).unwrap_err(), "`the arguments`: expected object, got an array");
        assert_eq!(check(&schema(), &json!({"city": 1})).unwrap_err(), "`city`: expected string, got number 1");
    }

    #[test]
    fn alternatives_inside_alternatives_end() {
        // A server of tools may send this: every level doubles the work.
        let hostile = json!({"oneOf": [{"$ref": "#"}, {"$ref": "#"}, {"type": "string"}]});
        let _ = check(&hostile, &json!({}));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let circle = json!({"$ref": "#"});
        assert_eq!(check(&circle, &json!({})), Ok(()));
    }
}
