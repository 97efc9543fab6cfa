//! Description of one operation: a method of a path, with its parameters, body and responses.

use axum::routing::MethodFilter;
use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes the schema of a type.
pub(super) type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// An operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) filter: MethodFilter,
    pub(super) method: &'static str,
    pub(crate) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: Option<&'static str>,
    pub(super) is_public: bool,
    pub(super) reads_last_event_id: bool,
    pub(super) query: Option<MakeSchema>,
    pub(super) body: Option<MakeSchema>,
    pub(super) responses: Vec<Response>,
}

/// A response.
#[derive(Clone, Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) description: &'static str,
    pub(super) content: Content,
}

/// Content of a response.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    Nothing,
    Text,
    Json(MakeSchema),
    Events,
    /// JSON or events, as the client accepts.
    JsonOrEvents(MakeSchema),
    Problem,
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Returns the schema of a type itself, not a reference to it.
fn inline<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

impl Operation {
    fn new(
        filter: MethodFilter,
        method: &'static str,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            filter,
            method,
            path,
            id,
            summary,
            description: None,
            is_public: false,
            reads_last_event_id: false,
            query: None,
            body: None,
            responses: Vec::new(),
        }
    }

    pub(crate) fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(MethodFilter::GET, "get", path, id, summary)
    }

    pub(crate) fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(MethodFilter::POST, "post", path, id, summary)
    }

    pub(crate) fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(MethodFilter::PATCH, "patch", path, id, summary)
    }

    pub(crate) fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(MethodFilter::DELETE, "delete", path, id, summary)
    }

    pub(crate) fn description(self, description: &'static str) -> Self {
        Self { description: Some(description), ..self }
    }

    /// Needs no identity.
    pub(crate) fn public(self) -> Self {
        Self { is_public: true, ..self }
    }

    pub(crate) fn last_event_id(self) -> Self {
        Self { reads_last_event_id: true, ..self }
    }

    pub(crate) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(inline::<T>), ..self }
    }

    pub(crate) fn body<T: JsonSchema>(self) -> Self {
        Self { body: Some(schema::<T>), ..self }
    }

    fn response(mut self, status: StatusCode, description: &'static str, content: Content) -> Self {
        self.responses.push(Response { status, description, content });
        self
    }

    pub(crate) fn json<T: JsonSchema>(self, description: &'static str) -> Self {
        self.response(StatusCode::OK, description, Content::Json(schema::<T>))
    }

    pub(crate) fn json_or_events<T: JsonSchema>(self, description: &'static str) -> Self {
        self.response(StatusCode::OK, description, Content::JsonOrEvents(schema::<T>))
    }

    pub(crate) fn accepted<T: JsonSchema>(self, description: &'static str) -> Self {
        self.response(StatusCode::ACCEPTED, description, Content::Json(schema::<T>))
    }

    pub(crate) fn events(self, description: &'static str) -> Self {
        self.response(StatusCode::OK, description, Content::Events)
    }

    /// Returns true if a response may be a stream of events.
    pub(crate) fn may_stream(&self) -> bool {
        self.responses.iter().any(|response| matches!(response.content, Content::Events | Content::JsonOrEvents(_)))
    }

    pub(crate) fn text(self, description: &'static str) -> Self {
        self.response(StatusCode::OK, description, Content::Text)
    }

    pub(crate) fn nothing(self, description: &'static str) -> Self {
        self.response(StatusCode::NO_CONTENT, description, Content::Nothing)
    }

    pub(crate) fn problem(self, status: StatusCode, description: &'static str) -> Self {
        self.response(status, description, Content::Problem)
    }
}
