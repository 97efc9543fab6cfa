//! Calls of an authorizer that may fail, panic or take too long.

use std::any::Any;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use strands_core::ErrorChain;

/// Calls an authorizer. Returns its decision, or the cause of the failure for the audit.
pub(super) async fn guarded<T>(
    timeout: Duration,
    call: impl Future<Output = Result<T, Box<dyn StdError + Send + Sync>>>,
) -> Result<T, String> {
    match tokio::time::timeout(timeout, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(Ok(decision))) => Ok(decision),
        Ok(Ok(Err(error))) => Err(format!("the authorizer failed: {}", ErrorChain::new(&*error))),
        Ok(Err(panic)) => Err(format!("the authorizer panicked: {}", message(&*panic))),
        Err(_) => Err(format!("the authorizer did not decide within {timeout:?}")),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}
