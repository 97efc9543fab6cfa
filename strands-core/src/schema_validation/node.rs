//! A compiled schema: a list of nodes that refer to each other by index.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Number, Value};

use super::equality::Allowed;
use super::number::Numeric;
use super::pattern::Pattern;

/// Index of a node.
pub(super) type NodeId = usize;

/// A schema as a list of rules.
#[derive(Default)]
pub(super) struct Node {
    pub(super) rules: Vec<Rule>,
    /// The title, or the name of the definition.
    pub(super) name: Option<String>,
    /// The name of the format.
    pub(super) format: Option<String>,
    /// The resource that contains the schema.
    pub(super) resource: usize,
    /// Number of uses in the whole schema.
    pub(super) uses: usize,
}

/// A condition of a schema on a value. Rules for one JSON type ignore values of other types.
pub(super) enum Rule {
    /// No value fits.
    Never,
    Types(Types),
    Allowed(Allowed),
    Reference(NodeId),
    /// A reference that schemas on the path to it can override.
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
    /// Has the node that contains the rule as its second field.
    UnevaluatedProperties(NodeId, NodeId),
    UnevaluatedItems(NodeId),
}

/// A number in a schema, as written and as a value.
pub(super) struct Bound {
    pub(super) written: Number,
    pub(super) value: Numeric,
}

/// A bound of a range.
pub(super) struct NumberRule {
    pub(super) bound: Bound,
    /// True for a lower bound.
    pub(super) is_least: bool,
    /// True if the bound itself is not allowed.
    pub(super) is_exclusive: bool,
}

/// Lower and upper bound of a count.
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

/// The compiled nodes. The first one is the root.
pub(super) struct Compiled {
    pub(super) nodes: Vec<Node>,
    /// The dynamic anchors of each resource.
    pub(super) anchors: Vec<HashMap<String, NodeId>>,
}

/// A set of JSON types.
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

    /// Returns true if numbers are allowed, and strings are not.
    pub(super) fn wants_number(self) -> bool {
        self.0 & 4 != 0 && self.0 & 16 == 0
    }

    /// Describes the types: "integer or null".
    pub(super) fn words(self) -> String {
        let is_number = self.0 & 8 != 0;
        let names = Self::NAMES
            .iter()
            .filter(|(name, types)| types.0 & self.0 == types.0 && !(is_number && *name == "integer"));
        names.map(|(name, _)| *name).collect::<Vec<_>>().join(" or ")
    }
}
