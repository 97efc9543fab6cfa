//! Schemas for tests of schema rewriting and validation: those of many Rust types, and of functions as found in
//! practice.
#![allow(clippy::unwrap_used, reason = "a failure here fails the calling test")]

mod instances;
mod types;

use serde_json::{Map, Value, json};

pub use instances::instances;
pub use types::of_types;

/// A named schema.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name of the case.
    pub name: String,
    /// The schema.
    pub schema: Value,
}

/// Returns schemas of functions as found in practice: written by hand, by generators of several languages, of older
/// drafts.
pub fn of_functions() -> Vec<Case> {
    let functions: Map<String, Value> = serde_json::from_str(include_str!("functions.json")).unwrap();
    functions.into_iter().map(|(name, schema)| Case { name, schema }).collect()
}

/// Returns a schema with this many levels of definitions, each of which refers to the next one six times.
pub fn levels_of_references(levels: usize) -> Value {
    let level = |next: usize| {
        let fields: Map<_, _> =
            (0..6).map(|at| (format!("f{at}"), json!({"$ref": format!("#/$defs/L{next}")}))).collect();
        json!({"type": "object", "properties": fields})
    };
    let mut definitions: Map<_, _> = (0..levels).map(|at| (format!("L{at}"), level(at + 1))).collect();
    definitions.insert(format!("L{levels}"), json!({"type": "string"}));
    json!({"type": "object", "properties": {"value": {"$ref": "#/$defs/L0"}}, "$defs": definitions})
}
