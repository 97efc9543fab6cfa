//! What is known about Anthropic's models by their ids. Source: the overview of each model and its migration guide at
//! <https://platform.claude.com/docs/en/about-claude/models/overview>, November 2026.

/// Whether a model thinks when it is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinks {
    /// Only when it is asked to.
    WhenAsked,
    /// Unless it is told not to.
    ByDefault,
    /// Always. No tool can be forced on such a model.
    Always,
}

/// What a request to a model has to heed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// How many tokens a request may have.
    pub(super) context_window: Option<u64>,
    /// How many tokens an answer may have where the program does not say: the API wants a number.
    pub(super) max_tokens: u32,
    pub(super) thinks: Thinks,
    /// Thoughts are bound to the conversation before them: where that was shortened, they are refused.
    pub(super) binds_thoughts: bool,
    /// Answers can be held to a JSON schema.
    pub(super) structured_output: bool,
}

/// Longer answers can be asked for; most never need to be.
const MOST_BY_DEFAULT: u32 = 64_000;

const fn model(context_window: u64, max_tokens: u32, thinks: Thinks) -> Known {
    let newest = !matches!(thinks, Thinks::WhenAsked);
    Known {
        context_window: Some(context_window),
        max_tokens,
        thinks,
        binds_thoughts: false,
        structured_output: newest || context_window > 200_000,
    }
}

const fn structured(known: Known) -> Known {
    Known { structured_output: true, ..known }
}

const fn bound(known: Known) -> Known {
    Known { binds_thoughts: true, ..known }
}

/// Servers that speak the same protocol have models of others.
const UNKNOWN: Known = Known {
    context_window: None,
    max_tokens: 8_192,
    thinks: Thinks::WhenAsked,
    binds_thoughts: false,
    structured_output: false,
};

const NEWEST: Known = bound(model(1_000_000, MOST_BY_DEFAULT, Thinks::Always));

const FAMILIES: [(&str, Known); 25] = [
    ("claude-fable-5", model(1_000_000, MOST_BY_DEFAULT, Thinks::Always)),
    ("claude-mythos-5", model(1_000_000, MOST_BY_DEFAULT, Thinks::Always)),
    ("claude-mythos-preview", model(1_000_000, MOST_BY_DEFAULT, Thinks::Always)),
    ("claude-haiku-5-5", bound(model(1_000_000, MOST_BY_DEFAULT, Thinks::ByDefault))),
    ("claude-opus-5", model(1_000_000, MOST_BY_DEFAULT, Thinks::ByDefault)),
    ("claude-sonnet-5", model(1_000_000, MOST_BY_DEFAULT, Thinks::ByDefault)),
    ("claude-opus-4-8", model(1_000_000, MOST_BY_DEFAULT, Thinks::WhenAsked)),
    ("claude-opus-4-7", model(1_000_000, MOST_BY_DEFAULT, Thinks::WhenAsked)),
    ("claude-opus-4-6", model(1_000_000, MOST_BY_DEFAULT, Thinks::WhenAsked)),
    ("claude-sonnet-4-6", model(1_000_000, MOST_BY_DEFAULT, Thinks::WhenAsked)),
    ("claude-opus-4-5", structured(model(200_000, MOST_BY_DEFAULT, Thinks::WhenAsked))),
    ("claude-sonnet-4-5", structured(model(200_000, MOST_BY_DEFAULT, Thinks::WhenAsked))),
    ("claude-haiku-4-5", structured(model(200_000, MOST_BY_DEFAULT, Thinks::WhenAsked))),
    ("claude-opus-4-1", model(200_000, 32_000, Thinks::WhenAsked)),
    ("claude-opus-4-0", model(200_000, 32_000, Thinks::WhenAsked)),
    ("claude-opus-4", model(200_000, 32_000, Thinks::WhenAsked)),
    ("claude-sonnet-4-0", model(200_000, MOST_BY_DEFAULT, Thinks::WhenAsked)),
    ("claude-sonnet-4", model(200_000, MOST_BY_DEFAULT, Thinks::WhenAsked)),
    ("claude-4-opus", model(200_000, 32_000, Thinks::WhenAsked)),
    ("claude-4-sonnet", model(200_000, MOST_BY_DEFAULT, Thinks::WhenAsked)),
    ("claude-3-7-sonnet", model(200_000, MOST_BY_DEFAULT, Thinks::WhenAsked)),
    ("claude-3-5-sonnet", model(200_000, 8_192, Thinks::WhenAsked)),
    ("claude-3-5-haiku", model(200_000, 8_192, Thinks::WhenAsked)),
    ("claude-3-opus", model(200_000, 4_096, Thinks::WhenAsked)),
    ("claude-3-haiku", model(200_000, 4_096, Thinks::WhenAsked)),
];

