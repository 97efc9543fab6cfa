//! Checks of tool results.

use super::checking::{Blocked, Checks};
use crate::message::ToolResultContent;

/// Checks the texts and the JSON of a tool result, and changes them.
pub(super) async fn check_result_content(
    checks: &mut Checks<'_>,
    content: &mut [ToolResultContent],
) -> Result<(), Blocked> {
    for part in content {
        match part {
            ToolResultContent::Text(text) => {
                checks.text(text).await?;
            }
            ToolResultContent::Json(json) => {
                checks.json(json).await?;
            }
            ToolResultContent::Unknown(fields) => {
                checks.fields(fields).await?;
            }
            ToolResultContent::Image(_)
            | ToolResultContent::Document(_)
            | ToolResultContent::Video(_)
            | ToolResultContent::Audio(_) => {}
        }
    }
    Ok(())
}
