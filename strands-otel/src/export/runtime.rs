//! Runtime of the exporters, which may be dropped in async code.

use tokio::runtime::{Builder, Handle, Runtime};

use super::TelemetryError;

/// A runtime whose drop waits for nothing: the drop of a [`Runtime`] panics in async code.
pub(super) struct ExportRuntime(Option<Runtime>, Handle);

impl ExportRuntime {
    /// Starts the runtime.
    pub(super) fn start() -> Result<Self, TelemetryError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(8)
            .thread_name("strands-otel")
            .enable_all()
            .build()
            .map_err(TelemetryError::Runtime)?;
        let handle = runtime.handle().clone();
        Ok(Self(Some(runtime), handle))
    }

    /// Returns the handle, on which work is spawned.
    pub(super) fn handle(&self) -> &Handle {
        &self.1
    }
}

impl Drop for ExportRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
