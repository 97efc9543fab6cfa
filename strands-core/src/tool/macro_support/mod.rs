//! What the output of `#[tool]` and `#[toolset]` calls. It is public only so that the user's crate can reach it; the
//! module it is re-exported through carries the patch version in its name, and nothing here is promised.
#![allow(missing_docs, reason = "called by generated code only; the comments are for whoever changes it")]
#![allow(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "the macros' output makes and matches them")]

mod answer;
mod argument;
mod arguments;
mod check;
mod diagnostics;
mod method_tool;
mod nothing;
mod running;
mod spec_builder;

pub use std::sync::{Arc, LazyLock};
pub use std::time::Duration;

pub use futures_core::future::BoxFuture;
pub use serde_json::Value;

pub use answer::{
    ConvertDataFirst, ConvertDataLast, ConvertExplicit, ConvertOther, ConvertSerialize, JsonOfOther, JsonOfSerialize,
    SchemaOfResult, SchemaOfValue, SplitResult, SplitValue, Tag,
};
pub use argument::{Argument, Whole, argument, whole};
pub use arguments::{Arguments, no_arguments};
pub use check::{Bound, Check, Pattern, len, pattern, range};
pub use diagnostics::{
    ContextArg, Counted, ExampleArg, Injected, InjectedArg, IntoToolError, LenArg, OutputSchema, PatternArg, RangeArg,
    Taken, TextArg, ToolAnswer, ToolArg, example, injected, of_text, taken,
};
pub use method_tool::{MethodTool, injected_keys};
pub use running::{boxed, on_blocking_pool};
pub use spec_builder::{Shown, SpecBuilder, doc_text};
pub use std::clone::Clone;
pub use std::convert::From;
pub use std::default::Default;
pub use std::marker::{Send, Sync};
pub use std::option::Option::{None, Some};
pub use std::result::Result::{self, Err, Ok};
pub use std::vec::Vec;

pub use super::{
    InjectedKey, Tool, ToolAnnotations, ToolContext, ToolError, ToolOutput, ToolPolicy, ToolSpec, Toolset,
};
