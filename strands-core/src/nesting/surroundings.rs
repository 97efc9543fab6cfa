//! Surroundings of a tool: guards that hooks hold while it is polled.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

type Enter = Arc<dyn Fn() -> Box<dyn Any> + Send + Sync>;

/// Functions that are called before each poll of a tool. Their guards are dropped after it, newest first.
#[derive(Clone, Default)]
pub(crate) struct Surroundings(Vec<Enter>);

impl Surroundings {
    pub(crate) fn add(&mut self, enter: impl Fn() -> Box<dyn Any> + Send + Sync + 'static) {
        self.0.push(Arc::new(enter));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Surrounds each poll of a future.
    pub(crate) fn surround<F: Future>(this: Option<&Self>, work: F) -> Surrounded<'_, F> {
        Surrounded { surroundings: this.map(|this| this.0.as_slice()).unwrap_or_default(), work }
    }
}

pin_project! {
    /// A future with surroundings.
    pub(crate) struct Surrounded<'a, F> {
        surroundings: &'a [Enter],
        #[pin]
        work: F,
    }
}

/// Guards in the order in which they were created.
struct Guards(Vec<Box<dyn Any>>);

impl Drop for Guards {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

impl<F: Future> Future for Surrounded<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.surroundings.is_empty() {
            return this.work.poll(cx);
        }
        let _guards = Guards(this.surroundings.iter().map(|enter| enter()).collect());
        this.work.poll(cx)
    }
}
