//! The tool that both sides call.

use strands_core::tool;

/// What the weather will be.
#[expect(clippy::unused_async, reason = "a real one would ask somebody")]
#[tool(crate = strands_core)]
pub(crate) async fn forecast(
    /// City name, such as "Oslo".
    city: String,
    /// How many days ahead.
    days: u8,
) -> String {
    format!("{city}: rain on {days} of {days} days, source: yr.no")
}
