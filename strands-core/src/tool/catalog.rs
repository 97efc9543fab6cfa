//! The catalog of an agent's tools: its own, and those of tool providers as they were listed last.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::{Tool, ToolProvider, ToolSet, ToolSetError};

/// The sources of an agent's tools. Clones share the newest listing, so that a template lists its tools once.
#[derive(Clone, Default)]
pub(crate) struct ToolCatalog {
    own: Arc<Vec<Arc<dyn Tool>>>,
    /// Tools that belong to something else of the agent, such as a plugin.
    built_in: Arc<Vec<Arc<dyn Tool>>>,
    providers: Arc<Vec<Arc<dyn ToolProvider>>>,
    newest: Arc<Mutex<Option<Arc<Newest>>>>,
}

/// The newest listing. Whoever comes first lists the tools, and the others wait for that.
struct Newest {
    generations: Vec<u64>,
    /// The tools before the change. The schemas of those that stay are compiled already.
    before: ToolSet,
    listing: OnceCell<ToolListing>,
}

/// The tools of a catalog at one moment.
#[derive(Clone, Default)]
pub(crate) struct ToolListing(Arc<Listed>);

#[derive(Clone, Default)]
struct Listed {
    /// The generation of each provider, as it was before its tools were listed.
    generations: Vec<u64>,
    provided: Vec<Arc<dyn Tool>>,
    tools: ToolSet,
}

/// An error of a listing.
#[derive(Debug)]
pub(crate) enum ListingError {
    Provider { provider: String, source: Box<dyn StdError + Send + Sync> },
    Tools(ToolSetError),
}

impl ToolListing {
    pub(crate) fn tools(&self) -> &ToolSet {
        &self.0.tools
    }
}

impl ToolCatalog {
    /// Number of the tools that are not provided.
    pub(crate) fn own_len(&self) -> usize {
        self.own.len() + self.built_in.len()
    }

    pub(crate) fn has_providers(&self) -> bool {
        !self.providers.is_empty()
    }

    pub(crate) fn add(&mut self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) {
        Arc::make_mut(&mut self.own).extend(tools);
        self.newest = Arc::default();
    }

    /// Adds tools that stay when the agent's own are replaced.
    pub(crate) fn add_built_in(&mut self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) {
        Arc::make_mut(&mut self.built_in).extend(tools);
        self.newest = Arc::default();
    }

    pub(crate) fn add_provider(&mut self, provider: Arc<dyn ToolProvider>) {
        Arc::make_mut(&mut self.providers).push(provider);
        self.newest = Arc::default();
    }

    /// Replaces the agent's own tools. Returns a listing with those, and with the provided tools of an earlier one.
    pub(crate) fn replace_own(
        &mut self,
        own: Vec<Arc<dyn Tool>>,
        listing: &ToolListing,
    ) -> Result<ToolListing, ToolSetError> {
        let mut listed = Listed::clone(&listing.0);
        let all = own.iter().chain(&*self.built_in).chain(&listed.provided);
        listed.tools = ToolSet::with_known(all.cloned(), &listed.tools)?;
        (self.own, self.newest) = (Arc::new(own), Arc::default());
        Ok(ToolListing(Arc::new(listed)))
    }

    /// Returns true if no provider has changed since a listing.
    #[inline]
    pub(crate) fn is_current(&self, listing: &ToolListing) -> bool {
        self.providers.is_empty() || self.is_listed(listing)
    }

    fn is_listed(&self, listing: &ToolListing) -> bool {
        self.providers.iter().map(|provider| provider.generation()).eq(listing.0.generations.iter().copied())
    }

    /// Returns the generation of each provider.
    pub(crate) fn generations(&self) -> Vec<u64> {
        self.providers.iter().map(|provider| provider.generation()).collect()
    }

    /// Lists the tools, unless an agent of the same template has done so since the last change.
    pub(crate) async fn list(&self) -> Result<ToolListing, ListingError> {
        let newest = self.newest();
        newest.listing.get_or_try_init(|| self.fetch(&newest)).await.cloned()
    }

    fn newest(&self) -> Arc<Newest> {
        // A change after this is another generation, and seen the next time.
        let generations = self.generations();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*newest {
            Some(newest) if newest.generations == generations => Arc::clone(newest),
            outdated => {
                let before = outdated.as_ref().and_then(|outdated| outdated.listing.get());
                let before = before.map(|listing| listing.tools().clone()).unwrap_or_default();
                Arc::clone(newest.insert(Arc::new(Newest { generations, before, listing: OnceCell::new() })))
            }
        }
    }

    async fn fetch(&self, newest: &Newest) -> Result<ToolListing, ListingError> {
        let mut provided = Vec::new();
        for provider in &*self.providers {
            let failed = |source| ListingError::Provider { provider: provider.name().to_owned(), source };
            provided.extend(provider.list_tools().await.map_err(failed)?);
        }
        let all = self.own.iter().chain(&*self.built_in).chain(&provided);
        let tools = ToolSet::with_known(all.cloned(), &newest.before).map_err(ListingError::Tools)?;
        Ok(ToolListing(Arc::new(Listed { generations: newest.generations.clone(), provided, tools })))
    }
}
