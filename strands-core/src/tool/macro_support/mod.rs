//! Support code for the output of `#[tool]` and `#[toolset]`. It is public only so that generated code can reach it. The
//! module that re-exports it has the patch version in its name; there is no stability guarantee.
#![allow(missing_docs, reason = "called by generated code only; the comments are for maintainers")]
#![allow(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "the macros' output makes and matches them")]

mod absent;
mod argument;
mod arguments;
mod check;
mod conversion;
mod diagnostics;
mod execution;
mod method_tool;
mod spec_builder;

pub use std::sync::{Arc, LazyLock};
pub use std::time::Duration;

pub use futures_core::future::BoxFuture;
pub use serde_json::Value;

pub use argument::{Argument, WholeInput, argument, whole_input};
pub use arguments::{Arguments, no_arguments};
pub use check::{Bound, Check, Pattern, len, pattern, range};
pub use conversion::{
    ConvertDataFirst, ConvertDataLast, ConvertExplicit, ConvertOther, ConvertSerialize, JsonOfOther, JsonOfSerialize,
    SchemaOfResult, SchemaOfValue, SplitResult, SplitValue, Tag,
};
pub use diagnostics::{
    Counted, ExampleArg, Injected, InjectedArg, IntoToolError, LenArg, OutputSchema, OwnedInjected, OwnedInjectedArg,
    PatternArg, RangeArg, TextArg, ToolArg, ToolReturn, example, injected, of_text, owned_injected,
};
pub use execution::{boxed, on_blocking_pool};
pub use method_tool::{MethodTool, injected_keys};
pub use spec_builder::{ArgumentDocs, SpecBuilder, doc_text};
pub use std::clone::Clone;
pub use std::convert::From;
pub use std::default::Default;
pub use std::marker::{Send, Sync};
pub use std::option::Option::{self, None, Some};
pub use std::result::Result::{self, Err, Ok};
pub use std::vec::Vec;

pub use super::{
    InjectedKey, Tool, ToolAnnotations, ToolContext, ToolError, ToolLimiter, ToolOutput, ToolPolicy, ToolSpec, Toolset,
};
