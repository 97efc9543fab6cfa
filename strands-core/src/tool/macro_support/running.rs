//! How a call runs: boxed, and for a sync tool where blocking is allowed, so that none of them stalls the runtime.

use futures_core::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::nesting;
use crate::tool::{ToolError, ToolOutput};

/// The future of a call. What is not `Send` is refused here, and not in a cast that spells out the types.
pub fn boxed<'a>(
    call: impl Future<Output = Result<ToolOutput, ToolError>> + Send + 'a,
) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
    Box::pin(call)
}

/// Takes a task that has not started off the queue when the call is dropped. One that runs can't be stopped.
struct AbortOnDrop(JoinHandle<Result<ToolOutput, ToolError>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs `call` on the runtime's blocking pool; without a runtime there is none to stall, and it runs here.
///
/// # Errors
///
/// Those of `call`, and one when the runtime shuts down first.
pub async fn on_blocking_pool(
    call: impl FnOnce() -> Result<ToolOutput, ToolError> + Send + 'static,
) -> Result<ToolOutput, ToolError> {
    let Ok(runtime) = Handle::try_current() else { return call() };
    let mut budget = nesting::current();
    let mut task = AbortOnDrop(runtime.spawn_blocking(move || {
        let _entered = nesting::enter(&mut budget);
        call()
    }));
    match (&mut task.0).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            // A sync tool's panic looks like an async tool's.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ToolError::new("the tool did not run: the program is shutting down")),
        },
    }
}
