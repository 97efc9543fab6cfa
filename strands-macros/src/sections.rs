//! Sections of a doc comment: which of its lines are written for people who read the code.

/// A section that is no part of a tool's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// The list that describes the arguments.
    Arguments,
    /// Errors, panics, safety or examples.
    ForPeople,
}

/// One line of a doc comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The section of the nearest heading above, if that is one of ours. The heading itself belongs to its section.
    pub(crate) section: Option<Section>,
    /// True within a code block and at its fences.
    pub(crate) is_code: bool,
}

/// Returns the place of each line. A heading of another name, of whatever level, ends a section.
pub(crate) fn places(lines: &[&str]) -> Vec<Place> {
    let mut section = None;
    let mut fence: Option<Fence> = None;
    let mut after_paragraph = false;
    let mut places = Vec::with_capacity(lines.len());
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
        places.push(Place { section, is_code });
    }
    places
}

/// Reads the title of a section in its usual variants: in the singular, emphasized, with a colon.
fn section_of(title: &str) -> Option<Section> {
    let words = title.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    match words.as_str() {
        "argument" | "arguments" => Some(Section::Arguments),
        "error" | "errors" | "panic" | "panics" | "safety" | "example" | "examples" => Some(Section::ForPeople),
        _ => None,
    }
}

/// The line without its indentation; `None` where that makes it code.
fn unindented(line: &str) -> Option<&str> {
    let text = line.trim_start();
    let indent = line.strip_suffix(text)?;
    (indent.len() < 4 && !indent.contains('\t')).then_some(text)
}

/// `# Title`
fn atx_title(line: &str) -> Option<&str> {
    let line = unindented(line)?;
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    ((1..=6).contains(&level) && (text.is_empty() || text.starts_with([' ', '\t']))).then(|| text.trim())
}

/// A title in a line of its own, above a line of `=` or `-`.
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
        // Within a list a fence is indented further than other text may be.
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

    /// The lines that are part of a description.
    fn described(text: &str) -> Vec<&str> {
        let lines: Vec<&str> = text.lines().collect();
        let places = places(&lines);
        lines.into_iter().zip(places).filter(|(_, place)| place.section.is_none()).map(|(line, _)| line).collect()
    }

    #[test]
    fn only_sections_for_people_are_left_out() {
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
    fn headings_in_code_are_code() {
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
