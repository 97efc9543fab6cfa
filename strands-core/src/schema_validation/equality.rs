//! Equality of JSON by value: numbers by their numeric value, objects regardless of the order of their fields.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use serde_json::Value;

use super::number::Numeric;

/// Enumerations up to this length are compared one by one.
const MAX_SCANNED: usize = 8;

/// Returns true if the values are equal by the rules of JSON Schema.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => Numeric::of(one).key() == Numeric::of(other).key(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        (one, other) => one == other,
    }
}

/// Returns the number of values in a value, including itself.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(size).sum::<usize>() + 1,
        Value::Object(fields) => fields.values().map(size).sum::<usize>() + 1,
        _ => 1,
    }
}

/// Hashes a value. The hasher's keys are random, so that an attacker can't choose colliding values.
fn hash(value: &Value, hasher: &RandomState) -> u64 {
    let mut state = hasher.build_hasher();
    match value {
        Value::Null => 0_u8.hash(&mut state),
        Value::Bool(value) => (1_u8, value).hash(&mut state),
        Value::Number(number) => (2_u8, Numeric::of(number).key()).hash(&mut state),
        Value::String(text) => (3_u8, text).hash(&mut state),
        Value::Array(items) => {
            (4_u8, items.len()).hash(&mut state);
            items.iter().for_each(|item| hash(item, hasher).hash(&mut state));
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| hasher.hash_one((name, hash(value, hasher)));
            (5_u8, fields.iter().map(field).fold(0_u64, u64::wrapping_add)).hash(&mut state);
        }
    }
    state.finish()
}

/// Returns the zero-based indexes of the first two equal items, in time linear in the size of the items.
pub(super) fn first_repeated(items: &[Value]) -> Option<(usize, usize)> {
    let hasher = RandomState::new();
    let mut seen: HashMap<u64, Vec<usize>> = HashMap::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let alike = seen.entry(hash(item, &hasher)).or_default();
        let earlier = alike.iter().find(|earlier| items.get(**earlier).is_some_and(|earlier| same(earlier, item)));
        if let Some(earlier) = earlier {
            return Some((*earlier, index));
        }
        alike.push(index);
    }
    None
}

/// The values of an `enum`, with lookup in constant time for long lists.
pub(super) struct Allowed {
    values: Vec<Value>,
    by_hash: Option<(RandomState, HashMap<u64, Vec<usize>>)>,
}

impl Allowed {
    pub(super) fn new(values: &[Value]) -> Self {
        let by_hash = (values.len() > MAX_SCANNED).then(|| {
            let hasher = RandomState::new();
            let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
            for (index, value) in values.iter().enumerate() {
                by_hash.entry(hash(value, &hasher)).or_default().push(index);
            }
            (hasher, by_hash)
        });
        Self { values: values.to_vec(), by_hash }
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    pub(super) fn contains(&self, value: &Value) -> bool {
        let Some((hasher, by_hash)) = &self.by_hash else {
            return self.values.iter().any(|allowed| same(allowed, value));
        };
        let mut alike = by_hash.get(&hash(value, hasher)).into_iter().flatten();
        alike.any(|index| self.values.get(*index).is_some_and(|allowed| same(allowed, value)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_values_have_equal_hashes() {
        let same_pairs = [
            (json!(1), json!(1.0)),
            (json!([1, {"a": 2.0, "b": null}]), json!([1.0, {"b": null, "a": 2}])),
            (json!(-0.0), json!(0)),
        ];
        let other_pairs = [
            (json!(1), json!(true)),
            (json!("1"), json!(1)),
            (json!([1, 2]), json!([2, 1])),
            (json!({"a": 1}), json!({"a": 1, "b": 2})),
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992.0)),
        ];
        let hasher = RandomState::new();
        for (one, other) in same_pairs {
            assert!(same(&one, &other) && hash(&one, &hasher) == hash(&other, &hasher), "{one} {other}");
        }
        for (one, other) in other_pairs {
            assert!(!same(&one, &other) && hash(&one, &hasher) != hash(&other, &hasher), "{one} {other}");
        }
    }

    #[test]
    fn finds_repeated_items_in_any_form() {
        assert_eq!(first_repeated(&[json!({"a": 1, "b": 2}), json!(1), json!({"b": 2.0, "a": 1})]), Some((0, 2)));
        assert_eq!(first_repeated(&[json!(1), json!(true), json!("1"), json!([1])]), None);
    }

    #[test]
    fn compares_long_enumerations_by_value() {
        let values: Vec<_> = (0..1_000).map(Value::from).collect();
        let allowed = Allowed::new(&values);
        assert!(allowed.contains(&json!(999.0)) && !allowed.contains(&json!(1_000)) && !allowed.contains(&json!("1")));
    }
}
