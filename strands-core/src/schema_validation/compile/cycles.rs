//! Detection of schemas that refer to themselves without a property or an item in between.

use super::super::node::{Node, NodeId, Rule};

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

/// Checks that no value would be validated against the same schema endlessly.
///
/// # Errors
///
/// Returns a node of the cycle.
pub(super) fn check(nodes: &[Node]) -> Result<(), NodeId> {
    let mut states = vec![State::New; nodes.len()];
    for root in 0..nodes.len() {
        // Nodes to enter, and to leave again.
        let mut stack = vec![(root, true)];
        while let Some((id, enters)) = stack.pop() {
            let (Some(state), Some(node)) = (states.get_mut(id), nodes.get(id)) else { continue };
            match (enters, *state) {
                (false, _) => *state = State::Done,
                (true, State::New) => {
                    *state = State::Open;
                    stack.push((id, false));
                    stack.extend(node.rules.iter().flat_map(in_place).map(|part| (part, true)));
                }
                (true, State::Open) => return Err(id),
                (true, State::Done) => {}
            }
        }
    }
    Ok(())
}

/// Returns the nodes that apply to the same value. Targets of dynamic references are known only during validation.
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
