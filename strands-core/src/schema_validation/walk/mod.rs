//! Simultaneous walk over a value and a compiled schema.
//!
//! A schema that is used several times may meet the same value on several paths. Outcomes are cached, so that each pair of a
//! schema and a value is validated once, and nested alternatives take linear time. Where the outcome depends on the path,
//! because of `unevaluated..` or `$dynamicRef`, the number of steps is limited.

mod alternative;
mod arrays;
mod evaluated;
mod objects;
mod scalars;
mod unions;

use std::collections::HashMap;

use serde_json::Value;

use super::format::Format;
use super::node::{Compiled, Node, NodeId, Rule, Types};
use super::path::Path;
use super::quoting;
use evaluated::Evaluated;

/// The most pairs of a schema and a value in one walk, about half a second's worth.
pub(super) const MAX_STEPS: usize = 10_000_000;

/// The most nested schemas on the path to a value. A value has at most 100 levels.
const MAX_FRAMES: usize = 500;

/// The most mistakes that are reported.
const MAX_REPORTED: usize = 10;

/// The most characters of one mistake.
const MAX_CHARS: usize = 300;

/// The purpose of a walk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Check if the value fits.
    Check,
    /// Report the mistakes.
    Report,
    /// Find strings in place of numbers.
    NumericStrings,
}

/// A mistake in a value.
pub(super) struct Mistake {
    pub(super) text: String,
    /// JSON Pointer of a string that would fit as a number.
    pub(super) numeric_string: Option<String>,
}

