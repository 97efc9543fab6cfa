//! Rewriting of a whole schema for a provider: the root and the definitions that it needs.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::composition::Resolver;
use super::dialect::{Recursion, Rules};
use super::references::{self, Bundle};
use super::rewriter::Rewriter;
use super::root::{self, Root};
use super::{StrictSchemaError, value_types};

/// Rewrites the schema of an object by the rules.
///
/// # Errors
///
/// Returns [`StrictSchemaError`] if the provider can't express it.
pub(super) fn rewritten(schema: &Value, rules: &Rules) -> Result<Value, StrictSchemaError> {
    let Bundle { root, definitions, is_lossy } = references::bundle(schema);
    let resolver = Resolver::new(&definitions);
    let Root { object: mut root, distinguishing } =
        root::object(&root, &resolver).map_err(|error| StrictSchemaError::new(error.to_string()))?;
    if rules.plain_names {
        rename(&mut root);
    }
    if rules.unchanged {
        return Ok(with_definitions(root, definitions));
    }
    let mut rewriter = Rewriter::new(rules, &resolver);
    if rules.all_required {
        let properties = root.get("properties").and_then(Value::as_object);
        let accepts_null =
            |name: &&String| properties.and_then(|own| own.get(*name)).is_some_and(value_types::names_null);
        if let Some(name) = distinguishing.iter().find(accepts_null) {
            return Err(StrictSchemaError::new(format!(
                "`{name}` may be null, which can't be distinguished from a missing property"
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
            return Err(StrictSchemaError::new(format!("the definition `{name}` leads back to itself")));
        }
        rewriter.expanding = vec![name.clone()];
        rewriter.path = vec![format!("$defs.{name}")];
        let definition = rewriter.schema(definition)?;
        next(&definition, &mut known, &mut open);
        definitions_written.insert(name, definition);
    }
    if rewriter.is_strict && (is_lossy || resolver.is_lossy()) {
        let reason = "it has references that lead nowhere, or too many alternatives";
        return Err(StrictSchemaError::new(reason.to_owned()));
    }
    rewriter.count.check(rules)?;
    // Keep the original order, which does not depend on the first use of a definition.
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

/// Queues the definitions that a schema refers to and that are not known yet.
fn next(schema: &Value, known: &mut HashSet<String>, open: &mut Vec<String>) {
    let mut targets = HashSet::new();
    references::targets(schema, &mut targets);
    open.extend(targets.into_iter().filter(|target| known.insert((*target).to_owned())).map(str::to_owned));
}

/// Returns the root with the definitions that it needs.
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

/// Replaces property names of the root that some providers reject.
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
