//! View of a JSON Schema for making arguments: references are followed, `null` alternatives skipped, choices collected.

use serde_json::{Map, Value};

/// Maximum number of nested schemas and references. Recursive schemas end here.
const MAX_DEPTH: usize = 16;

/// A schema, with the root document for its references.
#[derive(Clone, Copy)]
pub(super) struct Schema<'a> {
    root: &'a Value,
    node: &'a Value,
    depth: usize,
}

/// Kind of value that a schema describes.
pub(super) enum Shape<'a> {
    /// One of these.
    Choice(Vec<&'a Value>),
    Boolean,
    Number {
        integer: bool,
    },
    Text(TextFormat),
    /// A list of these.
    List(Schema<'a>),
    Object,
    /// Any value.
    Anything,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TextFormat {
    /// `2026-03-01`.
    Date,
    /// `2026-03-01T09:30:00Z`.
    DateTime,
    Plain,
}

impl<'a> Schema<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root, node: root, depth: 0 }.resolved()
    }

    fn at(&self, node: &'a Value) -> Self {
        Self { root: self.root, node, depth: self.depth + 1 }
    }

    /// True at the maximum depth, which only recursive schemas reach in practice.
    pub(super) fn is_too_deep(&self) -> bool {
        self.depth >= MAX_DEPTH
    }

    /// Follows references, and picks the first alternative that is not `null`.
    fn resolved(self) -> Self {
        let schema = self.dereferenced();
        match schema.only_alternative() {
            Some(alternative) if !schema.is_too_deep() => schema.at(alternative).resolved(),
            _ => schema,
        }
    }

    /// Follows references.
    fn dereferenced(self) -> Self {
        let target = self
            .keyword("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix('#'))
            .and_then(|pointer| self.root.pointer(pointer));
        match target {
            Some(target) if !self.is_too_deep() => self.at(target).dereferenced(),
            _ => self,
        }
    }

    fn only_alternative(&self) -> Option<&'a Value> {
        if self.choices().is_some() {
            return None;
        }
        ["anyOf", "oneOf", "allOf"]
            .into_iter()
            .filter_map(|keyword| self.keyword(keyword)?.as_array())
            .flatten()
            .find(|alternative| !is_null(alternative))
    }

    /// Returns the value of a keyword.
    pub(super) fn keyword(&self, name: &str) -> Option<&'a Value> {
        self.node.get(name)
    }

    /// Returns the value of a numeric keyword.
    pub(super) fn bound(&self, name: &str) -> Option<f64> {
        self.keyword(name)?.as_f64()
    }

    /// Returns the values that the schema itself lists.
    fn listed(&self) -> Option<Vec<&'a Value>> {
        if let Some(value) = self.keyword("const") {
            return Some(vec![value]);
        }
        let values = self.keyword("enum")?.as_array()?;
        Some(values.iter().filter(|value| !value.is_null()).collect())
    }

    /// Returns the values to choose from, if the schema or each of its alternatives lists them.
    fn choices(&self) -> Option<Vec<&'a Value>> {
        if let Some(values) = self.listed() {
            return Some(values);
        }
        let alternatives = self.keyword("oneOf").or_else(|| self.keyword("anyOf"))?.as_array()?;
        let alternatives: Option<Vec<_>> = alternatives
            .iter()
            .filter(|alternative| !is_null(alternative))
            .map(|alternative| self.at(alternative).dereferenced().listed())
            .collect();
        Some(alternatives?.concat())
    }

    /// Returns the kind of value.
    pub(super) fn shape(&self) -> Shape<'a> {
        if let Some(choices) = self.choices() {
            return Shape::Choice(choices);
        }
        let kind = match self.keyword("type") {
            Some(Value::Array(kinds)) => kinds.iter().find(|kind| **kind != "null"),
            kind => kind,
        };
        match kind.and_then(Value::as_str) {
            Some("boolean") => Shape::Boolean,
            Some("integer") => Shape::Number { integer: true },
            Some("number") => Shape::Number { integer: false },
            Some("string") => Shape::Text(self.text_format()),
            Some("array") => match self.keyword("items") {
                Some(items) => Shape::List(self.at(items).resolved()),
                None => Shape::Anything,
            },
            Some("object") => Shape::Object,
            _ if self.properties().next().is_some() => Shape::Object,
            _ => Shape::Anything,
        }
    }

    fn text_format(&self) -> TextFormat {
        match self.keyword("format").and_then(Value::as_str) {
            Some("date") => TextFormat::Date,
            Some("date-time") => TextFormat::DateTime,
            None if self.description().contains("YYYY-MM-DD") => TextFormat::Date,
            _ => TextFormat::Plain,
        }
    }

    /// Returns the description, or an empty string.
    pub(super) fn description(&self) -> &'a str {
        self.keyword("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the properties of an object, in order.
    pub(super) fn properties(&self) -> impl Iterator<Item = Property<'a>> {
        let required = self.keyword("required").and_then(Value::as_array);
        let schema = *self;
        self.keyword("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter).map(
            move |(name, property)| {
                let given = schema.at(property);
                let described = given.description();
                let resolved = given.resolved();
                Property {
                    name,
                    description: if described.is_empty() { resolved.description() } else { described },
                    required: required.is_some_and(|required| required.iter().any(|each| each == name)),
                    default: given.keyword("default"),
                    examples: given
                        .keyword("examples")
                        .or_else(|| resolved.keyword("examples"))
                        .and_then(Value::as_array)
                        .map_or(&[], Vec::as_slice),
                    schema: resolved,
                }
            },
        )
    }
}

/// A property of an object.
pub(super) struct Property<'a> {
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) required: bool,
    pub(super) default: Option<&'a Value>,
    pub(super) examples: &'a [Value],
    pub(super) schema: Schema<'a>,
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null") || schema.get("const").is_some_and(Value::is_null)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn follows_references_and_alternatives() {
        let document = json!({
            "properties": {
                "when": {"anyOf": [{"$ref": "#/$defs/Day"}, {"type": "null"}]},
                "category": {"description": "Of the car.", "anyOf": [{"$ref": "#/$defs/Category"}, {"type": "null"}]},
                "days": {"type": ["null", "integer"], "default": 1},
            },
            "required": ["when"],
            "$defs": {
                "Day": {"type": "string", "format": "date"},
                "Category": {"oneOf": [{"const": "small", "description": "Two seats."}, {"enum": ["large"]}]},
            },
        });
        let properties: Vec<_> = Schema::new(&document).properties().collect();
        let [when, category, days] = properties.as_slice() else {
            panic!("three properties");
        };
        assert!(when.required && !category.required);
        assert!(matches!(when.schema.shape(), Shape::Text(TextFormat::Date)));
        assert_eq!(category.description, "Of the car.");
        assert!(matches!(category.schema.shape(), Shape::Choice(choices) if choices == ["small", "large"]));
        assert!(matches!(days.schema.shape(), Shape::Number { integer: true }));
        assert_eq!(days.default, Some(&json!(1)));
    }

    #[test]
    fn recursive_schemas_end() {
        let recursive = json!({"$ref": "#"});
        assert!(matches!(Schema::new(&recursive).shape(), Shape::Anything));
        let choice = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]});
        assert!(matches!(Schema::new(&choice).shape(), Shape::Anything));
    }
}
