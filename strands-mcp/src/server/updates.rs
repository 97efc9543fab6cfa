//! Changes of resources, for the clients that subscribe to them.

use std::fmt;
use std::sync::Arc;

use tokio::sync::broadcast;

/// Number of changes that a slow connection may be behind. It is told of all its resources then.
const CAPACITY: usize = 256;

/// Announces changes of resources to the clients that subscribe to them. Cheap to clone.
///
/// ```
/// use strands::mcp::{McpServer, ResourceUpdates};
/// use strands::{tool, tools};
///
/// /// The number of visitors.
/// #[tool]
/// fn visitors() -> u64 {
///     17
/// }
///
/// let updates = ResourceUpdates::new();
/// let server = McpServer::new(tools![])?.resource("shop://visitors", Visitors)?.resource_updates(updates.clone());
/// // Later, while the server runs:
/// updates.changed("shop://visitors");
/// # drop(server);
/// # Ok::<(), strands::ToolSetError>(())
/// ```
#[derive(Clone)]
pub struct ResourceUpdates(broadcast::Sender<Arc<str>>);

/// Changes since the last look.
pub(super) enum Changed {
    One(Arc<str>),
    /// Some changes were missed.
    Any,
}

impl ResourceUpdates {
    /// Creates a source of changes.
    pub fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }

    /// Announces that the resource with this URI has changed.
    pub fn changed(&self, uri: impl Into<Arc<str>>) {
        // Without receivers no client is connected.
        let _ = self.0.send(uri.into());
    }

    pub(super) fn receive(&self) -> Updates {
        Updates(self.0.subscribe())
    }
}

impl Default for ResourceUpdates {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ResourceUpdates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceUpdates").field("connections", &self.0.receiver_count()).finish()
    }
}

/// Receiver of one connection.
pub(super) struct Updates(broadcast::Receiver<Arc<str>>);

impl Updates {
    /// Waits for the next change.
    pub(super) async fn next(&mut self) -> Changed {
        match self.0.recv().await {
            Ok(uri) => Changed::One(uri),
            Err(broadcast::error::RecvError::Lagged(_)) => Changed::Any,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Changed {
    /// Returns the subscribed resources that may have changed.
    pub(super) fn among<'a>(&self, subscribed: impl IntoIterator<Item = &'a String>) -> Vec<String> {
        let is_concerned = |uri: &&String| match self {
            Self::One(changed) => ***uri == **changed,
            Self::Any => true,
        };
        subscribed.into_iter().filter(is_concerned).cloned().collect()
    }
}
