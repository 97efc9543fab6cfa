//! The walk over a value and a compiled schema at once.
//!
//! A schema that is used in several places may meet the same value on several ways. The outcome is remembered, so that each
//! pair of a schema and a value is looked at once: alternatives inside alternatives take linear time, too. Where the outcome
//! depends on the way, because of `unevaluated..` or `$dynamicRef`, the number of steps is the limit.

mod arrays;
mod form;
mod objects;
mod scalars;
mod seen;
mod unions;

use std::collections::HashMap;

use serde_json::Value;

use super::format::Format;
use super::node::{Compiled, Node, NodeId, Rule, Types};
use super::path::Path;
use super::words;
use seen::Seen;

/// Pairs of a schema and a value that are looked at in one walk, about half a second's worth.
pub(super) const MAX_STEPS: usize = 10_000_000;

/// Schemas inside of schemas on the way to a value. A value has 100 levels at most.
const MAX_FRAMES: usize = 500;

/// Mistakes that are reported.
const MAX_REPORTED: usize = 10;

/// Characters of one mistake.
const MAX_CHARS: usize = 300;

/// The purpose of a walk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To know whether the value fits.
    Answer,
    /// To name the mistakes.
    Report,
    /// To find strings in place of numbers.
    NumericStrings,
}

/// Something in a value that does not fit.
pub(super) struct Mistake {
    pub(super) text: String,
    /// JSON Pointer of a string that would fit as a number.
    pub(super) numeric_string: Option<String>,
}

pub(super) struct Walk<'s> {
    compiled: &'s Compiled,
    purpose: Purpose,
    /// True if strings have to be of the formats that are known.
    checks_formats: bool,
    pub(super) mistakes: Vec<Mistake>,
    /// The limit that was reached: then nothing is known of the value.
    pub(super) limit: Option<&'static str>,
    steps: usize,
    frames: usize,
    outcomes: HashMap<(NodeId, usize, usize), bool>,
    /// Number of the value that is being walked. Names of properties are values of their own, which don't stay.
    value_number: usize,
    values: usize,
    /// The resources on the way, if the schema has dynamic references.
    scope: Option<Vec<usize>>,
    /// Notes on the alternatives that are being explained.
    notes: Vec<String>,
    /// Alternatives that were explained one by one.
    compared: usize,
}

impl<'s> Walk<'s> {
    pub(super) fn new(compiled: &'s Compiled, purpose: Purpose, checks_formats: bool) -> Self {
        let is_dynamic = |node: &Node| node.rules.iter().any(|rule| matches!(rule, Rule::Dynamic { .. }));
        Self {
            compiled,
            purpose,
            checks_formats,
            mistakes: Vec::new(),
            limit: None,
            steps: 0,
            frames: 0,
            outcomes: HashMap::new(),
            value_number: 0,
            values: 0,
            scope: compiled.nodes.iter().any(is_dynamic).then(Vec::new),
            notes: Vec::new(),
            compared: 0,
        }
    }

    /// Returns true if the value fits the schema.
    pub(super) fn root(&mut self, value: &Value) -> bool {
        self.fits(0, value, &Path::ROOT, None)
    }

    /// Counts steps. Returns false once there are too many.
    fn charge(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS {
            self.limit = Some("take too many steps to be validated; make them smaller");
        }
        self.limit.is_none()
    }

    fn node(&self, mut id: NodeId) -> Option<(NodeId, &'s Node)> {
        loop {
            let node = self.compiled.nodes.get(id)?;
            match node.rules.as_slice() {
                // There is no circle of these.
                [Rule::Reference(target)] if self.scope.is_none() => id = *target,
                _ => return Some((id, node)),
            }
        }
    }

