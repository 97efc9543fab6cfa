//! The service on AWS Lambda: the router of a host as the handler of a function, with response streaming.
//!
//! Events are those of API Gateway (REST and HTTP APIs), of Application Load Balancers and of function URLs. An event of
//! `{"headers", "body"}` alone is a prompt as well.
//!
//! - A start connects to nothing: the first connection is that of the first turn.
//! - The token in `Authorization` is verified as on other hosts. If an authorizer of API Gateway has verified it before, its `sub`
//!   must be the same.
//! - The remaining time of an invocation, minus a margin for saving, is the time limit of its turns.
//! - No turn outlives its invocation, since Lambda freezes the process after the response.
//!
//! [`DevelopmentIdentity`](crate::http::DevelopmentIdentity) refuses all requests, since their clients are never on this machine.

mod ending;
mod event;
mod handler;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use futures_util::future::BoxFuture;
use lambda_http::RequestExt as _;
use lambda_http::lambda_runtime::{LambdaEvent, service_fn};
use serde::Deserialize as _;
use serde_json::Value;

use event::Event;
use handler::{Handler, Origin};

use crate::AgentService;
use crate::http::HttpHost;

/// Variable that selects the response mode: `buffered` or `response_stream`.
const MODE_VARIABLE: &str = "STRANDS_LAMBDA_INVOKE_MODE";
/// Default of [`LambdaHost::save_margin`].
const SAVE_MARGIN: Duration = Duration::from_secs(2);

/// Mode of responses, which must be that of the function URL or of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseMode {
    /// A response is sent when it is complete. API Gateway, load balancers, and function URLs with `BUFFERED`.
    #[default]
    Buffered,
    /// A response is streamed. Function URLs with `RESPONSE_STREAM`, and REST APIs with response streaming.
    Streaming,
}

/// The Lambda host of a service: it runs the router of another host, such as an [`HttpHost`].
///
/// ```no_run
/// use strands::serve::{AgentService, http::{Authenticate, HttpHost}, lambda};
///
/// # async fn example(service: AgentService, verifier: impl Authenticate + 'static) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// lambda::run(HttpHost::new(service, verifier)).await
/// # }
/// ```
#[must_use = "a host does nothing until it is run"]
pub struct LambdaHost {
    service: AgentService,
    router: Router,
    mode: Option<ResponseMode>,
    save_margin: Duration,
    prompt_path: &'static str,
    on_end: Option<InvocationEnd>,
}

/// Callback at the end of an invocation.
type InvocationEnd = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Runs a host on Lambda until the process is stopped. Shorthand for [`LambdaHost::run`].
///
/// # Errors
///
/// Returns an error if the runtime API fails.
pub async fn run(host: impl Into<LambdaHost>) -> Result<(), Box<dyn StdError + Send + Sync>> {
    host.into().run().await
}

impl LambdaHost {
    /// Creates the host of a router whose handlers use this service.
    pub fn new(service: AgentService, router: Router) -> Self {
        Self { service, router, mode: None, save_margin: SAVE_MARGIN, prompt_path: "/prompt", on_end: None }
    }

    /// Sets the mode of responses. Default: the variable `STRANDS_LAMBDA_INVOKE_MODE`, which is `buffered` or
    /// `response_stream`, else [`ResponseMode::Buffered`].
    pub fn response_mode(mut self, mode: ResponseMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Sets the time before the end of an invocation at which its turns are stopped, so that their messages are saved and their
    /// responses sent. At most half of the remaining time. Default: 2 seconds.
    pub fn save_margin(mut self, margin: Duration) -> Self {
        self.save_margin = margin;
        self
    }

    /// Sets a callback that is awaited at the end of each invocation, before Lambda freezes the process: to flush telemetry, for
    /// example. It has the rest of the invocation's time.
    pub fn on_invocation_end<F, Fut>(mut self, callback: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_end = Some(Arc::new(move || Box::pin(callback())));
        self
    }

    /// Runs the host until the process is stopped.
    ///
    /// # Errors
    ///
    /// Returns an error if the mode in the environment is invalid, if this process is not a Lambda function, or if the runtime
    /// API fails.
    pub async fn run(self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let mode = match self.mode {
            Some(mode) => mode,
            None => mode_of(std::env::var(MODE_VARIABLE).ok().as_deref())?,
        };
        // The runtime panics without it.
        if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
            return Err("not a Lambda function: `AWS_LAMBDA_RUNTIME_API` is not set".into());
        }
        let handler = self.handler();
        match mode {
            ResponseMode::Buffered => {
                let service = service_fn(move |event: LambdaEvent<Event>| handler.clone().buffered(event));
                lambda_http::lambda_runtime::run(service).await
            }
            ResponseMode::Streaming => {
                let service = service_fn(move |event: LambdaEvent<Event>| handler.clone().streamed(event));
                lambda_http::lambda_runtime::run(service).await
            }
        }
    }

    /// Runs one invocation in this process, for tests: returns the response to an event, as in the mode
    /// [`Buffered`](ResponseMode::Buffered). The invocation ends after this time.
    ///
    /// # Errors
    ///
    /// Returns an error if the event is not one of an HTTP request.
    pub async fn invoke(&self, event: Value, time: Duration) -> Result<Value, serde_json::Error> {
        let event = LambdaEvent::new(Event::deserialize(event)?, handler::context(time));
        match self.handler().buffered(event).await {
            Ok(response) => serde_json::to_value(response),
        }
    }

    /// Runs one invocation in this process, for tests: returns the response to an event, as in the mode
    /// [`Streaming`](ResponseMode::Streaming). The invocation ends with the body, or after this time.
    ///
    /// # Errors
    ///
    /// Returns an error if the event is not one of an HTTP request.
    pub async fn invoke_streaming(&self, event: Value, time: Duration) -> Result<Response, serde_json::Error> {
        let Event { request, subject, is_direct } = Event::deserialize(event)?;
        let request = lambda_http::Request::from(request).with_lambda_context(handler::context(time));
        Ok(self.handler().streaming_response(request, Origin { subject, is_direct }).await)
    }

    fn handler(&self) -> Handler {
        Handler {
            service: self.service.clone(),
            router: self.router.clone(),
            save_margin: self.save_margin,
            prompt_path: self.prompt_path,
            on_end: self.on_end.clone(),
        }
    }
}

fn mode_of(variable: Option<&str>) -> Result<ResponseMode, String> {
    match variable {
        None | Some("" | "buffered") => Ok(ResponseMode::Buffered),
        Some("response_stream") => Ok(ResponseMode::Streaming),
        Some(other) => Err(format!("invalid {MODE_VARIABLE} `{other}`: use `buffered` or `response_stream`")),
    }
}

impl From<HttpHost> for LambdaHost {
    fn from(host: HttpHost) -> Self {
        Self::new(host.service().clone(), host.into_router())
    }
}

#[cfg(feature = "agentcore")]
impl From<crate::agentcore::AgentCoreHost> for LambdaHost {
    fn from(host: crate::agentcore::AgentCoreHost) -> Self {
        let service = host.service().clone();
        Self { prompt_path: "/invocations", ..Self::new(service, host.into_router()) }
    }
}

impl fmt::Debug for LambdaHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaHost").field("service", &self.service).field("mode", &self.mode).finish_non_exhaustive()
    }
}
