//! The `#[tool]` and `#[toolset]` attributes of `strands-rs`. Use them through that crate: what they write names it.

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
mod model;
mod sections;
mod toolset;
mod types;
mod validate;

use proc_macro::TokenStream;

/// Makes a function a tool: something that a model can call, with a name, a description and a schema.
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
/// // Beside the function stands its tool, a unit struct.
/// let spec = GetWeather.spec();
/// assert_eq!((spec.name.as_str(), spec.description.as_str()), ("get_weather", "The current weather in a city."));
/// assert_eq!(spec.input_schema["properties"]["city"]["description"], "City name, e.g. \"Oslo\"");
/// assert_eq!(spec.input_schema["required"], json!(["city"]));
///
/// // The function is still a function.
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// assert_eq!(get_weather("Oslo", 1, None).await, "Oslo in 1 days, None");
/// # });
/// ```
///
/// # Arguments
///
/// Owned comes from the model, borrowed comes from the program.
///
/// | parameter | where its value comes from |
/// |---|---|
/// | `x: T` | the model; `T` derives `Deserialize` and `JsonSchema` |
/// | `x: Option<T>` | the model, who may leave it out |
/// | `x: &str`, `x: &[T]` | the model: the two borrowed types that are data |
/// | `x: &T` | the program: the `T` given to `inject`; without one, `ToolContext`, `CancellationToken` and `AgentState` of the call |
/// | `#[inject] x: T` | the program, owned: `Arc<T>`, `CancellationToken`, `AgentState`, any `FromContext` |
/// | `#[args] x: T` | the model: its whole input is one `T`. Then it is the only argument of the model's |
///
/// An `Arc<T>` without `#[inject]` is an error, and so is an `Rc<T>`, `Mutex<T>` or `RwLock<T>` anywhere in a type that the model
/// fills: the program would inject a value that the tool never reads. `Arc<str>` and `Arc<[T]>` are data. The macro sees
/// names and no types: behind an alias such as `type Db = Arc<Database>` the model fills the value if `Database` derives the
/// traits; the agent's `build()` then warns of the injected value, see `Agent::unread_values`. A reference to data of the
/// standard library, such as `&String`, `&Vec<T>` or `&u8`, is an error too, which says what to take in its place.
///
/// A doc comment on a parameter describes it; so does an entry in a list under `# Arguments` in the function's doc
/// (`* city - Where to`). What is missing, unknown, of the wrong type or out of bounds is answered by an error that names
/// every such argument, and the function does not run.
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
/// // The builder of an agent lends `Bookings` with `.inject(..)`; `build()` fails where nobody does.
/// let ctx = strands::testing::ToolContextBuilder::new("book_hotel").inject(Bookings(Default::default())).build();
/// let refused = BookHotel.call(&ctx, json!({"nights": 99})).await.unwrap_err();
/// assert_eq!(refused.to_string(), "`city`: required; `nights`: 99 is out of range, expected 1 to 30");
/// # });
/// ```
///
/// Keys of `#[arg(..)]`, for arguments of the model:
///
/// | key | effect |
/// |---|---|
/// | `rename = "…"` | its name in the schema |
/// | `default` | `Default::default()` stands in when the model leaves it out |
/// | `default = expr` | so does this value, of the parameter's type; text also where the type is made of text |
/// | `range = 1..=7` | bounds of a number, also `1..`, `..=7`, `0..8` |
/// | `len = 1..=64` | bounds of the length of text (in characters), of a list or a map |
/// | `pattern = "^[A-Z]{3}$"` | a regular expression that matches the text somewhere |
/// | `example = expr` | a value that the model is shown |
///
/// Bounds and defaults are in the schema, and they are enforced as well.
///
/// # Description
///
/// The doc comment of the function is its description, without the sections `# Arguments`, `# Errors`, `# Panics`, `# Safety`
/// and `# Examples`, at any level and also in the singular. A section ends at the next heading; all other sections are part
/// of the description. Text of `include_str!` and `concat!` is taken whole.
///
/// # Return types
///
/// Nothing, text, a `ToolOutput`, content such as images, anything that is `Serialize`, or a `Result` of one of these,
/// through any alias. Lists, options, maps and tuples of content are content, also beside any `Serialize`:
/// `(Forecast, ImageBlock)`. Media in the fields of a struct are JSON: return them beside it, or implement
/// `IntoToolOutput` for the struct.
///
/// An error is any `std::error::Error`, `anyhow::Error`, `String` or `&str`; the model is told its `Display` and those of its
/// sources. A `ToolError` is taken as it is.
///
/// # Sync functions
///
/// They may block: each call runs on the runtime's pool for blocking work, where it stalls nobody. With `inline` a cheap
/// one runs where it is called from. A blocking call that runs when its invocation is cancelled goes on to its end, unheard.
///
/// # Keys of `#[tool(..)]`
///
/// | key | effect |
/// |---|---|
/// | `name = "…"` | what models call it; else the function's name. 1 to 64 of `a-z A-Z 0-9 _ -` |
/// | `description = expr` | in place of the doc comment; `""` for none |
/// | `struct = Name` | the name of the struct; else the function's in `PascalCase` |
/// | `crate = path` | where `strands` is, when it is renamed or re-exported |
/// | `read_only`, `destructive`, `idempotent`, `open_world` | hints, in the words of MCP; an approved call whose outcome is unknown after a crash is made again only if it is `idempotent` |
/// | `exclusive` | never runs beside another tool of the same turn |
/// | `approval` | the loop asks a human before it runs |
/// | `numeric_strings` | strings such as `"3"` are read as numbers where an argument is a number and no string, for models that quote them |
/// | `timeout = "30s"` | how long a call may take: `ms`, `s`, `m`, `h` |
/// | `strict` | asks the provider to hold the model to the schema |
/// | `output` | publishes the schema of the return type too |
/// | `inline` | see above |
///
/// Those that are on or off take `= true` and `= false` too.
///
/// # What is not a tool
///
/// Functions that are generic (a tool has one schema), `unsafe`, `const` or `extern`, that take `impl Trait`, patterns or
/// `&mut`, and functions without a description. For methods, see [`toolset`](macro@toolset). A `cfg` on the function holds
/// for its tool; on a parameter there can't be one. Under `#[cfg_attr(condition, tool)]` put the descriptions of arguments
/// into an `# Arguments` list: where the condition does not hold, rustc refuses doc comments on parameters.
#[proc_macro_attribute]
pub fn tool(keys: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(keys.into(), &item.into()).into()
}

