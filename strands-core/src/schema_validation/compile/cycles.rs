//! Search for schemas that refer to themselves without a property or an item between.

use super::super::node::{Node, NodeId, Rule};

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

/// Checks that no value would be held against the same schema again and again.
///
/// # Errors
///
/// Returns a node of the circle.
pub(super) fn check(nodes: &[Node]) -> Result<(), NodeId> {
    let mut states = vec![State::New; nodes.len()];
    for root in 0..nodes.len() {
        // Nodes to enter, and to leave again.
        let mut way = vec![(root, true)];
        while let Some((id, enters)) = way.pop() {
            let (Some(state), Some(node)) = (states.get_mut(id), nodes.get(id)) else { continue };
            match (enters, *state) {
                (false, _) => *state = State::Done,
                (true, State::New) => {
                    *state = State::Open;
                    way.push((id, false));
                    way.extend(node.rules.iter().flat_map(in_place).map(|part| (part, true)));
                }
                (true, State::Open) => return Err(id),
                (true, State::Done) => {}
            }
        }
    }
    Ok(())
}

/// The nodes that the same value is held against. A dynamic reference is known only when a value is there.
fn in_place(rule: &Rule) -> Vec<NodeId> {
    match rule {
        Rule::Reference(id) | Rule::Not(id) => vec![*id],
        Rule::AllOf(ids) | Rule::AnyOf(ids) | Rule::OneOf(ids) => ids.clone(),
        Rule::If { condition, then, otherwise } => {
            [Some(*condition), *then, *otherwise].into_iter().flatten().collect()
        }
        Rule::DependentSchemas(schemas) => schemas.iter().map(|(_, id)| *id).collect(),
        _ => Vec::new(),
    }
}
