//! Tool providers that violate their contract.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use strands_core::testing::contract::{Promise, check_tool_provider};
use strands_core::{Tool, ToolProvider, tool, tools};
use tokio::sync::Semaphore;

/// Returns the time.
#[tool(crate = strands_core)]
fn clock() -> &'static str {
    "noon"
}

/// Returns the day.
#[tool(crate = strands_core)]
fn calendar() -> &'static str {
    "Monday"
}

type Listed = Result<Vec<Arc<dyn Tool>>, Box<dyn StdError + Send + Sync>>;

/// A provider with configurable violations.
#[derive(Default)]
struct Handmade {
    /// Number of calls of each method.
    names: AtomicU64,
    listings: AtomicU64,
    generations: AtomicU64,
    list: Option<fn(u64) -> Listed>,
    generation: Option<fn(listings: u64, asked: u64) -> u64>,
    renames: bool,
    /// One listing at a time, which must end: a second one fails.
    single: Option<AtomicBool>,
    /// One listing at a time, which must end: a second one waits.
    queue: Option<Semaphore>,
}

#[async_trait]
impl ToolProvider for Handmade {
    fn name(&self) -> &str {
        if self.renames && self.names.fetch_add(1, Ordering::Relaxed) > 0 { "another" } else { "handmade" }
    }

    async fn list_tools(&self) -> Listed {
        let listing = self.listings.fetch_add(1, Ordering::Relaxed);
        if self.single.as_ref().is_some_and(|single| single.swap(true, Ordering::Relaxed)) {
            return Err("a listing is running".into());
        }
        if let Some(queue) = &self.queue {
            queue.acquire().await?.forget();
        }
        tokio::task::yield_now().await;
        if let Some(single) = &self.single {
            single.store(false, Ordering::Relaxed);
        }
        if let Some(queue) = &self.queue {
            queue.add_permits(1);
        }
        self.list.map_or_else(|| Ok(tools![Clock, Calendar]), |list| list(listing))
    }

    fn generation(&self) -> u64 {
        let asked = self.generations.fetch_add(1, Ordering::Relaxed);
        self.generation.map_or(0, |generation| generation(self.listings.load(Ordering::Relaxed), asked))
    }
}

async fn broken(provider: Handmade) -> Promise {
    check_tool_provider(&provider).await.unwrap_err().promise
}

#[tokio::test(start_paused = true)]
async fn accepts_valid_providers() {
    check_tool_provider(&Handmade::default()).await.unwrap();
    check_tool_provider(&(Arc::new(Handmade::default()) as Arc<dyn ToolProvider>)).await.unwrap();
    // The list changes once, and its generation with it.
    let changes = Handmade {
        list: Some(|listing| Ok(if listing < 7 { tools![Clock] } else { tools![Calendar] })),
        generation: Some(|listings, _| u64::from(listings > 6)),
        ..Handmade::default()
    };
    check_tool_provider(&changes).await.unwrap();
}

#[test]
fn runs_without_timers() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(check_tool_provider(&Handmade::default())).unwrap();
}

#[tokio::test(start_paused = true)]
async fn detects_changing_names() {
    assert_eq!(broken(Handmade { renames: true, ..Handmade::default() }).await, Promise::ToolProviderStable);
}

#[tokio::test(start_paused = true)]
async fn detects_invalid_and_failing_lists() {
    let twice = Handmade { list: Some(|_| Ok(tools![Clock, Clock])), ..Handmade::default() };
    assert_eq!(broken(twice).await, Promise::ToolProviderListValid);
    let down = Handmade { list: Some(|_| Err("the server is down".into())), ..Handmade::default() };
    let violation = check_tool_provider(&down).await.unwrap_err();
    assert_eq!(violation.promise, Promise::ToolProviderListValid);
    assert!(violation.to_string().contains("the server is down"), "{violation}");
}

#[tokio::test(start_paused = true)]
async fn detects_lists_that_change_within_a_generation() {
    let swaps: fn(u64) -> Listed =
        |listing| Ok(if listing.is_multiple_of(2) { tools![Clock, Calendar] } else { tools![Calendar, Clock] });
    let shrinks: fn(u64) -> Listed = |listing| Ok(if listing < 9 { tools![Clock, Calendar] } else { tools![Clock] });
    for list in [swaps, shrinks] {
        assert_eq!(broken(Handmade { list: Some(list), ..Handmade::default() }).await, Promise::ToolProviderListSteady);
    }
}

#[tokio::test(start_paused = true)]
async fn detects_generations_that_change_when_read() {
    let promise = Promise::ToolProviderGenerationSteady;
    let by_listing = Handmade { generation: Some(|listings, _| listings), ..Handmade::default() };
    assert_eq!(broken(by_listing).await, promise);
    let by_asking = Handmade { generation: Some(|_, asked| asked / 100), ..Handmade::default() };
    assert_eq!(broken(by_asking).await, promise);
}

#[tokio::test(start_paused = true)]
async fn detects_listings_that_affect_each_other() {
    let promise = Promise::ToolProviderListingsIndependent;
    let single = Handmade { single: Some(AtomicBool::new(false)), ..Handmade::default() };
    assert_eq!(broken(single).await, promise);
    let queue = Handmade { queue: Some(Semaphore::new(1)), ..Handmade::default() };
    assert_eq!(broken(queue).await, promise);
}
