//! A tool provider: a catalog that a program changes while agents live.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use strands::{Tool, ToolProvider, Toolset};

/// The tools and their generation.
#[derive(Default)]
struct Shelf {
    tools: Vec<Arc<dyn Tool>>,
    generation: u64,
}

/// Tools that can be replaced. Clones share them.
#[derive(Clone, Default)]
pub struct Catalog(Arc<Mutex<Shelf>>);

impl Catalog {
    /// Replaces the tools. Agents see them before their next model call.
    pub fn replace(&self, tools: impl Toolset) {
        let mut shelf = self.shelf();
        shelf.tools = tools.into_tools();
        shelf.generation += 1;
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ToolProvider for Catalog {
    fn name(&self) -> &str {
        "catalog"
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
        Ok(self.shelf().tools.clone())
    }

    fn generation(&self) -> u64 {
        self.shelf().generation
    }
}
