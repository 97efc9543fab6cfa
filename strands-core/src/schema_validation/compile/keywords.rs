//! Compilation of a schema's keywords to rules.

use serde_json::{Map, Value};

use super::super::equality::Allowed;
use super::super::error::{JsonSchemaError, JsonSchemaErrorKind};
use super::super::node::{Bound, Counts, NodeId, NumberRule, Properties, Rule, Types};
use super::super::number::Numeric;
use super::super::pattern::Pattern;
use super::{Compiler, Source};
use crate::schema::subschemas::escaped;

/// Keywords that restrict values in another draft or dialect, with advice for each. Unknown keywords restrict nothing.
const UNSUPPORTED: [(&str, &str); 8] = [
    ("$recursiveRef", "use `$dynamicRef` of draft 2020-12, or `$ref`"),
    ("disallow", "use `not`"),
    ("divisibleBy", "use `multipleOf`"),
    ("extends", "use `allOf`"),
    ("formatMaximum", "use `pattern`, or let the tool reject the value"),
    ("formatMinimum", "use `pattern`, or let the tool reject the value"),
    ("propertyDependencies", "use `if` and `then`, or `oneOf`"),
    ("typeof", "use `type`"),
];

const SCHEMA: &str = "a schema: an object or a boolean";
const SCHEMAS: &str = "a list of schemas";
const NAMED_SCHEMAS: &str = "an object of schemas";
const COUNT: &str = "a whole number of 0 or more";
const NUMBER: &str = "a number";
const NAMES: &str = "a list of names";
const TEXT: &str = "a string";

impl<'a> Compiler<'a> {
    /// Compiles the rules of a schema, cheap ones first.
    pub(super) fn rules(&mut self, source: Source<'a>) -> Result<Vec<Rule>, JsonSchemaError> {
        let unsupported = |name: &String| UNSUPPORTED.into_iter().find(|(keyword, _)| keyword == name);
        if let Some((keyword, instead)) = source.keywords.keys().find_map(unsupported) {
            return Err(self.error(source, keyword, JsonSchemaErrorKind::UnsupportedKeyword { keyword, instead }));
        }
        let mut rules = Vec::new();
        rules.extend(self.types(source)?);
        self.values(source, &mut rules)?;
        self.numbers(source, &mut rules)?;
        self.strings(source, &mut rules)?;
        self.references(source, &mut rules)?;
        self.combinations(source, &mut rules)?;
        self.objects(source, &mut rules)?;
        self.arrays(source, &mut rules)?;
        // These depend on the values accepted by all other rules.
        rules.extend(
            self.schema(source, "unevaluatedProperties")?.map(|part| Rule::UnevaluatedProperties(part, source.id)),
        );
        rules.extend(self.schema(source, "unevaluatedItems")?.map(Rule::UnevaluatedItems));
        Ok(rules)
    }

    fn types(&self, source: Source<'a>) -> Result<Option<Rule>, JsonSchemaError> {
        let named = |name: &Value| {
            let name = name.as_str().ok_or_else(|| self.invalid(source, "type", "a type, or a list of types"))?;
            let unknown = || JsonSchemaErrorKind::UnknownType { name: name.to_owned() };
            Types::named(name).ok_or_else(|| self.error(source, "type", unknown()))
        };
        let types = match source.get("type") {
            None => return Ok(None),
            Some(Value::Array(names)) => {
                names.iter().map(named).try_fold(Types::default(), |all, types| Ok(all.or(types?)))?
            }
            Some(name) => named(name)?,
        };
        Ok(Some(Rule::Types(types)))
    }

    fn values(&self, source: Source<'a>, rules: &mut Vec<Rule>) -> Result<(), JsonSchemaError> {
        match source.get("enum") {
            None => {}
            Some(Value::Array(values)) => rules.push(Rule::Allowed(Allowed::new(values))),
            Some(_) => return Err(self.invalid(source, "enum", "a list of values")),
        }
        let constant = source.get("const");
        rules.extend(constant.map(|value| Rule::Allowed(Allowed::new(std::slice::from_ref(value)))));
        Ok(())
    }

    fn numbers(&self, source: Source<'a>, rules: &mut Vec<Rule>) -> Result<(), JsonSchemaError> {
        // Before draft 6, `exclusiveMinimum` was a boolean beside `minimum`.
        let excludes = |keyword: &str| source.get(keyword) == Some(&Value::Bool(true));
        for (keyword, exclusive, is_least) in
            [("minimum", "exclusiveMinimum", true), ("maximum", "exclusiveMaximum", false)]
        {
            let inclusive = self.number(source, keyword)?.map(|bound| (bound, excludes(exclusive)));
            let is_flag = source.get(exclusive).is_some_and(Value::is_boolean);
            let exclusive = if is_flag { None } else { self.number(source, exclusive)? };
            for (bound, is_exclusive) in inclusive.into_iter().chain(exclusive.map(|bound| (bound, true))) {
                rules.push(Rule::Number(NumberRule { bound, is_least, is_exclusive }));
            }
        }
        if let Some(step) = self.number(source, "multipleOf")? {
            if step.value.compare(Numeric::Whole(0)).is_le() {
                return Err(self.invalid(source, "multipleOf", "a number over 0"));
            }
            rules.push(Rule::MultipleOf(step));
        }
        Ok(())
    }

