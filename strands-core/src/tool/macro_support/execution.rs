//! Execution of a call: boxed, and on the blocking pool for sync tools, so that none of them stalls the runtime.

use futures_core::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

use crate::nesting;
use crate::tool::{ToolError, ToolOutput};

/// Boxes the future of a call. A future that is not `Send` fails here, rather than in a cast that spells out the types.
pub fn boxed<'a>(
    call: impl Future<Output = Result<ToolOutput, ToolError>> + Send + 'a,
) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
    Box::pin(call)
}

/// Removes a task that has not started from the queue when the call is dropped. A running one can't be stopped.
struct AbortOnDrop(JoinHandle<Result<ToolOutput, ToolError>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs `call` on the runtime's blocking pool, or inline without a runtime.
///
/// # Errors
///
/// Returns those of `call`, and an error if the runtime shuts down first.
pub async fn on_blocking_pool(
    call: impl FnOnce() -> Result<ToolOutput, ToolError> + Send + 'static,
) -> Result<ToolOutput, ToolError> {
    let Ok(runtime) = Handle::try_current() else { return call() };
    let mut task = spawned(&runtime, Box::new(call));
    let ended = (&mut task.0).await;
    output(ended)
}

/// Spawns a boxed call, so that programs don't compile a task of Tokio for each of their tools.
fn spawned(runtime: &Handle, call: Box<dyn FnOnce() -> Result<ToolOutput, ToolError> + Send>) -> AbortOnDrop {
    let mut budget = nesting::current();
    AbortOnDrop(runtime.spawn_blocking(move || {
        let _entered = nesting::enter(&mut budget);
        call()
    }))
}

fn output(ended: Result<Result<ToolOutput, ToolError>, JoinError>) -> Result<ToolOutput, ToolError> {
    match ended {
        Ok(output) => output,
        Err(error) => match error.try_into_panic() {
            // Treat a panic like that of an async tool.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ToolError::new("the tool did not run: the program is shutting down")),
        },
    }
}
