//! A compiled schema: a list of nodes that refer to each other by their index.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Number, Value};

use super::equality::Allowed;
use super::number::Numeric;
use super::pattern::Pattern;

/// Index of a node.
pub(super) type NodeId = usize;

/// A schema, as a list of rules.
#[derive(Default)]
pub(super) struct Node {
    pub(super) rules: Vec<Rule>,
    /// Title, or name among the definitions.
    pub(super) name: Option<String>,
    /// Name of the format that the schema mentions.
    pub(super) format: Option<String>,
    /// The resource that it belongs to.
    pub(super) resource: usize,
    /// Number of places in the schema from which it is used.
    pub(super) uses: usize,
}

/// A condition of a schema on a value. A rule for one type of JSON says nothing of values of others.
pub(super) enum Rule {
    /// No value fits.
    Never,
    Types(Types),
    Allowed(Allowed),
    Reference(NodeId),
    /// A reference that the schemas on the way to it may replace.
    Dynamic {
        target: NodeId,
        anchor: String,
    },
    AllOf(Vec<NodeId>),
    AnyOf(Vec<NodeId>),
    OneOf(Vec<NodeId>),
    Not(NodeId),
    If {
        condition: NodeId,
        then: Option<NodeId>,
        otherwise: Option<NodeId>,
    },
    Number(NumberRule),
    MultipleOf(Bound),
    Length(Counts),
    Pattern(Pattern),
    Properties(Box<Properties>),
    PropertyCount(Counts),
    PropertyNames(NodeId),
    Required(Vec<String>),
    DependentRequired(Vec<(String, Vec<String>)>),
    DependentSchemas(Vec<(String, NodeId)>),
    Items {
        first: Vec<NodeId>,
        rest: Option<NodeId>,
    },
    ItemCount(Counts),
    Contains {
        item: NodeId,
        counts: Counts,
    },
    Unique,
    /// With the node that the rule is one of.
    UnevaluatedProperties(NodeId, NodeId),
    UnevaluatedItems(NodeId),
}

/// A number of a schema, as it was written.
pub(super) struct Bound {
    pub(super) written: Number,
    pub(super) value: Numeric,
}

/// The end of a range.
pub(super) struct NumberRule {
    pub(super) bound: Bound,
    /// True for the lower end.
    pub(super) is_least: bool,
    /// True if the bound itself does not fit.
    pub(super) is_exclusive: bool,
}

/// Least and greatest number of something.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
}

#[derive(Default)]
pub(super) struct Properties {
    pub(super) named: IndexMap<String, NodeId>,
    pub(super) patterns: Vec<(Pattern, NodeId)>,
    pub(super) others: Option<NodeId>,
}

/// The nodes, of which the first is the root.
pub(super) struct Compiled {
    pub(super) nodes: Vec<Node>,
    /// The dynamic anchors of each resource.
    pub(super) anchors: Vec<HashMap<String, NodeId>>,
}

/// A set of the types of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const ALL: Self = Self(0b111_1111);
    pub(super) const NAMES: [(&'static str, Self); 7] = [
        ("boolean", Self(2)),
        ("integer", Self(4)),
        ("number", Self(4 | 8)),
        ("string", Self(16)),
        ("array", Self(32)),
        ("object", Self(64)),
        ("null", Self(1)),
    ];
    pub(super) const OBJECT: Self = Self(64);

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, types)| *types)
    }

    pub(super) fn of(value: &Value) -> Self {
        Self(match value {
            Value::Null => 1,
            Value::Bool(_) => 2,
            Value::Number(number) if Numeric::of(number).is_whole() => 4,
            Value::Number(_) => 8,
            Value::String(_) => 16,
            Value::Array(_) => 32,
            Value::Object(_) => 64,
        })
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// True if numbers fit, and strings don't.
    pub(super) fn wants_number(self) -> bool {
        self.0 & 4 != 0 && self.0 & 16 == 0
    }

    /// "integer or null".
    pub(super) fn words(self) -> String {
        let is_number = self.0 & 8 != 0;
        let names = Self::NAMES
            .iter()
            .filter(|(name, types)| types.0 & self.0 == types.0 && !(is_number && *name == "integer"));
        names.map(|(name, _)| *name).collect::<Vec<_>>().join(" or ")
    }
}
