//! Rules for objects.

use serde_json::{Map, Value};

use super::super::node::{NodeId, Properties, Rule};
use super::super::path::Path;
use super::super::quoting;
use super::alternative::Alternative;
use super::evaluated::Evaluated;
use super::{Purpose, Walk};

impl<'s> Walk<'s> {
    pub(super) fn object_fits<'v>(
        &mut self,
        rule: &'s Rule,
        fields: &'v Map<String, Value>,
        value: &'v Value,
        at: &Path<'_>,
        mut evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        match rule {
            Rule::Properties(properties) => self.properties_fit(properties, fields, at, evaluated),
            Rule::PropertyCount(counts) => self.count_fits(*counts, fields.len(), "properties", at),
            Rule::PropertyNames(names) => self.names_fit(*names, fields, at),
            Rule::Required(names) => {
                let mut fits = true;
                for name in names.iter().filter(|name| !fields.contains_key(*name)) {
                    fits = self.mistake(&at.property(name), || "required".to_owned());
                    if self.purpose == Purpose::Check || self.is_full() {
                        break;
                    }
                }
                self.charge(names.len() / 8) && fits
            }
            Rule::DependentRequired(dependencies) => {
                let mut fits = true;
                for (name, needed) in dependencies.iter().filter(|(name, _)| fields.contains_key(name)) {
                    for missing in needed.iter().filter(|needed| !fields.contains_key(*needed)) {
                        let because = || format!("required with {}", quoting::name(name));
                        fits = self.mistake(&at.property(missing), because);
                    }
                    fits &= self.charge(needed.len() / 8);
                }
                fits
            }
            Rule::DependentSchemas(dependencies) => {
                let mut fits = true;
                for (_, schema) in dependencies.iter().filter(|(name, _)| fields.contains_key(name)) {
                    fits &= self.fits(*schema, value, at, evaluated.as_deref_mut());
                }
                fits
            }
            Rule::UnevaluatedProperties(schema, of) => self.unevaluated_fit((*schema, *of), fields, at, evaluated),
            _ => true,
        }
    }

    fn properties_fit<'v>(
        &mut self,
        properties: &'s Properties,
        fields: &'v Map<String, Value>,
        at: &Path<'_>,
        mut evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        let mut fits = true;
        for (name, value) in fields {
            let at = at.property(name);
            let named = properties.named.get(name);
            let mut is_known = named.is_some();
            fits &= self.charge(1) && named.is_none_or(|schema| self.fits(*schema, value, &at, None));
            for (pattern, schema) in &properties.patterns {
                if self.charge(1 + pattern.steps(name) / 8) && pattern.is_match(name) {
                    is_known = true;
                    fits &= self.fits(*schema, value, &at, None);
                }
            }
            if let Some(others) = properties.others.filter(|_| !is_known) {
                is_known = true;
                fits &= if self.is_never(others) {
                    let known = || properties.named.keys().map(|name| quoting::name(name)).collect();
                    self.unknown_property(&at, known)
                } else {
                    self.fits(others, value, &at, None)
                };
            }
            if let Some(evaluated) = evaluated.as_deref_mut().filter(|_| is_known) {
                evaluated.add_property(name);
            }
            if !fits && (self.purpose == Purpose::Check || self.limit.is_some() || self.is_full()) {
                return false;
            }
        }
        fits
    }

    fn is_never(&self, id: NodeId) -> bool {
        self.node(id).is_some_and(|(_, node)| matches!(node.rules.as_slice(), [Rule::Never]))
    }

    fn unknown_property(&mut self, at: &Path<'_>, known: impl FnOnce() -> Vec<String>) -> bool {
        self.mistake(at, || match known() {
            known if known.is_empty() => "unknown; no properties are expected here".to_owned(),
            known => format!("unknown; {}", quoting::one_of(known)),
        })
    }

    fn names_fit(&mut self, schema: NodeId, fields: &Map<String, Value>, at: &Path<'_>) -> bool {
        let mut fits = true;
        let outer = self.value_number;
        for name in fields.keys() {
            // The value is dropped after this iteration, and the next one may have its address.
            self.values += 1;
            self.value_number = self.values;
            fits &= self.fits(schema, &Value::String(name.clone()), &at.name_of(name), None);
            if !fits && (self.purpose == Purpose::Check || self.limit.is_some() || self.is_full()) {
                break;
            }
        }
        self.value_number = outer;
        fits
    }

    fn unevaluated_fit<'v>(
        &mut self,
        (schema, of): (NodeId, NodeId),
        fields: &'v Map<String, Value>,
        at: &Path<'_>,
        evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        let mut fits = self.charge(fields.len());
        let Some(evaluated) = evaluated else { return fits };
        for (name, value) in fields.iter().filter(|(name, _)| !evaluated.has_property(name)) {
            let at = at.property(name);
            fits &= if self.is_never(schema) {
                let compiled = self.compiled;
                let known =
                    || Alternative::of(compiled, of).all_properties(compiled).into_iter().map(quoting::name).collect();
                self.unknown_property(&at, known)
            } else {
                self.fits(schema, value, &at, None)
            };
            if !fits && (self.purpose == Purpose::Check || self.limit.is_some() || self.is_full()) {
                return false;
            }
        }
        evaluated.add_all_properties();
        fits
    }
}
