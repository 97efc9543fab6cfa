//! Doc comments as descriptions: what the model reads, and the `# Arguments` list.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::errors::Errors;
use crate::message;
use crate::sections::{self, Place, Section};

/// The `#[doc = ..]` attributes of one item, in order.
#[derive(Default)]
pub(crate) struct Docs {
    parts: Vec<Part>,
}

enum Part {
    /// One line of a doc comment, or several of a block comment.
    Text(String, Span),
    /// `include_str!(..)`, `concat!(..)`: text that only rustc can read.
    Expr(Expr),
}

/// One entry of an `# Arguments` list.
pub(crate) struct Documented {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Docs {
    /// Reads the doc attributes among `attrs`.
    pub(crate) fn read(attrs: &[Attribute]) -> Self {
        let parts = attrs.iter().filter(|attr| is_doc(attr)).filter_map(|attr| {
            let Meta::NameValue(doc) = &attr.meta else { return None };
            Some(match &doc.value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Part::Text(text.value(), text.span()),
                other => Part::Expr(other.clone()),
            })
        });
        Self { parts: parts.collect() }
    }

    /// True if there is none at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Span of the first part.
    pub(crate) fn span(&self) -> Option<Span> {
        self.parts.first().map(|part| match part {
            Part::Text(_, span) => *span,
            Part::Expr(expr) => expr.span(),
        })
    }

    /// The text without the sections for people, as an expression; `None` where it is empty. Text that only rustc can read
    /// is taken whole.
    pub(crate) fn description(&self, private: &TokenStream) -> Option<TokenStream> {
        self.text(private, |place| place.section.is_none())
    }

    /// All lines, as an expression; `None` where they are empty.
    pub(crate) fn whole(&self, private: &TokenStream) -> Option<TokenStream> {
        self.text(private, |_| true)
    }

