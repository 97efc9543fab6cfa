//! Compile errors of the macros, in one place: a test reads this file and requires a compile-fail fixture for each of them.

pub(crate) const NO_DESCRIPTION: &str = "a tool needs a description: the model reads it to decide when to call. Add a doc comment, or `#[tool(description = \"…\")]`";
pub(crate) const NOT_A_FUNCTION: &str = "`#[tool]` goes on a function; for an impl block use `#[toolset]`";
pub(crate) const NOT_AN_IMPL: &str = "`#[toolset]` goes on an impl block; for a function use `#[tool]`";
pub(crate) const TRAIT_IMPL: &str = "`#[toolset]` goes on an inherent impl block, not on the impl of a trait";
pub(crate) const NO_TOOLS: &str = "this block has no tools: mark a method with `#[tool]`";
pub(crate) const TOOL_TWICE: &str = "`#[tool]` specified more than once";

pub(crate) const TOOL_WITH_VALUE: &str = "the keys of `#[tool]` go in parentheses: `#[tool(read_only)]`";

pub(crate) const SELF_OUTSIDE_TOOLSET: &str = "methods need `#[toolset]` on the impl block";
pub(crate) const SELF_MUT: &str = "tools run concurrently: take `&self`, and use a `Mutex` inside";
pub(crate) const SELF_BY_VALUE: &str = "a tool is called many times: take `&self` or `self: &Arc<Self>`";
pub(crate) const METHOD_HAS_NO_STRUCT: &str = "`struct` is for functions: a method has no struct of its own";
pub(crate) const METHOD_HAS_NO_CRATE: &str = "`crate` goes on the block: `#[toolset(crate = …)]`";

pub(crate) const ARG_MUT_REFERENCE: &str =
    "arguments can't be borrowed mutably: injected values are shared, use a `Mutex`";
pub(crate) const ARG_STATIC_REFERENCE: &str = "arguments are borrowed only for the call: remove `'static`";
pub(crate) const ARG_IMPL_TRAIT: &str = "name a concrete type: the schema is generated from it";
pub(crate) const ARG_PATTERN: &str = "name the argument: the name is part of the schema";
pub(crate) const ARG_CFG: &str = "an argument can't be conditional: put the `cfg` on the whole function";
pub(crate) const ARGS_NOT_ALONE: &str = "`#[args]` must be the only model argument";
pub(crate) const ARGS_NOT_OWNED: &str = "`#[args]` takes an owned value: remove the `&`";
pub(crate) const ARGS_WITH_OPTIONS: &str =
    "`#[args]` reads the whole input: describe its fields in the type, with the attributes of serde and schemars";
pub(crate) const ARGS_AND_INJECT: &str =
    "`#[args]` and `#[inject]` exclude each other: an argument comes from the model or from the program";
pub(crate) const INJECT_ON_REFERENCE: &str = "a `&T` is an injected value already: remove `#[inject]`";
pub(crate) const TAKES_NO_KEYS: &str = "this attribute takes no keys";
pub(crate) const ARG_WITHOUT_KEYS: &str = "`#[arg]` needs keys, such as `#[arg(default = 1)]`";

pub(crate) const BAD_TOOL_NAME: &str = "invalid tool name: names are 1 to 64 characters of `a-z A-Z 0-9 _ -`";
pub(crate) const BAD_ARG_NAME: &str = "invalid argument name: names are 1 to 64 characters of `a-z A-Z 0-9 _ . -`; choose one with `#[arg(rename = \"…\")]`";
pub(crate) const BAD_TIMEOUT: &str = "invalid timeout: write it like `500ms`, `30s` or `2m`";
pub(crate) const BAD_RETRIES: &str = "`retries` must be a whole number from 0 to 10";
pub(crate) const BAD_CONCURRENCY: &str = "`concurrency` must be a whole number from 1 to 65535";
pub(crate) const BAD_RATE: &str = "invalid rate: write it like `10/s`, `100/m` or `5/30s`";
pub(crate) const RETRIES_NOT_REPEATABLE: &str = "`retries` would repeat the effects of this tool: add `idempotent` if calling it twice is the same as calling it once, `read_only` if it changes nothing, or remove `retries`";
pub(crate) const INLINE_ASYNC: &str = "`inline` is for sync functions: async functions never run on the blocking pool";
pub(crate) const NUMERIC_WITHOUT_ARGUMENTS: &str =
    "`numeric_strings` is for arguments from the model: this tool has none";
pub(crate) const OUTPUT_UNNAMED: &str =
    "`output` publishes the schema of the return type: add one that is not `impl Trait`";
