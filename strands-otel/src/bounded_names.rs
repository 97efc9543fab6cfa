//! Names as attributes of metrics, at most a certain number, so that no input makes a service keep ever more time series.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::StringValue;

use crate::semconv::OTHER;

/// A set of the first names that were seen.
#[derive(Debug)]
pub(crate) struct BoundedNames {
    max: usize,
    names: RwLock<HashSet<Arc<str>>>,
}

impl BoundedNames {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, names: RwLock::default() }
    }

    /// Returns the name, or [`OTHER`] if it is beyond the limit.
    pub(crate) fn bounded(&self, name: &str) -> StringValue {
        if let Some(known) = self.names.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Arc::clone(known).into();
        }
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= self.max && !names.contains(name) {
            return OTHER.into();
        }
        let name: Arc<str> = name.into();
        names.insert(Arc::clone(&name));
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_share_one_value() {
        let names = BoundedNames::new(2);
        let read: Vec<_> = ["a", "b", "c", "a", "d"].map(|name| names.bounded(name).to_string()).into();
        assert_eq!(read, ["a", "b", OTHER, "a", OTHER]);
    }
}
