//! [`SharedContext`]: knowledge that the members of a swarm hand over, as JSON of a bounded size.

use std::fmt::Write as _;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Knowledge that the members of a swarm have handed over: named JSON values of each member. A later value replaces an earlier one
/// with the same name of the same member.
///
/// In a prompt it is one line of JSON for each member. See
/// [`SwarmBuilder::shared_context_limit`](super::SwarmBuilder::shared_context_limit).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SharedContext {
    members: IndexMap<Arc<str>, Map<String, Value>>,
}

impl SharedContext {
    /// Returns a value that a member has handed over.
    pub fn get(&self, member: &str, name: &str) -> Option<&Value> {
        self.members.get(member)?.get(name)
    }

    /// Returns the members with their values, in the order in which they first handed over.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        self.members.iter().map(|(member, values)| (&**member, values))
    }

    /// Returns true if no member has handed over a value.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns the values as JSON, by member.
    pub(super) fn to_object(&self) -> Map<String, Value> {
        self.members.iter().map(|(member, values)| (member.to_string(), Value::Object(values.clone()))).collect()
    }

    /// Creates a context from values by member. Values of another form are left out: Strands has none.
    pub(super) fn from_object(members: Map<String, Value>) -> Self {
        let values = |(member, values): (String, Value)| match values {
            Value::Object(values) => Some((member.into(), values)),
            _ => None,
        };
        Self { members: members.into_iter().filter_map(values).collect() }
    }

    /// Adds values of a member.
    pub(super) fn add(&mut self, member: &Arc<str>, values: Map<String, Value>) {
        if !values.is_empty() {
            self.members.entry(Arc::clone(member)).or_default().extend(values);
        }
    }

    /// Returns the number of bytes of the JSON with further values of a member, which may replace earlier ones.
    pub(super) fn size_with(&self, member: &str, values: &Map<String, Value>) -> usize {
        let earlier = self.members.iter().flat_map(|(of, earlier)| {
            let is_replaced = move |name: &String| **of == *member && values.contains_key(name);
            earlier.iter().filter(move |(name, _)| !is_replaced(name))
        });
        earlier.chain(values).map(|(name, value)| name.len().saturating_add(json_len(value))).sum()
    }

    /// Returns a line for each member, for a prompt. `None` if there is nothing to tell.
    pub(super) fn lines(&self) -> Option<String> {
        let mut lines = String::new();
        for (member, values) in self.members.iter().filter(|(_, values)| !values.is_empty()) {
            // Writing to a string does not fail, and neither does the JSON of a map with text keys.
            let _ = writeln!(lines, "• {member}: {}", Value::Object(values.clone()));
        }
        (!lines.is_empty()).then_some(lines)
    }
}

/// Returns the number of bytes of a value's JSON.
fn json_len(value: &Value) -> usize {
    struct Count(usize);

    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(json: Value) -> Map<String, Value> {
        json.as_object().cloned().unwrap()
    }

    #[test]
    fn later_values_replace_earlier_ones_of_the_same_member() {
        let (first, second): (Arc<str>, Arc<str>) = ("first".into(), "second".into());
        let mut shared = SharedContext::default();
        assert!(shared.lines().is_none() && shared.is_empty());
        shared.add(&first, values(json!({"city": "Oslo", "nights": 2})));
        shared.add(&second, values(json!({"city": "Bergen"})));
        let next = values(json!({"nights": 10}));
        // 4 + 6 for the city, 6 + 2 for the nights, 4 + 8 for the other city.
        assert_eq!((shared.size_with("first", &next), shared.size_with("third", &next)), (30, 37));
        shared.add(&first, next);
        shared.add(&first, Map::new());
        assert_eq!(shared.get("first", "nights"), Some(&json!(10)));
        assert_eq!(
            shared.lines().unwrap(),
            "• first: {\"city\":\"Oslo\",\"nights\":10}\n• second: {\"city\":\"Bergen\"}\n"
        );
        let json = serde_json::to_value(&shared).unwrap();
        assert_eq!(json, json!({"first": {"city": "Oslo", "nights": 10}, "second": {"city": "Bergen"}}));
        assert_eq!(serde_json::from_value::<SharedContext>(json).unwrap(), shared);
        assert_eq!(shared.iter().map(|(member, _)| member).collect::<Vec<_>>(), ["first", "second"]);
    }
}