    fn strings(&self, source: Source<'a>, rules: &mut Vec<Rule>) -> Result<(), JsonSchemaError> {
        rules.extend(self.counts(source, "minLength", "maxLength")?.map(Rule::Length));
        match source.get("pattern") {
            None => {}
            Some(Value::String(pattern)) => {
                rules.push(Rule::Pattern(self.pattern(source, "pattern", pattern)?));
            }
            Some(_) => return Err(self.invalid(source, "pattern", TEXT)),
        }
        Ok(())
    }

    fn references(&mut self, source: Source<'a>, rules: &mut Vec<Rule>) -> Result<(), JsonSchemaError> {
        for keyword in ["$ref", "$dynamicRef"] {
            let reference = match source.get(keyword) {
                None => continue,
                Some(Value::String(reference)) => reference,
                Some(_) => return Err(self.invalid(source, keyword, TEXT)),
            };
            let target = self.index.resolve(reference, source.position, keyword)?;
            let id = self.id_of(target.schema);
            rules.push(match target.dynamic_anchor {
                Some(anchor) if keyword == "$dynamicRef" => Rule::Dynamic { target: id, anchor },
                _ => Rule::Reference(id),
            });
        }
        Ok(())
    }

    fn combinations(&mut self, source: Source<'a>, rules: &mut Vec<Rule>) -> Result<(), JsonSchemaError> {
        rules.extend(self.schema(source, "not")?.map(Rule::Not));
        let (then, otherwise) = (self.schema(source, "then")?, self.schema(source, "else")?);
        let condition = self.schema(source, "if")?;
        rules.extend(condition.map(|condition| Rule::If { condition, then, otherwise }));
        rules.extend(self.schemas(source, "allOf")?.map(Rule::AllOf));
        rules.extend(self.schemas(source, "anyOf")?.map(Rule::AnyOf));
        rules.extend(self.schemas(source, "oneOf")?.map(Rule::OneOf));
        Ok(())
    }

    fn objects(&mut self, source: Source<'a>, rules: &mut Vec<Rule>) -> Result<(), JsonSchemaError> {
        rules.extend(self.counts(source, "minProperties", "maxProperties")?.map(Rule::PropertyCount));
        if let Some(names) = source.get("required") {
            rules.push(Rule::Required(self.names(source, "required", names)?));
        }
        let mut names = Vec::new();
        let mut schemas = self.named_schemas(source, "dependentSchemas")?;
        for (name, needed) in
            self.map(source, "dependentRequired", "an object of lists of names")?.into_iter().flatten()
        {
            names.push((name.clone(), self.names(source, "dependentRequired", needed)?));
        }
        // Before draft 2019-09, one keyword was used for both.
        for (name, dependency) in self.map(source, "dependencies", NAMED_SCHEMAS)?.into_iter().flatten() {
            if dependency.is_array() {
                names.push((name.clone(), self.names(source, "dependencies", dependency)?));
            } else {
                schemas.push((name.clone(), self.part(source, "dependencies", dependency, SCHEMA)?));
            }
        }
        if !names.is_empty() {
            rules.push(Rule::DependentRequired(names));
        }
        if !schemas.is_empty() {
            rules.push(Rule::DependentSchemas(schemas));
        }
        rules.extend(self.schema(source, "propertyNames")?.map(Rule::PropertyNames));
        let named = self.named_schemas(source, "properties")?.into_iter().collect();
        let mut patterns = Vec::new();
        for (pattern, id) in self.named_schemas(source, "patternProperties")? {
            patterns.push((self.pattern(source, "patternProperties", &pattern)?, id));
        }
        let properties = Properties { named, patterns, others: self.schema(source, "additionalProperties")? };
        if !(properties.named.is_empty() && properties.patterns.is_empty() && properties.others.is_none()) {
            rules.push(Rule::Properties(Box::new(properties)));
        }
        Ok(())
    }

