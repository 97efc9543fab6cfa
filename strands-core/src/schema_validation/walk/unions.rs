//! Rules with alternatives, and explanations of mistakes by the alternative that was most likely intended.

use serde_json::{Map, Value};

use super::super::node::{NodeId, Types};
use super::super::path::Path;
use super::super::quoting;
use super::alternative::Alternative;
use super::evaluated::Evaluated;
use super::{Mistake, Purpose, Walk, numeric};

/// The most alternatives that are compared to find the nearest, and the most comparisons in one walk.
const MAX_COMPARED: usize = 8;
const MAX_COMPARISONS: usize = 64;

/// The most properties of all alternatives together. Beyond, they are not distinguished.
const MAX_PROPERTIES: usize = 4_096;

impl<'s> Walk<'s> {
    pub(super) fn any_fits<'v>(
        &mut self,
        alternatives: &'s [NodeId],
        value: &'v Value,
        at: &Path<'_>,
        mut evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        let mut fits = false;
        for alternative in alternatives {
            fits |= self.probe(*alternative, value, at, evaluated.as_deref_mut());
            // Each matching alternative may evaluate other parts of the value.
            if self.limit.is_some() || (fits && evaluated.is_none()) {
                break;
            }
        }
        fits || self.explain(alternatives, value, at)
    }

    pub(super) fn one_fits<'v>(
        &mut self,
        alternatives: &'s [NodeId],
        value: &'v Value,
        at: &Path<'_>,
        mut evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        let mut fitting = Vec::new();
        for alternative in alternatives {
            if self.probe(*alternative, value, at, evaluated.as_deref_mut()) {
                fitting.push(*alternative);
            }
            if self.limit.is_some() || fitting.len() > 1 {
                break;
            }
        }
        match fitting.as_slice() {
            [] => self.explain(alternatives, value, at),
            [_] => true,
            several => {
                let several = several.to_vec();
                let alternatives = self.alternatives(&several).unwrap_or_default();
                self.mistake(at, || {
                    let names = alternatives
                        .iter()
                        .filter_map(|alternative| alternative.name)
                        .map(quoting::name)
                        .collect::<Vec<_>>();
                    let names =
                        if names.len() == several.len() { format!(" ({})", names.join(", ")) } else { String::new() };
                    format!("fits several of the alternatives that the schema allows{names}, must fit exactly one")
                })
            }
        }
    }

    fn alternatives(&mut self, ids: &[NodeId]) -> Option<Vec<Alternative<'s>>> {
        let mut properties = 0;
        let mut alternatives = Vec::with_capacity(ids.len());
        for id in ids {
            let alternative = Alternative::of(self.compiled, *id);
            properties += alternative.properties.len();
            if properties > MAX_PROPERTIES {
                return None;
            }
            alternatives.push(alternative);
        }
        self.charge(properties).then_some(alternatives)
    }

    /// Reports the mistakes of a value that fits no alternative. Returns false.
    fn explain(&mut self, ids: &'s [NodeId], value: &Value, at: &Path<'_>) -> bool {
        if self.purpose == Purpose::Check || self.is_full() || !self.charge(ids.len().saturating_mul(16)) {
            return false;
        }
        let Some(alternatives) = self.alternatives(ids) else {
            return self.mistake(at, || "fits none of the alternatives that the schema allows".to_owned());
        };
        let types = alternatives.iter().map(|alternative| alternative.types).fold(Types::default(), Types::or);
        if self.purpose == Purpose::NumericStrings
            && alternatives.iter().any(|alternative| alternative.types.wants_number())
            && value.as_str().is_some_and(|text| numeric(text).is_some())
        {
            let numeric_string = Some(at.pointer());
            self.mistakes.push(Mistake { text: String::new(), numeric_string });
            return false;
        }
        let kind = Types::of(value);
        let candidates: Vec<&Alternative<'s>> =
            alternatives.iter().filter(|alternative| alternative.types.overlaps(kind)).collect();
        let before = self.mistakes.len();
        match (candidates.as_slice(), value) {
            (candidates, value)
                if !value.is_object() && candidates.iter().all(|alternative| alternative.values.is_some()) =>
            {
                self.explain_value(&alternatives, candidates, types, value, at);
            }
            ([only], _) => {
                self.fits(only.id, value, at, None);
            }
            (candidates, Value::Object(fields)) => self.explain_object(candidates, fields, value, at),
            (candidates, _) => self.explain_nearest(candidates, ids.len(), value, at),
        }
        if self.mistakes.len() == before && self.limit.is_none() {
            self.mistake(at, || "fits none of the alternatives that the schema allows".to_owned());
        }
        false
    }

    /// Explains a value that is not an object, if the alternatives of its type list their values.
    fn explain_value(
        &mut self,
        alternatives: &[Alternative<'s>],
        candidates: &[&Alternative<'s>],
        types: Types,
        value: &Value,
        at: &Path<'_>,
    ) {
        let wrapped = || {
            let objects = alternatives.iter().filter(|alternative| alternative.types.overlaps(Types::OBJECT));
            objects.filter_map(Alternative::wrapper).map(|name| quoting::name(&format!("{{\"{name}\": ..}}")))
        };
        let listed = || {
            alternatives
                .iter()
                .filter_map(|alternative| alternative.values)
                .flat_map(|values| values.values().iter().map(quoting::allowed))
        };
        let is_listed =
            alternatives.iter().all(|alternative| alternative.values.is_some() || alternative.wrapper().is_some());
        if is_listed || !candidates.is_empty() {
            self.mistaken_value(at, value, || quoting::one_of(listed().chain(wrapped())));
        } else {
            self.mistake(at, || format!("expected {}, got {}", types.words(), quoting::type_and_value(value)));
        }
    }

    fn explain_object(
        &mut self,
        candidates: &[&Alternative<'s>],
        fields: &Map<String, Value>,
        value: &Value,
        at: &Path<'_>,
    ) {
        if let Some(tag) = tag_of(candidates, fields) {
            let Some(given) = fields.get(tag) else {
                let values = all_values(candidates, tag);
                self.mistake(&at.property(tag), || format!("required; {}", quoting::one_of(values)));
                return;
            };
            let has_tag =
                |alternative: &&Alternative<'s>| alternative.tag(tag).is_some_and(|values| values.contains(given));
            let intended: Vec<_> = candidates.iter().copied().filter(has_tag).collect();
            if intended.is_empty() {
                let values = all_values(candidates, tag);
                self.mistaken_value(&at.property(tag), given, || quoting::one_of(values));
                return;
            }
            let note = format!("`{}` is {}", at.property(tag).dotted(), quoting::quoted(given));
            return self.explain_intended(&intended, note, value, at);
        }
        let wrappers: Option<Vec<_>> = candidates.iter().map(|alternative| alternative.wrapper()).collect();
        if let Some(wrappers) = wrappers {
            let is_intended = |alternative: &&Alternative<'s>| {
                alternative.wrapper().is_some_and(|wrapper| fields.contains_key(wrapper))
            };
            let intended: Vec<_> = candidates.iter().copied().filter(is_intended).collect();
            return match (intended.as_slice(), fields.keys().next()) {
                ([], Some(name)) => {
                    let known = wrappers.into_iter().map(quoting::name);
                    self.mistake(&at.property(name), || format!("unknown; {}", quoting::one_of(known)));
                }
                ([], None) => {
                    let known = wrappers.into_iter().map(quoting::name);
                    self.mistake(at, || format!("an empty object; {} as its only property", quoting::one_of(known)));
                }
                ([only], _) => {
                    self.fits(only.id, value, at, None);
                }
                (intended, _) => self.explain_nearest(intended, intended.len(), value, at),
            };
        }
        self.explain_nearest(candidates, candidates.len(), value, at);
    }

    fn explain_intended(&mut self, intended: &[&Alternative<'s>], note: String, value: &Value, at: &Path<'_>) {
        if let [only] = intended {
            self.notes.push(note);
            self.fits(only.id, value, at, None);
            self.notes.pop();
        } else {
            self.explain_nearest(intended, intended.len(), value, at);
        }
    }

    /// Reports the mistakes by the alternative that is nearest to the value.
    fn explain_nearest(&mut self, candidates: &[&Alternative<'s>], total: usize, value: &Value, at: &Path<'_>) {
        let mut best: Option<(usize, usize, &Alternative<'s>, Vec<Mistake>)> = None;
        for alternative in candidates.iter().take(MAX_COMPARED) {
            self.compared += 1;
            let is_enough = self.purpose == Purpose::Report && self.compared > MAX_COMPARISONS;
            if is_enough || self.limit.is_some() {
                break;
            }
            let found = std::mem::take(&mut self.mistakes);
            self.notes.push(alternative.name.map_or_else(
                || format!("in the nearest of {total} alternatives"),
                |name| format!("as {}, the nearest of {total} alternatives", quoting::name(name)),
            ));
            self.fits(alternative.id, value, at, None);
            self.notes.pop();
            let mistakes = std::mem::replace(&mut self.mistakes, found);
            // Numeric strings will be converted.
            let wrong = mistakes.iter().filter(|mistake| mistake.numeric_string.is_none()).count();
            let unknown = match value.as_object() {
                Some(fields) => fields.keys().filter(|name| !alternative.properties.contains(&name.as_str())).count(),
                None => 0,
            };
            if best
                .as_ref()
                .is_none_or(|(least_unknown, least_wrong, ..)| (unknown, wrong) < (*least_unknown, *least_wrong))
            {
                best = Some((unknown, wrong, alternative, mistakes));
            }
        }
        if let Some((_, _, _, mistakes)) = best {
            self.mistakes.extend(mistakes);
        }
    }
}

/// Returns the property that distinguishes objects: one that each alternative, or the intended one, restricts to certain
/// values.
fn tag_of<'s>(candidates: &[&Alternative<'s>], fields: &Map<String, Value>) -> Option<&'s str> {
    let first = candidates.first()?;
    let is_common = |name: &&str| candidates.iter().all(|alternative| alternative.tag(name).is_some());
    let is_required = |name: &&str| candidates.iter().all(|alternative| alternative.required.contains(name));
    let common: Vec<_> = first.tags.iter().map(|(name, _)| *name).filter(is_common).collect();
    if let Some(tag) = common.iter().copied().find(is_required).or(common.first().copied()) {
        return Some(tag);
    }
    let distinguishes = |(name, values): &&(&'s str, &Value)| {
        candidates.iter().any(|alternative| alternative.tag(name).is_some_and(|allowed| allowed.contains(values)))
    };
    let mut tags = candidates
        .iter()
        .flat_map(|alternative| &alternative.tags)
        .filter_map(|(name, _)| Some((*name, fields.get(*name)?)));
    tags.by_ref().find(|tag| distinguishes(&tag)).map(|(name, _)| name)
}

fn all_values(candidates: &[&Alternative<'_>], tag: &str) -> Vec<String> {
    let values = candidates.iter().filter_map(|alternative| alternative.tag(tag));
    let mut names = Vec::new();
    for name in values.flat_map(|values| values.values().iter().map(quoting::allowed)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
