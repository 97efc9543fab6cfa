//! Requests that change nothing on the server, and are repeated after a lost connection.

use std::future::Future;

use rmcp::model::{InputRequiredResult, InputResponses, PaginatedRequestParams, ServerCapabilities};
use rmcp::service::{Peer, RoleClient, ServiceError};
use tokio::time::{Instant, sleep, timeout_at};

use super::error::McpError;
use super::failure::Failure;
use super::input::CallError;
use super::mcp_client::Caller;
use super::rounds::{BUSY_DELAY, MOST_ROUNDS};

/// Pages of a list, and their entries.
const MOST_PAGES: usize = 1_000;
const MOST_ENTRIES: usize = 10_000;

/// Repetitions of a request that the server did not process.
const MOST_REPETITIONS: u32 = 3;

/// Reply to a request, or to a round of it.
pub(super) enum Round<T> {
    Complete(T),
    Input(InputRequiredResult),
}

/// Input that a request carries to the server: responses to its requests, and its state.
#[derive(Clone, Default)]
pub(super) struct RoundInput {
    pub(super) responses: Option<InputResponses>,
    pub(super) state: Option<String>,
}

impl Caller {
    /// Returns true if the server has a capability, as far as it is known.
    pub(super) async fn offers(&self, has: impl FnOnce(&ServerCapabilities) -> bool) -> Result<bool, McpError> {
        let info = self.link.connection().await?.info();
        Ok(info.is_none_or(|info| has(&info.capabilities)))
    }

    /// Sends a request, again after a lost connection, until there is a response.
    pub(super) async fn read<T, F, R>(&self, request: F) -> Result<T, McpError>
    where
        F: Fn(Peer<RoleClient>) -> R,
        R: Future<Output = Result<T, ServiceError>>,
    {
        let give_up = self.link.give_up();
        let mut repetitions = 0;
        loop {
            let connection = self.link.reconnected(give_up).await?;
            // Connecting has a timeout of its own, and may have waited for a user.
            let deadline = Instant::now() + self.call_timeout;
            let error = match timeout_at(deadline, request(connection.peer().clone())).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => error,
                Err(_) => {
                    return Err(McpError::Timeout { server: self.shared.server.clone(), timeout: self.call_timeout });
                }
            };
            repetitions += 1;
            match Failure::of_response(&self.shared.server, self.most_bytes, &error) {
                Failure::Final(error) => return Err(error),
                failure if repetitions > MOST_REPETITIONS => return Err(failure.into_error()),
                Failure::NotSent(_) => self.link.discard(&connection),
                Failure::Unknown(_) if connection.is_closed() => self.link.discard(&connection),
                Failure::Unknown(error) => return Err(error),
            }
        }
    }

    /// Reads all pages of a list. `page` returns the entries of a page, and the cursor of the next one.
    pub(super) async fn read_pages<T, F, R>(&self, page: F) -> Result<Vec<T>, McpError>
    where
        F: Fn(Peer<RoleClient>, Option<PaginatedRequestParams>) -> R,
        R: Future<Output = Result<(Vec<T>, Option<String>), ServiceError>>,
    {
        let (mut entries, mut cursor) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let (page, next) = self.read(|peer| page(peer, Some(params.clone()))).await?;
            entries.extend(page);
            if entries.len() > MOST_ENTRIES {
                return Err(self.unexpected(&format!("a list has more than {MOST_ENTRIES} entries")));
            }
            if next.is_none() {
                return Ok(entries);
            }
            cursor = next;
        }
        Err(self.unexpected(&format!("a list has more than {MOST_PAGES} pages")))
    }

    /// Sends a request, and again with responses to the input that the server requests for it. `name` is that of the prompt or
    /// resource.
    pub(super) async fn read_rounds<T, F, R>(&self, name: &str, request: F) -> Result<T, McpError>
    where
        F: Fn(Peer<RoleClient>, RoundInput) -> R,
        R: Future<Output = Result<Round<T>, ServiceError>>,
    {
        let mut input = RoundInput::default();
        for round in 1..=MOST_ROUNDS {
            let required = match self.read(|peer| request(peer, input.clone())).await? {
                Round::Complete(response) => return Ok(response),
                Round::Input(required) => required,
            };
            let requests = required.input_requests.unwrap_or_default();
            if requests.is_empty() {
                sleep(BUSY_DELAY * round).await;
            }
            let responses = self.answers(name, round, requests, None).await.map_err(|error| match error {
                CallError::Mcp(error) => error,
                // Only agents are interrupted.
                CallError::Interrupt(_) => self.closed(),
            })?;
            input =
                RoundInput { responses: (!responses.is_empty()).then_some(responses), state: required.request_state };
        }
        Err(self.unexpected(&format!("it requests input in more than {MOST_ROUNDS} rounds")))
    }
}
