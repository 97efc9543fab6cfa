//! Rules with alternatives, and the explanation of why none fits: by the alternative that was meant, if it can be told.

use serde_json::{Map, Value};

use super::super::node::{NodeId, Types};
use super::super::path::Path;
use super::super::words;
use super::form::Form;
use super::seen::Seen;
use super::{Mistake, Purpose, Walk, numeric};

/// Alternatives that are compared to find the nearest, and how often in one walk.
const MAX_COMPARED: usize = 8;
const MAX_COMPARISONS: usize = 64;

/// Properties of all alternatives of a union together. Beyond, they are not told apart.
const MAX_PROPERTIES: usize = 4_096;

impl<'s> Walk<'s> {
    pub(super) fn any_fits<'v>(
        &mut self,
        forms: &'s [NodeId],
        value: &'v Value,
        at: &Path<'_>,
        mut seen: Option<&mut Seen<'v>>,
    ) -> bool {
        let mut fits = false;
        for form in forms {
            fits |= self.probe(*form, value, at, seen.as_deref_mut());
            // Each that fits may accept other parts of the value.
            if self.limit.is_some() || (fits && seen.is_none()) {
                break;
            }
        }
        fits || self.explain(forms, value, at)
    }

    pub(super) fn one_fits<'v>(
        &mut self,
        forms: &'s [NodeId],
        value: &'v Value,
        at: &Path<'_>,
        mut seen: Option<&mut Seen<'v>>,
    ) -> bool {
        let mut fitting = Vec::new();
        for form in forms {
            if self.probe(*form, value, at, seen.as_deref_mut()) {
                fitting.push(*form);
            }
            if self.limit.is_some() || fitting.len() > 1 {
                break;
            }
        }
        match fitting.as_slice() {
            [] => self.explain(forms, value, at),
            [_] => true,
            several => {
                let several = several.to_vec();
                let forms = self.forms(&several).unwrap_or_default();
                self.mistake(at, || {
                    let names = forms.iter().filter_map(|form| form.name).map(words::name).collect::<Vec<_>>();
                    let names =
                        if names.len() == several.len() { format!(" ({})", names.join(", ")) } else { String::new() };
                    format!("fits several of the forms that the schema allows{names}, must fit exactly one")
                })
            }
        }
    }

    fn forms(&mut self, ids: &[NodeId]) -> Option<Vec<Form<'s>>> {
        let mut properties = 0;
        let mut forms = Vec::with_capacity(ids.len());
        for id in ids {
            let form = Form::of(self.compiled, *id);
            properties += form.properties.len();
            if properties > MAX_PROPERTIES {
                return None;
            }
            forms.push(form);
        }
        self.charge(properties).then_some(forms)
    }

    /// Reports why a value fits none of the alternatives. Returns false.
    fn explain(&mut self, ids: &'s [NodeId], value: &Value, at: &Path<'_>) -> bool {
        if self.purpose == Purpose::Answer || self.is_full() || !self.charge(ids.len().saturating_mul(16)) {
            return false;
        }
        let Some(forms) = self.forms(ids) else {
            return self.mistake(at, || "fits none of the forms that the schema allows".to_owned());
        };
        let types = forms.iter().map(|form| form.types).fold(Types::default(), Types::or);
        if self.purpose == Purpose::NumericStrings
            && forms.iter().any(|form| form.types.wants_number())
            && value.as_str().is_some_and(|text| numeric(text).is_some())
        {
            let numeric_string = Some(at.pointer());
            self.mistakes.push(Mistake { text: String::new(), numeric_string });
            return false;
        }
        let kind = Types::of(value);
        let candidates: Vec<&Form<'s>> = forms.iter().filter(|form| form.types.overlaps(kind)).collect();
        let before = self.mistakes.len();
        match (candidates.as_slice(), value) {
            (candidates, value) if !value.is_object() && candidates.iter().all(|form| form.values.is_some()) => {
                self.explain_value(&forms, candidates, types, value, at);
            }
            ([only], _) => {
                self.fits(only.id, value, at, None);
            }
            (candidates, Value::Object(fields)) => self.explain_object(candidates, fields, value, at),
            (candidates, _) => self.explain_nearest(candidates, ids.len(), value, at),
        }
        if self.mistakes.len() == before && self.limit.is_none() {
            self.mistake(at, || "fits none of the forms that the schema allows".to_owned());
        }
        false
    }

    /// For a value that is no object, where the alternatives of its type list their values.
    fn explain_value(
        &mut self,
        forms: &[Form<'s>],
        candidates: &[&Form<'s>],
        types: Types,
        value: &Value,
        at: &Path<'_>,
    ) {
        let wrapped = || {
            let objects = forms.iter().filter(|form| form.types.overlaps(Types::OBJECT));
            objects.filter_map(Form::wrapper).map(|name| words::name(&format!("{{\"{name}\": ..}}")))
        };
        let listed = || {
            forms.iter().filter_map(|form| form.values).flat_map(|values| values.values().iter().map(words::allowed))
        };
        let is_listed = forms.iter().all(|form| form.values.is_some() || form.wrapper().is_some());
        if is_listed || !candidates.is_empty() {
            self.mistaken_value(at, value, || words::one_of(listed().chain(wrapped())));
        } else {
            self.mistake(at, || format!("expected {}, got {}", types.words(), words::kind(value)));
        }
    }

    fn explain_object(&mut self, candidates: &[&Form<'s>], fields: &Map<String, Value>, value: &Value, at: &Path<'_>) {
        if let Some(tag) = tag_of(candidates, fields) {
            let Some(given) = fields.get(tag) else {
                let values = all_values(candidates, tag);
                self.mistake(&at.property(tag), || format!("required; {}", words::one_of(values)));
                return;
            };
            let has_tag = |form: &&Form<'s>| form.tag(tag).is_some_and(|values| values.contains(given));
            let meant: Vec<_> = candidates.iter().copied().filter(has_tag).collect();
            if meant.is_empty() {
                let values = all_values(candidates, tag);
                self.mistaken_value(&at.property(tag), given, || words::one_of(values));
                return;
            }
            let note = format!("`{}` is {}", at.property(tag).dotted(), words::shown(given));
            return self.explain_meant(&meant, note, value, at);
        }
        let wrappers: Option<Vec<_>> = candidates.iter().map(|form| form.wrapper()).collect();
        if let Some(wrappers) = wrappers {
            let is_meant = |form: &&Form<'s>| form.wrapper().is_some_and(|wrapper| fields.contains_key(wrapper));
            let meant: Vec<_> = candidates.iter().copied().filter(is_meant).collect();
            return match (meant.as_slice(), fields.keys().next()) {
                ([], Some(name)) => {
                    let known = wrappers.into_iter().map(words::name);
                    self.mistake(&at.property(name), || format!("unknown; {}", words::one_of(known)));
                }
                ([], None) => {
                    let known = wrappers.into_iter().map(words::name);
                    self.mistake(at, || format!("an empty object; {} as its only property", words::one_of(known)));
                }
                ([only], _) => {
                    self.fits(only.id, value, at, None);
                }
                (meant, _) => self.explain_nearest(meant, meant.len(), value, at),
            };
        }
        self.explain_nearest(candidates, candidates.len(), value, at);
    }

    fn explain_meant(&mut self, meant: &[&Form<'s>], note: String, value: &Value, at: &Path<'_>) {
        if let [only] = meant {
            self.notes.push(note);
            self.fits(only.id, value, at, None);
            self.notes.pop();
        } else {
            self.explain_nearest(meant, meant.len(), value, at);
        }
    }

    /// Reports the mistakes as the alternative sees them that the value comes nearest to.
    fn explain_nearest(&mut self, candidates: &[&Form<'s>], total: usize, value: &Value, at: &Path<'_>) {
        let mut best: Option<(usize, usize, &Form<'s>, Vec<Mistake>)> = None;
        for form in candidates.iter().take(MAX_COMPARED) {
            self.compared += 1;
            let is_enough = self.purpose == Purpose::Report && self.compared > MAX_COMPARISONS;
            if is_enough || self.limit.is_some() {
                break;
            }
            let found = std::mem::take(&mut self.mistakes);
            self.notes.push(form.name.map_or_else(
                || format!("in the nearest of {total} forms"),
                |name| format!("as {}, the nearest of {total} forms", words::name(name)),
            ));
            self.fits(form.id, value, at, None);
            self.notes.pop();
            let mistakes = std::mem::replace(&mut self.mistakes, found);
            // Numeric strings are put right.
            let wrong = mistakes.iter().filter(|mistake| mistake.numeric_string.is_none()).count();
            let unknown = match value.as_object() {
                Some(fields) => fields.keys().filter(|name| !form.properties.contains(&name.as_str())).count(),
                None => 0,
            };
            if best
                .as_ref()
                .is_none_or(|(least_unknown, least_wrong, ..)| (unknown, wrong) < (*least_unknown, *least_wrong))
            {
                best = Some((unknown, wrong, form, mistakes));
            }
        }
        if let Some((_, _, _, mistakes)) = best {
            self.mistakes.extend(mistakes);
        }
    }
}

/// The property by which objects are told apart: one that each alternative, or the one that is meant, restricts to certain
/// values.
fn tag_of<'s>(candidates: &[&Form<'s>], fields: &Map<String, Value>) -> Option<&'s str> {
    let first = candidates.first()?;
    let is_common = |name: &&str| candidates.iter().all(|form| form.tag(name).is_some());
    let is_required = |name: &&str| candidates.iter().all(|form| form.required.contains(name));
    let common: Vec<_> = first.tags.iter().map(|(name, _)| *name).filter(is_common).collect();
    if let Some(tag) = common.iter().copied().find(is_required).or(common.first().copied()) {
        return Some(tag);
    }
    let tells = |(name, values): &&(&'s str, &Value)| {
        candidates.iter().any(|form| form.tag(name).is_some_and(|allowed| allowed.contains(values)))
    };
    let mut tags =
        candidates.iter().flat_map(|form| &form.tags).filter_map(|(name, _)| Some((*name, fields.get(*name)?)));
    tags.by_ref().find(|tag| tells(&tag)).map(|(name, _)| name)
}

fn all_values(candidates: &[&Form<'_>], tag: &str) -> Vec<String> {
    let values = candidates.iter().filter_map(|form| form.tag(tag));
    let mut names = Vec::new();
    for name in values.flat_map(|values| values.values().iter().map(words::allowed)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
