//! Doc comments as descriptions: what the model reads, and the `# Arguments` list.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::errors::Errors;
use crate::message;

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

    /// Whether there is none at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Where the docs begin.
    pub(crate) fn span(&self) -> Option<Span> {
        self.parts.first().map(|part| match part {
            Part::Text(_, span) => *span,
            Part::Expr(expr) => expr.span(),
        })
    }

    /// The paragraphs up to the first heading, as an expression; `None` where they are empty.
    pub(crate) fn description(&self, private: &TokenStream) -> Option<TokenStream> {
        self.text(private, true)
    }

    /// All lines, as an expression; `None` where they are empty.
    pub(crate) fn whole(&self, private: &TokenStream) -> Option<TokenStream> {
        self.text(private, false)
    }

    /// Text that only rustc can read is taken whole; a heading within it ends nothing.
    fn text(&self, private: &TokenStream, to_first_heading: bool) -> Option<TokenStream> {
        let mut texts: Vec<TokenStream> = Vec::new();
        let mut lines: Vec<String> = Vec::new();
        let mut in_fence = false;
        let mut only_literals = true;
        'parts: for part in &self.parts {
            match part {
                Part::Text(text, _) => {
                    for line in unwrap_comment(text) {
                        in_fence ^= line.trim_start().starts_with("```");
                        if to_first_heading && !in_fence && is_heading(line.trim_start()) {
                            break 'parts;
                        }
                        lines.push(line);
                    }
                }
                Part::Expr(expr) => {
                    let before = std::mem::take(&mut lines).join("\n");
                    texts.extend([quote!(#before), quote!(#expr)]);
                    only_literals = false;
                }
            }
        }
        let rest = lines.join("\n");
        if only_literals {
            let text = rest.trim();
            return (!text.is_empty()).then(|| quote!(#text));
        }
        Some(quote!(#private::doc_text(&[#(#texts,)* #rest])))
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

    fn lines(&self) -> Vec<(String, Span)> {
        let mut lines = Vec::new();
        for part in &self.parts {
            if let Part::Text(text, span) = part {
                lines.extend(unwrap_comment(text).into_iter().map(|line| (line, *span)));
            }
        }
        lines
    }

    /// What the `# Arguments` list says: `* name - text` or `- name: text`, with continuation lines.
    pub(crate) fn arguments(&self, errors: &mut Errors) -> Vec<Documented> {
        let mut found: Vec<Documented> = Vec::new();
        let mut in_list = false;
        let mut in_fence = false;
        for (line, span) in self.lines() {
            let trimmed = line.trim();
            if trimmed.starts_with("```") {
                in_fence = !in_fence;
            }
            if in_fence {
                continue;
            }
            if is_heading(trimmed) {
                in_list = trimmed.trim_start_matches('#').trim().eq_ignore_ascii_case("arguments");
                continue;
            }
            if !in_list || trimmed.is_empty() {
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

/// Whether this is a doc comment or a `#[doc = ..]`.
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

/// One doc attribute as lines: without the space after `///` and without the column of stars of `/** .. */`.
fn unwrap_comment(text: &str) -> Vec<String> {
    if !text.contains('\n') {
        return vec![text.strip_prefix(' ').unwrap_or(text).trim_end().to_owned()];
    }
    let starred =
        text.lines().skip(1).filter(|line| !line.trim().is_empty()).all(|line| line.trim_start().starts_with('*'));
    text.lines()
        .map(|line| {
            let line = if starred { line.trim_start().strip_prefix('*').unwrap_or(line) } else { line };
            line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()
        })
        .collect()
}

fn is_heading(line: &str) -> bool {
    let text = line.trim_start_matches('#');
    let hashes = line.len() - text.len();
    (1..=6).contains(&hashes) && (text.is_empty() || text.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn description(attrs: &[Attribute]) -> Option<String> {
        Docs::read(attrs).description(&quote!(p)).map(|tokens| tokens.to_string())
    }

    #[test]
    fn ends_at_the_first_heading_outside_a_fence() {
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
        };
        assert_eq!(description(&attrs), Some(r##""One.\n\n```\n# hidden\n    indented\n```\n#hashtag""##.to_owned()));
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
