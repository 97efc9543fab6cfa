//! The `#[tool]` and `#[toolset]` attributes of `strands-rs`. Use them through that crate: what they write names it.

mod attr;
mod bounds;
mod docs;
mod errors;
mod expand;
mod fallback;
mod function;

mod message;
mod model;
mod toolset;
mod types;
mod validate;

use proc_macro::TokenStream;

/// Makes a function a tool.
#[proc_macro_attribute]
pub fn tool(keys: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(keys.into(), &item.into()).into()
}

/// Makes the methods of an impl block tools that share the value.
#[proc_macro_attribute]
pub fn toolset(keys: TokenStream, item: TokenStream) -> TokenStream {
    toolset::expand(keys.into(), &item.into()).into()
}
