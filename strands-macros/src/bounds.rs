//! Bounds of number literals, checked at compile time: `range = 1..=7` and `len = ..=64`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Expr, ExprUnary, Lit, RangeLimits, UnOp};

use crate::message;

/// A number literal.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "only to compare an integer with a fraction")]
    fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    fn is_above(self, other: Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a > b,
            _ => self.as_f64() > other.as_f64(),
        }
    }

    fn tokens(self, private: &TokenStream) -> TokenStream {
        match self {
            Self::Int(value) => quote!(#private::Bound::Int(#value)),
            Self::Float(value) => quote!(#private::Bound::Float(#value)),
        }
    }
}

/// The least and the greatest value, both inclusive.
pub(crate) struct Bounds {
    least: Option<Number>,
    greatest: Option<Number>,
}

impl Bounds {
    /// Parses the bounds of a number.
    pub(crate) fn of_number(expr: &Expr) -> syn::Result<Self> {
        let reject = |message| Err(syn::Error::new_spanned(expr, message));
        let Expr::Range(range) = ungroup(expr) else { return reject(message::RANGE_NOT_CONSTANT) };
        let number = |side: &Option<Box<Expr>>| match side {
            None => Ok(None),
            Some(side) => {
                literal(side).map(Some).ok_or_else(|| syn::Error::new(side.span(), message::RANGE_NOT_CONSTANT))
            }
        };
        let least = number(&range.start)?;
        let mut greatest = number(&range.end)?;
        if let (RangeLimits::HalfOpen(_), Some(end)) = (&range.limits, greatest) {
            greatest = match end {
                Number::Int(end) => end.checked_sub(1).map(Number::Int),
                Number::Float(_) => return reject(message::RANGE_HALF_OPEN),
            };
        }
        match (least, greatest) {
            (None, None) => reject(message::RANGE_UNBOUNDED),
            (Some(least), Some(greatest)) if least.is_above(greatest) => reject(message::RANGE_EMPTY),
            _ => Ok(Self { least, greatest }),
        }
    }

    /// Parses the bounds of a length.
    pub(crate) fn of_length(expr: &Expr) -> syn::Result<Self> {
        let bounds = Self::of_number(expr)?;
        let is_count = |side: Option<Number>| !matches!(side, Some(Number::Float(_) | Number::Int(..0)));
        if is_count(bounds.least) && is_count(bounds.greatest) {
            Ok(bounds)
        } else {
            Err(syn::Error::new_spanned(expr, message::LEN_NOT_COUNT))
        }
    }

    /// Returns the two arguments of the check: each an `Option<Bound>`.
    pub(crate) fn numbers(&self, private: &TokenStream) -> TokenStream {
        let side = |side: Option<Number>| match side {
            Some(number) => {
                let number = number.tokens(private);
                quote!(#private::Some(#number))
            }
            None => quote!(#private::None),
        };
        let (least, greatest) = (side(self.least), side(self.greatest));
        quote!(#least, #greatest)
    }

    /// Returns the two arguments of the check: each an `Option<u64>`.
    pub(crate) fn counts(&self, private: &TokenStream) -> TokenStream {
        let side = |side: Option<Number>| match side.map(|number| match number {
            Number::Int(value) => u64::try_from(value).unwrap_or_default(),
            Number::Float(_) => 0,
        }) {
            Some(count) => quote!(#private::Some(#count)),
            None => quote!(#private::None),
        };
        let (least, greatest) = (side(self.least), side(self.greatest));
        quote!(#least, #greatest)
    }
}

fn ungroup(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => ungroup(&group.expr),
        Expr::Paren(paren) => ungroup(&paren.expr),
        other => other,
    }
}

fn literal(expr: &Expr) -> Option<Number> {
    match ungroup(expr) {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(int) => int.base10_parse().ok().map(Number::Int),
            Lit::Float(float) => float.base10_parse().ok().map(Number::Float),
            _ => None,
        },
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match literal(expr)? {
            Number::Int(value) => Some(Number::Int(-value)),
            Number::Float(value) => Some(Number::Float(-value)),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn numbers(expr: &Expr) -> Result<String, String> {
        Bounds::of_number(expr)
            .map(|bounds| bounds.numbers(&quote!(p)).to_string().replace(' ', ""))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn half_open_ranges_of_integers_end_one_before() {
        assert_eq!(
            numbers(&parse_quote!(0..10)),
            Ok("p::Some(p::Bound::Int(0i64)),p::Some(p::Bound::Int(9i64))".to_owned())
        );
        assert_eq!(numbers(&parse_quote!(-1.5..)), Ok("p::Some(p::Bound::Float(-1.5f64)),p::None".to_owned()));
    }

    #[test]
    fn rejects_empty_ranges() {
        for empty in [parse_quote!(2..=1), parse_quote!(0..0), parse_quote!(1.5..=1)] {
            assert_eq!(numbers(&empty), Err(message::RANGE_EMPTY.to_owned()));
        }
        assert_eq!(numbers(&parse_quote!(..)), Err(message::RANGE_UNBOUNDED.to_owned()));
    }

    #[test]
    fn rejects_lengths_that_are_not_counts() {
        assert!(Bounds::of_length(&parse_quote!(0..=3)).is_ok());
        assert!(Bounds::of_length(&parse_quote!(-1..=3)).is_err());
        assert!(Bounds::of_length(&parse_quote!(..=1.5)).is_err());
    }
}
