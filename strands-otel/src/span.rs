//! An open span. It ends when it is dropped.

use std::borrow::Cow;
use std::time::Instant;

use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{Link, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue, Value};

use crate::conventions::Conventions;
use crate::semconv;

/// An open span, as a context in which children begin.
pub(crate) struct OpenSpan {
    context: Context,
    began: Instant,
}

impl OpenSpan {
    pub(crate) fn start(
        tracer: &BoxedTracer,
        parent: &Context,
        name: impl Into<Cow<'static, str>>,
        kind: SpanKind,
        attributes: Vec<KeyValue>,
        links: Vec<Link>,
    ) -> Self {
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes).with_links(links);
        let span = tracer.build_with_context(builder, parent);
        Self { context: parent.with_span(span), began: Instant::now() }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.context.span().is_recording()
    }

    pub(crate) fn set(&self, name: &'static str, value: impl Into<Value>) {
        self.context.span().set_attribute(KeyValue::new(name, value.into()));
    }

    pub(crate) fn add_event(&self, name: &'static str, attributes: Vec<KeyValue>) {
        self.context.span().add_event(name, attributes);
    }

    /// Records content, as an event or as attributes of the span.
    pub(crate) fn add_content(&self, conventions: Conventions, event: &'static str, attributes: Vec<KeyValue>) {
        if conventions.attributes_only {
            self.context.span().set_attributes(attributes);
        } else {
            self.add_event(event, attributes);
        }
    }

    pub(crate) fn set_ok(&self) {
        self.context.span().set_status(Status::Ok);
    }

    /// Sets the status of an error. Its text may have content.
    pub(crate) fn fail(&self, conventions: Conventions, kind: &'static str, text: impl FnOnce() -> String) {
        self.set(semconv::ERROR_TYPE, kind);
        if !conventions.content {
            self.context.span().set_status(Status::error(kind));
            return;
        }
        let text = text();
        let attributes =
            vec![KeyValue::new(semconv::EXCEPTION_TYPE, kind), KeyValue::new(semconv::EXCEPTION_MESSAGE, text.clone())];
        self.add_event(semconv::EXCEPTION_EVENT, attributes);
        self.context.span().set_status(Status::error(text));
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        // Clones of the context may live longer.
        self.context.span().end();
    }
}
