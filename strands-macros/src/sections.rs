//! Sections of a doc comment: detects the lines that are for programmers and not for the model.

/// A section that is not part of a tool's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// The list that describes the arguments.
    Arguments,
    /// Errors, panics, safety or examples.
    ForProgrammers,
}

/// The context of one line in a doc comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineContext {
    /// The section of the nearest heading above, if it is a known one. A heading belongs to its section.
    pub(crate) section: Option<Section>,
    /// True inside a code block and at its fences.
    pub(crate) is_code: bool,
}

/// Returns the context of each line. Any other heading, of any level, ends a section.
pub(crate) fn contexts(lines: &[&str]) -> Vec<LineContext> {
    let mut section = None;
    let mut fence: Option<Fence> = None;
    let mut after_paragraph = false;
    let mut contexts = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let is_code = match (&fence, Fence::opened_by(line)) {
            (Some(open), _) => {
                if open.is_closed_by(line) {
                    fence = None;
                }
                true
            }
            (None, Some(opened)) => {
                fence = Some(opened);
                true
            }
            (None, None) => false,
        };
        let title = (!is_code).then(|| {
            atx_title(line).or_else(|| underlined_title(line, lines.get(at + 1)).filter(|_| !after_paragraph))
        });
        if let Some(title) = title.flatten() {
            section = section_of(title);
        }
        after_paragraph = !is_code && !line.trim().is_empty() && atx_title(line).is_none();
        contexts.push(LineContext { section, is_code });
    }
    contexts
}

/// Parses the title of a section: also in the singular, emphasized, or with a colon.
fn section_of(title: &str) -> Option<Section> {
    let words = title.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    match words.as_str() {
        "argument" | "arguments" => Some(Section::Arguments),
        "error" | "errors" | "panic" | "panics" | "safety" | "example" | "examples" => Some(Section::ForProgrammers),
        _ => None,
    }
}

/// Returns the line without its indentation; `None` for indented code.
fn unindented(line: &str) -> Option<&str> {
    let text = line.trim_start();
    let indent = line.strip_suffix(text)?;
    (indent.len() < 4 && !indent.contains('\t')).then_some(text)
}

/// Parses `# Title`.
fn atx_title(line: &str) -> Option<&str> {
    let line = unindented(line)?;
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    ((1..=6).contains(&level) && (text.is_empty() || text.starts_with([' ', '\t']))).then(|| text.trim())
}

/// Parses a title that is underlined with `=` or `-`.
fn underlined_title<'a>(line: &'a str, next: Option<&&str>) -> Option<&'a str> {
    let underline = unindented(next?)?.trim_end();
    let is_underline = underline.len() > 2
        && (underline.bytes().all(|byte| byte == b'=') || underline.bytes().all(|byte| byte == b'-'));
    unindented(line)
        .filter(|text| is_underline && text.starts_with(|c: char| c.is_alphabetic() || c == '*' || c == '_'))
}

/// The opening of a code block.
struct Fence {
    mark: char,
    length: usize,
}

impl Fence {
    fn opened_by(line: &str) -> Option<Self> {
        // In a list, a fence may be indented further than other text.
        let text = line.trim_start();
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let length = text.len() - info.len();
        (length > 2 && !(mark == '`' && info.contains('`'))).then_some(Self { mark, length })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let text = line.trim();
        text.len() >= self.length && text.chars().all(|c| c == self.mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the lines that are part of a description.
    fn described(text: &str) -> Vec<&str> {
        let lines: Vec<&str> = text.lines().collect();
        let contexts = contexts(&lines);
        lines.into_iter().zip(contexts).filter(|(_, context)| context.section.is_none()).map(|(line, _)| line).collect()
    }

    #[test]
    fn leaves_out_only_sections_for_programmers() {
        for heading in [
            "# Arguments",
            "# Argument",
            "# Errors",
            "# Error",
            "# Panics",
            "# Panic",
            "# Safety",
            "# Examples",
            "# Example",
            "## errors",
            "###### EXAMPLES",
            "# Errors:",
            "# **Errors**",
            "# `Errors`",
            "# Errors #",
            "   # Errors",
            "#  Errors",
        ] {
            let text = format!("a\n\n{heading}\n\nb\n# Rules\nc\n{heading}\nd");
            assert_eq!(described(&text), ["a", "", "# Rules", "c"], "{heading}");
        }
        for heading in [
            "# Returns",
            "# Error codes",
            "## Notes",
            "# When it panics",
            "#Errors",
            "#",
            "Errors",
            "    # Errors",
            "####### Errors",
            "# Errors and limits",
            "> # Errors",
            "- # Errors",
            "\t# Errors",
        ] {
            let text = format!("a\n\n{heading}\n\nb");
            assert_eq!(described(&text), text.lines().collect::<Vec<_>>(), "{heading}");
        }
    }

    #[test]
    fn underlined_titles_are_headings() {
        assert_eq!(described("a\n\nErrors\n======\nb\n\nRules\n---\nc"), ["a", "", "Rules", "---", "c"]);
        // A paragraph above a rule, a list, and a table.
        for text in ["one\nErrors\n===\nb", "- Errors\n---\nb", "| Errors |\n|---|\nb", "Errors\n\n---\nb"] {
            assert_eq!(described(text), text.lines().collect::<Vec<_>>());
        }
    }

    #[test]
    fn ignores_headings_in_code() {
        for text in [
            "a\n```\n# Errors\n```\nb",
            "a\n~~~ text\n# Errors\n```\n# Panics\n~~~\nb",
            "a\n````\n```\n# Errors\n```\n# Panics\n````\nb",
            "* a\n\n      ```\n# Errors\n      ```\nb",
            "a\n```\n# Errors",
            "a `x` ```inline``` b\n",
        ] {
            assert_eq!(described(text), text.lines().collect::<Vec<_>>());
        }
        assert_eq!(described("# Examples\n```\n# hidden\n```\nb\n# Rules\nc"), ["# Rules", "c"]);
    }
}
