//! Parts of a value that keywords have evaluated, for `unevaluatedProperties` and `unevaluatedItems`.

use std::collections::HashSet;

#[derive(Default)]
pub(super) struct Evaluated<'v> {
    properties: HashSet<&'v str>,
    has_all_properties: bool,
    /// Number of items from the start.
    first_items: usize,
    other_items: HashSet<usize>,
    has_all_items: bool,
}

impl<'v> Evaluated<'v> {
    pub(super) fn add_property(&mut self, name: &'v str) {
        self.properties.insert(name);
    }

    pub(super) fn add_all_properties(&mut self) {
        self.has_all_properties = true;
    }

    pub(super) fn add_first_items(&mut self, count: usize) {
        self.first_items = self.first_items.max(count);
    }

    pub(super) fn add_item(&mut self, index: usize) {
        self.other_items.insert(index);
    }

    pub(super) fn add_all_items(&mut self) {
        self.has_all_items = true;
    }

    pub(super) fn has_property(&self, name: &str) -> bool {
        self.has_all_properties || self.properties.contains(name)
    }

    pub(super) fn has_item(&self, index: usize) -> bool {
        self.has_all_items || index < self.first_items || self.other_items.contains(&index)
    }

    /// Returns the number of parts, the cost of merging them into others.
    pub(super) fn len(&self) -> usize {
        self.properties.len() + self.other_items.len()
    }

    pub(super) fn join(&mut self, other: Self) {
        self.has_all_properties |= other.has_all_properties;
        self.has_all_items |= other.has_all_items;
        self.first_items = self.first_items.max(other.first_items);
        self.properties.extend(other.properties);
        self.other_items.extend(other.other_items);
    }
}
