//! The tool that both sides call.

use strands_core::tool;

/// Returns the weather forecast.
#[expect(clippy::unused_async, reason = "a real tool would await a service")]
#[tool(crate = strands_core)]
pub(crate) async fn forecast(
    /// City name, such as "Oslo".
    city: String,
    /// Number of days ahead.
    days: u8,
) -> String {
    format!("{city}: rain on {days} of {days} days, source: yr.no")
}
