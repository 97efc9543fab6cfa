//! Table of the parts of JSON Schema that each provider accepts.

/// The subset of JSON Schema that a provider accepts: for tool arguments, and for schemas that it enforces.
///
/// Every provider requires an object at the root, without a union beside its properties. The table has the other rules.
#[derive(Debug)]
pub struct SchemaDialect {
    pub(super) name: &'static str,
    /// Arguments of a tool.
    pub(super) arguments: Rules,
    /// Schemas that the provider enforces: strict tools, structured output.
    pub(super) strict: Rules,
}

/// The accepted part of JSON Schema.
#[derive(Debug)]
pub(super) struct Rules {
    /// Everything below the root is accepted and passed through unchanged.
    pub(super) unchanged: bool,
    /// Accepted keywords in addition to those covered by the rules below; `None` for all.
    pub(super) keywords: Option<&'static [&'static str]>,
    /// Accepted string formats; `None` for all.
    pub(super) formats: Option<&'static [&'static str]>,
    /// The accepted patterns.
    pub(super) patterns: Patterns,
    /// The largest accepted `minItems`.
    pub(super) min_items: u64,
    /// The largest accepted value in a length bound.
    pub(super) count: u64,
    /// Bounds of integers must fit a signed 64-bit integer.
    pub(super) signed_bounds: bool,
    /// `const` is accepted.
    pub(super) constants: bool,
    /// The accepted values of enumerations.
    pub(super) values: Values,
    /// Accepted lists of types.
    pub(super) type_lists: TypeLists,
    /// Every schema must have a `type`.
    pub(super) typed: bool,
    /// Accepted keywords next to `$ref`.
    pub(super) beside_reference: BesideReference,
    /// References are replaced by their definitions up to this many levels deep, except in list items.
    pub(super) inlined: usize,
    /// Accepted recursive definitions.
    pub(super) recursion: Recursion,
    /// Accepted form of tuples.
    pub(super) tuples: Tuples,
    /// An array must declare `items`.
    pub(super) items: bool,
    /// The root must declare `properties`, even if there are none.
    pub(super) properties: bool,
    /// Form of a schema that any value fits.
    pub(super) anything: Anything,
    /// Objects must not allow undeclared properties.
    pub(super) closed: bool,
    /// All properties are required; optional ones become nullable.
    pub(super) all_required: bool,
    /// Names of arguments must be 1 to 64 characters of `a-z A-Z 0-9 _ . -`.
    pub(super) plain_names: bool,
    pub(super) limits: Limits,
}

/// Accepted patterns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Patterns {
    Any,
    /// No lookaround and no back references.
    Regular,
    /// Anchored with `^` and `$`, without classes such as `\d`.
    Anchored,
    None,
}

/// Accepted values of enumerations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Values {
    Any,
    Scalars,
    StringsAndNumbers,
}

/// Accepted lists of types.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TypeLists {
    Any,
    /// Not together with an enumeration.
    WithoutValues,
    /// One type and `null`, not together with an enumeration.
    Nullable,
}

/// Accepted keywords next to `$ref`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum BesideReference {
    Any,
    /// None: the description goes on a union with one branch.
    UnionOfOne,
    /// None: the description goes on a copy of the definition.
    Copy,
}

/// Accepted recursion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Recursion {
    Any,
    /// Through optional properties only.
    Optional,
    None,
}

/// The form of tuples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Tuples {
    Any,
    /// `prefixItems` without `items`, which would take precedence.
    PrefixAlone,
    /// A list whose items have any of the types; the order is in the description.
    List,
}

/// Form of a schema that any value fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anything {
    Empty,
    AllTypes,
    /// Not expressible.
    None,
}

/// Limits of a whole schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) optional: usize,
    pub(super) unions: usize,
    pub(super) properties: usize,
    pub(super) levels: usize,
    pub(super) values: usize,
    /// Total characters of names and values.
    pub(super) chars: usize,
}

const NO_LIMITS: Limits = Limits {
    optional: usize::MAX,
    unions: usize::MAX,
    properties: usize::MAX,
    levels: usize::MAX,
    values: usize::MAX,
    chars: usize::MAX,
};

const EVERYTHING: Rules = Rules {
    unchanged: true,
    keywords: None,
    formats: None,
    patterns: Patterns::Any,
    min_items: u64::MAX,
    count: u64::MAX,
    signed_bounds: false,
    constants: true,
    values: Values::Any,
    type_lists: TypeLists::Any,
    typed: false,
    beside_reference: BesideReference::Any,
    inlined: 0,
    recursion: Recursion::Any,
    tuples: Tuples::Any,
    items: false,
    properties: false,
    anything: Anything::Empty,
    closed: false,
    all_required: false,
    plain_names: false,
    limits: NO_LIMITS,
};

