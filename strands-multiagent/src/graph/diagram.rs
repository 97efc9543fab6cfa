//! Diagrams of a graph: Mermaid and DOT.

use std::fmt::Write as _;

use super::definition::{Definition, Join};
use super::topology::{EdgeKind, EdgeShape, NodeShape};
use crate::node::Body;

/// Shape of a node in a diagram.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Agent,
    Function,
}

impl<S> Definition<S> {
    /// Returns the graph in the language of [Mermaid](https://mermaid.js.org/syntax/flowchart.html).
    pub(super) fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        for (index, node) in self.topology.nodes.iter().enumerate() {
            let label = mermaid_escaped(&label(node, self.is_list(index)));
            // Writing to a string does not fail.
            let _ = match self.kind(index) {
                Kind::Agent => writeln!(text, "    n{index}(\"{label}\")"),
                Kind::Function => writeln!(text, "    n{index}[\"{label}\"]"),
            };
        }
        for (index, edge) in self.topology.edges.iter().enumerate() {
            let (from, to) = (edge.from, edge.to);
            let arrow = match self.edge_label(index, edge) {
                None => "-->".to_owned(),
                Some(label) if edge.kind == EdgeKind::Success => format!("-->|{label}|"),
                Some(label) => format!("-.->|{label}|"),
            };
            let _ = writeln!(text, "    n{from} {arrow} n{to}");
        }
        text
    }

    /// Returns the graph in the language of [Graphviz](https://graphviz.org/doc/info/lang.html).
    pub(super) fn to_dot(&self) -> String {
        let mut text = format!("digraph \"{}\" {{\n", dot_escaped(&self.settings.name));
        for (index, node) in self.topology.nodes.iter().enumerate() {
            let label = dot_escaped(&label(node, self.is_list(index)));
            let style = if self.kind(index) == Kind::Agent { "shape=box, style=rounded" } else { "shape=box" };
            let _ = writeln!(text, "    n{index} [label=\"{label}\", {style}];");
        }
        for (index, edge) in self.topology.edges.iter().enumerate() {
            let (from, to) = (edge.from, edge.to);
            let _ = match self.edge_label(index, edge) {
                None => writeln!(text, "    n{from} -> n{to};"),
                Some(label) => {
                    let style = if edge.kind == EdgeKind::Success { "" } else { ", style=dashed" };
                    writeln!(text, "    n{from} -> n{to} [label=\"{label}\"{style}];")
                }
            };
        }
        text.push_str("}\n");
        text
    }

    fn kind(&self, index: usize) -> Kind {
        match self.node(index).map(|node| &node.body) {
            Some(Body::Agent { .. }) => Kind::Agent,
            _ => Kind::Function,
        }
    }

    fn is_list(&self, index: usize) -> bool {
        self.node(index).is_some_and(|node| node.items.is_some())
    }

    fn edge_label(&self, index: usize, edge: &EdgeShape) -> Option<String> {
        let has_condition = self.conditions.get(index).is_some_and(Option::is_some);
        match edge.kind {
            EdgeKind::Success => has_condition.then(|| "if".to_owned()),
            EdgeKind::Failure => Some("on failure".to_owned()),
            EdgeKind::Loop { max } => Some(format!("up to {max} iterations")),
        }
    }
}

/// Returns the id of a node, with its join unless that is the default, and a note about its list.
fn label(node: &NodeShape, is_list: bool) -> String {
    let mut label = node.id.to_string();
    if is_list {
        label.push_str(" (for each)");
    }
    match node.join {
        Join::All => {}
        Join::Any => label.push_str(" (any)"),
        Join::AtLeast(count) => {
            let _ = write!(label, " (at least {count})");
        }
    }
    label
}

/// Escapes a text in quotation marks as entities, which Mermaid decodes.
fn mermaid_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("#quot;"),
            '#' => escaped.push_str("#35;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Escapes a text in quotation marks.
fn dot_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_can_not_leave_their_quotation_marks() {
        assert_eq!(mermaid_escaped("a\"#<b>\n"), "a#quot;#35;#lt;b#gt; ");
        assert_eq!(dot_escaped("a\"\\\n"), "a\\\"\\\\ ");
    }
}
