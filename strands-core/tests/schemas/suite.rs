//! Schemas of the JSON Schema Test Suite, each as that of a property. `STRANDS_SHARED` is the folder with the suite; without
//! it, only the two schemas below are tested.

use serde_json::{Value, json};
use strands_testkit::recording::shared_path;

use crate::support::{mistakes, validator};

/// Returns test groups of the suite: a schema, with valid and invalid values.
fn groups() -> Vec<(String, Value)> {
    let own = json!([
        {"description": "own", "schema": {"allOf": [{"minimum": 1}, {"anyOf": [{"type": "integer"}, {"maximum": 3}]}]},
            "tests": [{"data": 2, "valid": true}, {"data": "x", "valid": true}]},
        {"description": "own", "schema": {"prefixItems": [{}, {"const": 1.0}], "items": false},
            "tests": [{"data": [{}, 1], "valid": true}, {"data": [], "valid": true}]},
    ]);
    let mut groups = vec![("own".to_owned(), own)];
    let Some(folder) = shared_path("json-schema-suite") else { return groups };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "json") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            groups.push((name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()));
        }
    }
    groups.sort_by(|(one, _), (other, _)| one.cmp(other));
    groups
}

/// Returns false for schemas with references and documents, which change their meaning inside another schema.
fn is_self_contained(schema: &Value) -> bool {
    let text = schema.to_string();
    !["$ref", "$id", "$dynamic", "$anchor", "$vocabulary", "\"$schema\":\"http://localhost"]
        .iter()
        .any(|word| text.contains(word))
}

#[test]
fn valid_values_fit_the_rewritten_schemas() {
    let mut found: Vec<String> = Vec::new();
    let mut tried = 0;
    for (file, groups) in groups() {
        for group in groups.as_array().unwrap() {
            let mut schema = group["schema"].clone();
            if !is_self_contained(&schema) {
                continue;
            }
            if let Some(root) = schema.as_object_mut() {
                root.shift_remove("$schema");
            }
            let schema = json!({"type": "object", "properties": {"value": schema}, "required": ["value"]});
            let fits = validator(&schema);
            let tests = group["tests"].as_array().unwrap().iter().filter(|test| test["valid"] == true);
            let values = tests.map(|test| json!({"value": test["data"]})).filter(|value| fits.is_valid(value));
            tried += 1;
            found.extend(mistakes(
                &format!("{file}: {}", group["description"]),
                &schema,
                &values.collect::<Vec<_>>(),
                false,
            ));
        }
    }
    assert!(tried >= 2);
    assert!(found.is_empty(), "{} mistakes, such as\n{}", found.len(), found[..found.len().min(12)].join("\n"));
}
