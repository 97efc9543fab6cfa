//! Ids of tool calls. Anthropic takes letters, digits, `_` and `-`; calls of other providers may be named otherwise.

use std::borrow::Cow;

const MOST: usize = 64;

/// The id as it may be sent: itself where that is allowed. The same id always gives the same, so a call and its result
/// stay together, and a request begins with the bytes of the one before.
pub(super) fn tool_id(id: &str) -> Cow<'_, str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=MOST).contains(&id.len()) && id.bytes().all(allowed) {
        return Cow::Borrowed(id);
    }
    let readable = id.chars().take(MOST - 17).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    Cow::Owned(format!("{}_{:016x}", readable.collect::<String>(), hash(id)))
}

/// FNV-1a. Its numbers are the same everywhere and for ever, which those of the standard library are not.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_an_id_is_it_may_be_sent(id in ".{0,80}") {
            let sent = tool_id(&id);
            prop_assert!((1..=MOST).contains(&sent.len()), "{sent}");
            prop_assert!(sent.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{sent}");
            prop_assert_eq!(tool_id(&sent), sent.as_ref(), "sent once, it stays");
        }
    }

    #[test]
    fn ids_stay_apart() {
        assert_eq!(tool_id("toolu_01A"), "toolu_01A");
        assert_eq!(tool_id("call:1"), tool_id("call:1"));
        assert_ne!(tool_id("call:1"), tool_id("call.1"));
        assert_ne!(tool_id(""), tool_id(" "));
    }
}
