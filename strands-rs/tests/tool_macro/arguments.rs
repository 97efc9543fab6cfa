//! Arguments from the model: accepted forms, and errors that name all mistakes at once.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use strands::serde_json::{Value, json};
use strands::{JsonSchema, Tool, schemars, tool};

use crate::{json, rejection, text};

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
async fn absent_optional_arguments_get_their_defaults() {
    assert_eq!(text(Search, json!({"city": "Oslo", "tags": []})).await, "Oslo 10 [] 0 None");
    let all = json!({"type": "x", "legs": [{"to": "A", "nights": 1}], "tags": ["t"], "limit": 50, "city": "Oslo"});
    assert_eq!(text(Search, all).await, r#"Oslo 50 ["t"] 1 Some("x")"#);
}

#[tokio::test]
async fn null_stands_for_an_absent_optional_argument() {
    let nulls = json!({"city": "Oslo", "tags": [], "limit": null, "legs": null, "type": null});
    assert_eq!(text(Search, nulls).await, "Oslo 10 [] 0 None");
}

#[tokio::test]
async fn reports_all_mistakes_by_name() {
    let wrong =
        json!({"city": 1, "limit": -1, "legs": [{"to": "A", "nights": 1}, {"nights": "two"}], "kind": "x", "x": 0});
    assert_eq!(
        rejection(Search, wrong).await,
        "`city`: expected string, got number 1; \
         `limit`: must be at least 0, got -1; \
         `tags`: required; \
         `legs[1].to`: required; `legs[1].nights`: expected integer, got string `two`; \
         unknown `kind`, `x`; expected `city`, `limit`, `tags`, `legs`, `type`"
    );
}

#[tokio::test]
async fn rejects_input_that_is_not_an_object() {
    for input in [json!([]), json!("Oslo"), json!(1), json!(true)] {
        let text = rejection(Search, input).await;
        assert_eq!(text, "the arguments must be a JSON object, such as {\"name\": \"value\"}");
    }
}

/// Rings.
#[tool(inline)]
fn ring(times: Option<u8>) -> String {
    format!("{times:?}")
}

#[tokio::test]
async fn accepts_several_forms_of_no_arguments() {
    for input in [json!({}), Value::Null, json!(""), json!(" \n")] {
        assert_eq!(text(Ring, input).await, "None");
    }
}

#[tokio::test]
async fn accepts_whole_numbers_with_a_fraction_of_zero() {
    assert_eq!(text(Ring, json!({"times": 3.0})).await, "Some(3)");
    assert_eq!(rejection(Ring, json!({"times": 3.5})).await, "`times`: expected integer or null, got number 3.5");
    assert_eq!(rejection(Ring, json!({"times": 300.0})).await, "`times`: must be at most 255, got 300.0");
    let legs = json!({"city": "Oslo", "tags": [], "legs": [{"to": "A", "nights": 2.0}]});
    assert_eq!(text(Search, legs).await, "Oslo 10 [] 1 None");
}

#[tokio::test]
async fn bounds_the_length_of_mistakes() {
    let long = json!({"times": "x".repeat(1_000_000)});
    assert!(rejection(Ring, long).await.len() < 1_000);
    let many: Value = (0..1_000).map(|n| (format!("argument_{n}"), json!(n))).collect();
    let text = rejection(Ring, many).await;
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
async fn enforces_bounds_of_the_schema() {
    let fits =
        json!({"angle": -1.5, "digit": 9, "code": "äöü", "names": ["a", "b"], "map": {"k": 1}, "airport": "OSL"});
    assert!(text(Bounded, fits).await.starts_with("-1.5 Some(9) äöü"));
    let beyond = json!({"angle": 2, "digit": 10, "code": "x", "names": ["a", "b", "c"], "map": {}, "airport": "osl"});
    assert_eq!(
        rejection(Bounded, beyond).await,
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
    #[arg(default = USUAL)] borrowed: &str,
    #[arg(default = [1, 2])] list: &[u8],
    #[arg(default = Some(3))] maybe: Option<u8>,
    #[arg(default)] zero: u8,
    #[arg(default)] hidden: NotSerialize,
    #[arg(default = text_len("four"))] computed: usize,
) -> String {
    format!("{text} {borrowed} {list:?} {maybe:?} {zero} {} {computed}", hidden.0)
}

fn text_len(text: &str) -> usize {
    text.len()
}

#[tokio::test]
async fn defaults_are_expressions_of_the_declared_type() {
    assert_eq!(text(Defaults, json!({})).await, "Bergen Oslo [1, 2] Some(3) 0 0 4");
    let given = json!({"text": "a", "borrowed": "b", "list": [], "maybe": 4, "zero": 1, "hidden": 2, "computed": 5});
    assert_eq!(text(Defaults, given).await, "a b [] Some(4) 1 2 5");
}

/// The whole trip.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Trip {
    /// Starting point.
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
async fn one_type_can_be_the_whole_input() {
    let trip = json!({"from": "Oslo", "legs": [{"to": "A", "nights": 1}]});
    let booked = json!({"from": "Oslo", "legs": [{"to": "A", "nights": 1}], "note": null});
    assert_eq!(json(Book, trip).await, booked);
    assert_eq!(rejection(Book, json!({})).await, "`from`: required; `legs`: required");
    let wrong = json!({"from": "Oslo", "legs": [{"to": 1, "nights": 1}], "x": 1});
    assert_eq!(
        rejection(Book, wrong).await,
        "`legs[0].to`: expected string, got number 1; `x`: unknown; expected one of `from`, `legs`, `note`"
    );
    assert!(rejection(Book, Value::Null).await.contains("required"));
}

type Maybe<T> = Option<T>;

#[derive(Deserialize, JsonSchema)]
struct Wrapped(Option<u8>);

/// Takes types that can be absent without the name `Option`.
#[tool(inline)]
fn absent(alias: Maybe<String>, wrapped: Wrapped, any: Value) -> String {
    format!("{alias:?} {:?} {any}", wrapped.0)
}

#[tokio::test]
async fn types_decide_on_optional_arguments() {
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
async fn supports_mutable_and_raw_names() {
    assert_eq!(json(Sum, json!({"a": 1, "type": 2})).await, json!(3));
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Payment {
    Card { number: u64 },
    Iban { iban: String },
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Dot,
    Circle { radius: f64 },
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    A { x: u8 },
    B(String),
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(untagged)]
enum Untagged {
    Range { from: u8, to: u8 },
    Days(Vec<u8>),
    All(bool),
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct Order {
    amount: u32,
    #[serde(flatten)]
    payment: Payment,
    #[serde(flatten)]
    note: Note,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct Note {
    text: String,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Celsius,
    Kelvin,
}

/// Takes one of each form of enum.
#[tool(inline)]
fn forms(
    p: Option<Payment>,
    shape: Option<Shape>,
    adjacent: Option<Adjacent>,
    untagged: Option<Untagged>,
    order: Option<Order>,
    unit: Option<Unit>,
    list: Option<Vec<Payment>>,
) -> String {
    format!("{p:?} {shape:?} {adjacent:?} {untagged:?} {order:?} {unit:?} {list:?}")
}

#[tokio::test]
async fn mistakes_in_enums_name_the_variant_and_the_field() {
    for (input, message) in [
        (json!({"p": {"kind": "cash"}}), "`p.kind` is `cash`: expected one of `card`, `iban`"),
        (json!({"p": {"number": 1}}), "`p.kind`: required; expected one of `card`, `iban`"),
        (json!({"p": {"kind": "card", "number": -1}}), "`p.number`: must be at least 0, got -1 (`p.kind` is `card`)"),
        (json!({"p": {"kind": "iban"}}), "`p.iban`: required (`p.kind` is `iban`)"),
        (json!({"p": "card"}), "`p`: expected object or null, got string `card`"),
        (json!({"shape": "oval"}), "`shape` is `oval`: expected one of `dot`, `{\"circle\": ..}`"),
        (json!({"shape": {"circle": {"radius": "1 m"}}}), "`shape.circle.radius`: expected number, got string `1 m`"),
        (json!({"shape": {"circle": {}}}), "`shape.circle.radius`: required"),
        (json!({"adjacent": {"t": "C", "c": 1}}), "`adjacent.t` is `C`: expected one of `A`, `B`"),
        (
            json!({"adjacent": {"t": "A", "c": {"x": 300}}}),
            "`adjacent.c.x`: must be at most 255, got 300 (`adjacent.t` is `A`)",
        ),
        (json!({"untagged": {"from": 1, "to": "x"}}), "`untagged.to`: expected integer, got string `x`"),
        (json!({"untagged": [1, "x"]}), "`untagged[1]`: expected integer, got string `x`"),
        (
            json!({"order": {"amount": 1, "kind": "cash", "text": ""}}),
            "`order.kind` is `cash`: expected one of `card`, `iban`",
        ),
        (
            json!({"order": {"amount": 1, "kind": "card", "text": ""}}),
            "`order.number`: required (`order.kind` is `card`)",
        ),
        (
            json!({"order": {"kind": "iban", "iban": "x", "text": 1}}),
            "`order.amount`: required; `order.text`: expected string, got number 1",
        ),
        (json!({"unit": "kg"}), "`unit` is `kg`: expected one of `celsius`, `kelvin`"),
        (
            json!({"list": [{"kind": "iban", "iban": "x"}, {"kind": "cash"}]}),
            "`list[1].kind` is `cash`: expected one of `card`, `iban`",
        ),
    ] {
        assert_eq!(rejection(Forms, input.clone()).await, message, "{input}");
    }
}

#[tokio::test]
async fn accepts_whole_numbers_as_integers_in_all_forms_of_enums() {
    let input = json!({"p": {"kind": "card", "number": 3.0}, "untagged": {"from": 1.0, "to": 2}, "list": [{"kind": "card", "number": 1.0}]});
    assert!(text(Forms, input).await.starts_with("Some(Card { number: 3 })"));
    let mixed = json!({"p": {"kind": "card", "number": 3.0}, "untagged": {"from": 1.0, "to": 2.5}});
    assert_eq!(rejection(Forms, mixed).await, "`untagged.to`: expected integer, got number 2.5");
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct Meeting {
    #[schemars(schema_with = "date_time")]
    #[serde(deserialize_with = "utc")]
    start: String,
    length: u8,
}

/// A schema like those of `chrono` and `jiff`.
fn date_time(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "format": "date-time"})
}

fn utc<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.ends_with('Z') { Ok(text) } else { Err(serde::de::Error::custom("premature end of input")) }
}

/// Meets.
#[tool(inline)]
fn meet(#[args] meeting: Meeting) -> String {
    meeting.start
}

#[tokio::test]
async fn mistakes_in_dates_describe_the_format() {
    let message =
        "`start` is `tomorrow`: expected a date and time with offset (RFC 3339), such as `2026-11-28T10:00:00Z`";
    assert_eq!(rejection(Meet, json!({"start": "tomorrow", "length": 1})).await, message);
    // The format is right, but the type rejects the value.
    let offset = json!({"start": "2026-11-28T10:00:00+01:00", "length": 1});
    assert_eq!(rejection(Meet, offset).await, "premature end of input");
    let length = json!({"start": "2026-11-28T10:00:00Z", "length": 2.5});
    assert_eq!(rejection(Meet, length).await, "`length`: expected integer, got number 2.5");
    assert_eq!(text(Meet, json!({"start": "2026-11-28T10:00:00Z", "length": 2.0})).await, "2026-11-28T10:00:00Z");
}

/// Reads numbers that models quote.
#[tool(inline, numeric_strings)]
fn lenient(#[arg(range = 1..=7)] days: u8, names: Vec<String>, p: Option<Payment>) -> String {
    format!("{days} {names:?} {p:?}")
}

/// Reads numbers that models quote.
#[tool(inline, numeric_strings)]
fn lenient_trip(#[args] leg: Leg) -> String {
    format!("{} {}", leg.to, leg.nights)
}

#[tokio::test]
async fn reads_numeric_strings_if_the_tool_opts_in() {
    let quoted = json!({"days": "3", "names": ["7"], "p": {"kind": "card", "number": "42"}});
    assert_eq!(text(Lenient, quoted).await, "3 [\"7\"] Some(Card { number: 42 })");
    assert_eq!(text(Lenient, json!({"days": "3.0", "names": []})).await, "3 [] None");
    assert_eq!(text(LenientTrip, json!({"to": "1", "nights": "2"})).await, "1 2");
    for (input, message) in [
        (json!({"days": "8", "names": []}), "`days`: 8 is out of range, expected 1 to 7"),
        (json!({"days": "three", "names": []}), "`days`: expected integer, got string `three`"),
        (json!({"days": "2.5", "names": []}), "`days`: expected integer, got number 2.5"),
        (json!({"days": "", "names": []}), "`days`: expected integer, got string ``"),
    ] {
        assert_eq!(rejection(Lenient, input).await, message);
    }
    assert_eq!(rejection(Ring, json!({"times": "3"})).await, "`times`: expected integer or null, got string `3`");
}
