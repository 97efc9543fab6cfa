//! Rules for arrays.

use serde_json::Value;

use super::super::equality;
use super::super::node::{Counts, NodeId, Rule};
use super::super::path::Path;
use super::evaluated::Evaluated;
use super::{Purpose, Walk};

impl<'s> Walk<'s> {
    pub(super) fn array_fits<'v>(
        &mut self,
        rule: &'s Rule,
        items: &'v [Value],
        at: &Path<'_>,
        evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        match rule {
            Rule::ItemCount(counts) => self.count_fits(*counts, items.len(), "items", at),
            Rule::Items { first, rest } => self.items_fit(first, *rest, items, at, evaluated),
            Rule::Contains { item, counts } => self.contains(*item, *counts, items, at, evaluated),
            Rule::Unique => {
                if !self.charge(items.iter().map(equality::size).sum()) {
                    return false;
                }
                match equality::first_repeated(items) {
                    None => true,
                    Some((first, again)) => {
                        self.mistake(at, || format!("its items must differ, but [{again}] is the same as [{first}]"))
                    }
                }
            }
            Rule::UnevaluatedItems(schema) => {
                let Some(evaluated) = evaluated else { return true };
                let fits = self.each_fits(items, at, |index| (!evaluated.has_item(index)).then_some(*schema));
                evaluated.add_all_items();
                fits
            }
            _ => true,
        }
    }

    fn items_fit<'v>(
        &mut self,
        first: &[NodeId],
        rest: Option<NodeId>,
        items: &'v [Value],
        at: &Path<'_>,
        evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        if let Some(evaluated) = evaluated {
            evaluated.add_first_items(if rest.is_some() { items.len() } else { first.len() });
        }
        let checked = if rest.is_some() { items.len() } else { first.len().min(items.len()) };
        let items = items.get(..checked).unwrap_or_default();
        self.each_fits(items, at, |index| first.get(index).copied().or(rest))
    }

    /// Validates each item against its own schema, if it has one.
    fn each_fits(&mut self, items: &[Value], at: &Path<'_>, schema: impl Fn(usize) -> Option<NodeId>) -> bool {
        let mut fits = true;
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = schema(index) {
                fits &= self.fits(schema, item, &at.item(index), None);
            }
            if !fits && (self.purpose == Purpose::Check || self.limit.is_some() || self.is_full()) {
                return false;
            }
        }
        fits
    }

    fn contains<'v>(
        &mut self,
        schema: NodeId,
        counts: Counts,
        items: &'v [Value],
        at: &Path<'_>,
        mut evaluated: Option<&mut Evaluated<'v>>,
    ) -> bool {
        let mut found = 0_u64;
        for (index, item) in items.iter().enumerate() {
            if self.probe(schema, item, &at.item(index), None) {
                found += 1;
                if let Some(evaluated) = evaluated.as_deref_mut() {
                    evaluated.add_item(index);
                }
            }
            if self.limit.is_some() {
                return false;
            }
        }
        if let Some(least) = counts.least.filter(|least| found < *least) {
            return self.mistake(at, || format!("needs at least {least} items that match `contains`, has {found}"));
        }
        if let Some(most) = counts.most.filter(|most| found > *most) {
            return self.mistake(at, || format!("takes at most {most} items that match `contains`, has {found}"));
        }
        true
    }
}
