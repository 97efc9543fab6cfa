//! Content stores, for content that is too large for a conversation.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::SessionError;

const DEFAULT_BYTES: usize = 64 * 1024 * 1024;

/// Key-value store for texts, such as tool results that are too large for a conversation
/// ([`ToolResultOffloader`](crate::conversation::ToolResultOffloader)).
///
/// Implement it under `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - Keys have 1 to 128 of `A-Z a-z 0-9 . _ -` and do not start with a dot. Each is written once.
/// - A text is durable when `put` returns `Ok`, for as long as the conversation, or as the store documents.
#[async_trait]
pub trait ContentStore: Send + Sync {
    /// Stores a text.
    ///
    /// # Errors
    ///
    /// Returns a [`SessionError`] if the store can't be written.
    async fn put(&self, key: &str, content: &str) -> Result<(), SessionError>;

    /// Returns a stored text, or `None` if the key is unknown.
    ///
    /// # Errors
    ///
    /// Returns a [`SessionError`] if the store can't be read.
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

/// A content store in memory with a maximum size: the oldest texts are evicted first. Clones share the texts.
#[derive(Clone)]
pub struct InMemoryContentStore {
    stored: Arc<Mutex<StoredTexts>>,
    max_bytes: usize,
}

#[derive(Default)]
struct StoredTexts {
    texts: VecDeque<(String, String)>,
    bytes: usize,
}

impl Default for InMemoryContentStore {
    /// Creates a store of at most 64 MiB.
    fn default() -> Self {
        Self::new(DEFAULT_BYTES)
    }
}

impl InMemoryContentStore {
    /// Creates a store of at most `max_bytes` bytes.
    pub fn new(max_bytes: usize) -> Self {
        Self { stored: Arc::default(), max_bytes }
    }
}

#[async_trait]
impl ContentStore for InMemoryContentStore {
    async fn put(&self, key: &str, content: &str) -> Result<(), SessionError> {
        if content.len() > self.max_bytes {
            return Err(SessionError::Storage {
                action: "write",
                key: key.to_owned(),
                source: format!("{} bytes exceed the store's maximum of {}", content.len(), self.max_bytes).into(),
            });
        }
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        while stored.bytes + content.len() > self.max_bytes {
            let Some((_, oldest)) = stored.texts.pop_front() else { break };
            stored.bytes -= oldest.len();
        }
        stored.bytes += content.len();
        stored.texts.push_back((key.to_owned(), content.to_owned()));
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<String>, SessionError> {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(stored.texts.iter().find(|(known, _)| known == key).map(|(_, content)| content.clone()))
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
    async fn evicts_the_oldest_texts_at_the_maximum_size() {
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
