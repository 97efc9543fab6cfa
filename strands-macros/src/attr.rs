//! Parser of the key lists in `#[tool(..)]`, `#[toolset(..)]` and `#[arg(..)]`. It reports all unknown keys, repeated keys
//! and invalid values, each at its place.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprLit, Ident, Lit, LitBool, LitStr, Path, Token, Visibility};

use crate::errors::Errors;
use crate::message;

/// Keys that a block can preset for its methods, in the order in which messages list them.
const SETTING_KEYS: [&str; 14] = [
    "read_only",
    "destructive",
    "idempotent",
    "open_world",
    "exclusive",
    "approval",
    "numeric_strings",
    "timeout",
    "retries",
    "concurrency",
    "rate",
    "strict",
    "output",
    "inline",
];

/// Maximum number of retries, which the library enforces as well.
const MAX_RETRIES: u32 = 10;
/// Maximum number of concurrent calls of a tool.
const MAX_CONCURRENCY: usize = 65_535;

/// A boolean key with its span.
#[derive(Clone, Copy)]
pub(crate) struct Flag {
    pub(crate) on: bool,
    pub(crate) span: Span,
}

/// A number of retries with the span of its key.
#[derive(Clone, Copy)]
pub(crate) struct Retries {
    pub(crate) count: u32,
    pub(crate) span: Span,
}

/// A number of calls per interval.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) calls: u32,
    pub(crate) interval_millis: u64,
}

/// Keys that `#[tool]` and `#[toolset]` share.
#[derive(Clone, Copy, Default)]
pub(crate) struct Settings {
    pub(crate) read_only: Option<Flag>,
    pub(crate) destructive: Option<Flag>,
    pub(crate) idempotent: Option<Flag>,
    pub(crate) open_world: Option<Flag>,
    pub(crate) exclusive: Option<Flag>,
    pub(crate) approval: Option<Flag>,
    pub(crate) numeric_strings: Option<Flag>,
    pub(crate) strict: Option<Flag>,
    pub(crate) output: Option<Flag>,
    pub(crate) inline: Option<Flag>,
    pub(crate) timeout_millis: Option<u64>,
    pub(crate) retries: Option<Retries>,
    pub(crate) concurrency: Option<usize>,
    pub(crate) rate: Option<Rate>,
}

impl Settings {
    /// Returns these settings, with those of the block as defaults.
    pub(crate) fn or(self, block: Settings) -> Settings {
        Settings {
            read_only: self.read_only.or(block.read_only),
            destructive: self.destructive.or(block.destructive),
            idempotent: self.idempotent.or(block.idempotent),
            open_world: self.open_world.or(block.open_world),
            exclusive: self.exclusive.or(block.exclusive),
            approval: self.approval.or(block.approval),
            numeric_strings: self.numeric_strings.or(block.numeric_strings),
            strict: self.strict.or(block.strict),
            output: self.output.or(block.output),
            inline: self.inline.or(block.inline),
            timeout_millis: self.timeout_millis.or(block.timeout_millis),
            retries: self.retries.or(block.retries),
            concurrency: self.concurrency.or(block.concurrency),
            rate: self.rate.or(block.rate),
        }
    }

    fn read(&mut self, key: &Ident, name: &str, input: ParseStream<'_>) -> syn::Result<()> {
        let flag = match name {
            "timeout" => {
                self.timeout_millis = Some(timeout(&text(key, input, "\"30s\"")?)?);
                return Ok(());
            }
            "retries" => {
                let count = number(key, input, "3", 0..=MAX_RETRIES, message::BAD_RETRIES)?;
                self.retries = Some(Retries { count, span: key.span() });
                return Ok(());
            }
            "concurrency" => {
                self.concurrency = Some(number(key, input, "2", 1..=MAX_CONCURRENCY, message::BAD_CONCURRENCY)?);
                return Ok(());
            }
            "rate" => {
                self.rate = Some(rate(&text(key, input, "\"10/s\"")?)?);
                return Ok(());
            }
            "read_only" => &mut self.read_only,
            "destructive" => &mut self.destructive,
            "idempotent" => &mut self.idempotent,
            "open_world" => &mut self.open_world,
            "exclusive" => &mut self.exclusive,
            "approval" => &mut self.approval,
            "numeric_strings" => &mut self.numeric_strings,
            "strict" => &mut self.strict,
            "output" => &mut self.output,
            _ => &mut self.inline,
        };
        let mut on = true;
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            let value: LitBool = input.parse().map_err(|error| syn::Error::new(error.span(), message::FLAG_VALUE))?;
            on = value.value;
        }
        *flag = Some(Flag { on, span: key.span() });
        Ok(())
    }
}