    fn arrays(&mut self, source: Source<'a>, rules: &mut Vec<Rule>) -> Result<(), JsonSchemaError> {
        rules.extend(self.counts(source, "minItems", "maxItems")?.map(Rule::ItemCount));
        // Before draft 2020-12, a tuple was a list in `items`, and the rest was `additionalItems`.
        let is_old_tuple = source.get("items").is_some_and(Value::is_array);
        let (first, rest) = if is_old_tuple {
            (self.schemas(source, "items")?, self.schema(source, "additionalItems")?)
        } else {
            (self.schemas(source, "prefixItems")?, self.schema(source, "items")?)
        };
        if first.is_some() || rest.is_some() {
            rules.push(Rule::Items { first: first.unwrap_or_default(), rest });
        }
        let counts = self.counts(source, "minContains", "maxContains")?.unwrap_or_default();
        let contains = self.schema(source, "contains")?;
        rules.extend(contains.map(|item| {
            let least = counts.least.or(Some(1));
            Rule::Contains { item, counts: Counts { least, ..counts } }
        }));
        match source.get("uniqueItems") {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) => rules.push(Rule::Unique),
            Some(_) => return Err(self.invalid(source, "uniqueItems", "a boolean")),
        }
        Ok(())
    }

    fn schema(&mut self, source: Source<'a>, keyword: &str) -> Result<Option<NodeId>, JsonSchemaError> {
        let part = source.get(keyword);
        part.map(|part| self.part(source, keyword, part, SCHEMA)).transpose()
    }

    fn part(
        &mut self,
        source: Source<'a>,
        keyword: &str,
        part: &'a Value,
        expected: &'static str,
    ) -> Result<NodeId, JsonSchemaError> {
        let is_schema = part.is_object() || part.is_boolean();
        if is_schema { Ok(self.id_of(part)) } else { Err(self.invalid(source, keyword, expected)) }
    }

    fn schemas(&mut self, source: Source<'a>, keyword: &str) -> Result<Option<Vec<NodeId>>, JsonSchemaError> {
        match source.get(keyword) {
            None => Ok(None),
            Some(Value::Array(parts)) => {
                parts.iter().map(|part| self.part(source, keyword, part, SCHEMAS)).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(self.invalid(source, keyword, SCHEMAS)),
        }
    }

    fn named_schemas(&mut self, source: Source<'a>, keyword: &str) -> Result<Vec<(String, NodeId)>, JsonSchemaError> {
        let parts = self.map(source, keyword, NAMED_SCHEMAS)?.into_iter().flatten();
        parts.map(|(name, part)| Ok((name.clone(), self.part(source, keyword, part, NAMED_SCHEMAS)?))).collect()
    }

    fn map(
        &self,
        source: Source<'a>,
        keyword: &str,
        expected: &'static str,
    ) -> Result<Option<&'a Map<String, Value>>, JsonSchemaError> {
        let value = source.get(keyword);
        value.map(|value| value.as_object().ok_or_else(|| self.invalid(source, keyword, expected))).transpose()
    }

    fn names(&self, source: Source<'a>, keyword: &str, names: &Value) -> Result<Vec<String>, JsonSchemaError> {
        let texts =
            names.as_array().and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
        texts.ok_or_else(|| self.invalid(source, keyword, NAMES))
    }

    fn counts(&self, source: Source<'a>, least: &str, most: &str) -> Result<Option<Counts>, JsonSchemaError> {
        let count = |keyword: &str| {
            let Some(count) = source.get(keyword) else { return Ok(None) };
            let count = match count.as_number().map(Numeric::of) {
                Some(Numeric::Whole(count)) => u64::try_from(count).ok(),
                _ => None,
            };
            count.map(Some).ok_or_else(|| self.invalid(source, keyword, COUNT))
        };
        let counts = Counts { least: count(least)?, most: count(most)? };
        Ok((counts.least.is_some() || counts.most.is_some()).then_some(counts))
    }

    fn number(&self, source: Source<'a>, keyword: &str) -> Result<Option<Bound>, JsonSchemaError> {
        match source.get(keyword) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(Bound { written: number.clone(), value: Numeric::of(number) })),
            Some(_) => Err(self.invalid(source, keyword, NUMBER)),
        }
    }

    fn pattern(&self, source: Source<'a>, keyword: &str, pattern: &str) -> Result<Pattern, JsonSchemaError> {
        Pattern::new(pattern).map_err(|reason| {
            let kind = JsonSchemaErrorKind::UnsupportedPattern { pattern: pattern.to_owned(), reason };
            self.error(source, keyword, kind)
        })
    }

    fn invalid(&self, source: Source<'a>, keyword: &str, expected: &'static str) -> JsonSchemaError {
        self.error(source, keyword, JsonSchemaErrorKind::InvalidKeyword { expected })
    }

    fn error(&self, source: Source<'a>, keyword: &str, kind: JsonSchemaErrorKind) -> JsonSchemaError {
        JsonSchemaError::new(format!("{}/{}", self.index.pointer(source.position), escaped(keyword)), kind)
    }
}
