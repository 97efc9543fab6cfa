//! Where content lives that is too long for a conversation: it is kept beside it, and fetched in parts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::SessionError;

const DEFAULT_BYTES: usize = 64 * 1024 * 1024;

/// Keeps texts by key, such as tool results that are too long for a conversation
/// ([`ToolResultOffloader`](crate::conversation::ToolResultOffloader)).
///
/// An implementation stands under `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - Keys have 1 to 128 of `A-Z a-z 0-9 . _ -` and do not start with a dot. Each is written once.
/// - What `put` has returned `Ok` for is there for as long as the conversation, or as the store's docs say.
#[async_trait]
pub trait ContentStore: Send + Sync {
    /// Keeps a text.
    ///
    /// # Errors
    ///
    /// [`SessionError`] when the store can't be written.
    async fn put(&self, key: &str, content: &str) -> Result<(), SessionError>;

    /// A text that was kept, or `None`.
    ///
    /// # Errors
    ///
    /// [`SessionError`] when the store can't be read.
    async fn get(&self, key: &str) -> Result<Option<String>, SessionError>;
}

macro_rules! forward_content_store {
    ($($holder:ty),+) => {
        $(
            #[async_trait]
            #[deny(clippy::missing_trait_methods)]
            impl<S: ContentStore + ?Sized> ContentStore for $holder {
                async fn put(&self, key: &str, content: &str) -> Result<(), SessionError> {
                    (**self).put(key, content).await
                }

                async fn get(&self, key: &str) -> Result<Option<String>, SessionError> {
                    (**self).get(key).await
                }
            }
        )+
    };
}

forward_content_store!(Arc<S>, Box<S>);

/// Keeps texts in memory, for as long as the process runs and at most so many bytes of them: the oldest go first. Clones
/// share them.
#[derive(Clone)]
pub struct InMemoryContentStore {
    kept: Arc<Mutex<Kept>>,
    max_bytes: usize,
}

#[derive(Default)]
struct Kept {
    texts: VecDeque<(String, String)>,
    bytes: usize,
}

impl Default for InMemoryContentStore {
    /// At most 64 MiB.
    fn default() -> Self {
        Self::new(DEFAULT_BYTES)
    }
}

impl InMemoryContentStore {
    /// At most so many bytes.
    pub fn new(max_bytes: usize) -> Self {
        Self { kept: Arc::default(), max_bytes }
    }
}

#[async_trait]
impl ContentStore for InMemoryContentStore {
    async fn put(&self, key: &str, content: &str) -> Result<(), SessionError> {
        if content.len() > self.max_bytes {
            return Err(SessionError::Storage {
                action: "write",
                key: key.to_owned(),
                source: format!("{} bytes are more than the {} that it keeps", content.len(), self.max_bytes).into(),
            });
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.bytes + content.len() > self.max_bytes {
            let Some((_, oldest)) = kept.texts.pop_front() else { break };
            kept.bytes -= oldest.len();
        }
        kept.bytes += content.len();
        kept.texts.push_back((key.to_owned(), content.to_owned()));
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<String>, SessionError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(kept.texts.iter().find(|(known, _)| known == key).map(|(_, content)| content.clone()))
    }
}

impl std::fmt::Debug for InMemoryContentStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InMemoryContentStore").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_keeps_no_more_than_it_may() {
        let store = InMemoryContentStore::new(10);
        for key in ["a", "b", "c"] {
            store.put(key, "1234").await.unwrap();
        }
        assert_eq!(store.get("a").await.unwrap(), None);
        assert_eq!(store.get("c").await.unwrap().as_deref(), Some("1234"));
        store.put("d", "12345678901").await.unwrap_err();
        assert_eq!(store.get("c").await.unwrap().as_deref(), Some("1234"));
    }
}
