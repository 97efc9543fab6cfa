//! Lifetime parameters in arguments and return types.
#![allow(
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::unused_async,
    clippy::panic,
    reason = "the code of a test program is odd on purpose"
)]
#![deny(warnings)]

use std::borrow::Cow;

use strands::{Toolset, tool, toolset};

struct Db {
    name: String,
}

/// Returns a borrowed value.
#[tool(inline)]
fn borrowed<'a>(city: &'a str, db: &'a Db) -> Cow<'a, str> {
    if city.is_empty() { Cow::Borrowed(&db.name) } else { Cow::Borrowed(city) }
}

/// Returns a borrowed value.
#[tool]
async fn borrowed_async<'a, 'b: 'a>(
    first: &'a str,
    #[arg(rename = "rest")] _rest: &'b [String],
    owned: Cow<'b, str>,
) -> Result<&'a str, String>
where
    'b: 'a,
{
    if first == owned { Err(owned.into_owned()) } else { Ok(first) }
}

struct Set {
    name: String,
}

#[toolset]
impl Set {
    /// Returns its own name.
    #[tool]
    fn name(&self) -> &str {
        &self.name
    }

    /// Returns its own name or another.
    #[tool(output)]
    async fn longer<'a>(&'a self, other: &'a str) -> &'a str {
        if other.len() > self.name.len() { other } else { &self.name }
    }
}

fn main() {
    let _ = (Borrowed, BorrowedAsync);
    assert_eq!(Set { name: String::new() }.into_tools().len(), 2);
}