pub(crate) const FLAG_VALUE: &str = "expected `true` or `false`";

pub(crate) const RANGE_EMPTY: &str = "this range is empty";
pub(crate) const RANGE_UNBOUNDED: &str = "this range has no bounds";
pub(crate) const RANGE_NOT_CONSTANT: &str = "the bounds must be number literals, such as `1..=7`";
pub(crate) const RANGE_HALF_OPEN: &str = "a range of fractions needs an inclusive end: use `..=`";
pub(crate) const LEN_NOT_COUNT: &str = "the bounds of a length must be whole numbers from 0, such as `1..=64`";

/// Message for a keyword that an ordinary function does not have.
pub(crate) fn not_ordinary(keyword: &str) -> String {
    format!("a tool must be an ordinary function: remove `{keyword}`")
}

/// Message for a type or const parameter on the function.
pub(crate) fn generic(name: &str) -> String {
    format!("a tool can't be generic over `{name}`, since it has one schema: write one function per type")
}

/// Message for `_x: T` without a rename.
pub(crate) fn underscore(name: &str, without: &str) -> String {
    format!("the schema would have the name `{name}`: use `#[arg(rename = \"{without}\")]`")
}

/// Message for a reference within the type of a model argument.
pub(crate) fn nested_reference(owned: &str) -> String {
    format!("the type of a model argument must be owned: take `{owned}`")
}

/// Message for an `Arc` in the type of a model argument.
pub(crate) fn arc_from_model(found: &str, injected: &str, data: &str) -> String {
    format!(
        "the model would supply this `{found}`: for an injected value, mark it `#[inject]` or take `&{injected}`; for data from the model, take `{data}`"
    )
}

/// Message for another shared pointer or lock in the type of a model argument.
pub(crate) fn shared_from_model(found: &str, injected: &str, data: &str) -> String {
    format!(
        "the model would supply this `{found}`: for an injected value, take `&{injected}`; for data from the model, take `{data}`"
    )
}

/// Message for a reference to data of the standard library.
pub(crate) fn borrowed_data(found: &str, data: &str) -> String {
    format!(
        "the program would have to inject this `{found}`: for data from the model, take `{data}`; to inject one, wrap it in a type of its own"
    )
}

/// Message for `#[arg(..)]` keys on an injected argument.
pub(crate) fn injected_option(key: &str) -> String {
    format!("`{key}` is not allowed on an injected argument: it is not part of the schema")
}

/// Message for two arguments with one name in the schema.
pub(crate) fn duplicate_name(name: &str) -> String {
    format!("duplicate argument name `{name}`")
}

/// Message for an unknown key, with a similar one if there is one.
pub(crate) fn unknown_key(key: &str, known: &[&str], likely: Option<&str>) -> String {
    let list = known.join("`, `");
    match likely {
        Some(likely) => format!("unknown `{key}`, did you mean `{likely}`? Expected one of `{list}`"),
        None => format!("unknown `{key}`; expected one of `{list}`"),
    }
}

/// Message for a repeated key.
pub(crate) fn repeated_key(key: &str) -> String {
    format!("`{key}` specified more than once")
}

/// Message for a key without its value.
pub(crate) fn needs_value(key: &str, example: &str) -> String {
    format!("`{key}` needs a value: `{key} = {example}`")
}

/// Message for an `# Arguments` entry without a parameter.
pub(crate) fn unknown_documented(name: &str) -> String {
    format!("`{name}` is documented, but there is no such argument")
}

/// Message for an argument with a doc comment and an `# Arguments` entry, or with two entries.
pub(crate) fn documented_twice(name: &str) -> String {
    format!("`{name}` is documented twice")
}

/// Message for a list item under `# Arguments` that does not name an argument.
pub(crate) fn undocumentable(item: &str) -> String {
    format!("`{item}` does not name an argument: write `* name - text` or `- name: text`")
}

/// Message for a function name that has no form in PascalCase.
pub(crate) fn no_struct_name(name: &str) -> String {
    format!("no struct name can be derived from `{name}`: choose one with `#[tool(struct = Name)]`")
}

/// Message for a struct with the name of a type in the signature.
pub(crate) fn struct_name_in_signature(name: &str) -> String {
    format!(
        "the tool's struct would have the name `{name}` of a type in the signature: choose another with `#[tool(struct = Name)]`"
    )
}

/// Message for an invalid `pattern`.
pub(crate) fn bad_pattern(reason: &str) -> String {
    format!("invalid regular expression: {reason}")
}
