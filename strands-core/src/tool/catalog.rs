//! Catalog of an agent's tools: its own, and those that tool providers listed last.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;
use tokio::sync::OnceCell;

use super::set::ListedTool;
use super::{Tool, ToolProvider, ToolSet, ToolSetError};

/// The sources of an agent's tools. Clones share the latest listing, so that a template lists its tools once.
#[derive(Clone, Default)]
pub(crate) struct ToolCatalog {
    own: Arc<Vec<Arc<dyn Tool>>>,
    /// Tools of other parts of the agent, such as plugins.
    built_in: Arc<Vec<Arc<dyn Tool>>>,
    providers: Arc<Vec<Arc<dyn ToolProvider>>>,
    latest: Arc<Mutex<Option<Arc<LatestListing>>>>,
}

/// The latest listing. The first caller lists the tools; concurrent callers wait for the result.
struct LatestListing {
    generations: Vec<u64>,
    /// The previous tools. Schemas of tools that remain are not compiled again.
    before: ToolSet,
    listing: OnceCell<ToolListing>,
}

/// A snapshot of the tools in a catalog.
#[derive(Clone, Default)]
pub(crate) struct ToolListing(Arc<Listed>);

#[derive(Clone, Default)]
struct Listed {
    /// The generation of each provider, read before its tools were listed.
    generations: Vec<u64>,
    provided: Vec<ListedTool>,
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
    /// Returns the number of tools that do not come from providers.
    pub(crate) fn own_len(&self) -> usize {
        self.own.len() + self.built_in.len()
    }

    /// Returns the tools that do not come from providers.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.own.iter().chain(self.built_in.iter())
    }

    pub(crate) fn has_providers(&self) -> bool {
        !self.providers.is_empty()
    }

    pub(crate) fn add(&mut self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) {
        Arc::make_mut(&mut self.own).extend(tools);
        self.latest = Arc::default();
    }

    /// Adds tools that remain when the agent's own are replaced.
    pub(crate) fn add_built_in(&mut self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) {
        Arc::make_mut(&mut self.built_in).extend(tools);
        self.latest = Arc::default();
    }

    pub(crate) fn add_provider(&mut self, provider: Arc<dyn ToolProvider>) {
        Arc::make_mut(&mut self.providers).push(provider);
        self.latest = Arc::default();
    }

    /// Replaces the agent's own tools. Returns a listing with the new tools and the provided tools of an earlier listing.
    pub(crate) fn replace_own(
        &mut self,
        own: Vec<Arc<dyn Tool>>,
        listing: &ToolListing,
    ) -> Result<ToolListing, ToolSetError> {
        let mut listed = Listed::clone(&listing.0);
        let of_program = own.iter().chain(&*self.built_in).cloned().map(ListedTool::from);
        listed.tools = ToolSet::with_known(of_program.chain(listed.provided.iter().cloned()), &listed.tools)?;
        (self.own, self.latest) = (Arc::new(own), Arc::default());
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

    /// Lists the tools, unless an agent of the same template did so since the last change.
    pub(crate) async fn list(&self) -> Result<ToolListing, ListingError> {
        let latest = self.latest();
        latest.listing.get_or_try_init(|| self.fetch(&latest)).await.cloned()
    }

    fn latest(&self) -> Arc<LatestListing> {
        // A later change has another generation, and is noticed next time.
        let generations = self.generations();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some(latest) if latest.generations == generations => Arc::clone(latest),
            outdated => {
                let before = outdated.as_ref().and_then(|outdated| outdated.listing.get());
                let before = before.map(|listing| listing.tools().clone()).unwrap_or_default();
                Arc::clone(latest.insert(Arc::new(LatestListing { generations, before, listing: OnceCell::new() })))
            }
        }
    }

    async fn fetch(&self, latest: &LatestListing) -> Result<ToolListing, ListingError> {
        // Concurrently, since most of them wait for a server.
        let listed = try_join_all(self.providers.iter().map(|provider| async move {
            let failed = |source| ListingError::Provider { provider: provider.name().to_owned(), source };
            let name: Arc<str> = provider.name().into();
            let tools = provider.list_tools().await.map_err(failed)?;
            let listed = tools.into_iter().map(move |tool| ListedTool { tool, provider: Some(Arc::clone(&name)) });
            Ok::<_, ListingError>(listed)
        }));
        let provided: Vec<ListedTool> = listed.await?.into_iter().flatten().collect();
        let of_program = self.own.iter().chain(&*self.built_in).cloned().map(ListedTool::from);
        let tools = ToolSet::with_known(of_program.chain(provided.iter().cloned()), &latest.before)
            .map_err(ListingError::Tools)?;
        Ok(ToolListing(Arc::new(Listed { generations: latest.generations.clone(), provided, tools })))
    }
}