/// Names of model lines whose newer versions are taken to be as the newest that is known.
const LINES: [&str; 5] = ["claude-fable-", "claude-mythos-", "claude-opus-", "claude-sonnet-", "claude-haiku-"];

/// What is known about a model. Gateways put a vendor before the id, and some a dot into the version.
pub(super) fn known(model_id: &str) -> Known {
    let id = model_id.replace('.', "-");
    let id = id.find("claude-").and_then(|at| id.get(at..)).unwrap_or_default();
    if let Some((_, known)) = FAMILIES.iter().find(|(family, _)| is_of(id, family)) {
        return *known;
    }
    if LINES.iter().any(|line| id.starts_with(line)) { NEWEST } else { UNKNOWN }
}

/// `claude-opus-4-20250514` is of the family `claude-opus-4`, and `claude-opus-4-9` is another model.
fn is_of(id: &str, family: &str) -> bool {
    let Some(rest) = id.strip_prefix(family) else {
        return false;
    };
    let is_version = |word: &str| word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    match rest.strip_prefix('-') {
        Some(more) => !more.split(['-', '@']).next().is_some_and(is_version),
        None => rest.is_empty() || rest.starts_with(['@', ':']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_apart() {
        for (id, context_window, max_tokens, thinks) in [
            ("claude-sonnet-4-6", Some(1_000_000), 64_000, Thinks::WhenAsked),
            ("claude-sonnet-4-20250514", Some(200_000), 64_000, Thinks::WhenAsked),
            ("claude-opus-4-1-20250805", Some(200_000), 32_000, Thinks::WhenAsked),
            ("claude-opus-4-0", Some(200_000), 32_000, Thinks::WhenAsked),
            ("claude-haiku-4-5@20251001", Some(200_000), 64_000, Thinks::WhenAsked),
            ("claude-3-5-haiku-latest", Some(200_000), 8_192, Thinks::WhenAsked),
            ("anthropic/claude-haiku-5.5", Some(1_000_000), 64_000, Thinks::ByDefault),
            ("claude-opus-5", Some(1_000_000), 64_000, Thinks::ByDefault),
            ("claude-opus-5-5", Some(1_000_000), 64_000, Thinks::Always),
            ("claude-fable-5-2", Some(1_000_000), 64_000, Thinks::Always),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Some(200_000), 64_000, Thinks::WhenAsked),
            ("kimi-k2", None, 8_192, Thinks::WhenAsked),
        ] {
            let known = known(id);
            assert_eq!(
                (known.context_window, known.max_tokens, known.thinks),
                (context_window, max_tokens, thinks),
                "{id}"
            );
        }
    }

    #[test]
    fn newer_versions_bind_their_thoughts_to_the_conversation() {
        for id in ["claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-6"] {
            assert!(known(id).binds_thoughts, "{id}");
        }
        for id in ["claude-fable-5", "claude-opus-5", "claude-sonnet-5", "claude-opus-4-8", "glm-5"] {
            assert!(!known(id).binds_thoughts, "{id}");
        }
    }

    #[test]
    fn answers_of_older_models_are_held_to_no_schema() {
        for (id, held) in
            [("claude-haiku-4-5", true), ("claude-opus-4-1", false), ("claude-opus-5-5", true), ("glm-5", false)]
        {
            assert_eq!(known(id).structured_output, held, "{id}");
        }
    }
}
