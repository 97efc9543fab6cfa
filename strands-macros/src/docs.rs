//! Doc comments as descriptions for the model, including the `# Arguments` list.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::errors::Errors;
use crate::message;
use crate::sections::{self, LineContext, Section};

/// The `#[doc = ..]` attributes of one item, in order.
#[derive(Default)]
pub(crate) struct Docs {
    parts: Vec<Part>,
}

enum Part {
    /// One line of a doc comment, or several of a block comment.
    Text(String, Span),
    /// `include_str!(..)`, `concat!(..)`: text that only rustc can expand.
    Expr(Expr),
}

/// One entry of an `# Arguments` list.
pub(crate) struct Documented {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Docs {
    /// Collects the doc attributes in `attrs`.
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

    /// Returns true if there are no doc attributes.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Returns the span of the first part.
    pub(crate) fn span(&self) -> Option<Span> {
        self.parts.first().map(|part| match part {
            Part::Text(_, span) => *span,
            Part::Expr(expr) => expr.span(),
        })
    }

    /// Returns the text without the sections for programmers, as an expression; `None` if it is empty. Text that only rustc
    /// can expand is included as a whole.
    pub(crate) fn description(&self, private: &TokenStream) -> Option<TokenStream> {
        self.text(private, |context| context.section.is_none())
    }

    /// Returns all lines, as an expression; `None` if they are empty.
    pub(crate) fn whole(&self, private: &TokenStream) -> Option<TokenStream> {
        self.text(private, |_| true)
    }

    fn text(&self, private: &TokenStream, is_included: fn(&LineContext) -> bool) -> Option<TokenStream> {
        let mut texts: Vec<TokenStream> = Vec::new();
        let mut rest = String::new();
        for run in self.runs() {
            match run {
                Run::Lines(lines) => {
                    let included =
                        lines.iter().filter(|line| is_included(&line.context)).map(|line| line.text.as_str());
                    rest = included.collect::<Vec<_>>().join("\n");
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

    /// Splits the docs into expressions and the lines between them. A section ends before an expression, whose text is
    /// unknown.
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

    /// Returns the attributes, for the tool's struct.
    pub(crate) fn attributes(&self) -> TokenStream {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text, _) => quote!(#[doc = #text]),
                Part::Expr(expr) => quote!(#[doc = #expr]),
            })
            .collect()
    }

    /// Parses the entries of the `# Arguments` list: `* name - text` or `- name: text`, with continuation lines.
    pub(crate) fn arguments(&self, errors: &mut Errors) -> Vec<Documented> {
        let mut found: Vec<Documented> = Vec::new();
        let listed = self.runs().into_iter().flat_map(Run::into_lines);
        for Line { text: line, span, context } in listed {
            let trimmed = line.trim();
            if context.section != Some(Section::Arguments) || context.is_code || trimmed.is_empty() {
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

/// One line, without the comment markers.
struct Line {
    text: String,
    span: Span,
    context: LineContext,
}

impl Run<'_> {
    fn of(lines: Vec<(String, Span)>) -> Self {
        let texts: Vec<&str> = lines.iter().map(|(text, _)| text.as_str()).collect();
        let contexts = sections::contexts(&texts);
        Self::Lines(
            lines.into_iter().zip(contexts).map(|((text, span), context)| Line { text, span, context }).collect(),
        )
    }

    fn into_lines(self) -> Vec<Line> {
        match self {
            Self::Lines(lines) => lines,
            Self::Expr(_) => Vec::new(),
        }
    }
}

/// Returns true for a doc comment or a `#[doc = ..]`.
pub(crate) fn is_doc(attr: &Attribute) -> bool {
    attr.path().is_ident("doc") && matches!(attr.meta, Meta::NameValue(_))
}

/// Parses `city - text` or `` `city`: text ``.
fn entry(item: &str) -> Option<(&str, &str)> {
    let end = item.find([' ', ':', '-', '–', '—']).unwrap_or(item.len());
    let (name, rest) = item.split_at_checked(end)?;
    let text = rest.trim_start().strip_prefix([':', '-', '–', '—'])?.trim();
    let name = name.trim_matches('`').trim_start_matches("r#");
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some((name, text))
}

/// Splits a doc attribute into lines: without the space after `///`, without the column of stars of `/** .. */`, and
/// without the common indentation.
fn unwrap_comment(text: &str) -> Vec<String> {
    if !text.contains('\n') {
        return vec![text.strip_prefix(' ').unwrap_or(text).trim_end().to_owned()];
    }
    let starred =
        text.lines().skip(1).filter(|line| !line.trim().is_empty()).all(|line| line.trim_start().starts_with('*'));
    let unstarred = |line| if starred { unstar(line) } else { line };
    let indent_of = |line: &str| line.len() - line.trim_start().len();
    let shared = text.lines().skip(1).map(unstarred).filter(|line| !line.trim().is_empty()).map(indent_of).min();
    // The first line follows the opening of the comment.
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
    fn leaves_out_sections_for_programmers() {
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
    fn headings_alone_are_not_a_description() {
        let attrs: Vec<Attribute> = parse_quote! {
            /// # Errors
            /// Never.
        };
        assert_eq!(description(&attrs), None);
        assert_eq!(description(&[]), None);
    }

    #[test]
    fn includes_text_that_only_rustc_can_expand() {
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
    fn removes_the_indentation_of_block_comments() {
        let attrs: Vec<Attribute> = parse_quote! {
            #[doc = "\n    One.\n\n      * two\n\n    # Errors\n    Never.\n"]
        };
        assert_eq!(description(&attrs), Some(r#""One.\n\n  * two""#.to_owned()));
    }

    #[test]
    fn removes_the_stars_of_block_comments() {
        let attrs: Vec<Attribute> = parse_quote! {
            #[doc = "\n * One.\n *\n * Two.\n "]
        };
        assert_eq!(description(&attrs), Some(r#""One.\n\nTwo.""#.to_owned()));
    }

    #[test]
    fn reads_argument_lists_up_to_the_next_heading() {
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
