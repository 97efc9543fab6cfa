//! Limits of a whole schema.

use super::RefusedSchema;
use super::dialect::Rules;

/// Counts of what has limits.
#[derive(Default)]
pub(super) struct Count {
    pub(super) optional: usize,
    pub(super) unions: usize,
    pub(super) properties: usize,
    pub(super) level: usize,
    pub(super) levels: usize,
    pub(super) values: usize,
    pub(super) chars: usize,
}

impl Count {
    /// Checks the counts against the limits of a provider.
    ///
    /// # Errors
    ///
    /// Returns [`RefusedSchema`] for the first that is too large.
    pub(super) fn check(&self, rules: &Rules) -> Result<(), RefusedSchema> {
        let limits = rules.limits;
        for (count, limit, what) in [
            (self.optional, limits.optional, "optional properties"),
            (self.unions, limits.unions, "unions"),
            (self.properties, limits.properties, "properties"),
            (self.levels, limits.levels, "levels of objects"),
            (self.values, limits.values, "values in enumerations"),
            (self.chars, limits.chars, "characters in names and values"),
        ] {
            if count > limit {
                return Err(RefusedSchema::new(format!("it has {count} {what}, of which the provider takes {limit}")));
            }
        }
        Ok(())
    }
}