    /// Holds a value against a node, and adds the parts that it accepts.
    fn fits<'v>(&mut self, id: NodeId, value: &'v Value, at: &Path<'_>, seen: Option<&mut Seen<'v>>) -> bool {
        let Some((id, node)) = self.node(id) else { return false };
        if !self.charge(1) || self.is_full() {
            return false;
        }
        let key = (id, std::ptr::from_ref(value).addr(), self.value_number);
        let is_remembered = node.uses > 1 && seen.is_none() && self.scope.is_none();
        if is_remembered
            && let Some(fits) = self.outcomes.get(&key).copied()
            && (fits || self.purpose == Purpose::Answer)
        {
            return fits;
        }
        if self.frames >= MAX_FRAMES {
            self.limit = Some("lead too deep into the schema to be validated; make them flatter");
            return false;
        }
        self.frames += 1;
        if let Some(scope) = &mut self.scope {
            scope.push(node.resource);
        }
        let fits = self.node_fits(node, value, at, seen);
        if let Some(scope) = &mut self.scope {
            scope.pop();
        }
        self.frames -= 1;
        if is_remembered && self.limit.is_none() {
            self.outcomes.insert(key, fits);
        }
        fits
    }

    fn node_fits<'v>(&mut self, node: &'s Node, value: &'v Value, at: &Path<'_>, seen: Option<&mut Seen<'v>>) -> bool {
        let is_last = |rule: &Rule| matches!(rule, Rule::UnevaluatedProperties(..) | Rule::UnevaluatedItems(_));
        let mut own = (seen.is_some() || node.rules.last().is_some_and(is_last)).then(Seen::default);
        let mut fits = true;
        for rule in &node.rules {
            // What a part that does not fit has accepted is not known.
            if !fits && is_last(rule) {
                break;
            }
            fits &= self.rule_fits(node, rule, value, at, own.as_mut());
            let goes_on = self.purpose == Purpose::Report || self.purpose == Purpose::NumericStrings;
            if !fits && (!goes_on || matches!(rule, Rule::Types(_) | Rule::Allowed(_))) {
                return false;
            }
        }
        if self.checks_formats {
            fits &= self.format_fits(node, value, at);
        }
        if let (Some(seen), Some(own)) = (seen, own)
            && fits
            && self.charge(own.len())
        {
            seen.join(own);
        }
        fits && self.limit.is_none()
    }

    fn rule_fits<'v>(
        &mut self,
        node: &'s Node,
        rule: &'s Rule,
        value: &'v Value,
        at: &Path<'_>,
        seen: Option<&mut Seen<'v>>,
    ) -> bool {
        match rule {
            Rule::Never => self.mistake(at, || "nothing is allowed here".to_owned()),
            Rule::Types(types) => types.overlaps(Types::of(value)) || self.wrong_type(*types, node, value, at),
            Rule::Allowed(allowed) => self.is_allowed(allowed, value, at),
            Rule::Reference(target) => self.fits(*target, value, at, seen),
            Rule::Dynamic { target, anchor } => {
                let target = self.dynamic_target(*target, anchor);
                self.fits(target, value, at, seen)
            }
            Rule::AllOf(parts) => self.all_fit(parts, value, at, seen),
            Rule::AnyOf(forms) => self.any_fits(forms, value, at, seen),
            Rule::OneOf(forms) => self.one_fits(forms, value, at, seen),
            Rule::Not(refused) => {
                let fits = !self.probe(*refused, value, at, None);
                fits || self.mistake(at, || "has a form that the schema refuses".to_owned())
            }
            Rule::If { condition, then, otherwise } => {
                self.branch_fits((*condition, *then, *otherwise), value, at, seen)
            }
            rule => match value {
                Value::Number(number) => self.number_fits(rule, number, at),
                Value::String(text) => self.string_fits(rule, text, at),
                Value::Array(items) => self.array_fits(rule, items, at, seen),
                Value::Object(fields) => self.object_fits(rule, fields, value, at, seen),
                Value::Null | Value::Bool(_) => true,
            },
        }
    }

    /// Holds a value against a node without reporting mistakes.
    fn probe<'v>(&mut self, id: NodeId, value: &'v Value, at: &Path<'_>, seen: Option<&mut Seen<'v>>) -> bool {
        let purpose = std::mem::replace(&mut self.purpose, Purpose::Answer);
        let fits = self.fits(id, value, at, seen);
        self.purpose = purpose;
        fits
    }

    fn all_fit<'v>(
        &mut self,
        parts: &[NodeId],
        value: &'v Value,
        at: &Path<'_>,
        mut seen: Option<&mut Seen<'v>>,
    ) -> bool {
        let mut fits = true;
        for part in parts {
            fits &= self.fits(*part, value, at, seen.as_deref_mut());
            if !fits && self.purpose == Purpose::Answer {
                break;
            }
        }
        fits
    }

    fn branch_fits<'v>(
        &mut self,
        (condition, then, otherwise): (NodeId, Option<NodeId>, Option<NodeId>),
        value: &'v Value,
        at: &Path<'_>,
        mut seen: Option<&mut Seen<'v>>,
    ) -> bool {
        let branch = if self.probe(condition, value, at, seen.as_deref_mut()) { then } else { otherwise };
        branch.is_none_or(|branch| self.fits(branch, value, at, seen))
    }

    /// The outermost schema on the way that has the anchor, if the target has it, too.
    fn dynamic_target(&self, target: NodeId, anchor: &str) -> NodeId {
        let mut resources = self.scope.iter().flatten().filter_map(|resource| self.compiled.anchors.get(*resource));
        resources.find_map(|anchors| anchors.get(anchor)).copied().unwrap_or(target)
    }

    fn is_full(&self) -> bool {
        self.purpose == Purpose::Report && self.mistakes.len() >= MAX_REPORTED
    }

    /// Notes a mistake, and returns false.
    fn mistake(&mut self, at: &Path<'_>, text: impl FnOnce() -> String) -> bool {
        self.note(at, None, text)
    }

    /// Notes a mistake in a value that is worth showing, and returns false.
    fn mistaken_value(&mut self, at: &Path<'_>, value: &Value, text: impl FnOnce() -> String) -> bool {
        self.note(at, Some(value), text)
    }

    fn note(&mut self, at: &Path<'_>, value: Option<&Value>, text: impl FnOnce() -> String) -> bool {
        if self.is_full() || self.limit.is_some() {
            return false;
        }
        let text = match self.purpose {
            Purpose::Answer => return false,
            // Only how many there are counts.
            Purpose::NumericStrings => String::new(),
            Purpose::Report => {
                let place = match at.dotted() {
                    path if path.is_empty() => String::new(),
                    path if at.is_name() => format!("the name of `{path}`"),
                    path => format!("`{path}`"),
                };
                let place = match value.map(words::shown) {
                    Some(value) if place.is_empty() => format!("{value}: "),
                    Some(value) => format!("{place} is {value}: "),
                    None if place.is_empty() => String::new(),
                    None => format!("{place}: "),
                };
                let note = self.notes.last().map(|note| format!(" ({note})")).unwrap_or_default();
                format!("{}{note}", words::cut(&format!("{place}{}", text()), MAX_CHARS))
            }
        };
        self.mistakes.push(Mistake { text, numeric_string: None });
        false
    }

    fn wrong_type(&mut self, types: Types, node: &Node, value: &Value, at: &Path<'_>) -> bool {
        if self.purpose == Purpose::NumericStrings
            && types.wants_number()
            && let Value::String(text) = value
            && numeric(text).is_some()
        {
            self.mistakes.push(Mistake { text: String::new(), numeric_string: Some(at.pointer()) });
            return false;
        }
        self.mistake(at, || {
            let format = node.format.as_deref().and_then(Format::named).map(Format::described);
            let format = format.map(|format| format!(" ({format})")).unwrap_or_default();
            format!("expected {}{format}, got {}", types.words(), words::kind(value))
        })
    }
}

/// The number that a text is, if it is one of JSON.
pub(super) fn numeric(text: &str) -> Option<Value> {
    let text = text.trim();
    let starts = text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    starts.then(|| serde_json::from_str(text).ok()).flatten().filter(Value::is_number)
}
