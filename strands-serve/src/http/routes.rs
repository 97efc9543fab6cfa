//! Table of the routes: each has its description, from which the OpenAPI document is made.

use axum::Router;
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::on;
use bytes::Bytes;
use tower_http::compression::CompressionLayer;

use super::approvals::{AnswersAccepted, AnswersBody, ApprovalList};
use super::openapi::{Operation, document};
use super::runs::EventsQuery;
use super::sessions::{RemovedMessages, RewindBody, SessionChanges, SessionList, SessionQuery};
use super::{HostState, PromptBody, PromptResponse, approvals, authentication, health, prompt, runs, sessions};
use crate::{SessionSummary, SessionTranscript};

/// Routes with their descriptions.
struct Routes {
    router: Router<HostState>,
    operations: Vec<Operation>,
}

impl Routes {
    fn new() -> Self {
        Self { router: Router::new(), operations: Vec::new() }
    }

    fn route<T: 'static>(mut self, operation: Operation, handler: impl Handler<T, HostState>) -> Self {
        let mut handlers = on(operation.filter, handler);
        // A stream must not pass through a compressor, even one that does nothing: each of its events would.
        if !operation.may_stream() {
            handlers = handlers.layer(CompressionLayer::new());
        }
        self.router = self.router.route(operation.path, handlers);
        self.operations.push(operation);
        self
    }
}

/// Returns the router, and the OpenAPI document as JSON.
pub(super) fn router(state: &HostState) -> Router<HostState> {
    let public = public();
    let authenticated = runs_and_prompts(sessions_and_approvals(Routes::new()));
    let description = Operation::get("/openapi.json", "openapi", "Returns this document").public();
    let description = description.json::<serde_json::Value>("The document.");
    let mut operations = authenticated.operations;
    operations.extend(public.operations);
    operations.push(description.clone());
    // A map with texts as keys can be written.
    let json = Bytes::from(serde_json::to_vec(&document(&operations)).unwrap_or_default());
    let content_type = [(http::header::CONTENT_TYPE, "application/json")];
    let described = Routes::new().route(description, async move || (content_type, json));
    let authenticated = authenticated.router.route_layer(from_fn_with_state(state.clone(), authentication::require));
    public.router.merge(described.router).merge(authenticated)
}

fn public() -> Routes {
    Routes::new()
        .route(
            Operation::get("/healthz", "healthz", "Returns 200 while the process lives").public().text("It lives."),
            health::healthz,
        )
        .route(
            Operation::get("/readyz", "readyz", "Returns 200 while the process accepts prompts")
                .public()
                .text("It accepts prompts.")
                .problem(StatusCode::SERVICE_UNAVAILABLE, "It shuts down."),
            health::readyz,
        )
}

fn runs_and_prompts(routes: Routes) -> Routes {
    routes
        .route(
            Operation::post("/prompt", "prompt", "Prompts the agent, and returns its response")
                .body::<PromptBody>()
                .json::<PromptResponse>("The response.")
                .problem(StatusCode::CONFLICT, "The session is busy, or waits for replies to interrupts.")
                .problem(StatusCode::TOO_MANY_REQUESTS, "The user has too many prompts at the same time.")
                .problem(StatusCode::SERVICE_UNAVAILABLE, "The service is overloaded or shuts down."),
            prompt::prompt,
        )
        .route(
            Operation::post("/prompt/stream", "prompt_stream", "Prompts the agent, and streams its events")
                .description(
                    "The header `Location` has the path of the run's events. With `Last-Event-ID`, it continues the \
                     events of that run, and starts no new one. A failure after the start, such as a session that waits \
                     for replies to interrupts, is an event `failure` with a problem.",
                )
                .last_event_id()
                .body::<PromptBody>()
                .events("The events.")
                .nothing("The client has read all events of the run.")
                .problem(StatusCode::CONFLICT, "The session is busy.")
                .problem(StatusCode::TOO_MANY_REQUESTS, "The user has too many prompts at the same time.")
                .problem(StatusCode::SERVICE_UNAVAILABLE, "The service is overloaded or shuts down."),
            prompt::prompt_stream,
        )
        .route(
            Operation::delete("/runs/{id}", "cancel_run", "Cancels a run")
                .nothing("The run ends soon, with its history whole.")
                .problem(StatusCode::NOT_FOUND, "There is no such run of the user in this process."),
            runs::cancel,
        )
        .route(
            Operation::get("/runs/{id}/events", "run_events", "Returns the events of a run after `Last-Event-ID`")
                .description(
                    "A run that this process does not know has one event: its result, from the session of the query.",
                )
                .query::<EventsQuery>()
                .last_event_id()
                .events("The events.")
                .nothing("The client has read all events of the run.")
                .problem(StatusCode::NOT_FOUND, "There is no such run of the user.")
                .problem(StatusCode::CONFLICT, "The run has not ended yet in another process, or was cut off."),
            runs::events,
        )
        .route(
            Operation::post("/runs/{id}/answers", "answer_run", "Replies to the interrupts of a run, which goes on")
                .description(
                    "The owner of the session gets the response, or its events if the client accepts \
                     `text/event-stream`. An approver who is not the owner gets 202 once the reply is stored.",
                )
                .body::<AnswersBody>()
                .json_or_events::<PromptResponse>("The response to the owner of the session.")
                .accepted::<AnswersAccepted>("The reply of another approver is stored.")
                .problem(StatusCode::FORBIDDEN, "The user may not approve the call.")
                .problem(StatusCode::NOT_FOUND, "No such request waits for a response of the user.")
                .problem(StatusCode::CONFLICT, "Another reply or prompt was first.")
                .problem(StatusCode::GONE, "The request has expired."),
            approvals::answer,
        )
}

fn sessions_and_approvals(routes: Routes) -> Routes {
    routes
        .route(
            Operation::get("/approvals", "list_approvals", "Lists the requests that the user may respond to")
                .json::<ApprovalList>("The requests."),
            approvals::list,
        )
        .route(
            Operation::get("/sessions", "list_sessions", "Lists the user's sessions, newest first")
                .query::<SessionQuery>()
                .json::<SessionList>("The sessions."),
            sessions::list,
        )
        .route(
            Operation::get("/sessions/{id}", "read_session", "Returns a whole session")
                .json::<SessionTranscript>("The session.")
                .problem(StatusCode::NOT_FOUND, "There is no such session of the user."),
            sessions::read,
        )
        .route(
            Operation::patch("/sessions/{id}", "change_session", "Changes the title of a session")
                .body::<SessionChanges>()
                .json::<SessionSummary>("The session.")
                .problem(StatusCode::NOT_FOUND, "There is no such session of the user.")
                .problem(StatusCode::CONFLICT, "The session is busy."),
            sessions::change,
        )
        .route(
            Operation::delete("/sessions/{id}", "delete_session", "Deletes a session")
                .nothing("The session is deleted.")
                .problem(StatusCode::NOT_FOUND, "There is no such session of the user.")
                .problem(StatusCode::CONFLICT, "The session is busy."),
            sessions::delete,
        )
        .route(
            Operation::post("/sessions/{id}/rewind", "rewind_session", "Removes a prompt and all later messages")
                .body::<RewindBody>()
                .json::<RemovedMessages>("The removed messages.")
                .problem(StatusCode::NOT_FOUND, "There is no such session of the user, or no such message in it.")
                .problem(StatusCode::CONFLICT, "The session is busy.")
                .problem(StatusCode::UNPROCESSABLE_ENTITY, "The message is not a prompt."),
            sessions::rewind,
        )
}