    fn text(&self, private: &TokenStream, is_told: fn(&Place) -> bool) -> Option<TokenStream> {
        let mut texts: Vec<TokenStream> = Vec::new();
        let mut rest = String::new();
        for run in self.runs() {
            match run {
                Run::Lines(lines) => {
                    let told = lines.iter().filter(|line| is_told(&line.place)).map(|line| line.text.as_str());
                    rest = told.collect::<Vec<_>>().join("\n");
                }
                Run::Expr(expr) => {
                    let before = std::mem::take(&mut rest);
                    texts.extend([quote!(#before), quote!(#expr)]);
                }
            }
        }
        if texts.is_empty() {
            let text = rest.trim();
            return (!text.is_empty()).then(|| quote!(#text));
        }
        Some(quote!(#private::doc_text(&[#(#texts,)* #rest])))
    }

    /// The lines between expressions, and the expressions. What stands in an expression is unknown: a section ends before
    /// it.
    fn runs(&self) -> Vec<Run<'_>> {
        let mut runs = Vec::new();
        let mut lines: Vec<(String, Span)> = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text, span) => lines.extend(unwrap_comment(text).into_iter().map(|line| (line, *span))),
                Part::Expr(expr) => runs.extend([Run::of(std::mem::take(&mut lines)), Run::Expr(expr)]),
            }
        }
        runs.push(Run::of(lines));
        runs
    }

    /// The attributes again, for the struct beside the function.
    pub(crate) fn attributes(&self) -> TokenStream {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text, _) => quote!(#[doc = #text]),
                Part::Expr(expr) => quote!(#[doc = #expr]),
            })
            .collect()
    }

    /// The entries of the `# Arguments` list: `* name - text` or `- name: text`, with continuation lines.
    pub(crate) fn arguments(&self, errors: &mut Errors) -> Vec<Documented> {
        let mut found: Vec<Documented> = Vec::new();
        let listed = self.runs().into_iter().flat_map(Run::into_lines);
        for Line { text: line, span, place } in listed {
            let trimmed = line.trim();
            if place.section != Some(Section::Arguments) || place.is_code || trimmed.is_empty() {
                continue;
            }
            let item = trimmed.strip_prefix("* ").or_else(|| trimmed.strip_prefix("- "));
            match item {
                Some(item) if !line.starts_with(' ') => match entry(item) {
                    Some((name, text)) => {
                        found.push(Documented { name: name.to_owned(), text: text.to_owned(), span });
                    }
                    None => errors.add(span, message::undocumentable(item)),
                },
                _ => {
                    if let Some(last) = found.last_mut().filter(|_| line.starts_with(' ')) {
                        last.text.push('\n');
                        last.text.push_str(trimmed);
                    }
                }
            }
        }
        found
    }
}

/// Lines between two expressions, or an expression.
enum Run<'a> {
    Lines(Vec<Line>),
    Expr(&'a Expr),
}

/// One line, without the marks of the comment.
struct Line {
    text: String,
    span: Span,
    place: Place,
}

impl Run<'_> {
    fn of(lines: Vec<(String, Span)>) -> Self {
        let texts: Vec<&str> = lines.iter().map(|(text, _)| text.as_str()).collect();
        let places = sections::places(&texts);
        Self::Lines(lines.into_iter().zip(places).map(|((text, span), place)| Line { text, span, place }).collect())
    }

    fn into_lines(self) -> Vec<Line> {
        match self {
            Self::Lines(lines) => lines,
            Self::Expr(_) => Vec::new(),
        }
    }
}

/// True for a doc comment or a `#[doc = ..]`.
pub(crate) fn is_doc(attr: &Attribute) -> bool {
    attr.path().is_ident("doc") && matches!(attr.meta, Meta::NameValue(_))
}

/// `city - text`, `` `city`: text ``.
fn entry(item: &str) -> Option<(&str, &str)> {
    let end = item.find([' ', ':', '-', '–', '—']).unwrap_or(item.len());
    let (name, rest) = item.split_at_checked(end)?;
    let text = rest.trim_start().strip_prefix([':', '-', '–', '—'])?.trim();
    let name = name.trim_matches('`').trim_start_matches("r#");
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some((name, text))
}

/// One doc attribute as lines: without the space after `///`, without the column of stars of `/** .. */`, and without the
/// indentation that all lines share.
fn unwrap_comment(text: &str) -> Vec<String> {
    if !text.contains('\n') {
        return vec![text.strip_prefix(' ').unwrap_or(text).trim_end().to_owned()];
    }
    let starred =
        text.lines().skip(1).filter(|line| !line.trim().is_empty()).all(|line| line.trim_start().starts_with('*'));
    let unstarred = |line| if starred { unstar(line) } else { line };
    let indent_of = |line: &str| line.len() - line.trim_start().len();
    let shared = text.lines().skip(1).map(unstarred).filter(|line| !line.trim().is_empty()).map(indent_of).min();
    // The first line stands behind the opening of the comment.
    let first = text.lines().take(1).map(str::trim);
    let others =
        text.lines().skip(1).map(unstarred).map(|line| line.get(shared.unwrap_or(0)..).unwrap_or(line).trim_end());
    first.chain(others).map(str::to_owned).collect()
}

fn unstar(line: &str) -> &str {
    line.trim_start().strip_prefix('*').unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn description(attrs: &[Attribute]) -> Option<String> {
        Docs::read(attrs).description(&quote!(p)).map(|tokens| tokens.to_string())
    }

    #[test]
    fn sections_for_people_are_left_out() {
        let attrs: Vec<Attribute> = parse_quote! {
            /// One.
            ///
            /// ```
            /// # hidden
            ///     indented
            /// ```
            /// #hashtag
            /// # Errors
            /// Never.
            /// # Rules
            /// Two.
        };
        assert_eq!(
            description(&attrs),
            Some(r##""One.\n\n```\n# hidden\n    indented\n```\n#hashtag\n# Rules\nTwo.""##.to_owned())
        );
    }

    #[test]
    fn only_headings_is_no_description() {
        let attrs: Vec<Attribute> = parse_quote! {
            /// # Errors
            /// Never.
        };
        assert_eq!(description(&attrs), None);
        assert_eq!(description(&[]), None);
    }

    #[test]
    fn text_that_only_rustc_reads_is_never_left_out() {
        let attrs: Vec<Attribute> = parse_quote! {
            /// One.
            /// # Errors
            /// Never.
            #[doc = include_str!("rules.md")]
            /// Two.
        };
        let expected = r#"p :: doc_text (& ["One." , include_str ! ("rules.md") , "Two."])"#;
        assert_eq!(description(&attrs).as_deref(), Some(expected));
    }

    #[test]
    fn block_comments_lose_their_indentation() {
        let attrs: Vec<Attribute> = parse_quote! {
            #[doc = "\n    One.\n\n      * two\n\n    # Errors\n    Never.\n"]
        };
        assert_eq!(description(&attrs), Some(r#""One.\n\n  * two""#.to_owned()));
    }

    #[test]
    fn block_comments_lose_their_stars() {
        let attrs: Vec<Attribute> = parse_quote! {
            #[doc = "\n * One.\n *\n * Two.\n "]
        };
        assert_eq!(description(&attrs), Some(r#""One.\n\nTwo.""#.to_owned()));
    }

    #[test]
    fn argument_lists_are_read_to_the_next_heading() {
        let attrs: Vec<Attribute> = parse_quote! {
            /// Books.
            /// # Arguments
            ///
            /// * `city` - Where to,
            ///   in English
            /// - days: How long
            /// # Errors
            /// * none - at all
        };
        let mut errors = Errors::default();
        let list: Vec<_> =
            Docs::read(&attrs).arguments(&mut errors).into_iter().map(|entry| (entry.name, entry.text)).collect();
        assert!(errors.is_empty());
        assert_eq!(
            list,
            [("city".to_owned(), "Where to,\nin English".to_owned()), ("days".to_owned(), "How long".to_owned())]
        );
    }
}
