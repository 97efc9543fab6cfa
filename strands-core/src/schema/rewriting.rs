//! A schema in the form that a provider accepts, by the provider's rules.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::dialect::{Anything, BesideReference, Recursion, Rules, TypeLists};
use super::keywords::{is_annotation, is_anything, types};
use super::merging::values;
use super::object::{self, Root};
use super::references::{self, Gathered, PLACE};
use super::separating::{Separated, Separator};
use super::{RefusedSchema, kinds, telling};

/// How deep schemas stand in each other.
const MOST_LEVELS: usize = 100;

/// The types of all values.
const ALL_TYPES: [&str; 6] = ["string", "number", "boolean", "object", "array", "null"];

/// Rewrites a schema of an object by the rules.
///
/// # Errors
///
/// Returns [`RefusedSchema`] if the provider has no form for it.
pub(super) fn rewritten(schema: &Value, rules: &Rules) -> Result<Value, RefusedSchema> {
    let Gathered { root, definitions, is_lossy } = references::gathered(schema);
    let separator = Separator::new(&definitions);
    let Root { object: mut root, telling_apart } =
        object::object(&root, &separator).map_err(|error| RefusedSchema::new(error.to_string()))?;
    if rules.plain_names {
        rename(&mut root);
    }
    if rules.as_is {
        return Ok(with_definitions(root, definitions));
    }
    let cyclic = references::cyclic(&definitions);
    let mut rewriter = Rewriter {
        rules,
        separator: &separator,
        is_strict: rules.anything == Anything::None,
        cyclic,
        inside: Vec::new(),
        path: Vec::new(),
        level: 0,
        items: 0,
        count: Count::default(),
    };
    if rules.all_required {
        let properties = root.get("properties").and_then(Value::as_object);
        let takes_null = |name: &&String| properties.and_then(|own| own.get(*name)).is_some_and(kinds::names_null);
        if let Some(name) = telling_apart.iter().find(takes_null) {
            return Err(RefusedSchema::new(format!(
                "`{name}` may be null, and can't be told from one that is left out"
            )));
        }
    }
    let mut written = rewriter.plain(&root)?;
    let mut definitions_written = Map::new();
    let mut open: Vec<String> = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    next(&Value::Object(written.clone()), &mut known, &mut open);
    while let Some(name) = open.pop() {
        let Some(definition) = definitions.get(&name) else { continue };
        if rules.recursion == Recursion::None && rewriter.cyclic.contains(name.as_str()) {
            return Err(RefusedSchema::new(format!("the definition `{name}` leads back to itself")));
        }
        rewriter.inside = vec![name.clone()];
        rewriter.path = vec![format!("$defs.{name}")];
        let definition = rewriter.schema(definition)?;
        next(&definition, &mut known, &mut open);
        definitions_written.insert(name, definition);
    }
    if rewriter.is_strict && (is_lossy || separator.is_lossy()) {
        let why = "it refers to what is not in it, or has too many forms";
        return Err(RefusedSchema::new(why.to_owned()));
    }
    rewriter.count.check(rules)?;
    // In the order of the original, which does not depend on where a definition is used first.
    let mut ordered = Map::new();
    for name in definitions.keys() {
        if let Some(definition) = definitions_written.shift_remove(name) {
            ordered.insert(name.clone(), definition);
        }
    }
    if !ordered.is_empty() {
        written.insert("$defs".to_owned(), ordered.into());
    }
    Ok(Value::Object(written))
}

/// Adds the definitions that a schema refers to and that are not known.
fn next(schema: &Value, known: &mut HashSet<String>, open: &mut Vec<String>) {
    let mut targets = HashSet::new();
    references::targets(schema, &mut targets);
    open.extend(targets.into_iter().filter(|target| known.insert((*target).to_owned())).map(str::to_owned));
}

/// The root with the definitions that it needs.
fn with_definitions(mut root: Map<String, Value>, mut definitions: Map<String, Value>) -> Value {
    let mut known = HashSet::new();
    let mut open = Vec::new();
    next(&Value::Object(root.clone()), &mut known, &mut open);
    while let Some(name) = open.pop() {
        if let Some(definition) = definitions.get(&name) {
            next(definition, &mut known, &mut open);
        }
    }
    definitions.retain(|name, _| known.contains(name));
    if !definitions.is_empty() {
        root.insert("$defs".to_owned(), definitions.into());
    }
    Value::Object(root)
}

/// Gives the properties of the root names that every provider takes.
fn rename(root: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = root.get_mut("properties") else { return };
    let names: Vec<String> = properties.keys().cloned().collect();
    let plain = super::names::plain(names.iter().map(String::as_str));
    if plain.iter().all(|(name, plain)| name == plain) {
        return;
    }
    let renamed = std::mem::take(properties).into_iter().zip(&plain).map(|((_, schema), (name, plain))| {
        let mut schema = schema;
        if let Value::Object(schema) = &mut schema
            && name != plain
        {
            let title = json!(name);
            schema.entry("title").or_insert(title);
        }
        (plain.clone(), schema)
    });
    *properties = renamed.collect();
    if let Some(Value::Array(required)) = root.get_mut("required") {
        for own in required {
            if let Some((_, plain)) = plain.iter().find(|(name, _)| own == name) {
                *own = plain.as_str().into();
            }
        }
    }
}

/// What limits are about.
#[derive(Default)]
pub(super) struct Count {
    pub(super) optional: usize,
    pub(super) unions: usize,
    pub(super) properties: usize,
    pub(super) level: usize,
    pub(super) levels: usize,
    pub(super) values: usize,
    pub(super) chars: usize,
}

impl Count {
    fn check(&self, rules: &Rules) -> Result<(), RefusedSchema> {
        let limits = rules.limits;
        for (count, limit, what) in [
            (self.optional, limits.optional, "optional properties"),
            (self.unions, limits.unions, "unions"),
            (self.properties, limits.properties, "properties"),
            (self.levels, limits.levels, "levels of objects"),
            (self.values, limits.values, "values in enumerations"),
            (self.chars, limits.chars, "characters in names and values"),
        ] {
            if count > limit {
                return Err(RefusedSchema::new(format!("it has {count} {what}, of which the provider takes {limit}")));
            }
        }
        Ok(())
    }
}

pub(super) struct Rewriter<'a> {
    pub(super) rules: &'a Rules,
    pub(super) separator: &'a Separator<'a>,
    /// What is left out would let the model write what does not fit.
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

impl Rewriter<'_> {
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
                let fits = !self.rules.signed_bounds || value.is_i64() || !types.iter().any(|kind| kind == "integer");
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