/// The keys of `#[tool(..)]`.
#[derive(Default)]
pub(crate) struct ToolAttr {
    pub(crate) krate: Option<Path>,
    pub(crate) krate_span: Option<Span>,
    pub(crate) name: Option<LitStr>,
    pub(crate) description: Option<Expr>,
    pub(crate) struct_name: Option<Ident>,
    pub(crate) struct_span: Option<Span>,
    pub(crate) settings: Settings,
}

impl ToolAttr {
    /// Parses the tokens between the parentheses.
    pub(crate) fn read(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut known = vec!["name", "description", "struct", "crate"];
        known.extend(SETTING_KEYS);
        let mut attr = Self::default();
        read_keys(tokens, &known, errors, |key, name, input| {
            match name {
                "name" => attr.name = Some(text(key, input, "\"…\"")?),
                "description" => {
                    value_sign(key, input, "\"…\"")?;
                    attr.description = Some(input.parse()?);
                }
                "struct" => {
                    value_sign(key, input, "Name")?;
                    attr.struct_span = Some(key.span());
                    attr.struct_name = Some(input.parse()?);
                }
                "crate" => {
                    value_sign(key, input, "path")?;
                    attr.krate_span = Some(key.span());
                    attr.krate = Some(input.call(Path::parse_mod_style)?);
                }
                _ => attr.settings.read(key, name, input)?,
            }
            Ok(())
        });
        attr
    }
}

/// The keys of `#[toolset(..)]`.
#[derive(Default)]
pub(crate) struct ToolsetAttr {
    pub(crate) krate: Option<Path>,
    pub(crate) prefix: Option<LitStr>,
    pub(crate) into: Option<(Visibility, Ident)>,
    pub(crate) settings: Settings,
}

impl ToolsetAttr {
    /// Parses the tokens between the parentheses.
    pub(crate) fn read(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut known = vec!["prefix", "into", "crate"];
        known.extend(SETTING_KEYS);
        let mut attr = Self::default();
        read_keys(tokens, &known, errors, |key, name, input| {
            match name {
                "prefix" => attr.prefix = Some(text(key, input, "\"…\"")?),
                "into" => {
                    value_sign(key, input, "function_name")?;
                    attr.into = Some((input.parse()?, input.parse()?));
                }
                "crate" => {
                    value_sign(key, input, "path")?;
                    attr.krate = Some(input.call(Path::parse_mod_style)?);
                }
                _ => attr.settings.read(key, name, input)?,
            }
            Ok(())
        });
        attr
    }
}

/// Default of an absent argument.
pub(crate) enum DefaultValue {
    /// `Default::default()`.
    OfType,
    /// An expression.
    Expr(Expr),
}

/// The keys of `#[arg(..)]`.
#[derive(Default)]
pub(crate) struct ArgAttr {
    pub(crate) rename: Option<LitStr>,
    pub(crate) default: Option<DefaultValue>,
    pub(crate) range: Option<Expr>,
    pub(crate) len: Option<Expr>,
    pub(crate) pattern: Option<LitStr>,
    pub(crate) example: Option<Expr>,
    /// All keys, for the message if none are allowed.
    pub(crate) given: Vec<Ident>,
}

impl ArgAttr {
    /// Parses the tokens between the parentheses. Called once for each `#[arg(..)]` on the parameter.
    pub(crate) fn read(&mut self, tokens: TokenStream, errors: &mut Errors) {
        const KNOWN: [&str; 6] = ["rename", "default", "range", "len", "pattern", "example"];
        let earlier: Vec<String> = self.given.iter().map(ToString::to_string).collect();
        let mut repeated = Vec::new();
        read_keys(tokens, &KNOWN, errors, |key, name, input| {
            if earlier.iter().any(|before| before == name) {
                repeated.push(key.clone());
            }
            self.given.push(key.clone());
            match name {
                "rename" => self.rename = Some(text(key, input, "\"…\"")?),
                "default" => {
                    self.default = Some(if input.peek(Token![=]) {
                        input.parse::<Token![=]>()?;
                        DefaultValue::Expr(input.parse()?)
                    } else {
                        DefaultValue::OfType
                    });
                }
                "range" => {
                    value_sign(key, input, "1..=7")?;
                    self.range = Some(input.parse()?);
                }
                "len" => {
                    value_sign(key, input, "1..=64")?;
                    self.len = Some(input.parse()?);
                }
                "pattern" => self.pattern = Some(text(key, input, "\"…\"")?),
                _ => {
                    value_sign(key, input, "value")?;
                    self.example = Some(input.parse()?);
                }
            }
            Ok(())
        });
        for key in repeated {
            errors.add(key.span(), message::repeated_key(&key.to_string()));
        }
    }
}