pub(super) struct Walk<'s> {
    compiled: &'s Compiled,
    purpose: Purpose,
    /// True if strings must have their format.
    checks_formats: bool,
    pub(super) mistakes: Vec<Mistake>,
    /// The exceeded limit, after which the outcome is unknown.
    pub(super) limit: Option<&'static str>,
    steps: usize,
    frames: usize,
    outcomes: HashMap<(NodeId, usize, usize), bool>,
    /// Number of the value that is being walked. Names of properties are separate, temporary values.
    value_number: usize,
    values: usize,
    /// The resources on the path, if the schema has dynamic references.
    scope: Option<Vec<usize>>,
    /// Notes on the alternatives that are being explained.
    notes: Vec<String>,
    /// Number of alternatives that were explained one by one.
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

    /// Counts steps. Returns false over the limit.
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
                // There is no cycle of these.
                [Rule::Reference(target)] if self.scope.is_none() => id = *target,
                _ => return Some((id, node)),
            }
        }
    }

    /// Validates a value against a node, and records the parts that it accepts.
    fn fits<'v>(&mut self, id: NodeId, value: &'v Value, at: &Path<'_>, evaluated: Option<&mut Evaluated<'v>>) -> bool {
        let Some((id, node)) = self.node(id) else { return false };
        if !self.charge(1) || self.is_full() {
            return false;
        }
        let key = (id, std::ptr::from_ref(value).addr(), self.value_number);
        let is_remembered = node.uses > 1 && evaluated.is_none() && self.scope.is_none();
        if is_remembered
            && let Some(fits) = self.outcomes.get(&key).copied()
            && (fits || self.purpose == Purpose::Check)
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
        let fits = self.node_fits(node, value, at, evaluated);
        if let Some(scope) = &mut self.scope {
            scope.pop();
        }
        self.frames -= 1;
        if is_remembered && self.limit.is_none() {
            self.outcomes.insert(key, fits);
        }
        fits
    }

    fn node_fits<'v>(
        &mut self,
        node: &'s Node,
        value: &'v Value,
        at: &Path<'_>,
        evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        let is_last = |rule: &Rule| matches!(rule, Rule::UnevaluatedProperties(..) | Rule::UnevaluatedItems(_));
        let mut own = (evaluated.is_some() || node.rules.last().is_some_and(is_last)).then(Evaluated::default);
        let mut fits = true;
        for rule in &node.rules {
            // The accepted parts are unknown after a mistake.
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
        if let (Some(evaluated), Some(own)) = (evaluated, own)
            && fits
            && self.charge(own.len())
        {
            evaluated.join(own);
        }
        fits && self.limit.is_none()
    }

    fn rule_fits<'v>(
        &mut self,
        node: &'s Node,
        rule: &'s Rule,
        value: &'v Value,
        at: &Path<'_>,
        evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        match rule {
            Rule::Never => self.mistake(at, || "nothing is allowed here".to_owned()),
            Rule::Types(types) => types.overlaps(Types::of(value)) || self.wrong_type(*types, node, value, at),
            Rule::Allowed(allowed) => self.is_allowed(allowed, value, at),
            Rule::Reference(target) => self.fits(*target, value, at, evaluated),
            Rule::Dynamic { target, anchor } => {
                let target = self.dynamic_target(*target, anchor);
                self.fits(target, value, at, evaluated)
            }
            Rule::AllOf(parts) => self.all_fit(parts, value, at, evaluated),
            Rule::AnyOf(alternatives) => self.any_fits(alternatives, value, at, evaluated),
            Rule::OneOf(alternatives) => self.one_fits(alternatives, value, at, evaluated),
            Rule::Not(excluded) => {
                let fits = !self.probe(*excluded, value, at, None);
                fits || self.mistake(at, || "matches the schema in `not`, which is not allowed".to_owned())
            }
            Rule::If { condition, then, otherwise } => {
                self.branch_fits((*condition, *then, *otherwise), value, at, evaluated)
            }
            rule => match value {
                Value::Number(number) => self.number_fits(rule, number, at),
                Value::String(text) => self.string_fits(rule, text, at),
                Value::Array(items) => self.array_fits(rule, items, at, evaluated),
                Value::Object(fields) => self.object_fits(rule, fields, value, at, evaluated),
                Value::Null | Value::Bool(_) => true,
            },
        }
    }

    /// Validates a value against a node without reporting mistakes.
    fn probe<'v>(
        &mut self,
        id: NodeId,
        value: &'v Value,
        at: &Path<'_>,
        evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        let purpose = std::mem::replace(&mut self.purpose, Purpose::Check);
        let fits = self.fits(id, value, at, evaluated);
        self.purpose = purpose;
        fits
    }

    fn all_fit<'v>(
        &mut self,
        parts: &[NodeId],
        value: &'v Value,
        at: &Path<'_>,
        mut evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        let mut fits = true;
        for part in parts {
            fits &= self.fits(*part, value, at, evaluated.as_deref_mut());
            if !fits && self.purpose == Purpose::Check {
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
        mut evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        let branch = if self.probe(condition, value, at, evaluated.as_deref_mut()) { then } else { otherwise };
        branch.is_none_or(|branch| self.fits(branch, value, at, evaluated))
    }

    /// Returns the outermost schema on the path with the anchor, or the target itself.
    fn dynamic_target(&self, target: NodeId, anchor: &str) -> NodeId {
        let mut resources = self.scope.iter().flatten().filter_map(|resource| self.compiled.anchors.get(*resource));
        resources.find_map(|anchors| anchors.get(anchor)).copied().unwrap_or(target)
    }

    fn is_full(&self) -> bool {
        self.purpose == Purpose::Report && self.mistakes.len() >= MAX_REPORTED
    }

    /// Records a mistake, and returns false.
    fn mistake(&mut self, at: &Path<'_>, text: impl FnOnce() -> String) -> bool {
        self.note(at, None, text)
    }

    /// Records a mistake with the value in the message, and returns false.
    fn mistaken_value(&mut self, at: &Path<'_>, value: &Value, text: impl FnOnce() -> String) -> bool {
        self.note(at, Some(value), text)
    }

    fn note(&mut self, at: &Path<'_>, value: Option<&Value>, text: impl FnOnce() -> String) -> bool {
        if self.is_full() || self.limit.is_some() {
            return false;
        }
        let text = match self.purpose {
            Purpose::Check => return false,
            // Only the number of mistakes counts.
            Purpose::NumericStrings => String::new(),
            Purpose::Report => self.described(at, value, &text()),
        };
        self.mistakes.push(Mistake { text, numeric_string: None });
        false
    }

    /// Returns the message of a mistake with its place, value and note.
    fn described(&self, at: &Path<'_>, value: Option<&Value>, text: &str) -> String {
        let place = match at.dotted() {
            path if path.is_empty() => String::new(),
            path if at.is_name() => format!("the name of `{path}`"),
            path => format!("`{path}`"),
        };
        let place = match value.map(quoting::quoted) {
            Some(value) if place.is_empty() => format!("{value}: "),
            Some(value) => format!("{place} is {value}: "),
            None if place.is_empty() => String::new(),
            None => format!("{place}: "),
        };
        let note = self.notes.last().map(|note| format!(" ({note})")).unwrap_or_default();
        format!("{}{note}", quoting::truncated(&format!("{place}{text}"), MAX_CHARS))
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
            format!("expected {}{format}, got {}", types.words(), quoting::type_and_value(value))
        })
    }
}

/// Parses a string that is a JSON number.
pub(super) fn numeric(text: &str) -> Option<Value> {
    let text = text.trim();
    let starts = text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    starts.then(|| serde_json::from_str(text).ok()).flatten().filter(Value::is_number)
}
