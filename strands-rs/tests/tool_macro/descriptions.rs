//! Names and descriptions for the model.

use strands::serde_json::json;
use strands::{Tool, tool};

/// Looks up the weather.
///
/// It knows every city:
///
/// ```text
/// # not a heading
///     indented
/// ```
///
/// # Errors
///
/// Not for the model.
///
/// ## Rules
///
/// * Confirm first.
///
/// # Example
///
/// ```
/// # Rules
/// ```
#[tool]
fn look_up() {}

/**
 * Written
 * in a block.
 */
#[tool]
fn blocky() {}

/// # Errors
/// Never.
#[doc = include_str!("snippets/description.md")]
/// And a line.
/// # Panics
/// Never.
/// # Limits
/// One a day.
#[tool]
fn included() {}

#[doc = concat!("Made of ", "pieces.")]
#[tool]
fn concatenated() {}

const WORDS: &str = "Described by a constant.";

/// For people.
#[tool(name = "for-models", description = WORDS)]
fn named() {}

#[tool(description = "")]
fn silent() {}

#[test]
fn descriptions_leave_out_sections_for_programmers() {
    let described = |tool: &dyn Tool| tool.spec().description.clone();
    assert_eq!(
        described(&LookUp),
        "Looks up the weather.\n\nIt knows every city:\n\n```text\n# not a heading\n    indented\n```\n\n## Rules\n\n* Confirm first."
    );
    assert_eq!(described(&Blocky), "Written\nin a block.");
    assert_eq!(described(&Included), "From a file.\n\nAnd a line.\n# Limits\nOne a day.");
    assert_eq!(described(&Concatenated), "Made of pieces.");
    assert_eq!(described(&Named), WORDS);
    assert_eq!(described(&Silent), "");
}

#[test]
fn names_default_to_the_function_name() {
    assert_eq!(LookUp.spec().name, "look_up");
    assert_eq!(Named.spec().name, "for-models");
    assert_eq!(Type.spec().name, "type");
    assert_eq!(Renamed.spec().name, "odd");
}

/// Raw.
#[tool]
fn r#type() {}

/// Elsewhere.
#[tool(struct = Renamed)]
fn odd() {}

struct Http;

/// Documents its arguments in a list.
///
/// # Arguments
///
/// * `city` - Destination,
///   in English
/// - days: Number of days
/// * http - For people only
#[tool]
fn listed(
    city: String,
    days: u8,
    /// In its place
    /// of two lines
    here: u8,
    #[doc = concat!("Of ", "pieces")] pieces: u8,
    undocumented: u8,
    http: &Http,
) {
    let _ = (city, days, here, pieces, undocumented, http);
}

#[test]
fn describes_arguments_in_place_or_in_a_list() {
    let properties = &Listed.spec().input_schema["properties"];
    assert_eq!(properties["city"]["description"], json!("Destination,\nin English"));
    assert_eq!(properties["days"]["description"], json!("Number of days"));
    assert_eq!(properties["here"]["description"], json!("In its place\nof two lines"));
    assert_eq!(properties["pieces"]["description"], json!("Of pieces"));
    assert!(properties["undocumented"].get("description").is_none());
    assert!(properties.get("http").is_none());
}
