//! Snapshots of generated schemas: a change affects the prompts of every program.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use strands::serde_json::Value;
use strands::{JsonSchema, Tool, tool};

macro_rules! snapshot {
    ($tool:expr) => {
        insta::assert_json_snapshot!($tool.spec())
    };
}

#[derive(Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum Units {
    #[default]
    Metric,
    /// Feet and Fahrenheit.
    Imperial,
}

#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(tag = "kind")]
enum Place {
    City { name: String },
    Point { lat: f64, lon: f64 },
}

/// Forecasts.
#[tool]
fn enums(units: Units, perhaps: Option<Units>, #[arg(default)] usual: Units, place: Place) -> Place {
    let _ = (units, perhaps, usual);
    place
}

#[test]
fn of_enums() {
    snapshot!(Enums);
}

/// A stay.
#[derive(Deserialize, JsonSchema, Serialize)]
struct Stay {
    /// Hotel name.
    hotel: String,
    #[serde(default)]
    nights: u16,
    guests: Vec<Guest>,
}

#[derive(Deserialize, JsonSchema, Serialize)]
struct Guest {
    name: String,
}

/// Books.
#[tool(output)]
fn nested(
    /// The stay to book
    stay: Stay,
    others: Option<Stay>,
    list: Vec<Stay>,
) -> Result<Stay, String> {
    let _ = (others, list);
    Ok(stay)
}

#[test]
fn of_nested_types() {
    snapshot!(Nested);
}

#[derive(Deserialize, JsonSchema)]
struct Tree {
    #[serde(default)]
    children: Vec<Tree>,
    parent: Option<Box<Tree>>,
}

/// Climbs.
#[tool]
fn recursive(tree: Tree) {
    let _ = (tree.children.len(), tree.parent.is_some());
}

#[test]
fn of_recursive_types() {
    snapshot!(Recursive);
}

/// Maps.
#[tool]
fn maps(by_name: BTreeMap<String, u8>, #[arg(len = 1..)] nested: HashMap<String, Vec<Guest>>, anything: Value) {
    let _ = (by_name, nested, anything);
}

#[test]
fn of_maps() {
    snapshot!(Maps);
}

type Maybe = Option<f64>;

/// Leaves out.
#[tool]
fn optional(text: Option<String>, list: Option<Vec<Option<u8>>>, alias: Maybe, flag: Option<bool>, any: Option<Value>) {
    let _ = (text, list, alias, flag, any);
}

#[test]
fn of_optional_arguments() {
    snapshot!(Optional);
}

/// Bounds.
#[tool(name = "bounded", read_only, open_world = false, strict)]
fn bounds(
    #[arg(default = 5, range = 1..=10, example = 7)] number: u32,
    #[arg(range = ..=0.5)] fraction: f32,
    #[arg(range = -5..=300)] within_its_type: u8,
    #[arg(len = 1..=64, pattern = "^[a-z]+$", default = "oslo")] text: String,
    #[arg(len = ..5, default = ["a".to_owned()], example = ["b".to_owned()])] list: &[String],
    #[arg(rename = "the-name")] name: &str,
    #[arg(default = Some(1))] perhaps: Option<i64>,
) {
    let _ = (number, fraction, within_its_type, text, list, name, perhaps);
}

#[test]
fn of_defaults_and_bounds() {
    snapshot!(Bounds);
}

/// All of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(flatten)]
    stay: Flat,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Flat {
    hotel: String,
    again: Option<Box<Input>>,
}

/// Takes all.
#[tool]
fn whole(
    /// Trip to book
    #[args]
    input: Input,
) {
    let _ = (input.note, input.stay.hotel, input.stay.again.is_some());
}

#[test]
fn of_a_type_that_is_all_arguments() {
    snapshot!(Whole);
}

/// Nothing.
#[tool]
fn takes_nothing() {}

#[test]
fn of_no_arguments() {
    snapshot!(TakesNothing);
}