/// Parses a comma-separated list of keys. `value` parses the value of a key that is known and not repeated.
fn read_keys(
    tokens: TokenStream,
    known: &[&str],
    errors: &mut Errors,
    mut value: impl FnMut(&Ident, &str, ParseStream<'_>) -> syn::Result<()>,
) {
    let walk = |input: ParseStream<'_>| {
        let mut seen: Vec<String> = Vec::new();
        while !input.is_empty() {
            let read = Ident::parse_any(input).and_then(|key| {
                let name = key.to_string();
                if !known.contains(&name.as_str()) {
                    let likely = likely_spelling(&name, known);
                    return Err(syn::Error::new(key.span(), message::unknown_key(&name, known, likely)));
                }
                if seen.contains(&name) {
                    return Err(syn::Error::new(key.span(), message::repeated_key(&name)));
                }
                value(&key, &name, input)?;
                seen.push(name);
                if input.is_empty() || input.peek(Token![,]) { Ok(()) } else { Err(input.error("expected `,`")) }
            });
            if let Err(error) = read {
                errors.push(error);
            }
            while !input.is_empty() && !input.peek(Token![,]) {
                input.parse::<TokenTree>()?;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = walk.parse2(tokens) {
        errors.push(error);
    }
}

fn value_sign(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<()> {
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        return Ok(());
    }
    Err(syn::Error::new(key.span(), message::needs_value(&key.to_string(), example)))
}

fn text(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<LitStr> {
    value_sign(key, input, example)?;
    input.parse()
}

/// Parses a whole number within a range.
fn number<N: FromStr<Err: Display> + PartialOrd>(
    key: &Ident,
    input: ParseStream<'_>,
    example: &str,
    range: RangeInclusive<N>,
    message: &str,
) -> syn::Result<N> {
    value_sign(key, input, example)?;
    let value: Expr = input.parse()?;
    let parsed = match &value {
        Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) => literal.base10_parse().ok(),
        _ => None,
    };
    parsed.filter(|number| range.contains(number)).ok_or_else(|| syn::Error::new_spanned(&value, message))
}

fn timeout(literal: &LitStr) -> syn::Result<u64> {
    millis(&literal.value()).ok_or_else(|| syn::Error::new(literal.span(), message::BAD_TIMEOUT))
}

/// Parses a rate such as `10/s` or `100/30s`.
fn rate(literal: &LitStr) -> syn::Result<Rate> {
    let text = literal.value();
    let parsed = text.split_once('/').and_then(|(calls, interval)| {
        let calls = calls.parse().ok().filter(|calls| *calls > 0)?;
        let counted = interval.starts_with(|c: char| c.is_ascii_digit());
        let interval_millis = if counted { millis(interval) } else { millis(&format!("1{interval}")) }?;
        Some(Rate { calls, interval_millis })
    });
    parsed.ok_or_else(|| syn::Error::new(literal.span(), message::BAD_RATE))
}

/// Returns the milliseconds of a positive duration such as `30s`.
fn millis(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_millis = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    number
        .parse::<u64>()
        .ok()
        .filter(|number| *number > 0)
        .zip(unit_millis)
        .and_then(|(number, millis)| number.checked_mul(millis))
}

/// Returns the known key that differs by at most two letters.
fn likely_spelling<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (distance(key, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns the edit distance (insertions, removals, replacements) between two words.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(to.chars()) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, likely_spelling};

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("timout", "timeout"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("read_only", "read_only"), 0);
    }

    #[test]
    fn suggests_only_similar_keys() {
        assert_eq!(likely_spelling("nam", &["name", "crate"]), Some("name"));
        assert_eq!(likely_spelling("colour", &["name", "crate"]), None);
    }
}
