//! Fallback values for required arguments that the text does not contain: looked up by name in tool results, or generated
//! to fit the schema.

use serde_json::{Number, Value};

use super::schema::{Schema, Shape, TextFormat};
use super::vocabulary::stems;

/// Returns the first value with this name, at any depth of `value`, that fits the schema.
pub(super) fn look_up(value: &Value, name: &[String], schema: Schema<'_>) -> Option<Value> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .find(|(field, value)| stems(field).eq(name.iter().cloned()) && fits(value, schema))
            .map(|(_, value)| value.clone())
            .or_else(|| fields.values().find_map(|value| look_up(value, name, schema))),
        Value::Array(items) => items.iter().find_map(|item| look_up(item, name, schema)),
        _ => None,
    }
}

fn fits(value: &Value, schema: Schema<'_>) -> bool {
    match schema.shape() {
        Shape::Choice(choices) => choices.contains(&value),
        Shape::Boolean => value.is_boolean(),
        Shape::Number { integer } => value.as_f64().is_some_and(|number| number_fits(schema, integer, number)),
        Shape::Text(TextFormat::Plain) => value.is_string(),
        Shape::Text(format) => {
            let length = match format {
                TextFormat::Date => 10..=10,
                _ => 11..=64,
            };
            value
                .as_str()
                .is_some_and(|text| length.contains(&text.len()) && text.starts_with(|c: char| c.is_ascii_digit()))
        }
        Shape::List(items) => value.as_array().is_some_and(|list| list.iter().all(|item| fits(item, items))),
        Shape::Object => schema
            .properties()
            .all(|property| value.get(property.name).map_or(!property.required, |value| fits(value, property.schema))),
        Shape::Anything => true,
    }
}

/// True if the schema allows the number.
pub(super) fn number_fits(schema: Schema<'_>, integer: bool, number: f64) -> bool {
    let above = schema.bound("minimum").is_none_or(|least| number >= least)
        && schema.bound("exclusiveMinimum").is_none_or(|limit| number > limit);
    let below = schema.bound("maximum").is_none_or(|most| number <= most)
        && schema.bound("exclusiveMaximum").is_none_or(|limit| number < limit);
    let step = schema.bound("multipleOf").filter(|step| *step > 0.0);
    let on_step = step.is_none_or(|step| {
        let steps = number / step;
        (steps - steps.round()).abs() < 1e-9
    });
    above && below && on_step && !(integer && number.fract() != 0.0)
}

/// Converts a number to JSON. Whole numbers have no fraction.
pub(super) fn number(number: f64) -> Option<Value> {
    let whole = (number.fract() == 0.0).then(|| format!("{number:.0}").parse::<i64>().ok()).flatten();
    match whole {
        Some(whole) => Some(Value::from(whole)),
        None => Number::from_f64(number).map(Value::Number),
    }
}

/// Generates a value that fits a scalar schema. Text values are made from `text`.
pub(super) fn scalar(schema: Schema<'_>, text: &str) -> Value {
    match schema.shape() {
        Shape::Choice(choices) => choices.first().map_or(Value::Null, |choice| (*choice).clone()),
        Shape::Boolean => Value::Bool(false),
        Shape::Number { integer } => generated_number(schema, integer),
        Shape::Text(TextFormat::Date) => "2000-01-01".into(),
        Shape::Text(TextFormat::DateTime) => "2000-01-01T00:00:00Z".into(),
        Shape::Text(TextFormat::Plain) => generated_text(schema, text).into(),
        Shape::List(_) => Value::Array(Vec::new()),
        Shape::Object => Value::Object(serde_json::Map::new()),
        Shape::Anything => text.into(),
    }
}

fn generated_number(schema: Schema<'_>, integer: bool) -> Value {
    let step = schema.bound("multipleOf").filter(|step| *step > 0.0);
    let least = schema.bound("minimum").or_else(|| schema.bound("exclusiveMinimum"));
    let most = schema.bound("maximum").or_else(|| schema.bound("exclusiveMaximum"));
    let near = |bound: f64| {
        let by = step.unwrap_or(1.0);
        let on_step = (bound / by).ceil() * by;
        [bound, on_step, on_step + by, on_step - by, bound + 0.5, bound - 0.5]
    };
    // Between close bounds, only the midpoint may fit.
    let middle = least.zip(most).map(|(least, most)| f64::midpoint(least, most));
    let candidates = [0.0].into_iter().chain(least.into_iter().chain(most).flat_map(near)).chain(middle);
    candidates
        .into_iter()
        .find(|candidate| number_fits(schema, integer, *candidate))
        .and_then(number)
        .unwrap_or_else(|| Value::from(0))
}

fn generated_text(schema: Schema<'_>, text: &str) -> String {
    let fixed = match schema.keyword("format").and_then(Value::as_str) {
        Some("email") => Some("user@example.com"),
        Some("uri" | "url") => Some("https://example.com/"),
        Some("uuid") => Some("00000000-0000-0000-0000-000000000000"),
        Some("time") => Some("00:00:00Z"),
        _ => None,
    };
    if let Some(fixed) = fixed {
        return fixed.to_owned();
    }
    /// Maximum length of a generated text, even if the schema requires more.
    const MAX_LENGTH: f64 = 4_096.0;
    let length = |keyword: &str| {
        let length = schema.bound(keyword)?.clamp(0.0, MAX_LENGTH);
        format!("{length:.0}").parse::<usize>().ok()
    };
    let mut generated: String = match length("maxLength") {
        Some(most) => text.chars().take(most).collect(),
        None => text.to_owned(),
    };
    let least = length("minLength").unwrap_or(0);
    generated.extend(std::iter::repeat_n('-', least.saturating_sub(generated.chars().count())));
    generated
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn generated_values_fit_their_schema() {
        for (schema, expected) in [
            (json!({"type": "integer", "minimum": 3}), json!(3)),
            (json!({"type": "integer", "exclusiveMinimum": 3}), json!(4)),
            (json!({"type": "integer", "maximum": -2}), json!(-2)),
            (json!({"type": "integer", "minimum": 5, "multipleOf": 4}), json!(8)),
            (json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5}), json!(0.25)),
            (json!({"type": "string", "minLength": 6}), json!("text--")),
            (json!({"type": "string", "maxLength": 2}), json!("te")),
            (json!({"type": "string", "format": "email"}), json!("user@example.com")),
            (json!({"enum": ["a", "b"]}), json!("a")),
            (json!({"type": "boolean"}), json!(false)),
        ] {
            assert_eq!(scalar(Schema::new(&schema), "text"), expected, "{schema}");
        }
    }

    #[test]
    fn finds_values_by_name_and_schema() {
        let result = json!({"trips": [{"nights": "three"}, {"nights": 3, "hotel_name": "Plaza"}]});
        let look_up = |name: &str, schema: Value| {
            let name: Vec<_> = stems(name).collect();
            look_up(&result, &name, Schema::new(&schema))
        };
        assert_eq!(look_up("nights", json!({"type": "integer"})), Some(json!(3)));
        assert_eq!(look_up("hotelName", json!({"type": "string"})), Some(json!("Plaza")));
        assert_eq!(look_up("hotel", json!({"type": "string"})), None);
    }
}
