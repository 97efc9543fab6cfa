//! The `#[tool]` and `#[toolset]` attributes of `strands-rs`. Use them through that crate: the generated code refers to it.

mod attr;
mod bounds;
mod docs;
mod errors;
mod expand;
#[cfg(test)]
mod expansions;
mod fallback;
mod function;

mod message;
mod sections;
mod tool_fn;
mod toolset;
mod types;
mod validate;

use proc_macro::TokenStream;

/// Turns a function into a tool: a model can call it by its name, with a description and a schema.
///
/// ```
/// use strands::serde_json::json;
/// use strands::{Tool, tool};
///
/// /// The current weather in a city.
/// #[tool]
/// async fn get_weather(
///     /// City name, e.g. "Oslo"
///     city: &str,
///     /// How many days ahead
///     #[arg(default = 0, range = 0..=10)]
///     days: u8,
///     units: Option<String>,
/// ) -> String {
///     format!("{city} in {days} days, {units:?}")
/// }
///
/// // The macro adds a unit struct, which is the tool.
/// let spec = GetWeather.spec();
/// assert_eq!((spec.name.as_str(), spec.description.as_str()), ("get_weather", "The current weather in a city."));
/// assert_eq!(spec.input_schema["properties"]["city"]["description"], "City name, e.g. \"Oslo\"");
/// assert_eq!(spec.input_schema["required"], json!(["city"]));
///
/// // The function itself is unchanged.
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// assert_eq!(get_weather("Oslo", 1, None).await, "Oslo in 1 days, None");
/// # });
/// ```
///
/// # Arguments
///
/// Owned values come from the model; borrowed values are injected by the program.
///
/// | parameter | source of the value |
/// |---|---|
/// | `x: T` | the model; `T` derives `Deserialize` and `JsonSchema` |
/// | `x: Option<T>` | the model; optional |
/// | `x: &str`, `x: &[T]` | the model: the two borrowed types that are data |
/// | `x: &T` | the program: the `T` passed to `inject`, or else the `ToolContext`, `CancellationToken` or `AgentState` of the call |
/// | `#[inject] x: T` | the program, owned: `Arc<T>`, `CancellationToken`, `AgentState`, any `FromContext` |
/// | `#[args] x: T` | the model: the whole input is one `T`, and the only argument from the model |
///
/// An `Arc<T>` without `#[inject]` is an error, and so is an `Rc<T>`, `Mutex<T>` or `RwLock<T>` anywhere in a type from the
/// model: the tool would never read the injected value. `Arc<str>` and `Arc<[T]>` are data. The macro sees names and not
/// types: behind an alias such as `type Db = Arc<Database>`, the model supplies the value if `Database` derives the traits;
/// the agent's `build()` then warns of the unread injected value, see `Agent::unread_injected_values`. A reference to data of the
/// standard library, such as `&String`, `&Vec<T>` or `&u8`, is an error too, which names the type to use instead.
///
/// A doc comment on a parameter describes it; so does an entry in a list under `# Arguments` in the function's doc comment
/// (`* city - Destination`). If arguments are missing, unknown, of the wrong type or out of bounds, the call gets an error
/// result that names all of them, and the function does not run.
///
/// ```
/// # use strands::{Tool, tool, ToolContext};
/// # use strands::serde_json::json;
/// struct Bookings(std::sync::Mutex<Vec<String>>);
///
/// /// Books a hotel.
/// #[tool]
/// async fn book_hotel(
///     city: String,
///     #[arg(range = 1..=30)] nights: u8,
///     bookings: &Bookings,
///     ctx: &ToolContext,
/// ) -> String {
///     bookings.0.lock().unwrap().push(format!("{city} for {nights} ({})", ctx.tool_use_id()));
///     "booked".to_owned()
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// // The builder of an agent takes `Bookings` with `.inject(..)`; `build()` fails if it is missing.
/// let ctx = strands::testing::ToolContextBuilder::new("book_hotel").inject(Bookings(Default::default())).build();
/// let error = BookHotel.call(&ctx, json!({"nights": 99})).await.unwrap_err();
/// assert_eq!(error.to_string(), "`city`: required; `nights`: 99 is out of range, expected 1 to 30");
/// # });
/// ```
///
/// Keys of `#[arg(..)]`, for arguments from the model:
///
/// | key | effect |
/// |---|---|
/// | `rename = "…"` | its name in the schema |
/// | `default` | default `Default::default()`; makes the argument optional |
/// | `default = expr` | default value of the parameter's type, or a string literal for types that implement `From<&str>` |
/// | `range = 1..=7` | bounds of a number, also `1..`, `..=7`, `0..8` |
/// | `len = 1..=64` | bounds of the length of a string (in characters), a list or a map |
/// | `pattern = "^[A-Z]{3}$"` | a regular expression that must match a part of the string |
/// | `example = expr` | an example in the schema |
///
/// Bounds and defaults are part of the schema, and they are enforced.
///
/// # Description
///
/// The doc comment of the function is its description, without the sections `# Arguments`, `# Errors`, `# Panics`, `# Safety`
/// and `# Examples`, at any level and also in the singular. A section ends at the next heading; all other sections are part
/// of the description. Text of `include_str!` and `concat!` is included as a whole.
///
/// # Return types
///
/// `()`, text, a `ToolOutput`, content such as images, anything that is `Serialize`, or a `Result` of one of these,
/// through any alias. Lists, options, maps and tuples of content are content, also together with any `Serialize`:
/// `(Forecast, ImageBlock)`. Media in the fields of a struct are JSON: return them separately, or implement
/// `IntoToolOutput` for the struct.
///
/// The error type is any `std::error::Error`, `anyhow::Error`, `String` or `&str`; the model reads its `Display` and those
/// of its sources. A `ToolError` is passed on unchanged.
///
/// # Sync functions
///
/// Sync functions may block: each call runs on the runtime's blocking pool. With `inline`, a cheap function runs on the
/// caller's thread. A blocking call continues to its end if its invocation is cancelled, and its result is discarded.
///
/// # Keys of `#[tool(..)]`
///
/// | key | effect |
/// |---|---|
/// | `name = "…"` | the tool's name, 1 to 64 characters of `a-z A-Z 0-9 _ -`; default: the function's name |
/// | `description = expr` | replaces the doc comment; `""` for none |
/// | `struct = Name` | the name of the struct; default: the function's name in `PascalCase` |
/// | `crate = path` | the path of `strands`, if it is renamed or re-exported |
/// | `read_only`, `destructive`, `idempotent`, `open_world` | hints, as in MCP; `retries` need one of `read_only` and `idempotent`; an approved call whose outcome is unknown after a crash runs again only if it is `idempotent` |
/// | `exclusive` | never runs concurrently with other tools of the same turn |
/// | `approval` | a human has to approve each call |
/// | `numeric_strings` | strings such as `"3"` are accepted where an argument is a number and not a string, for models that quote numbers |
/// | `timeout = "30s"` | timeout of each attempt of a call, in `ms`, `s`, `m` or `h` |
/// | `retries = 3` | repeats a call after timeouts and errors that may not happen again, up to 10 times; only with `idempotent` or `read_only` |
/// | `concurrency = 2` | at most 2 calls at the same time, of all agents in the process; further ones wait |
/// | `rate = "10/s"` | at most 10 calls within any second, of all agents in the process; also `"100/m"`, `"5/30s"` |
/// | `strict` | the provider enforces the schema |
/// | `output` | publishes the schema of the return type |
/// | `inline` | see above |
///
/// Boolean keys also accept `= true` and `= false`.
///
/// # Retries and limits
///
/// An error that was written for the model is final: `ToolError::new`. Other errors, `ToolError::retryable` and timeouts are
/// transient, and a call that fails with one is repeated if `retries` are left, after a wait of up to 0.5, 1, 2 .. 30 seconds
/// with full jitter. `ToolPolicy::with_retries` has the details.
///
/// Limits hold for the function, not for an agent, so that agents which are built for each request share them. Calls wait in
/// order, after approval; the wait is part of the timeout. `ToolLimiter` has the details.
///
/// ```
/// # use strands::{Tool, ToolError, tool};
/// /// Looks up a flight.
/// #[tool(read_only, timeout = "10s", retries = 3, concurrency = 4, rate = "100/m")]
/// async fn flight(number: u32) -> Result<String, ToolError> {
///     match number {
///         17 => Ok("on time".to_owned()),
///         _ => Err(ToolError::new("no such flight")),
///     }
/// }
///
/// assert_eq!(Flight.policy().retries, 3);
/// assert!(Flight.limiter().is_some());
/// ```
///
/// # Restrictions
///
/// A tool can't be generic (it has one schema), `unsafe`, `const` or `extern`; it can't take `impl Trait`, patterns or
/// `&mut`; and it needs a description. For methods, see [`toolset`](macro@toolset). A `cfg` on the function applies to its
/// tool; a parameter can't have one. Under `#[cfg_attr(condition, tool)]`, put the descriptions of arguments into an
/// `# Arguments` list: rustc rejects doc comments on parameters if the condition is false.
#[proc_macro_attribute]
pub fn tool(keys: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(keys.into(), &item.into()).into()
}

