//! Run ids: whether a run is one of an object.
//!
//! The id of an invocation is `inv_1`, the partition key, which is a hash of the object's key, and a unique part, in base 62.

/// Length of an id.
const LENGTH: usize = 38;

/// Length of its beginning, up to the unique part.
const PARTITION: usize = 16;

/// Returns false if a run is not one of the object a handler of which has the id `own`.
///
/// Objects of different services with the same key are not told apart, and nothing is if the server has another form of ids.
pub(super) fn is_of_object(own: &str, run_id: &str) -> bool {
    match partition(own) {
        Some(own) => partition(run_id) == Some(own),
        None => true,
    }
}

fn partition(id: &str) -> Option<&str> {
    id.get(..PARTITION).filter(|_| id.len() == LENGTH && id.starts_with("inv_1"))
}

#[cfg(test)]
mod tests {
    use super::is_of_object;

    #[test]
    fn tells_runs_of_other_keys_apart() {
        let own = "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz";
        assert!(is_of_object(own, "inv_1gdJBtdVEcM90000000000000000000000"));
        for other in ["inv_1gdJBtdVEcM842bjcDmb1c1khoaJe11Hbz", "inv_1gdJBtdVEcM9", "", "\u{e4}\u{e4}\u{e4}"] {
            assert!(!is_of_object(own, other), "{other}");
        }
        assert!(is_of_object("another form", "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz"));
    }
}
