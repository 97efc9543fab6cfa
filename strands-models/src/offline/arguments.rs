//! Arguments of a tool call, from a text and the tool's schema.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use strands_core::ToolSpec;

use super::argument_meaning::ArgumentMeaning;
use super::extraction::Extractor;
use super::fallback_values;
use super::schema::{Property, Schema, Shape, TextFormat};
use super::vocabulary::stems;

/// Maximum number of values in one call. A recursive schema has no other limit.
const MAX_VALUES: u32 = 500;

/// A required argument that the text does not contain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) name: String,
    pub(super) description: String,
}

/// Returns the arguments that `text` contains.
///
/// # Errors
///
/// Returns the required arguments that it does not contain.
pub(super) fn from_text(tool: &ToolSpec, text: &str) -> Result<Value, Vec<Missing>> {
    let mut reader = ArgumentReader::new(tool, text, None);
    let arguments = reader.object(Schema::new(&tool.input_schema), true);
    if reader.missing.is_empty() { Ok(Value::Object(arguments)) } else { Err(reader.missing) }
}

/// Returns arguments that always fit the schema: values of `known` with the same name, newest first, then values from
/// `text`, then generated ones. Arguments that may be any text are `prose`.
pub(super) fn forced(tool: &ToolSpec, text: &str, prose: &str, known: &[&Value]) -> Value {
    let mut reader = ArgumentReader::new(tool, text, Some(known));
    reader.prose = prose;
    Value::Object(reader.object(Schema::new(&tool.input_schema), true))
}

struct ArgumentReader<'t> {
    extractor: Extractor<'t>,
    /// Value of arguments that may be any text.
    prose: &'t str,
    /// Stems of the tool's name and description, which are not names.
    ordinary: HashSet<String>,
    /// Values to look up by name; `None` if no value may be generated.
    known: Option<&'t [&'t Value]>,
    missing: Vec<Missing>,
    values: u32,
}

