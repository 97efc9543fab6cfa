//! Contract of tool providers: one list of tools for each generation.

use std::collections::HashMap;

use futures_util::future::join_all;

use super::polling::{DropPoint, MAX_WAIT, poll_times, within};
use super::violation::{ContractViolation, Promise, ensure, ensure_eq};
use crate::tool::{ToolProvider, ToolSet, ToolSpec};

/// The most polls after which a listing is dropped.
const MAX_POLLS: usize = 16;

/// Number of concurrent listings.
const CONCURRENT: usize = 4;

/// Number of calls of `generation`.
const GENERATION_CALLS: usize = 1_000;

/// The most consecutive listings during which the generation may change.
const MAX_CHANGES: usize = 5;

/// Checks the contract of a [`ToolProvider`].
///
/// The suite lists the tools a few dozen times: sequentially, concurrently, and with futures that are dropped. The provider
/// should have tools. Its list may change during the suite if its generation does.
///
/// A listing that takes more than 30 s by the Tokio runtime's clock is a violation.
///
/// # Errors
///
/// Returns the first broken promise. An error of the provider is [`Promise::ToolProviderListValid`] with the error as its
/// source.
///
/// # Examples
///
/// ```
/// use std::error::Error;
/// use std::sync::Arc;
///
/// use strands::testing::contract::check_tool_provider;
/// use strands::{Tool, ToolProvider, async_trait, tool, tools};
///
/// /// Returns the time.
/// #[tool(crate = strands_core)]
/// fn clock() -> &'static str {
///     "noon"
/// }
///
/// struct Clocks;
///
/// #[async_trait]
/// impl ToolProvider for Clocks {
///     fn name(&self) -> &str {
///         "clocks"
///     }
///
///     async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
///         Ok(tools![Clock])
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// check_tool_provider(&Clocks).await?;
/// # Ok::<(), strands::testing::contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_tool_provider<P: ToolProvider + ?Sized>(provider: &P) -> Result<(), ContractViolation> {
    let name = provider.name().to_owned();
    let mut seen = Seen::default();
    for _ in 0..2 {
        seen.add(listed_unchanged(provider).await?)?;
    }
    let generation = provider.generation();
    let changed =
        (0..GENERATION_CALLS).map(|_| provider.generation()).find(|generation_now| *generation_now != generation);
    let promise = Promise::ToolProviderGenerationSteady;
    ensure_eq(promise, "the generation, read again", &Some(generation), &Some(changed.unwrap_or(generation)))?;
    let promise = Promise::ToolProviderListingsIndependent;
    for drop_point in DropPoint::ALL {
        for polls in 1..=MAX_POLLS {
            let finished = poll_times(listed(provider, promise), polls, drop_point).await.is_some();
            seen.add(listed(provider, promise).await?)?;
            if finished {
                break;
            }
        }
    }
    for listing in join_all((0..CONCURRENT).map(|_| listed(provider, promise))).await {
        seen.add(listing?)?;
    }
    ensure_eq(Promise::ToolProviderStable, "the provider's name", &name.as_str(), &provider.name())
}

/// The specs of the tools, and the generation before and after the listing.
struct Listing {
    generations: (u64, u64),
    specs: Vec<ToolSpec>,
}

/// Lists the tools, and checks that they form a valid set.
async fn listed<P: ToolProvider + ?Sized>(provider: &P, promise: Promise) -> Result<Listing, ContractViolation> {
    let before = provider.generation();
    let expected = "a list of tools";
    let Some(listed) = within(MAX_WAIT, provider.list_tools()).await else {
        return Err(ContractViolation::new(promise, expected, format!("nothing for {MAX_WAIT:?}")));
    };
    let tools = listed.map_err(|error| ContractViolation::error(promise, expected, error))?;
    let specs = tools.iter().map(|tool| tool.spec().clone()).collect();
    let invalid = |error| ContractViolation::error(promise, "tools that form a valid set", error);
    ToolSet::new(tools).map_err(invalid)?;
    Ok(Listing { generations: (before, provider.generation()), specs })
}

/// Lists the tools until the generation does not change during a listing.
async fn listed_unchanged<P: ToolProvider + ?Sized>(provider: &P) -> Result<Listing, ContractViolation> {
    for _ in 0..MAX_CHANGES {
        let listing = listed(provider, Promise::ToolProviderListValid).await?;
        if listing.generations.0 == listing.generations.1 {
            return Ok(listing);
        }
    }
    let observed = format!("another generation after each of {MAX_CHANGES} listings");
    let expected = "the generation not to change while the tools are listed";
    Err(ContractViolation::new(Promise::ToolProviderGenerationSteady, expected, observed))
}

/// The list of each generation.
#[derive(Default)]
struct Seen(HashMap<u64, Vec<ToolSpec>>);

impl Seen {
    /// Checks that a list equals earlier ones of its generation.
    fn add(&mut self, listing: Listing) -> Result<(), ContractViolation> {
        let (generation, after) = listing.generations;
        // The generation changed during the listing, so either list is valid.
        if generation != after {
            return Ok(());
        }
        let known = self.0.entry(generation).or_insert_with(|| listing.specs.clone());
        let names = |specs: &[ToolSpec]| specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
        let promise = Promise::ToolProviderListSteady;
        let expected = format!("the same tools of generation {generation} as before: {}", names(known));
        ensure(*known == listing.specs, promise, expected, || {
            let names = names(&listing.specs);
            if names.is_empty() { "no tools".to_owned() } else { format!("{names}, or other descriptions") }
        })
    }
}
