//! Code fences around JSON in the text of a response, which some models add against the instructions.

/// Tag of a fence around JSON, case-insensitive.
pub(super) const TAG: &str = "json";

/// Minimum number of backticks of a fence.
pub(super) const TICKS: usize = 3;

/// Byte order mark, with which some models begin.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Returns the text without a leading byte order mark, surrounding white space, and one surrounding fence.
pub(super) fn unfenced(text: &str) -> &str {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim();
    inside(text).unwrap_or(text)
}

fn inside(text: &str) -> Option<&str> {
    let ticks = text.bytes().take_while(|byte| *byte == b'`').count();
    if ticks < TICKS {
        return None;
    }
    let (fence, rest) = text.split_at_checked(ticks)?;
    let body = rest.strip_suffix(fence)?;
    let tagged = body.split_at_checked(TAG.len()).filter(|(tag, _)| tag.eq_ignore_ascii_case(TAG));
    Some(tagged.map_or(body, |(_, body)| body).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_one_fence() {
        for text in [
            "{}",
            " {}\n",
            "```json\n{}\n```",
            "```\n{}\n```",
            "\r\n```JSON\r\n{}\r\n```\r\n",
            "```Json  \n\n {} \n```  ",
            "```json {} ```",
            "```{}```",
            "````json\n{}\n````",
            "\u{feff}{}",
            "\u{feff}\n```json\n{}\n```",
        ] {
            assert_eq!(unfenced(text), "{}", "{text:?}");
        }
    }

    #[test]
    fn keeps_text_without_a_surrounding_fence() {
        for text in
            ["Here: ```json\n{}\n```", "```json\n{}\n``` Done.", "``{}``", "```json\n{}", "````\n{}\n```", "```"]
        {
            assert_eq!(unfenced(text), text, "{text:?}");
        }
        assert_eq!(unfenced("```json\n```json\n{}\n```\n```"), "```json\n{}\n```", "a second fence");
        assert_eq!(unfenced("```yaml\n{}\n```"), "yaml\n{}");
    }
}
