//! JSON in the text of a response. Models may put a code fence around it, although they were asked not to.

/// The tag of a fence around JSON, in upper or lower case.
pub(super) const TAG: &str = "json";

/// Fewest backticks of a fence.
pub(super) const TICKS: usize = 3;

/// Some models begin with it.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Returns the text without a byte order mark in front of it, without white space around it, and without one fence around
/// it, if there is one.
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
    fn one_fence_is_taken_off() {
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
    fn what_is_not_one_fence_stays() {
        for text in
            ["Here: ```json\n{}\n```", "```json\n{}\n``` Done.", "``{}``", "```json\n{}", "````\n{}\n```", "```"]
        {
            assert_eq!(unfenced(text), text, "{text:?}");
        }
        assert_eq!(unfenced("```json\n```json\n{}\n```\n```"), "```json\n{}\n```", "a second fence");
        assert_eq!(unfenced("```yaml\n{}\n```"), "yaml\n{}");
    }
}