/// Makes the marked methods of an impl block tools, which share the value.
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
///     // Not marked: left alone.
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
/// A marked method is all that a [`tool`](macro@tool) function can be, with its keys but `struct` and `crate`. It takes
/// `&self`, `self: &Arc<Self>` or `self: Arc<Self>`, or no `self` at all. Tools run beside one another, so there is no
/// `&mut self`: what changes belongs in a `Mutex` within. The block may be generic.
///
/// A type with one such block is a `Toolset`. Further blocks each name a function that lists their tools:
///
/// ```
/// # use std::sync::Arc;
/// # use strands::{tool, toolset};
/// # struct Files;
/// #[toolset(into = pub edit_tools)]
/// impl Files {
///     /// Forgets everything.
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
/// | `prefix = "…"` | stands before the name of every tool |
/// | `into = pub name` | in place of `Toolset`: a method `fn name(self: &Arc<Self>) -> Vec<Arc<dyn Tool>>`, as visible as said |
/// | `crate = path` | where `strands` is, when it is renamed or re-exported |
/// | `read_only`, `destructive`, `idempotent`, `open_world`, `exclusive`, `approval`, `numeric_strings`, `timeout`, `strict`, `output`, `inline` | what holds for the block's tools, unless a method says otherwise, such as `read_only = false` |
#[proc_macro_attribute]
pub fn toolset(keys: TokenStream, item: TokenStream) -> TokenStream {
    toolset::expand(keys.into(), &item.into()).into()
}