/// Turns the marked methods of an impl block into tools, which share the value.
///
/// ```
/// use std::sync::Mutex;
///
/// use strands::{Toolset, tool, toolset};
///
/// #[derive(Default)]
/// struct Notes {
///     lines: Mutex<Vec<String>>,
/// }
///
/// #[toolset(prefix = "notes_")]
/// impl Notes {
///     /// Adds a note.
///     #[tool]
///     fn add(&self, #[arg(len = 1..=200)] text: String) {
///         self.lines.lock().unwrap().push(text);
///     }
///
///     /// Finds the notes that contain a word.
///     #[tool(read_only)]
///     fn find(&self, word: &str) -> Vec<String> {
///         self.all().into_iter().filter(|line| line.contains(word)).collect()
///     }
///
///     // Not marked: unchanged.
///     fn all(&self) -> Vec<String> {
///         self.lines.lock().unwrap().clone()
///     }
/// }
///
/// // An agent's builder takes the value itself: `.tools(Notes::default())`.
/// let tools = Notes::default().into_tools();
/// let names: Vec<_> = tools.iter().map(|tool| tool.spec().name.as_str()).collect();
/// assert_eq!(names, ["notes_add", "notes_find"]);
/// ```
///
/// A marked method has the features and keys of a [`tool`](macro@tool) function, except for `struct` and `crate`. It takes
/// `&self`, `self: &Arc<Self>` or `self: Arc<Self>`, or no `self` at all. Tools run concurrently, so `&mut self` is not
/// possible: use a `Mutex` inside. The block may be generic.
///
/// A type with one such block is a `Toolset`. Further blocks each name a function that returns their tools:
///
/// ```
/// # use std::sync::Arc;
/// # use strands::{tool, toolset};
/// # struct Files;
/// #[toolset(into = pub edit_tools)]
/// impl Files {
///     /// Deletes everything.
///     #[tool(destructive, approval)]
///     fn clear(&self) {}
/// }
///
/// let files = Arc::new(Files);
/// assert_eq!(files.edit_tools().len(), 1);
/// ```
///
/// # Keys of `#[toolset(..)]`
///
/// | key | effect |
/// |---|---|
/// | `prefix = "…"` | prefix of each tool's name |
/// | `into = pub name` | instead of `Toolset`, a method `fn name(self: &Arc<Self>) -> Vec<Arc<dyn Tool>>` with this visibility |
/// | `crate = path` | the path of `strands`, if it is renamed or re-exported |
/// | `read_only`, `destructive`, `idempotent`, `open_world`, `exclusive`, `approval`, `numeric_strings`, `timeout`, `retries`, `concurrency`, `rate`, `strict`, `output`, `inline` | defaults for the block's tools, which a method can override, such as with `read_only = false` or `retries = 0`; each method has limits of its own, shared by all values of the type |
#[proc_macro_attribute]
pub fn toolset(keys: TokenStream, item: TokenStream) -> TokenStream {
    toolset::expand(keys.into(), &item.into()).into()
}
