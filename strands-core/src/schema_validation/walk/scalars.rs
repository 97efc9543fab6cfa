//! Rules for numbers, strings and fixed values.

use serde_json::{Number, Value};

use super::super::equality::{Allowed, size};
use super::super::format::Format;
use super::super::node::{Bound, Counts, Node, NumberRule, Rule};
use super::super::number::Numeric;
use super::super::path::Path;
use super::super::quoting;
use super::Walk;

/// The most characters of a pattern in a message.
const MAX_PATTERN: usize = 120;

impl<'s> Walk<'s> {
    pub(super) fn is_allowed(&mut self, allowed: &'s Allowed, value: &Value, at: &Path<'_>) -> bool {
        if (value.is_array() || value.is_object()) && !self.charge(size(value)) {
            return false;
        }
        allowed.contains(value)
            || self.mistaken_value(at, value, || quoting::one_of(allowed.values().iter().map(quoting::allowed)))
    }

    pub(super) fn number_fits(&mut self, rule: &Rule, number: &Number, at: &Path<'_>) -> bool {
        let value = Numeric::of(number);
        match rule {
            Rule::Number(NumberRule { bound, is_least, is_exclusive }) => {
                let order = value.compare(bound.value);
                let order = if *is_least { order } else { order.reverse() };
                let fits = order.is_gt() || (order.is_eq() && !is_exclusive);
                let words = match (is_least, is_exclusive) {
                    (true, false) => "must be at least",
                    (true, true) => "must be over",
                    (false, false) => "must be at most",
                    (false, true) => "must be under",
                };
                fits || self.mistake(at, || format!("{words} {}, got {number}", bound.written))
            }
            Rule::MultipleOf(Bound { written, value: step }) => {
                value.is_multiple_of(*step)
                    || self.mistake(at, || format!("must be a multiple of {written}, got {number}"))
            }
            _ => true,
        }
    }

    pub(super) fn string_fits(&mut self, rule: &Rule, text: &str, at: &Path<'_>) -> bool {
        match rule {
            Rule::Length(counts) => self.count_fits(*counts, text.chars().count(), "characters", at),
            Rule::Pattern(pattern) => {
                // A step of a pattern is cheaper than a step of the walk.
                self.charge(pattern.steps(text) / 8)
                    && (pattern.is_match(text)
                        || self.mistake(at, || {
                            format!(
                                "does not match the pattern `{}`",
                                quoting::truncated(pattern.source(), MAX_PATTERN)
                            )
                        }))
            }
            _ => true,
        }
    }

    pub(super) fn count_fits(&mut self, counts: Counts, count: usize, unit: &str, at: &Path<'_>) -> bool {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if let Some(least) = counts.least.filter(|least| count < *least) {
            return self.mistake(at, || format!("needs at least {least} {unit}, has {count}"));
        }
        if let Some(most) = counts.most.filter(|most| count > *most) {
            return self.mistake(at, || format!("takes at most {most} {unit}, has {count}"));
        }
        true
    }

    pub(super) fn format_fits(&mut self, node: &Node, value: &Value, at: &Path<'_>) -> bool {
        let (Some(format), Some(text)) = (node.format.as_deref().and_then(Format::named), value.as_str()) else {
            return true;
        };
        format.fits(text) || self.mistaken_value(at, value, || format!("expected {}", format.described()))
    }
}
