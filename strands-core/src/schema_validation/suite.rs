//! Required tests of the JSON Schema Test Suite, draft 2020-12. The suite is not part of the repository: `STRANDS_SHARED` is
//! the folder that contains it. `tests.rs` has an example of each kind for runs without the suite.

use std::io::Write as _;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::Validator;

/// The groups that fail, as (file, description, reason). An empty description means all groups of the file.
const EXCEPTIONS: [(&str, &str, &str); 9] = [
    ("refRemote", "", REMOTE),
    ("defs", "validate definition against metaschema", METASCHEMA),
    ("ref", "remote ref, containing refs itself", METASCHEMA),
    ("dynamicRef", "strict-tree schema, guards against misspelled properties", REMOTE),
    ("dynamicRef", "tests for implementation dynamic anchor and reference link", REMOTE),
    ("dynamicRef", "$ref and $dynamicAnchor are independent of order - $defs first", REMOTE),
    ("dynamicRef", "$ref and $dynamicAnchor are independent of order - $ref first", REMOTE),
    ("dynamicRef", "$ref to $dynamicRef finds detached $dynamicAnchor", REMOTE),
    ("vocabulary", "schema that uses custom metaschema with with no validation vocabulary", VOCABULARY),
];

const REMOTE: &str = "refers to another document, which is an error: documents are not loaded";
const METASCHEMA: &str = "refers to the metaschema, which is another document";
const VOCABULARY: &str = "another document disables keywords, and is not loaded";

#[derive(Deserialize)]
struct Group {
    description: String,
    schema: Value,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    description: String,
    data: Value,
    valid: bool,
}

#[test]
fn passes_the_required_tests_of_the_json_schema_test_suite() {
    let Some(shared) = std::env::var_os("STRANDS_SHARED") else {
        print("STRANDS_SHARED is not set: the JSON Schema Test Suite is not run here");
        return;
    };
    let folder = PathBuf::from(shared).join("json-schema-suite");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let (mut passed, mut excepted, mut failures) = (0, 0, Vec::new());
    let (mut used, mut passing) = (Vec::new(), Vec::new());
    for path in &files {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        let groups: Vec<Group> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for group in groups {
            let failed = failed_of(&group);
            passed += group.tests.len() - failed.len();
            let listed = EXCEPTIONS
                .iter()
                .position(|(of, what, _)| *of == file && (what.is_empty() || *what == group.description));
            match listed {
                Some(exception) => {
                    excepted += failed.len();
                    if failed.is_empty() { passing.push(exception) } else { used.push(exception) }
                }
                None => {
                    failures.extend(failed.into_iter().map(|test| format!("{file}: {}: {test}", group.description)));
                }
            }
        }
    }
    let (count, failed) = (files.len(), failures.len());
    print(&format!("{count} files: {passed} tests pass, {excepted} are known exceptions, {failed} fail"));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for (index, (file, group, reason)) in EXCEPTIONS.iter().enumerate() {
        assert!(
            used.contains(&index) && !passing.contains(&index),
            "{file}: {group}: passes, though {reason}; remove the exception"
        );
    }
    assert_eq!((files.len(), passed + excepted), (46, 1_299));
}

fn print(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// Returns the failed tests of a group: all of them for an unsupported schema.
fn failed_of(group: &Group) -> Vec<String> {
    let validator = Validator::new(&group.schema);
    let fails = |case: &&Case| match &validator {
        Ok(validator) => validator.check(&case.data).is_ok() != case.valid,
        Err(_) => true,
    };
    let message = |case: &Case| match &validator {
        Ok(validator) => format!("{} ({:?})", case.description, validator.check(&case.data)),
        Err(error) => format!("{} ({error})", case.description),
    };
    group.tests.iter().filter(fails).map(message).collect()
}
