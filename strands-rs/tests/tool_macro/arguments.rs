//! The model's arguments: what is accepted, and that every mistake is named in one answer.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use strands::serde_json::{Value, json};
use strands::{JsonSchema, Tool, tool};

use crate::{json, refusal, text};

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
struct Leg {
    to: String,
    nights: u8,
}

/// Searches.
#[tool(inline)]
fn search(
    city: &str,
    #[arg(default = 10, range = 1..=50)] limit: u32,
    tags: &[String],
    legs: Option<Vec<Leg>>,
    #[arg(rename = "type")] kind: Option<Cow<'_, str>>,
) -> String {
    format!("{city} {limit} {tags:?} {} {kind:?}", legs.map_or(0, |legs| legs.len()))
}

#[tokio::test]
async fn absent_optional_arguments_take_their_stand_ins() {
    assert_eq!(text(Search, json!({"city": "Oslo", "tags": []})).await, "Oslo 10 [] 0 None");
    let all = json!({"type": "x", "legs": [{"to": "A", "nights": 1}], "tags": ["t"], "limit": 50, "city": "Oslo"});
    assert_eq!(text(Search, all).await, r#"Oslo 50 ["t"] 1 Some("x")"#);
}

#[tokio::test]
async fn null_leaves_an_optional_argument_out() {
    let nulls = json!({"city": "Oslo", "tags": [], "limit": null, "legs": null, "type": null});
    assert_eq!(text(Search, nulls).await, "Oslo 10 [] 0 None");
}

#[tokio::test]
async fn every_mistake_is_told_at_once_by_name() {
    let wrong =
        json!({"city": 1, "limit": -1, "legs": [{"to": "A", "nights": 1}, {"nights": "two"}], "kind": "x", "x": 0});
    assert_eq!(
        refusal(Search, wrong).await,
        "`city`: invalid type: integer `1`, expected a string; \
         `limit`: invalid value: integer `-1`, expected u32; \
         `tags`: required; \
         `legs[1].to`: required; `legs[1].nights`: expected integer, got a string; \
         unknown `kind`, `x`; expected `city`, `limit`, `tags`, `legs`, `type`"
    );
}

#[tokio::test]
async fn input_that_is_no_object_is_refused() {
    for input in [json!([]), json!("Oslo"), json!(1), json!(true)] {
        let text = refusal(Search, input).await;
        assert_eq!(text, "the arguments must be a JSON object, such as {\"name\": \"value\"}");
    }
}

/// Rings.
#[tool(inline)]
fn ring(times: Option<u8>) -> String {
    format!("{times:?}")
}

#[tokio::test]
async fn models_say_no_arguments_in_several_ways() {
    for input in [json!({}), Value::Null, json!(""), json!(" \n")] {
        assert_eq!(text(Ring, input).await, "None");
    }
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_fraction() {
    assert_eq!(text(Ring, json!({"times": 3.0})).await, "Some(3)");
    assert_eq!(refusal(Ring, json!({"times": 3.5})).await, "`times`: invalid type: floating point `3.5`, expected u8");
    assert_eq!(
        refusal(Ring, json!({"times": 300.0})).await,
        "`times`: invalid type: floating point `300.0`, expected u8"
    );
    let legs = json!({"city": "Oslo", "tags": [], "legs": [{"to": "A", "nights": 2.0}]});
    assert_eq!(text(Search, legs).await, "Oslo 10 [] 1 None");
}

#[tokio::test]
async fn a_mistake_is_told_in_bounded_length() {
    let long = json!({"times": "x".repeat(1_000_000)});
    assert!(refusal(Ring, long).await.len() < 1_000);
    let many: Value = (0..1_000).map(|n| (format!("argument_{n}"), json!(n))).collect();
    let text = refusal(Ring, many).await;
    assert!(text.len() < 1_000 && text.contains('…'), "{text}");
}

/// Checks bounds.
#[tool(inline)]
fn bounded(
    #[arg(range = -1.5..=1.5)] angle: f64,
    #[arg(range = 0..10)] digit: Option<u64>,
    #[arg(len = 2..=3)] code: &str,
    #[arg(len = ..=2)] names: Option<HashSet<String>>,
    #[arg(len = 1..)] map: Option<BTreeMap<String, u8>>,
    #[arg(pattern = "^[A-Z]{3}$")] airport: String,
) -> String {
    format!("{angle} {digit:?} {code} {names:?} {map:?} {airport}")
}

#[tokio::test]
async fn what_the_schema_bounds_is_enforced() {
    let fits =
        json!({"angle": -1.5, "digit": 9, "code": "äöü", "names": ["a", "b"], "map": {"k": 1}, "airport": "OSL"});
    assert!(text(Bounded, fits).await.starts_with("-1.5 Some(9) äöü"));
    let beyond = json!({"angle": 2, "digit": 10, "code": "x", "names": ["a", "b", "c"], "map": {}, "airport": "osl"});
    assert_eq!(
        refusal(Bounded, beyond).await,
        "`angle`: 2 is out of range, expected -1.5 to 1.5; \
         `digit`: 10 is out of range, expected 0 to 9; \
         `code`: has 1 characters, expected 2 to 3; \
         `names`: has 3 items, expected at most 2; \
         `map`: has 0 entries, expected at least 1; \
         `airport`: does not match the pattern `^[A-Z]{3}$`"
    );
}

const USUAL: &str = "Oslo";

#[derive(Debug, Default, Deserialize, JsonSchema)]
struct NotSerialize(u8);

/// Tries defaults.
#[tool(inline)]
fn defaults(
    #[arg(default = "Bergen")] text: String,
    #[arg(default = USUAL)] lent: &str,
    #[arg(default = [1, 2])] list: &[u8],
    #[arg(default = Some(3))] maybe: Option<u8>,
    #[arg(default)] zero: u8,
    #[arg(default)] hidden: NotSerialize,
    #[arg(default = text_len("four"))] computed: usize,
) -> String {
    format!("{text} {lent} {list:?} {maybe:?} {zero} {} {computed}", hidden.0)
}

fn text_len(text: &str) -> usize {
    text.len()
}

#[tokio::test]
async fn defaults_are_expressions_of_the_type_written() {
    assert_eq!(text(Defaults, json!({})).await, "Bergen Oslo [1, 2] Some(3) 0 0 4");
    let given = json!({"text": "a", "lent": "b", "list": [], "maybe": 4, "zero": 1, "hidden": 2, "computed": 5});
    assert_eq!(text(Defaults, given).await, "a b [] Some(4) 1 2 5");
}

/// The whole trip.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Trip {
    /// Where it begins.
    from: String,
    legs: Vec<Leg>,
    #[serde(default)]
    note: Option<String>,
}

/// Books a trip.
#[tool]
fn book(#[args] trip: Trip) -> Trip {
    trip
}

#[tokio::test]
async fn one_type_can_be_all_arguments() {
    let trip = json!({"from": "Oslo", "legs": [{"to": "A", "nights": 1}]});
    let booked = json!({"from": "Oslo", "legs": [{"to": "A", "nights": 1}], "note": null});
    assert_eq!(json(Book, trip).await, booked);
    assert_eq!(refusal(Book, json!({})).await, "`from`: required; `legs`: required");
    let wrong = json!({"from": "Oslo", "legs": [{"to": 1, "nights": 1}], "x": 1});
    assert_eq!(
        refusal(Book, wrong).await,
        "`legs[0].to`: expected string, got number 1; `x`: unknown; expected one of from, legs, note"
    );
    assert!(refusal(Book, Value::Null).await.contains("required"));
}

type Maybe<T> = Option<T>;

#[derive(Deserialize, JsonSchema)]
struct Wrapped(Option<u8>);

/// Tries types that can be absent without saying `Option`.
#[tool(inline)]
fn absent(alias: Maybe<String>, wrapped: Wrapped, any: Value) -> String {
    format!("{alias:?} {:?} {any}", wrapped.0)
}

#[tokio::test]
async fn types_decide_what_is_optional() {
    assert_eq!(text(Absent, json!({"any": null})).await, "None None null");
    let schema = &Absent.spec().input_schema;
    assert_eq!(schema["required"], json!(["any"]));
}

/// Sums.
#[tool]
fn sum(mut a: i64, r#type: i64) -> i64 {
    a += r#type;
    a
}

#[tokio::test]
async fn mutable_and_raw_names_are_names() {
    assert_eq!(json(Sum, json!({"a": 1, "type": 2})).await, json!(3));
}
