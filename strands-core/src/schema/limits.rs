//! Size limits of a whole schema.

use super::StrictSchemaError;
use super::dialect::Rules;

/// Counts that providers limit.
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
    /// Compares the counts with the limits of a provider.
    ///
    /// # Errors
    ///
    /// Returns [`StrictSchemaError`] for the first count over its limit.
    pub(super) fn check(&self, rules: &Rules) -> Result<(), StrictSchemaError> {
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
                return Err(StrictSchemaError::new(format!(
                    "it has {count} {what}, of which the provider accepts {limit}"
                )));
            }
        }
        Ok(())
    }
}
