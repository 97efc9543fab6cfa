//! Rewriting of single schemas by a provider's rules.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::composition::{Resolved, Resolver};
use super::dialect::{Anything, BesideReference, Recursion, Rules, TypeLists};
use super::keywords::{is_annotation, is_anything, types};
use super::limits::Count;
use super::merging::values;
use super::references::{self, DEFINITIONS};
use super::{StrictSchemaError, descriptions, value_types};

/// The deepest nesting of schemas.
const MAX_LEVELS: usize = 100;

/// Types that together cover all values.
const ALL_TYPES: [&str; 6] = ["string", "number", "boolean", "object", "array", "null"];

/// Rewriter of schemas.
pub(super) struct Rewriter<'a> {
    pub(super) rules: &'a Rules,
    pub(super) resolver: &'a Resolver<'a>,
    /// The provider enforces the schema: constraints can't be dropped, since the model could violate them.
    pub(super) is_strict: bool,
    pub(super) cyclic: HashSet<&'a str>,
    /// The definitions that are being copied or rewritten.
    pub(super) expanding: Vec<String>,
    pub(super) path: Vec<String>,
    level: usize,
    /// Number of arrays around the current schema.
    pub(super) items: usize,
    pub(super) count: Count,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(rules: &'a Rules, resolver: &'a Resolver<'a>) -> Self {
        Self {
            rules,
            resolver,
            is_strict: rules.anything == Anything::None,
            cyclic: references::cyclic(resolver.definitions),
            expanding: Vec::new(),
            path: Vec::new(),
            level: 0,
            items: 0,
            count: Count::default(),
        }
    }

    pub(super) fn error(&self, reason: &str) -> StrictSchemaError {
        match self.path.as_slice() {
            [] => StrictSchemaError::new(format!("it {reason}")),
            path => StrictSchemaError::new(format!("`{}` {reason}", path.join("."))),
        }
    }

    pub(super) fn schema(&mut self, schema: &Value) -> Result<Value, StrictSchemaError> {
        if is_anything(schema) {
            return self.anything(schema);
        }
        let Value::Object(node) = schema else { return self.never() };
        if self.level == MAX_LEVELS {
            return if self.is_strict { Err(self.error("nests too deep")) } else { self.anything(&json!({})) };
        }
        self.level += 1;
        let before = self.expanding.len();
        let written = if Resolver::has_parts(node) {
            match self.resolver.resolve(node.clone(), &mut self.expanding) {
                Resolved::Never => self.never(),
                Resolved::Reference(node) => self.reference(node),
                Resolved::Union(branches, annotations) => self.union(&branches, annotations),
                Resolved::Plain(node) => self.resolved(&node),
            }
        } else {
            self.resolved(node)
        };
        self.expanding.truncate(before);
        self.level -= 1;
        written
    }

    /// Rewrites a schema whose composition keywords are resolved.
    fn resolved(&mut self, node: &Map<String, Value>) -> Result<Value, StrictSchemaError> {
        if node.keys().all(|keyword| is_annotation(keyword)) {
            return self.annotated(node);
        }
        if values(node).is_some_and(<[Value]>::is_empty) {
            return self.never();
        }
        match value_types::split(node, self.rules) {
            Some((branches, annotations)) => self.union(&branches, annotations),
            None => self.plain(node).map(Value::Object),
        }
    }

    /// Rewrites a schema that any value fits.
    pub(super) fn anything(&mut self, schema: &Value) -> Result<Value, StrictSchemaError> {
        match schema {
            Value::Object(node) => self.annotated(node),
            _ => self.annotated(&Map::new()),
        }
    }

    fn annotated(&mut self, node: &Map<String, Value>) -> Result<Value, StrictSchemaError> {
        let mut written = Map::new();
        for (keyword, value) in node.iter().filter(|(keyword, _)| is_annotation(keyword)) {
            self.annotation(keyword, value, &mut written);
        }
        match self.rules.anything {
            Anything::Empty => {}
            Anything::AllTypes => drop(written.insert("type".to_owned(), json!(ALL_TYPES))),
            Anything::None => return Err(self.error("may be anything; give it a type")),
        }
        Ok(Value::Object(written))
    }

    fn never(&mut self) -> Result<Value, StrictSchemaError> {
        if self.is_strict { Err(self.error("has no value that fits")) } else { self.anything(&json!({})) }
    }

    /// Copies an annotation if the provider accepts it.
    pub(super) fn annotation(&self, keyword: &str, value: &Value, written: &mut Map<String, Value>) {
        if self.accepts(keyword) {
            written.insert(keyword.to_owned(), value.clone());
        }
    }

    pub(super) fn accepts(&self, keyword: &str) -> bool {
        self.rules.keywords.is_none_or(|keywords| keywords.contains(&keyword))
    }

    fn reference(&mut self, node: Map<String, Value>) -> Result<Value, StrictSchemaError> {
        let reference = node.get("$ref").cloned().unwrap_or_default();
        let name = references::target(&node).unwrap_or_default().to_owned();
        let definition = self.resolver.definitions.get(&name);
        if definition.is_none_or(is_anything) {
            return self.anything(&Value::Object(node));
        }
        if self.rules.recursion == Recursion::None && self.cyclic.contains(name.as_str()) {
            return Err(self.error("leads back to itself"));
        }
        let mut alone = Map::new();
        alone.insert("$ref".to_owned(), reference);
        let described = node.contains_key("description");
        let copies = (self.expanding.len() < self.rules.inlined && self.items == 0)
            || (described && self.rules.beside_reference == BesideReference::Copy);
        if copies {
            let before = self.expanding.len();
            if let Some(copy) = self.resolver.copied(node.clone(), &mut self.expanding) {
                let written = self.schema(&Value::Object(copy));
                self.expanding.truncate(before);
                return written;
            }
        }
        match self.rules.beside_reference {
            BesideReference::Any => {
                node.iter().for_each(|(keyword, value)| self.annotation(keyword, value, &mut alone));
                alone.insert("$ref".to_owned(), format!("{DEFINITIONS}{name}").into());
                Ok(Value::Object(alone))
            }
            BesideReference::UnionOfOne if described => {
                let mut written = Map::new();
                node.iter().filter(|(keyword, _)| *keyword != "$ref").for_each(|(keyword, value)| {
                    self.annotation(keyword, value, &mut written);
                });
                written.insert("anyOf".to_owned(), json!([alone]));
                Ok(Value::Object(written))
            }
            BesideReference::UnionOfOne | BesideReference::Copy => Ok(Value::Object(alone)),
        }
    }

    fn union(&mut self, branches: &[Value], annotations: Map<String, Value>) -> Result<Value, StrictSchemaError> {
        self.count.unions += 1;
        let mut written = Map::new();
        let mut constraints = Vec::new();
        for (keyword, value) in &annotations {
            self.annotation(keyword, value, &mut written);
            if keyword == "default" && !self.accepts(keyword) {
                constraints.push(("default", value.clone()));
            }
        }
        let mut branches_written: Vec<Value> = Vec::new();
        for branch in branches.iter().filter(|branch| **branch != Value::Bool(false)) {
            let branch = self.schema(branch)?;
            // Flatten nested unions.
            match branch.as_object().filter(|branch| branch.len() == 1).and_then(|branch| branch.get("anyOf")) {
                Some(Value::Array(inner)) => branches_written.extend(inner.iter().cloned()),
                _ if branches_written.contains(&branch) => {}
                _ => branches_written.push(branch),
            }
        }
        if branches_written.is_empty() {
            return self.never();
        }
        descriptions::add_constraints(&mut written, &constraints);
        written.insert("anyOf".to_owned(), branches_written.into());
        Ok(Value::Object(written))
    }

    /// Rewrites a schema without unions and references.
    pub(super) fn plain(&mut self, node: &Map<String, Value>) -> Result<Map<String, Value>, StrictSchemaError> {
        let mut written = Map::new();
        let mut constraints: Vec<(&str, Value)> = Vec::new();
        let named = types(node).map(|types| types.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let types = match named {
            Some(types) => types,
            None if self.rules.typed || values(node).is_some() => value_types::inferred(node),
            None => Vec::new(),
        };
        match types.as_slice() {
            [] if self.rules.typed && values(node).is_none() => {
                return Err(self.error("has no type; give it one"));
            }
            [] => {}
            [only] => drop(written.insert("type".to_owned(), json!(only))),
            several => {
                self.count.unions += 1;
                written.insert("type".to_owned(), json!(several));
            }
        }
        let is = |kind: &str| types.iter().any(|own| own == kind);
        let is_object = is("object") || (types.is_empty() && value_types::is_about_objects(node));
        let is_array = is("array") || (types.is_empty() && value_types::is_about_arrays(node));
        if is_object {
            self.object(node, &mut written, &mut constraints)?;
        }
        if is_array {
            self.array(node, &mut written, &mut constraints)?;
        }
        self.values(node, &mut written, &mut constraints);
        let shapes = ["type", "properties", "additionalProperties", "items", "prefixItems", "enum", "const"];
        let is_shapeless = !shapes.iter().any(|shape| written.contains_key(*shape));
        if is_shapeless && self.rules.anything == Anything::AllTypes {
            written.insert("type".to_owned(), json!(ALL_TYPES));
        }
        for (keyword, value) in node {
            if let Some(left) = self.keyword(keyword, value, &types, &mut written) {
                constraints.push((left, value.clone()));
            }
        }
        descriptions::add_constraints(&mut written, &constraints);
        Ok(written)
    }

    /// Copies a keyword if the provider accepts it, and returns it if not.
    fn keyword<'k>(
        &self,
        keyword: &'k str,
        value: &Value,
        types: &[String],
        written: &mut Map<String, Value>,
    ) -> Option<&'k str> {
        let takes = match keyword {
            "type"
            | "const"
            | "enum"
            | "properties"
            | "required"
            | "additionalProperties"
            | "items"
            | "prefixItems"
            | "unevaluatedProperties"
            | "maxItems" => return None,
            "minItems" | "unevaluatedItems" => return None,
            "format" => self.accepts_format(value, types),
            "pattern" => value_types::accepts_pattern(self.rules.patterns, value),
            "minLength" | "maxLength" => self.accepts(keyword) && value.as_u64().is_some_and(|n| n <= self.rules.count),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                let is_small = value.is_i64() || !types.iter().any(|kind| kind == "integer");
                let fits = value.is_number() && (is_small || !self.rules.signed_bounds);
                self.accepts(keyword) && fits
            }
            keyword => self.accepts(keyword),
        };
        if takes {
            written.insert(keyword.to_owned(), value.clone());
            return None;
        }
        (!is_annotation(keyword) || keyword == "default").then_some(keyword)
    }

    fn accepts_format(&self, format: &Value, types: &[String]) -> bool {
        let Some(format) = format.as_str() else { return false };
        let is_text = types.is_empty() || types.iter().any(|kind| kind == "string");
        self.rules.formats.is_none_or(|formats| is_text && formats.contains(&format))
    }

    /// Rewrites an enumeration.
    fn values(
        &mut self,
        node: &Map<String, Value>,
        written: &mut Map<String, Value>,
        constraints: &mut Vec<(&str, Value)>,
    ) {
        let Some(listed) = values(node) else { return };
        if !value_types::accepts_values(self.rules.values, listed) {
            constraints.push(("enum", listed.into()));
            return;
        }
        self.count.values += listed.len();
        self.count.chars += listed.iter().filter_map(Value::as_str).map(str::len).sum::<usize>();
        match node.get("const").filter(|_| self.rules.constants) {
            Some(only) => written.insert("const".to_owned(), only.clone()),
            None => written.insert("enum".to_owned(), listed.into()),
        };
    }

    /// Makes a rewritten schema nullable.
    pub(super) fn nullable(&mut self, schema: Value) -> Value {
        let Value::Object(mut fields) = schema else { return schema };
        if let Some(Value::Array(branches)) = fields.get_mut("anyOf") {
            let null = json!({"type": "null"});
            if !branches.contains(&null) && !branches.iter().any(value_types::names_null) {
                branches.push(null);
            }
            return fields.into();
        }
        let has_values = fields.contains_key("enum") || fields.contains_key("const");
        let accepts_lists = !(has_values && self.rules.type_lists != TypeLists::Any);
        match types(&fields).map(|types| types.into_iter().map(str::to_owned).collect::<Vec<_>>()) {
            Some(types) if types.iter().any(|kind| kind == "null") => {}
            Some(mut types) if accepts_lists => {
                types.push("null".to_owned());
                fields.insert("type".to_owned(), types.into());
                if let Some(only) = fields.shift_remove("const") {
                    fields.insert("enum".to_owned(), json!([only]));
                }
                if let Some(Value::Array(listed)) = fields.get_mut("enum") {
                    listed.push(Value::Null);
                }
            }
            _ => {
                let described = fields.shift_remove("description");
                let mut union = Map::new();
                union.extend(described.map(|described| ("description".to_owned(), described)));
                union.insert("anyOf".to_owned(), json!([fields, {"type": "null"}]));
                return union.into();
            }
        }
        fields.into()
    }
}
