//! JSON Schema as each provider accepts it: the table.

/// The part of JSON Schema that a provider accepts: for the arguments of tools, and where it holds a model to a schema.
///
/// Every provider takes an object alone at the root, without a union beside its properties. The rest is in the table.
#[derive(Debug)]
pub struct SchemaDialect {
    pub(super) name: &'static str,
    /// Arguments of a tool.
    pub(super) arguments: Rules,
    /// Schemas that the model is held to: strict tools, structured output.
    pub(super) held: Rules,
}

/// The accepted part of JSON Schema.
#[derive(Debug)]
pub(super) struct Rules {
    /// Everything below the root is accepted, so that it stays as it is.
    pub(super) as_is: bool,
    /// The accepted keywords, beside those that the rules below are about; `None` for all.
    pub(super) keywords: Option<&'static [&'static str]>,
    /// The accepted formats of text; `None` for all.
    pub(super) formats: Option<&'static [&'static str]>,
    /// The accepted patterns.
    pub(super) patterns: Patterns,
    /// The greatest accepted `minItems`.
    pub(super) min_items: u64,
    /// The greatest count in any bound of lengths.
    pub(super) count: u64,
    /// Bounds of integers have to fit 64 bits with a sign.
    pub(super) signed_bounds: bool,
    /// `const` is accepted.
    pub(super) constants: bool,
    /// The accepted values of enumerations.
    pub(super) values: Values,
    /// A list of types is accepted: for any, with `null` alone, or with values beside it.
    pub(super) type_lists: TypeLists,
    /// Every schema names its types.
    pub(super) typed: bool,
    /// Keywords beside a reference.
    pub(super) beside_reference: BesideReference,
    /// Definitions are put into the place of references, so many levels deep, but not in items of lists.
    pub(super) inlined: usize,
    /// A definition may lead to itself.
    pub(super) recursion: Recursion,
    /// The form of tuples.
    pub(super) tuples: Tuples,
    /// An array says what its items are.
    pub(super) items: bool,
    /// The root says what its properties are, even if there are none.
    pub(super) properties: bool,
    /// Form of a schema that anything fits.
    pub(super) anything: Anything,
    /// Objects have no properties but those that they name.
    pub(super) closed: bool,
    /// All properties are required: optional ones may be null.
    pub(super) all_required: bool,
    /// Names of the arguments themselves are 1 to 64 of `a-z A-Z 0-9 _ . -`.
    pub(super) plain_names: bool,
    pub(super) limits: Limits,
}

/// Accepted patterns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Patterns {
    Any,
    /// Without lookaround and references to groups.
    Regular,
    /// From `^` to `$`, without classes such as `\d`.
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
    /// Not beside an enumeration.
    WithoutValues,
    /// One type and `null`, not beside an enumeration.
    Nullable,
}

/// Keywords beside a reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum BesideReference {
    Any,
    /// Nothing: a union of one takes the description.
    UnionOfOne,
    /// Nothing: a copy of the definition takes the description.
    Copy,
}

/// Accepted recursion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Recursion {
    Any,
    /// Through properties that may be left out.
    Optional,
    None,
}

/// The form of tuples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Tuples {
    Any,
    /// `prefixItems` alone: `items` would be read instead.
    PrefixAlone,
    /// A list of items of any of the types, and the order in words.
    List,
}

/// Form of a schema that anything fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anything {
    Empty,
    AllTypes,
    /// There is none.
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
    /// Characters of names and values.
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
    as_is: true,
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

/// Anthropic's constrained decoding, which Bedrock has for the same models.
const ANTHROPIC_HELD: Rules = Rules {
    as_is: false,
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

/// llama.cpp's converter from JSON Schema to grammars, which Ollama has, too.
const GRAMMAR: Rules = Rules {
    as_is: false,
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

/// Gemini's fields of JSON Schema: `parametersJsonSchema`, `responseJsonSchema`.
const GEMINI_JSON: Rules = Rules {
    as_is: false,
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
    /// OpenAI's dialect: Chat Completions, Responses, and servers that speak them.
    ///
    /// Source: <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>.
    pub const OPENAI: Self = Self {
        name: "openai",
        arguments: Rules {
            as_is: false,
            tuples: Tuples::List,
            items: true,
            properties: true,
            beside_reference: BesideReference::UnionOfOne,
            ..EVERYTHING
        },
        held: Rules {
            as_is: false,
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
    pub const ANTHROPIC: Self = Self { name: "anthropic", arguments: ANTHROPIC_ARGUMENTS, held: ANTHROPIC_HELD };

    /// Bedrock's dialect.
    ///
    /// Source: <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>.
    pub const BEDROCK: Self =
        Self { name: "bedrock", arguments: ANTHROPIC_ARGUMENTS, held: Rules { constants: false, ..ANTHROPIC_HELD } };

    /// Gemini's dialect.
    ///
    /// Source: <https://ai.google.dev/api/generate-content#FIELDS.response_json_schema>.
    pub const GEMINI: Self = Self { name: "gemini", arguments: GEMINI_JSON, held: GEMINI_JSON };

    /// The dialect of llama.cpp's server, which makes grammars of schemas.
    ///
    /// Source: <https://github.com/ggml-org/llama.cpp/blob/master/common/json-schema-to-grammar.cpp>.
    pub const LLAMACPP: Self = Self { name: "llamacpp", arguments: GRAMMAR, held: GRAMMAR };

    /// Ollama's dialect. Of a property the server reads `type`, `description`, `enum`, `items`, `properties`, `required` and
    /// `anyOf`, so that definitions are put into the place of references.
    ///
    /// Source: <https://github.com/ollama/ollama/blob/main/api/types.go>.
    pub const OLLAMA: Self = Self {
        name: "ollama",
        arguments: Rules { as_is: false, constants: false, inlined: 6, properties: true, ..EVERYTHING },
        held: GRAMMAR,
    };
}