impl<'t> ArgumentReader<'t> {
    fn new(tool: &ToolSpec, text: &'t str, known: Option<&'t [&'t Value]>) -> Self {
        let ordinary = stems(&tool.name).chain(stems(&tool.description));
        Self {
            extractor: Extractor::new(text),
            prose: text,
            ordinary: ordinary.collect(),
            known,
            missing: Vec::new(),
            values: 0,
        }
    }

    /// Reads the values of an object. Required properties are read first, since each token is used once.
    fn object(&mut self, schema: Schema<'_>, required: bool) -> Map<String, Value> {
        let properties: Vec<Property<'_>> = schema.properties().collect();
        let (needed, other): (Vec<_>, Vec<_>) = properties.iter().partition(|property| property.required);
        let mut values: HashMap<&str, Value> = HashMap::new();
        for property in needed.into_iter().chain(other) {
            self.values += 1;
            if self.values > MAX_VALUES || schema.is_too_deep() {
                break;
            }
            let needed = required && property.required;
            let value = self
                .known(property)
                .or_else(|| self.value(property, needed))
                .or_else(|| needed.then(|| self.fallback(property))?);
            if let Some(value) = value {
                values.insert(property.name, value);
            }
        }
        properties
            .iter()
            .filter_map(|property| {
                let value = values.remove(property.name)?;
                Some((property.name.to_owned(), value))
            })
            .collect()
    }

    fn known(&self, property: &Property<'_>) -> Option<Value> {
        let name: Vec<String> = stems(property.name).collect();
        self.known?.iter().find_map(|value| fallback_values::look_up(value, &name, property.schema))
    }

    /// Returns a required value that the text does not contain.
    fn fallback(&mut self, property: &Property<'_>) -> Option<Value> {
        if let Some(value) = property.default.or(property.examples.first()) {
            return Some(value.clone());
        }
        if self.known.is_some() {
            return Some(match property.schema.shape() {
                Shape::Object => Value::Object(self.object(property.schema, true)),
                Shape::List(items) => self.generated_list(property, items),
                _ => fallback_values::scalar(property.schema, self.prose),
            });
        }
        // The missing values of an object were recorded when it was read.
        if !matches!(property.schema.shape(), Shape::Object) {
            self.missing.push(Missing { name: property.name.to_owned(), description: property.description.to_owned() });
        }
        None
    }

    fn generated_list(&mut self, property: &Property<'_>, items: Schema<'_>) -> Value {
        let length = property.schema.bound("minItems").unwrap_or(0.0);
        let mut list = Vec::new();
        while (list.len() as f64) < length && self.values < MAX_VALUES {
            self.values += 1;
            list.push(match items.shape() {
                Shape::Object => Value::Object(self.object(items, true)),
                _ => fallback_values::scalar(items, self.prose),
            });
        }
        Value::Array(list)
    }

    fn value(&mut self, property: &Property<'_>, needed: bool) -> Option<Value> {
        let name = property.name;
        match property.schema.shape() {
            Shape::Choice(choices) => self.choice(&choices, needed),
            Shape::Boolean => {
                let value = self.labelled_as(name, "true").or_else(|| self.extractor.affirms(name).then_some(true));
                value.or(needed.then_some(false)).map(Value::from)
            }
            Shape::Number { integer } => {
                let fits = |number: f64| fallback_values::number_fits(property.schema, integer, number);
                let number =
                    self.extractor.number_of(name, fits).or_else(|| needed.then(|| self.extractor.number(fits))?);
                number.and_then(fallback_values::number)
            }
            Shape::Text(TextFormat::Date) => self.extractor.date().map(Value::from),
            Shape::Text(TextFormat::DateTime) => self.extractor.date_time().map(Value::from),
            Shape::Text(TextFormat::Plain) => self.text(name, needed).map(Value::from),
            Shape::List(items) => self.list(name, items, needed),
            Shape::Object => {
                let missing_before = self.missing.len();
                let suspended = self.known.take_if(|_| !needed);
                let object = self.object(property.schema, true);
                self.known = self.known.or(suspended);
                let is_complete = self.missing.len() == missing_before;
                if !needed {
                    self.missing.truncate(missing_before);
                }
                (is_complete && (needed || !object.is_empty())).then_some(Value::Object(object))
            }
            Shape::Anything => needed.then(|| Value::from(self.prose)),
        }
    }

    fn labelled_as(&mut self, name: &str, wanted: &str) -> Option<bool> {
        let value = self.extractor.labelled(name)?;
        Some(value.eq_ignore_ascii_case(wanted) || value.eq_ignore_ascii_case("yes"))
    }

    /// Returns the choice that the text names first. Of names that begin at the same word, the longest wins.
    fn choice(&self, choices: &[&Value], needed: bool) -> Option<Value> {
        if let ([only], true) = (choices, needed) {
            return Some((*only).clone());
        }
        self.chosen(choices).into_iter().next()
    }

    fn chosen(&self, choices: &[&Value]) -> Vec<Value> {
        let mut named: Vec<_> = choices
            .iter()
            .filter_map(|choice| {
                let name = choice.as_str().map_or_else(|| choice.to_string(), str::to_owned);
                let at = self.extractor.position(&name)?;
                Some((at, usize::MAX - name.len(), (*choice).clone()))
            })
            .collect();
        named.sort_by_key(|(at, shortness, _)| (*at, *shortness));
        named.into_iter().map(|(_, _, choice)| choice).collect()
    }

    fn text(&mut self, name: &str, needed: bool) -> Option<String> {
        let meaning = ArgumentMeaning::of(name);
        let prepositions = meaning.prepositions();
        if let Some(labelled) = self.extractor.labelled(name) {
            return Some(labelled);
        }
        if !needed {
            return match meaning {
                ArgumentMeaning::Origin | ArgumentMeaning::Destination => {
                    self.extractor.name_after(prepositions).or_else(|| self.extractor.words_after(prepositions))
                }
                ArgumentMeaning::Day => self.extractor.day_in_words(),
                _ => None,
            };
        }
        if let Some(quoted) = self.extractor.quoted() {
            return Some(quoted.to_owned());
        }
        match meaning {
            ArgumentMeaning::Code => self.extractor.code().map(str::to_owned),
            ArgumentMeaning::Day => self.extractor.date().map(str::to_owned).or_else(|| self.extractor.day_in_words()),
            ArgumentMeaning::Formula => self.extractor.formula().map(str::to_owned),
            ArgumentMeaning::Prose => Some(self.prose.to_owned()),
            ArgumentMeaning::Origin | ArgumentMeaning::Destination | ArgumentMeaning::Other => {
                let elsewhere: &[&str] = match meaning {
                    ArgumentMeaning::Origin => &["to"],
                    _ => &["from"],
                };
                self.extractor
                    .name_after(prepositions)
                    .or_else(|| self.extractor.name(elsewhere))
                    .or_else(|| self.extractor.address().map(str::to_owned))
                    .or_else(|| self.extractor.words_after(prepositions))
                    .or_else(|| self.extractor.name_at_start(&self.ordinary))
            }
        }
    }

    fn list(&mut self, name: &str, items: Schema<'_>, needed: bool) -> Option<Value> {
        let list: Vec<Value> = match items.shape() {
            Shape::Choice(choices) => self.chosen(&choices),
            Shape::Number { integer } if needed => {
                let fits = |number: f64| fallback_values::number_fits(items, integer, number);
                std::iter::from_fn(|| self.extractor.number(fits)).filter_map(fallback_values::number).collect()
            }
            Shape::Text(TextFormat::Date) => std::iter::from_fn(|| self.extractor.date()).map(Value::from).collect(),
            Shape::Text(_) if needed => {
                let mut next = || self.extractor.quoted().map(str::to_owned).or_else(|| self.extractor.name(&[]));
                std::iter::from_fn(&mut next).map(Value::from).collect()
            }
            Shape::Text(_) => self.extractor.labelled(name).map(Value::from).into_iter().collect(),
            Shape::Object if needed => {
                let missing_before = self.missing.len();
                let item = self.object(items, true);
                let is_complete = self.missing.len() == missing_before;
                self.missing.truncate(missing_before);
                is_complete.then_some(Value::Object(item)).into_iter().collect()
            }
            _ => Vec::new(),
        };
        (!list.is_empty()).then_some(Value::Array(list))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(properties: &Value, required: &[&str]) -> ToolSpec {
        let schema = json!({"type": "object", "properties": properties, "required": required});
        ToolSpec::new("do_it", "Does what is asked.", schema)
    }

    fn read(properties: &Value, required: &[&str], text: &str) -> Value {
        from_text(&tool(properties, required), text).expect("the text contains all arguments")
    }

    #[test]
    fn reads_names_numbers_and_choices_from_a_sentence() {
        let properties = json!({
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1, "maximum": 10},
            "units": {"enum": ["celsius", "fahrenheit"]},
        });
        let read = |text| read(&properties, &["city"], text);
        assert_eq!(
            read("What will the weather be in New York for 3 days, in Fahrenheit?"),
            json!({"city": "New York", "days": 3, "units": "fahrenheit"})
        );
        assert_eq!(read("weather in oslo please"), json!({"city": "oslo"}));
        assert_eq!(read("Oslo, 12 days"), json!({"city": "Oslo"}), "12 is out of range");
    }

    #[test]
    fn distinguishes_origin_and_destination() {
        let properties = json!({
            "destination": {"type": "string"},
            "date": {"type": "string", "format": "date"},
            "back": {"type": "string", "format": "date"},
            "origin": {"type": ["string", "null"]},
        });
        let text = "Flights from San Francisco to New York on 2026-03-01, back 2026-03-04.";
        assert_eq!(
            read(&properties, &["destination", "date"], text),
            json!({"destination": "New York", "date": "2026-03-01", "back": "2026-03-04", "origin": "San Francisco"})
        );
        let missing = from_text(&tool(&properties, &["destination", "date"]), "Flights from Oslo").unwrap_err();
        let missing: Vec<_> = missing.iter().map(|missing| missing.name.as_str()).collect();
        assert_eq!(missing, ["destination", "date"]);
    }

    #[test]
    fn arguments_keep_the_order_of_the_schema() {
        let properties = json!({"note": {"type": "string"}, "b": {"type": "number"}, "a": {"type": "number"}});
        let arguments = read(&properties, &["a", "b"], "note: hi, add 2 and 3.5");
        assert_eq!(arguments.to_string(), r#"{"note":"hi","b":2,"a":3.5}"#);
    }

    #[test]
    fn takes_prose_codes_and_formulas_verbatim() {
        let read_one = |name: &str, text| {
            let mut properties = json!({});
            properties[name] = json!({"type": "string"});
            read(&properties, &[name], text)[name].clone()
        };
        assert_eq!(read_one("query", "search rust agents"), "search rust agents");
        assert_eq!(read_one("query", "search for \"rust agents\""), "rust agents");
        assert_eq!(read_one("confirmation_code", "Cancel AC7K2M9Q please"), "AC7K2M9Q");
        assert_eq!(read_one("expression", "What is 12 * (3 + 4)?"), "12 * (3 + 4)");
        assert_eq!(read_one("site", "Crawl the site example.org."), "example.org");
        assert_eq!(read_one("file", "read ./src/main.rs"), "./src/main.rs");
        assert_eq!(read_one("to", "write to bob@example.org, please"), "bob@example.org");
        assert_eq!(read_one("day", "how about next Monday?"), "next Monday");
    }

    #[test]
    fn fills_nested_objects_and_lists() {
        let properties = json!({
            "order": {
                "type": "object",
                "properties": {"code": {"type": "string"}, "express": {"type": "boolean"}},
                "required": ["code", "express"],
            },
            "cities": {"type": "array", "items": {"type": "string"}},
        });
        assert_eq!(
            read(&properties, &["order", "cities"], "send X12 to Oslo and Rome, no express"),
            json!({"order": {"code": "X12", "express": false}, "cities": ["Oslo", "Rome"]})
        );
    }

    #[test]
    fn uses_defaults_and_examples_for_missing_values() {
        let properties = json!({
            "city": {"type": "string", "examples": ["Oslo"]},
            "days": {"type": "integer", "default": 2},
        });
        assert_eq!(read(&properties, &["city", "days"], "how is the weather?"), json!({"city": "Oslo", "days": 2}));
    }

    #[test]
    fn forced_arguments_use_known_values_and_generate_the_rest() {
        let tool = tool(
            &json!({
                "city": {"type": "string"},
                "price": {"type": "number", "exclusiveMinimum": 0},
                "when": {"type": "string", "format": "date"},
                "stops": {"type": "array", "items": {"type": "string"}, "minItems": 2},
                "extra": {"type": "string"},
                "class": {"enum": ["economy", "business"]},
            }),
            &["city", "price", "when", "stops", "class"],
        );
        let known = json!([{"hotel": {"city": "Rome", "price": -3}}]);
        let arguments = forced(&tool, "sum it up", "It is up.", &[&known]);
        assert_eq!(
            arguments,
            json!({"city": "Rome", "price": 1, "when": "2000-01-01", "stops": ["It is up.", "It is up."], "class": "economy"})
        );
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_texts_make_complete_arguments(text in "\\PC*|([a-z ]|[-\"'`:=.,/$#°]|[0-9]|[A-Z]|é|東|\n){0,60}") {
            let when = json!({"type": "string", "format": "date-time"});
            let properties = json!({
                "to": {"type": "string"}, "from": {"type": "string"}, "id": {"type": "string"}, "day": {"type": "string"},
                "formula": {"type": "string"}, "n": {"type": "integer", "minimum": 2}, "when": when,
                "days": {"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 1},
                "names": {"type": "array", "items": {"type": "string"}}, "is_on": {"type": "boolean"},
            });
            let required: Vec<&str> = properties.as_object().expect("an object").keys().map(String::as_str).collect();
            let tool = tool(&properties, &required);
            let _ = from_text(&tool, &text);
            let arguments = forced(&tool, &text, &text, &[]);
            proptest::prop_assert!(required.iter().all(|name| arguments.get(name).is_some()), "{arguments}");
            proptest::prop_assert!(arguments["n"].as_i64().is_some_and(|n| n >= 2), "{arguments}");
        }
    }

    #[test]
    fn limits_recursive_schemas() {
        let leg = json!({"$ref": "#/$defs/Leg"});
        let properties = json!({"a": leg, "b": leg, "c": leg});
        let schema = json!({
            "type": "object", "properties": properties, "required": ["a", "b", "c"],
            "$defs": {"Leg": {"type": "object", "properties": properties, "required": ["a", "b", "c"]}},
        });
        let tool = ToolSpec::new("go", "Goes.", schema);
        assert!(forced(&tool, "go", "go", &[]).is_object());
        assert!(from_text(&tool, "go").is_ok());
    }
}
