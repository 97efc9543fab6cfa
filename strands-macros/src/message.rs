//! Every sentence the macros can answer with, in one place: a test in `strands-rs` reads this file and demands
//! a compile-fail fixture for each of them.

pub(crate) const NO_DESCRIPTION: &str = "a tool needs a description: the model reads it to decide when to call. Add a doc comment, or `#[tool(description = \"…\")]`";
pub(crate) const NOT_A_FUNCTION: &str = "`#[tool]` goes on a function; for an impl block use `#[toolset]`";
pub(crate) const NOT_AN_IMPL: &str = "`#[toolset]` goes on an impl block; for a function use `#[tool]`";
pub(crate) const TRAIT_IMPL: &str = "`#[toolset]` goes on an inherent impl block, not on the impl of a trait";
pub(crate) const NO_TOOLS: &str = "no method of this block is a tool: mark one with `#[tool]`";
pub(crate) const TOOL_TWICE: &str = "`#[tool]` specified more than once";

pub(crate) const TOOL_WITH_VALUE: &str = "the keys of `#[tool]` go in parentheses: `#[tool(read_only)]`";

pub(crate) const SELF_OUTSIDE_TOOLSET: &str = "methods need `#[toolset]` on the impl block";
pub(crate) const SELF_MUT: &str = "tools run in parallel; take `&self` and keep a `Mutex` inside";
pub(crate) const SELF_BY_VALUE: &str = "a tool is called many times; take `&self` or `self: &Arc<Self>`";
pub(crate) const METHOD_HAS_NO_STRUCT: &str = "methods have no struct of their own: `struct` is for functions";
pub(crate) const METHOD_HAS_NO_CRATE: &str = "`crate` goes on the block: `#[toolset(crate = …)]`";

pub(crate) const ARG_MUT_REFERENCE: &str =
    "arguments can't be borrowed mutably; injected values are shared, use a `Mutex`";
pub(crate) const ARG_STATIC_REFERENCE: &str = "arguments are borrowed for one call only: remove `'static`";
pub(crate) const ARG_IMPL_TRAIT: &str = "name a concrete type: the schema is made from it";
pub(crate) const ARG_PATTERN: &str = "name the argument; the name is part of the schema";
pub(crate) const ARG_CFG: &str = "an argument can't be conditional: put the `cfg` on the whole function";
pub(crate) const ARGS_NOT_ALONE: &str = "`#[args]` must be the only model argument";
pub(crate) const ARGS_NOT_OWNED: &str = "`#[args]` takes its value owned: remove the `&`";
pub(crate) const ARGS_WITH_OPTIONS: &str =
    "`#[args]` reads the whole input: describe its fields in the type, with the attributes of serde and schemars";
pub(crate) const ARGS_AND_INJECT: &str =
    "an argument comes from the model or from the program: `#[args]` and `#[inject]` exclude each other";
pub(crate) const INJECT_ON_REFERENCE: &str = "every `&T` is an injected value already: remove `#[inject]`";
pub(crate) const TAKES_NO_KEYS: &str = "this attribute takes no keys";
pub(crate) const ARG_WITHOUT_KEYS: &str = "`#[arg]` needs keys, such as `#[arg(default = 1)]`";

pub(crate) const BAD_TOOL_NAME: &str = "names are 1 to 64 of `a-z A-Z 0-9 _ -`";
pub(crate) const BAD_ARG_NAME: &str =
    "argument names are 1 to 64 of `a-z A-Z 0-9 _ . -`; choose one with `#[arg(rename = \"…\")]`";
pub(crate) const BAD_TIMEOUT: &str = "expected such as `500ms`, `30s`, `2m`";
pub(crate) const INLINE_ASYNC: &str =
    "`inline` is for sync functions: an async one is never moved to the blocking pool";
pub(crate) const NUMERIC_WITHOUT_ARGUMENTS: &str =
    "`numeric_strings` is about numbers that the model supplies: this tool takes none of its arguments from the model";
pub(crate) const OUTPUT_UNNAMED: &str =
    "`output` publishes the schema of the return type: name one, other than `impl Trait`";
pub(crate) const FLAG_VALUE: &str = "expected `true` or `false`";