/// Anthropic's constrained decoding, which Bedrock uses for the same models.
const ANTHROPIC_STRICT: Rules = Rules {
    unchanged: false,
    keywords: Some(&["title", "description", "default"]),
    formats: Some(&["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"]),
    patterns: Patterns::None,
    min_items: 1,
    values: Values::Scalars,
    type_lists: TypeLists::WithoutValues,
    typed: true,
    beside_reference: BesideReference::Copy,
    recursion: Recursion::None,
    tuples: Tuples::List,
    items: true,
    properties: true,
    anything: Anything::None,
    closed: true,
    plain_names: true,
    limits: Limits { optional: 24, unions: 16, ..NO_LIMITS },
    ..EVERYTHING
};

const ANTHROPIC_ARGUMENTS: Rules = Rules { plain_names: true, ..EVERYTHING };

/// llama.cpp's converter from JSON Schema to grammars, which Ollama uses too.
const GRAMMAR: Rules = Rules {
    unchanged: false,
    keywords: Some(&[
        "title",
        "description",
        "default",
        "examples",
        "maximum",
        "minimum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxItems",
        "minItems",
        "maxLength",
        "minLength",
    ]),
    patterns: Patterns::Anchored,
    min_items: 1_000,
    count: 1_000,
    signed_bounds: true,
    tuples: Tuples::PrefixAlone,
    anything: Anything::AllTypes,
    properties: true,
    ..EVERYTHING
};

/// Gemini's JSON Schema fields: `parametersJsonSchema`, `responseJsonSchema`.
const GEMINI_JSON: Rules = Rules {
    unchanged: false,
    formats: Some(&["date-time", "date", "time", "duration"]),
    keywords: Some(&["title", "description", "default", "minimum", "maximum", "minItems", "maxItems"]),
    patterns: Patterns::None,
    constants: false,
    values: Values::StringsAndNumbers,
    type_lists: TypeLists::Nullable,
    beside_reference: BesideReference::UnionOfOne,
    recursion: Recursion::Optional,
    items: true,
    ..EVERYTHING
};

impl SchemaDialect {
    /// OpenAI's dialect: Chat Completions, Responses, and compatible servers.
    ///
    /// Source: <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>.
    pub const OPENAI: Self = Self {
        name: "openai",
        arguments: Rules {
            unchanged: false,
            tuples: Tuples::List,
            items: true,
            properties: true,
            beside_reference: BesideReference::UnionOfOne,
            ..EVERYTHING
        },
        strict: Rules {
            unchanged: false,
            keywords: Some(&[
                "title",
                "description",
                "exclusiveMaximum",
                "exclusiveMinimum",
                "maxItems",
                "maximum",
                "minItems",
                "minimum",
                "multipleOf",
            ]),
            formats: Some(&["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"]),
            patterns: Patterns::Regular,
            values: Values::Scalars,
            typed: true,
            tuples: Tuples::List,
            items: true,
            properties: true,
            beside_reference: BesideReference::UnionOfOne,
            anything: Anything::None,
            closed: true,
            all_required: true,
            limits: Limits { properties: 5_000, levels: 10, values: 1_000, chars: 120_000, ..NO_LIMITS },
            ..EVERYTHING
        },
    };

    /// Anthropic's dialect.
    ///
    /// Source: <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>.
    pub const ANTHROPIC: Self = Self { name: "anthropic", arguments: ANTHROPIC_ARGUMENTS, strict: ANTHROPIC_STRICT };

    /// Bedrock's dialect.
    ///
    /// Source: <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>.
    pub const BEDROCK: Self = Self {
        name: "bedrock",
        arguments: ANTHROPIC_ARGUMENTS,
        strict: Rules { constants: false, ..ANTHROPIC_STRICT },
    };

    /// Gemini's dialect.
    ///
    /// Source: <https://ai.google.dev/api/generate-content#FIELDS.response_json_schema>.
    pub const GEMINI: Self = Self { name: "gemini", arguments: GEMINI_JSON, strict: GEMINI_JSON };

    /// The dialect of llama.cpp's server, which converts schemas to grammars.
    ///
    /// Source: <https://github.com/ggml-org/llama.cpp/blob/master/common/json-schema-to-grammar.cpp>.
    pub const LLAMACPP: Self = Self { name: "llamacpp", arguments: GRAMMAR, strict: GRAMMAR };

    /// Ollama's dialect. The server reads only `type`, `description`, `enum`, `items`, `properties`, `required` and `anyOf` of a
    /// property, so references are replaced by their definitions.
    ///
    /// Source: <https://github.com/ollama/ollama/blob/main/api/types.go>.
    pub const OLLAMA: Self = Self {
        name: "ollama",
        arguments: Rules { unchanged: false, constants: false, inlined: 6, properties: true, ..EVERYTHING },
        strict: GRAMMAR,
    };
}
