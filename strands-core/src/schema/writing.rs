//! Schemas written by a provider's rules, one by one.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::dialect::{Anything, BesideReference, Recursion, Rules, TypeLists};
use super::keywords::{is_annotation, is_anything, types};
use super::limits::Count;
use super::merging::values;
use super::references::{self, PLACE};
use super::separating::{Separated, Separator};
use super::{RefusedSchema, kinds, telling};

/// The most levels of schemas.
const MOST_LEVELS: usize = 100;

/// The types of all values.
const ALL_TYPES: [&str; 6] = ["string", "number", "boolean", "object", "array", "null"];

/// Writer of schemas.
pub(super) struct Rewriter<'a> {
    pub(super) rules: &'a Rules,
    pub(super) separator: &'a Separator<'a>,
    /// The provider holds the model to the schema: what is left out would let it write what does not fit.
    pub(super) is_strict: bool,
    pub(super) cyclic: HashSet<&'a str>,
    /// The definitions that are being copied or written.
    pub(super) inside: Vec<String>,
    pub(super) path: Vec<String>,
    level: usize,
    /// The lists around the schema that is being written.
    pub(super) items: usize,
    pub(super) count: Count,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(rules: &'a Rules, separator: &'a Separator<'a>) -> Self {
        Self {
            rules,
            separator,
            is_strict: rules.anything == Anything::None,
            cyclic: references::cyclic(separator.definitions),
            inside: Vec::new(),
            path: Vec::new(),
            level: 0,
            items: 0,
            count: Count::default(),
        }
    }

    pub(super) fn refused(&self, why: &str) -> RefusedSchema {
        match self.path.as_slice() {
            [] => RefusedSchema::new(format!("it {why}")),
            path => RefusedSchema::new(format!("`{}` {why}", path.join("."))),
        }
    }

    pub(super) fn schema(&mut self, schema: &Value) -> Result<Value, RefusedSchema> {
        if is_anything(schema) {
            return self.anything(schema);
        }
        let Value::Object(node) = schema else { return self.nothing() };
        if self.level == MOST_LEVELS {
            return if self.is_strict { Err(self.refused("nests too deep")) } else { self.anything(&json!({})) };
        }
        self.level += 1;
        let before = self.inside.len();
        let written = if Separator::has_parts(node) {
            match self.separator.separate(node.clone(), &mut self.inside) {
                Separated::Nothing => self.nothing(),
                Separated::Reference(node) => self.reference(node),
                Separated::Union(branches, annotations) => self.union(&branches, annotations),
                Separated::Plain(node) => self.separate(&node),
            }
        } else {
            self.separate(node)
        };
        self.inside.truncate(before);
        self.level -= 1;
        written
    }

    /// A schema that has no parts to put together.
    fn separate(&mut self, node: &Map<String, Value>) -> Result<Value, RefusedSchema> {
        if node.keys().all(|keyword| is_annotation(keyword)) {
            return self.annotated(node);
        }
        if values(node).is_some_and(<[Value]>::is_empty) {
            return self.nothing();
        }
        match kinds::split(node, self.rules) {
            Some((branches, annotations)) => self.union(&branches, annotations),
            None => self.plain(node).map(Value::Object),
        }
    }

    /// A schema that anything fits.
    pub(super) fn anything(&mut self, schema: &Value) -> Result<Value, RefusedSchema> {
        match schema {
            Value::Object(node) => self.annotated(node),
            _ => self.annotated(&Map::new()),
        }
    }

    fn annotated(&mut self, node: &Map<String, Value>) -> Result<Value, RefusedSchema> {
        let mut written = Map::new();
        for (keyword, value) in node.iter().filter(|(keyword, _)| is_annotation(keyword)) {
            self.annotation(keyword, value, &mut written);
        }
        match self.rules.anything {
            Anything::Empty => {}
            Anything::AllTypes => drop(written.insert("type".to_owned(), json!(ALL_TYPES))),
            Anything::None => return Err(self.refused("may be anything; give it a type")),
        }
        Ok(Value::Object(written))
    }

    fn nothing(&mut self) -> Result<Value, RefusedSchema> {
        if self.is_strict { Err(self.refused("has no value that fits")) } else { self.anything(&json!({})) }
    }

    /// Writes an annotation if the provider takes it.
    pub(super) fn annotation(&self, keyword: &str, value: &Value, written: &mut Map<String, Value>) {
        if self.takes(keyword) {
            written.insert(keyword.to_owned(), value.clone());
        }
    }

    pub(super) fn takes(&self, keyword: &str) -> bool {
        self.rules.keywords.is_none_or(|keywords| keywords.contains(&keyword))
    }

    fn reference(&mut self, node: Map<String, Value>) -> Result<Value, RefusedSchema> {
        let reference = node.get("$ref").cloned().unwrap_or_default();
        let name = references::target(&node).unwrap_or_default().to_owned();
        let definition = self.separator.definitions.get(&name);
        if definition.is_none_or(is_anything) {
            return self.anything(&Value::Object(node));
        }
        if self.rules.recursion == Recursion::None && self.cyclic.contains(name.as_str()) {
            return Err(self.refused("leads back to itself"));
        }
        let mut alone = Map::new();
        alone.insert("$ref".to_owned(), reference);
        let described = node.contains_key("description");
        let copies = (self.inside.len() < self.rules.inlined && self.items == 0)
            || (described && self.rules.beside_reference == BesideReference::Copy);
        if copies {
            let before = self.inside.len();
            if let Some(copy) = self.separator.copied(node.clone(), &mut self.inside) {
                let written = self.schema(&Value::Object(copy));
                self.inside.truncate(before);
                return written;
            }
        }
        match self.rules.beside_reference {
            BesideReference::Any => {
                node.iter().for_each(|(keyword, value)| self.annotation(keyword, value, &mut alone));
                alone.insert("$ref".to_owned(), format!("{PLACE}{name}").into());
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

    fn union(&mut self, branches: &[Value], annotations: Map<String, Value>) -> Result<Value, RefusedSchema> {
        self.count.unions += 1;
        let mut written = Map::new();
        let mut told = Vec::new();
        for (keyword, value) in &annotations {
            self.annotation(keyword, value, &mut written);
            if keyword == "default" && !self.takes(keyword) {
                told.push(("default", value.clone()));
            }
        }
        let mut branches_written: Vec<Value> = Vec::new();
        for branch in branches.iter().filter(|branch| **branch != Value::Bool(false)) {
            let branch = self.schema(branch)?;
            // A union in a union is one union.
            match branch.as_object().filter(|branch| branch.len() == 1).and_then(|branch| branch.get("anyOf")) {
                Some(Value::Array(inner)) => branches_written.extend(inner.iter().cloned()),
                _ if branches_written.contains(&branch) => {}
                _ => branches_written.push(branch),
            }
        }
        if branches_written.is_empty() {
            return self.nothing();
        }
        telling::tell(&mut written, &told);
        written.insert("anyOf".to_owned(), branches_written.into());
        Ok(Value::Object(written))
    }

    /// A schema without unions and references.
    pub(super) fn plain(&mut self, node: &Map<String, Value>) -> Result<Map<String, Value>, RefusedSchema> {
        let mut written = Map::new();
        let mut told: Vec<(&str, Value)> = Vec::new();
        let named = types(node).map(|types| types.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let types = match named {
            Some(types) => types,
            None if self.rules.typed || values(node).is_some() => kinds::inferred(node),
            None => Vec::new(),
        };
        match types.as_slice() {
            [] if self.rules.typed && values(node).is_none() => {
                return Err(self.refused("has no type; give it one"));
            }
            [] => {}
            [only] => drop(written.insert("type".to_owned(), json!(only))),
            several => {
                self.count.unions += 1;
                written.insert("type".to_owned(), json!(several));
            }
        }
        let is = |kind: &str| types.iter().any(|own| own == kind);
        let is_object = is("object") || (types.is_empty() && kinds::is_about_objects(node));
        let is_array = is("array") || (types.is_empty() && kinds::is_about_arrays(node));
        if is_object {
            self.object(node, &mut written, &mut told)?;
        }
        if is_array {
            self.array(node, &mut written, &mut told)?;
        }
        self.values(node, &mut written, &mut told);
        let shapes = ["type", "properties", "additionalProperties", "items", "prefixItems", "enum", "const"];
        let is_shapeless = !shapes.iter().any(|shape| written.contains_key(*shape));
        if is_shapeless && self.rules.anything == Anything::AllTypes {
            written.insert("type".to_owned(), json!(ALL_TYPES));
        }
        for (keyword, value) in node {
            if let Some(left) = self.keyword(keyword, value, &types, &mut written) {
                told.push((left, value.clone()));
            }
        }
        telling::tell(&mut written, &told);
        Ok(written)
    }

    /// Writes a keyword as it is if the provider takes it; returns it if not.
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
            "format" => self.takes_format(value, types),
            "pattern" => kinds::takes_pattern(self.rules.patterns, value),
            "minLength" | "maxLength" => self.takes(keyword) && value.as_u64().is_some_and(|n| n <= self.rules.count),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                let is_small = value.is_i64() || !types.iter().any(|kind| kind == "integer");
                let fits = value.is_number() && (is_small || !self.rules.signed_bounds);
                self.takes(keyword) && fits
            }
            keyword => self.takes(keyword),
        };
        if takes {
            written.insert(keyword.to_owned(), value.clone());
            return None;
        }
        (!is_annotation(keyword) || keyword == "default").then_some(keyword)
    }

    fn takes_format(&self, format: &Value, types: &[String]) -> bool {
        let Some(format) = format.as_str() else { return false };
        let is_text = types.is_empty() || types.iter().any(|kind| kind == "string");
        self.rules.formats.is_none_or(|formats| is_text && formats.contains(&format))
    }

    /// The values of an enumeration.
    fn values(&mut self, node: &Map<String, Value>, written: &mut Map<String, Value>, told: &mut Vec<(&str, Value)>) {
        let Some(listed) = values(node) else { return };
        if !kinds::takes_values(self.rules.values, listed) {
            told.push(("enum", listed.into()));
            return;
        }
        self.count.values += listed.len();
        self.count.chars += listed.iter().filter_map(Value::as_str).map(str::len).sum::<usize>();
        match node.get("const").filter(|_| self.rules.constants) {
            Some(only) => written.insert("const".to_owned(), only.clone()),
            None => written.insert("enum".to_owned(), listed.into()),
        };
    }

    /// Lets a schema that was written be null, too.
    pub(super) fn nullable(&mut self, schema: Value) -> Value {
        let Value::Object(mut fields) = schema else { return schema };
        if let Some(Value::Array(branches)) = fields.get_mut("anyOf") {
            let null = json!({"type": "null"});
            if !branches.contains(&null) && !branches.iter().any(kinds::names_null) {
                branches.push(null);
            }
            return fields.into();
        }
        let has_values = fields.contains_key("enum") || fields.contains_key("const");
        let takes_lists = !(has_values && self.rules.type_lists != TypeLists::Any);
        match types(&fields).map(|types| types.into_iter().map(str::to_owned).collect::<Vec<_>>()) {
            Some(types) if types.iter().any(|kind| kind == "null") => {}
            Some(mut types) if takes_lists => {
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
