//! [`VisitKey`]: the key of a visit of a node, for the functions of a run within it.

use std::sync::Arc;

/// Key of a visit of a node. Unlike the key of the request, it is the same when the node starts again. It is injected into the request.
#[derive(Clone, Debug)]
pub(super) struct VisitKey {
    /// Idempotency key of the request for which it holds. Requests of tools within that one inherit injected values.
    pub(super) of: String,
    pub(super) key: Arc<str>,
}

/// Returns the key of a visit of a node, in a run whose functions have keys that start with `effect_key`. `start` begins with the
/// number of the visit.
pub(super) fn visit_key(effect_key: &str, node: &str, start: &str) -> String {
    let visit = start.split('.').next().unwrap_or_default();
    // Ids of nodes have no slash; names of members may have one.
    format!("{effect_key}/{}/{visit}", node.replace('%', "%25").replace('/', "%2F"))
}