pub(crate) const RANGE_EMPTY: &str = "this range is empty";
pub(crate) const RANGE_UNBOUNDED: &str = "this range has no bounds";
pub(crate) const RANGE_NOT_CONSTANT: &str = "the bounds must be constant: a range of number literals such as `1..=7`";
pub(crate) const RANGE_HALF_OPEN: &str = "a range of fractions has no last number before its end: use `..=`";
pub(crate) const LEN_NOT_COUNT: &str = "a length is counted in whole numbers from 0: use such as `1..=64`";

/// The message for a keyword that an ordinary function does not have.
pub(crate) fn not_ordinary(keyword: &str) -> String {
    format!("a tool must be an ordinary function: `{keyword}` is not possible")
}

/// The message for a type or const parameter on the function.
pub(crate) fn generic(name: &str) -> String {
    format!("a tool has one schema, so it can't be generic over `{name}`; write one function per type")
}

/// The message for `_x: T` without a rename.
pub(crate) fn underscore(name: &str, without: &str) -> String {
    format!("the model would see `{name}`; use `#[arg(rename = \"{without}\")]`")
}

/// The message for a reference within a type that the model fills.
pub(crate) fn nested_reference(owned: &str) -> String {
    format!("the model's value must be owned here: take `{owned}`")
}

/// The message for an `Arc` that the model would fill.
pub(crate) fn arc_from_model(found: &str, injected: &str, data: &str) -> String {
    format!(
        "the model would fill this `{found}`: mark it `#[inject]`, or take `&{injected}`, for the value that the program injects; take `{data}` for data of the model"
    )
}

/// The message for another shared value that the model would fill.
pub(crate) fn shared_from_model(found: &str, injected: &str, data: &str) -> String {
    format!(
        "the model would fill this `{found}`: take `&{injected}` for the value that the program injects, or `{data}` for data of the model"
    )
}

/// The message for a reference to data of the standard library.
pub(crate) fn borrowed_data(found: &str, data: &str) -> String {
    format!(
        "the program would have to inject this `{found}`: take `{data}` for data of the model; to inject one, wrap it in a type of its own"
    )
}

/// The message for `#[arg(..)]` keys on what the host lends.
pub(crate) fn injected_option(key: &str) -> String {
    format!("injected arguments have no {key}: the model never sees them")
}

/// The message for two arguments with one name in the schema.
pub(crate) fn duplicate_name(name: &str) -> String {
    format!("two arguments are called `{name}`")
}

/// The message for a key nobody knows, with the likeliest spelling where there is one.
pub(crate) fn unknown_key(key: &str, known: &[&str], likely: Option<&str>) -> String {
    let list = known.join("`, `");
    match likely {
        Some(likely) => format!("unknown `{key}`, did you mean `{likely}`? Expected one of `{list}`"),
        None => format!("unknown `{key}`; expected one of `{list}`"),
    }
}

/// The message for a key that was there before.
pub(crate) fn repeated_key(key: &str) -> String {
    format!("`{key}` specified more than once")
}

/// The message for a key without its value.
pub(crate) fn needs_value(key: &str, example: &str) -> String {
    format!("`{key}` needs a value: `{key} = {example}`")
}

/// The message for an `# Arguments` entry without a parameter.
pub(crate) fn unknown_documented(name: &str) -> String {
    format!("`{name}` is documented but no such argument exists")
}

/// The message for an argument with a doc comment and an `# Arguments` entry, or with two entries.
pub(crate) fn documented_twice(name: &str) -> String {
    format!("`{name}` is documented twice")
}

/// The message for a list item under `# Arguments` that names nothing.
pub(crate) fn undocumentable(item: &str) -> String {
    format!("`{item}` names no argument: write `* name - text` or `- name: text`")
}

/// The message for a handle name that can't be made from the function's.
pub(crate) fn no_struct_name(name: &str) -> String {
    format!("no struct can be named after `{name}`: choose one with `#[tool(struct = Name)]`")
}

/// The message for a handle that would be called like a type of the signature.
pub(crate) fn struct_name_in_signature(name: &str) -> String {
    format!(
        "the tool's struct would be called `{name}`, as a type of the signature is: choose another with `#[tool(struct = Name)]`"
    )
}

/// The message for a `pattern` that does not parse.
pub(crate) fn bad_pattern(reason: &str) -> String {
    format!("this pattern is not a regular expression: {reason}")
}
