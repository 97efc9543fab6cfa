//! Rust types of every kind that the derive macros support.
#![allow(dead_code, clippy::zero_sized_map_values, clippy::option_option, reason = "only their schemas are used")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};
use std::num::{NonZeroU8, NonZeroU32};
use std::rc::Rc;
use std::sync::Arc;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};

use super::Case;

macro_rules! types {
    ($($(#[$meta:meta])* $kind:ident $name:ident $body:tt)*) => {
        $(types!(@one $(#[$meta])* $kind $name $body);)*
    };
    (@one $(#[$meta:meta])* tuple $name:ident $body:tt) => {
        #[derive(Serialize, Deserialize, JsonSchema)]
        $(#[$meta])*
        struct $name $body;
    };
    (@one $(#[$meta:meta])* $kind:ident $name:ident $body:tt) => {
        #[derive(Serialize, Deserialize, JsonSchema)]
        $(#[$meta])*
        $kind $name $body
    };
}

types! {
    struct NoFields {}
    struct Texts { plain: String, boxed: Box<str>, shared: Arc<String>, counted: Rc<String>, letter: char }
    struct Numbers { a: i8, b: i16, c: i32, d: i64, e: u8, f: u16, g: u32, h: u64, i: f32, j: f64, k: usize, l: isize }
    struct Large { a: i128, b: u128 }
    struct NonZero { a: NonZeroU8, b: NonZeroU32, c: Option<NonZeroU8> }
    struct Flags { on: bool, off: Option<bool> }
    struct Optional { a: Option<String>, b: Option<i32>, c: Option<Vec<String>>, d: Option<Flags> }
    struct OptionalTwice { a: Option<Option<u8>> }
    struct Defaults {
        #[serde(default)] text: String,
        #[serde(default)] count: u32,
        #[serde(default)] list: Vec<u8>,
        #[serde(default)] flags: Option<bool>,
        #[serde(default)] unit: Unit,
    }
    #[serde(default)]
    #[derive(Default)]
    struct AllDefault { a: String, b: i64, c: Option<bool> }
    /// Lists of every kind.
    struct Lists { a: Vec<String>, b: VecDeque<i32>, c: LinkedList<bool>, d: BTreeSet<String>, e: HashSet<u8>, f: Box<[u8]> }
    struct Nested { lists: Lists, more: Vec<Vec<Vec<i32>>>, flags: Vec<Flags> }
    struct Arrays { three: [u8; 3], none: [String; 0], points: [(f64, f64); 2] }
    struct Tuples { pair: (i32, i32), mixed: (String, u8, bool), nested: ((u8, u8), (u8, u8)), one: (String,) }
    struct OptionalTuple { range: Option<(u32, u32)> }
    struct TupleOfStructs { legs: (Point, Point), points: Vec<(Point, String)> }
    struct TextMap { map: BTreeMap<String, String> }
    struct AnyMap { map: HashMap<String, serde_json::Value> }
    struct NumberKeys { map: BTreeMap<u32, Point> }
    struct OptionalMap { map: Option<BTreeMap<String, u8>> }
    struct Anything { value: serde_json::Value }
    struct AnyObject { value: serde_json::Map<String, serde_json::Value> }
    struct OptionalAnything { value: Option<serde_json::Value> }
    /// A point.
    struct Point {
        /// From left to right.
        x: f64,
        /// From top to bottom.
        y: f64,
    }
    struct TwoPoints { from: Point, to: Point }
    struct DescribedReference {
        /// The first one.
        from: Point,
        /// The last one, if there is one.
        to: Option<Point>,
    }
    #[derive(Default)]
    enum Unit { #[default] Celsius, Fahrenheit }
    #[serde(rename_all = "kebab-case")]
    enum Renamed { FirstOne, SecondOne }
    /// A color.
    enum DescribedUnits {
        /// Like blood.
        Red,
        /// Like grass.
        Green,
        Blue,
    }
    struct WithEnums { unit: Unit, maybe: Option<Unit>, list: Vec<Renamed>, described: DescribedUnits, perhaps: Option<DescribedUnits> }
    enum SingleUnit { Only }
    struct WithSingle { only: SingleUnit }
    #[serde(tag = "kind")]
    enum Internal { Cat { lives: u8 }, Dog { name: Option<String> }, Fish }
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum InternalNewtype { Place(Point), Flags(Flags) }
    #[serde(tag = "t", content = "c")]
    enum Adjacent { A(String), B(u8, u8), C { x: i32 }, D }
    enum External { A(String), B(u8, u8), C { x: i32 }, D }
    #[serde(untagged)]
    enum Untagged { Text(String), Number(f64), List(Vec<String>), Point(Point) }
    #[serde(untagged)]
    enum UntaggedNull { Text(String), Nothing }
    struct HoldsInternal { pet: Internal, more: Vec<Internal>, maybe: Option<Internal> }
    struct HoldsAdjacent { value: Adjacent }
    struct HoldsExternal { value: External, list: Vec<External> }
    struct HoldsUntagged { value: Untagged, maybe: Option<Untagged>, nothing: UntaggedNull }
    struct Flattened { id: u32, #[serde(flatten)] rest: Point }
    struct FlattenedUnion { id: u32, #[serde(flatten)] kind: Internal }
    struct FlattenedExternal { id: u32, #[serde(flatten)] kind: External }
    struct FlattenedOption { id: u32, #[serde(flatten)] rest: Option<Point> }
    struct FlattenedMap { id: u32, #[serde(flatten)] rest: BTreeMap<String, String> }
    struct HoldsFlattened { one: FlattenedUnion, other: Vec<Flattened> }
    struct FlattenedTwice { #[serde(flatten)] one: Point, #[serde(flatten)] kind: Adjacent }
    #[serde(deny_unknown_fields)]
    struct Closed { a: String, b: Option<u8> }
    #[serde(tag = "kind", deny_unknown_fields)]
    enum ClosedUnion { A { x: u8 }, B { y: String } }
    struct HoldsClosed { closed: Closed, union: ClosedUnion }
    #[serde(transparent)]
    struct Transparent { inner: Point }
    tuple Id (u64)
    tuple Name (String)
    tuple Pair (u8, String)
    tuple Marker ()
    struct Newtypes { id: Id, name: Name, pair: Pair, names: Vec<Name> }
    struct UnitField { unit: (), maybe: Option<()> }
    struct UsesGenerics { points: Generic<Point>, texts: Generic<String>, nested: Generic<Generic<u8>> }
    struct List { value: i32, next: Option<Box<List>> }
    struct Tree { value: String, children: Vec<Tree> }
    enum Expression { Number(f64), Add(Box<Expression>, Box<Expression>), Not(Box<Expression>) }
    #[serde(tag = "op")]
    enum TaggedExpression { Number { value: f64 }, Add { left: Box<TaggedExpression>, right: Box<TaggedExpression> } }
    struct HoldsExpression { expression: Expression, tagged: TaggedExpression }
    struct Mutual { other: Option<Box<Other>> }
    struct Other { mutual: Option<Box<Mutual>>, value: u8 }
    struct RecursiveMap { children: BTreeMap<String, RecursiveMap> }
    struct Ranges {
        #[schemars(range(min = 1, max = 5))] stars: u8,
        #[schemars(range(min = 0.5, max = 1.5))] factor: f64,
        #[schemars(length(min = 1, max = 3))] tags: Vec<String>,
        #[schemars(length(min = 2, max = 2))] code: String,
    }
    struct Patterns {
        #[schemars(regex(pattern = r"^[A-Z]{3}$"))] airport: String,
        #[schemars(regex(pattern = r"\d+"))] digits: String,
        #[schemars(email)] mail: String,
        #[schemars(url)] site: Option<String>,
    }
    struct Titles { #[schemars(title = "A title", description = "Other words.")] a: String, #[schemars(extend("examples" = ["x"]))] b: String }
    struct Skipped { a: String, #[serde(skip)] b: u8, #[serde(skip_serializing_if = "Option::is_none")] c: Option<u8> }
    struct RenamedFields { #[serde(rename = "Account Number")] number: String, #[serde(rename = "$top")] top: Option<u8>, #[serde(rename = "größe")] size: f32 }
    #[serde(rename_all = "camelCase")]
    struct Camel { first_name: String, last_name: String, birth_day: Option<String> }
    struct RawNames { r#type: String, r#enum: u8, r#ref: Option<bool> }
    struct KeywordNames { properties: BTreeMap<String, u8>, required: Vec<String>, items: Option<Box<KeywordNames>> }
    struct Times { wait: std::time::Duration, at: Option<std::time::SystemTime> }
    struct Addresses { v4: std::net::Ipv4Addr, v6: std::net::Ipv6Addr, any: std::net::IpAddr, path: std::path::PathBuf }
    struct Bounds { range: std::ops::Range<u32>, closed: std::ops::RangeInclusive<i32> }
    struct Outcome { result: Result<Point, String> }
    struct Borrowed { text: Cow<'static, str>, list: Cow<'static, [u8]> }
    struct ManyOptional {
        a: Option<u8>, b: Option<u8>, c: Option<u8>, d: Option<u8>, e: Option<u8>, f: Option<u8>, g: Option<u8>, h: Option<u8>,
        i: Option<u8>, j: Option<u8>, k: Option<u8>, l: Option<u8>, m: Option<u8>, n: Option<u8>, o: Option<u8>, p: Option<u8>,
        q: Option<u8>, r: Option<u8>, s: Option<u8>, t: Option<u8>,
    }
    /// A trip.
    struct Trip {
        /// City at the end.
        to: String,
        legs: Vec<Leg>,
        travellers: Vec<Traveller>,
        budget: Option<Money>,
        class: Class,
    }
    struct Leg { from: String, to: String, by: Vehicle, nights: Option<u8> }
    struct Traveller { name: String, age: u8, seats: Option<(u8, char)> }
    struct Money { amount: f64, currency: Currency }
    enum Currency { Eur, Nok, Usd }
    #[serde(rename_all = "snake_case")]
    enum Class { First, Second }
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Vehicle { Train { number: String }, Plane { flight: String, seat: Option<String> }, Foot }
    struct Invoice { lines: Vec<Line>, total: Money, paid: Option<bool>, notes: Vec<Option<String>> }
    struct Line { text: String, count: u32, price: Money, discount: Option<f32> }
    #[serde(tag = "command", rename_all = "snake_case")]
    enum Command {
        /// Views a file.
        View { path: String, range: Option<(u32, u32)> },
        /// Writes a file.
        Create { path: String, text: String },
        Undo,
    }
    struct Steps { steps: Vec<Step>, done: bool }
    struct Step { thought: String, action: Option<Command>, confidence: Confidence }
    #[serde(untagged)]
    enum Confidence { Share(f32), Word(String) }
    struct Filter { all: Option<Vec<Filter>>, any: Option<Vec<Filter>>, field: Option<String>, equals: Option<Scalar> }
    #[serde(untagged)]
    enum Scalar { Text(String), Number(f64), Flag(bool), Null }
    struct Deep { a: DeepA }
    struct DeepA { b: DeepB }
    struct DeepB { c: DeepC }
    struct DeepC { d: Vec<Vec<Option<Point>>> }
    struct Sixteen { a: Unit, b: Unit, c: Unit, d: Unit, e: Option<Unit>, f: Option<Point>, g: Option<Tree>, h: Option<List> }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Generic<T> {
    value: T,
    list: Vec<T>,
}

macro_rules! schemas {
    ($($name:ty),* $(,)?) => {
        vec![$(Case { name: stringify!($name).to_owned(), schema: schema::<$name>() }),*]
    };
}

fn schema<T: JsonSchema>() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Returns the schemas of the types, as `#[args]` and structured output make them, with any kind of root.
pub fn of_types() -> Vec<Case> {
    schemas![
        NoFields, Texts, Numbers, Large, NonZero, Flags, Optional, OptionalTwice, Defaults, AllDefault, Lists, Nested, Arrays,
        Tuples, OptionalTuple, TupleOfStructs, TextMap, AnyMap, NumberKeys, OptionalMap, Anything, AnyObject, OptionalAnything,
        Point, TwoPoints, DescribedReference, Unit, Renamed, DescribedUnits, WithEnums, SingleUnit, WithSingle, Internal,
        InternalNewtype, Adjacent, External, Untagged, UntaggedNull, HoldsInternal, HoldsAdjacent, HoldsExternal, HoldsUntagged,
        Flattened, FlattenedUnion, FlattenedExternal, FlattenedOption, FlattenedMap, HoldsFlattened, FlattenedTwice, Closed,
        ClosedUnion, HoldsClosed, Transparent, Id, Name, Pair, Marker, Newtypes, UnitField, Generic<Point>, UsesGenerics, List,
        Tree, Expression, TaggedExpression, HoldsExpression, Mutual, Other, RecursiveMap, Ranges, Patterns, Titles, Skipped,
        RenamedFields, Camel, RawNames, KeywordNames, Times, Addresses, Bounds, Outcome, Borrowed, ManyOptional, Trip, Leg,
        Traveller, Money, Currency, Class, Vehicle, Invoice, Line, Command, Steps, Step, Confidence, Filter, Scalar, Deep, Sixteen,
        String, Vec<Point>, Option<Trip>, (u8, String), BTreeMap<String, Point>, f64, bool, Option<String>,
    ]
}
