//! Specs of a server's tools, in the form that agents and providers accept.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use strands_core::{ToolAnnotations, ToolSet, ToolSetError, ToolSpec};

use super::description::{visible_schema, visible_text};

/// Maximum size of a tool's description, in bytes.
const MAX_DESCRIPTION: usize = 16 * 1024;

/// Maximum size of a tool's input schema, in bytes of JSON.
const MAX_SCHEMA: usize = 512 * 1024;

/// Maximum length of a tool's name, for any provider.
const MAX_NAME: usize = 64;

/// Maximum length of a server's name for a tool in an error.
const MAX_QUOTED_NAME: usize = 128;

/// An error of a tool that an agent can't have. The other tools of the server are not affected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolSpecError {
    #[error("tool without a name")]
    NoName,
    #[error("the input schema of tool `{name}` has {size} bytes; at most {MAX_SCHEMA} are supported")]
    LargeSchema { name: String, size: usize },
    #[error("the server lists tool `{name}` twice")]
    Duplicate { name: String },
    #[error(transparent)]
    Rejected(ToolSetError),
}

/// Returns the spec of a tool.
///
/// Its name is that of the server, after the prefix and `_`, with a `_` in place of each character that providers reject. A
/// longer name than they accept is truncated and has a hash of the whole name at its end. The input schema is unchanged except
/// for its descriptions. It may be one that can't be compiled for validation, so the tool's policy has to be
/// [`with_unsupported_schema`](strands_core::ToolPolicy::with_unsupported_schema): the server validates the arguments.
///
/// See [`tool_specs`] for the tools of a list, whose names stay distinct.
///
/// # Errors
///
/// Returns [`ToolSpecError`] if no provider would accept the tool.
#[cfg(test)]
pub(crate) fn tool_spec(tool: &rmcp::model::Tool, prefix: Option<&str>) -> Result<ToolSpec, ToolSpecError> {
    named_spec(tool, valid_name(&full_name(tool, prefix)))
}

/// Returns the spec of each tool in a list, in order. A tool that a server lists twice is an error; different tools whose names
/// a model can't distinguish, such as `a.b`, `a_b` and `a-b`, have a hash at the end of their names, except for one.
pub(crate) fn tool_specs(tools: &[rmcp::model::Tool], prefix: Option<&str>) -> Vec<Result<ToolSpec, ToolSpecError>> {
    let alike = |name: &str| name.replace('-', "_");
    // Valid names come first, whatever their position, so that another tool does not change them.
    let is_valid = |tool: &&rmcp::model::Tool| {
        let full = full_name(tool, prefix);
        valid_name(&full) == full
    };
    let (valid, changed): (Vec<_>, Vec<_>) = tools.iter().partition(is_valid);
    let mut taken = HashSet::new();
    let mut names: HashMap<&str, Option<String>> = HashMap::new();
    for tool in valid.into_iter().chain(changed) {
        names.entry(&tool.name).or_insert_with(|| {
            let full = full_name(tool, prefix);
            let name = valid_name(&full);
            let mut candidates = [name.clone(), hashed_name(&name, &full)].into_iter();
            candidates.find(|name| taken.insert(alike(name)))
        });
    }
    let spec = |tool: &rmcp::model::Tool| match names.get_mut(&*tool.name).and_then(Option::take) {
        Some(name) => named_spec(tool, name),
        None => Err(ToolSpecError::Duplicate { name: quoted_name(tool) }),
    };
    tools.iter().map(spec).collect()
}

/// Returns the spec with the server's own name, for filters.
pub(crate) fn unprefixed_spec(tool: &rmcp::model::Tool) -> ToolSpec {
    let schema = Value::Object(visible_schema(&tool.input_schema));
    let spec = ToolSpec::new(&*tool.name, description(tool), schema).with_annotations(annotations(tool));
    match &tool.output_schema {
        Some(schema) => spec.with_output_schema(Value::Object(schema.as_ref().clone())),
        None => spec,
    }
}

fn named_spec(tool: &rmcp::model::Tool, name: String) -> Result<ToolSpec, ToolSpecError> {
    if tool.name.is_empty() {
        return Err(ToolSpecError::NoName);
    }
    let size = serde_json::to_vec(&tool.input_schema).map_or(usize::MAX, |json| json.len());
    if size > MAX_SCHEMA {
        return Err(ToolSpecError::LargeSchema { name: quoted_name(tool), size });
    }
    let mut spec = unprefixed_spec(tool);
    spec.name = name;
    match ToolSet::check_spec(&spec) {
        Ok(()) | Err(ToolSetError::UnsupportedSchema { .. }) => Ok(spec),
        Err(error) => Err(ToolSpecError::Rejected(error)),
    }
}

fn quoted_name(tool: &rmcp::model::Tool) -> String {
    visible_text(&tool.name, MAX_QUOTED_NAME)
}

fn full_name(tool: &rmcp::model::Tool, prefix: Option<&str>) -> String {
    match prefix {
        Some(prefix) if !prefix.is_empty() => format!("{prefix}_{}", tool.name),
        _ => tool.name.clone().into_owned(),
    }
}

/// Returns a name that providers accept.
fn valid_name(full: &str) -> String {
    let is_valid = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let name: String = full.chars().map(|character| if is_valid(character) { character } else { '_' }).collect();
    // Names in other scripts would all be the same.
    let is_lost = !full.chars().any(|character| character.is_ascii_alphanumeric());
    if name.len() > MAX_NAME || is_lost { hashed_name(&name, full) } else { name }
}

/// Returns a valid name with a hash of the whole name at its end.
fn hashed_name(name: &str, full: &str) -> String {
    let most = MAX_NAME - "_01234567".len();
    format!("{}_{:08x}", name.get(..name.len().min(most)).unwrap_or_default(), fnv(full))
}

/// Returns the hash FNV-1a. It has to be the same in other processes and releases, since stored messages have names of tools.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn description(tool: &rmcp::model::Tool) -> String {
    let title = || tool.title.as_deref().or_else(|| tool.annotations.as_ref()?.title.as_deref());
    let is_blank = |text: &&str| !text.trim().is_empty();
    match tool.description.as_deref().filter(is_blank).or_else(title).filter(is_blank) {
        Some(text) => visible_text(text, MAX_DESCRIPTION),
        None => format!("Tool `{}`, which has no description.", quoted_name(tool)),
    }
}

fn annotations(tool: &rmcp::model::Tool) -> ToolAnnotations {
    let mut annotations = ToolAnnotations::new();
    if let Some(hints) = &tool.annotations {
        annotations.read_only = hints.read_only_hint;
        annotations.destructive = hints.destructive_hint;
        annotations.idempotent = hints.idempotent_hint;
        annotations.open_world = hints.open_world_hint;
    }
    annotations
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn tool(name: &str, schema: Value) -> rmcp::model::Tool {
        let Value::Object(schema) = schema else { panic!("{schema}") };
        rmcp::model::Tool::new(name.to_owned(), "Reads.", schema)
    }

    fn plain(name: &str) -> rmcp::model::Tool {
        tool(name, json!({"type": "object"}))
    }

    fn names(tools: &[&str], prefix: Option<&str>) -> Vec<Result<String, String>> {
        let tools: Vec<_> = tools.iter().map(|name| plain(name)).collect();
        let specs = tool_specs(&tools, prefix).into_iter();
        specs.map(|spec| spec.map(|spec| spec.name).map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn maps_names_to_valid_ones() {
        let long = "a".repeat(100);
        for (name, prefix, expected) in [
            ("read-file", None, "read-file".to_owned()),
            ("read", Some("fs"), "fs_read".to_owned()),
            ("read", Some(""), "read".to_owned()),
            ("fs.read/all files", Some("my.server"), "my_server_fs_read_all_files".to_owned()),
            (&long, None, format!("{}_{:08x}", "a".repeat(55), fnv(&long))),
            ("読む", None, format!("___{:08x}", fnv("読む"))),
        ] {
            assert_eq!(tool_spec(&plain(name), prefix).unwrap().name, expected);
        }
        // Stored messages have the names, so the hash must not change.
        assert_eq!(fnv("a"), 0xe40c_292c);
        assert_eq!(tool_spec(&plain(""), Some("fs")).unwrap_err().to_string(), "tool without a name");
    }

    #[test]
    fn keeps_the_names_of_a_list_distinct() {
        let ok = |name: &str| Ok(name.to_owned());
        let hashed = |full: &str, name: &str| Ok(format!("{name}_{:08x}", fnv(full)));
        assert_eq!(names(&["a.b", "a/b", "a_b"], None), [hashed("a.b", "a_b"), hashed("a/b", "a_b"), ok("a_b")]);
        assert_eq!(names(&["a.b", "a/b"], Some("s")), [ok("s_a_b"), hashed("s_a/b", "s_a_b")]);
        assert_eq!(names(&["a-b", "a_b"], None), [ok("a-b"), hashed("a_b", "a_b")]);
        let duplicate = Err("the server lists tool `x` twice".to_owned());
        assert_eq!(names(&["x", "x", "y"], None), [ok("x"), duplicate, ok("y")]);
    }

    #[test]
    fn leaves_out_a_tool_that_no_provider_accepts() {
        let large = json!({"type": "object", "enum": ["x".repeat(MAX_SCHEMA)]});
        for (schema, expected) in [
            (json!({"type": "string"}), "invalid input schema of tool `t`: its root is"),
            (json!({"type": "object", "required": "x"}), "invalid input schema of tool `t`: its `required`"),
            (large, "the input schema of tool `t` has 524"),
        ] {
            let error = tool_spec(&tool("t", schema), None).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn keeps_schemas_that_only_the_server_can_validate() {
        for schema in [
            json!({"type": "object", "properties": {"name": {"type": "string", "pattern": "^(?!x)(.)\\1$"}}}),
            json!({"type": "object", "properties": {"pair": {"type": "array", "items": [{"type": "string"}]}}}),
            json!({"type": "object", "properties": {"n": {"type": "number", "minimum": 0, "exclusiveMinimum": true}}}),
            json!({"type": "object", "properties": {"n": {"type": "int"}, "o": {"$ref": "https://example.com/o.json"}}}),
        ] {
            assert_eq!(tool_spec(&tool("t", schema.clone()), None).unwrap().input_schema, schema);
        }
    }

    #[test]
    fn keeps_schemas_annotations_and_descriptions() {
        let schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {"path": {"type": "string", "description": "The path.", "minLength": 1}},
            "additionalProperties": false,
        });
        let output = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        let hints =
            rmcp::model::ToolAnnotations::from_raw(Some("T".to_owned()), Some(true), Some(false), None, Some(true));
        let tool = tool("t", schema.clone())
            .with_annotations(hints)
            .with_raw_output_schema(output.as_object().unwrap().clone().into());
        let spec = tool_spec(&tool, None).unwrap();
        assert_eq!((&spec.input_schema, &spec.output_schema, &*spec.description), (&schema, &Some(output), "Reads."));
        let expected = ToolAnnotations::new().with_read_only(true).with_destructive(false).with_open_world(true);
        assert_eq!(spec.annotations, expected);
    }

    #[test]
    fn describes_tools_without_a_description() {
        let mut tool = plain("t");
        tool.description = Some("do\u{202e}it".into());
        assert_eq!(tool_spec(&tool, None).unwrap().description, "do\\u{202e}it");
        tool.description = Some(" ".into());
        tool.title = Some("Title".to_owned());
        assert_eq!(tool_spec(&tool, None).unwrap().description, "Title");
        tool.title = None;
        assert_eq!(tool_spec(&tool, None).unwrap().description, "Tool `t`, which has no description.");
        tool.description = Some("x".repeat(100_000).into());
        assert!(tool_spec(&tool, None).unwrap().description.len() <= MAX_DESCRIPTION);
    }

    proptest! {
        #[test]
        fn names_are_valid_and_distinct(names in prop::collection::btree_set("[a-c._/é-]{0,70}", 0..12)) {
            let tools: Vec<_> = names.iter().map(|name| plain(name)).collect();
            let specs: Vec<_> = tool_specs(&tools, None).into_iter().filter_map(Result::ok).collect();
            let distinct: HashSet<_> = specs.iter().map(|spec| spec.name.replace('-', "_")).collect();
            prop_assert_eq!(distinct.len(), specs.len());
            prop_assert_eq!(specs.len(), names.iter().filter(|name| !name.is_empty()).count());
        }
    }
}
