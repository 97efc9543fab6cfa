//! W3C trace context: the position in a distributed trace that requests carry to other services.

use std::fmt;
use std::str::FromStr;

const MAX_STATE: usize = 512;

/// Position in a distributed trace, of the [W3C recommendation](https://www.w3.org/TR/trace-context/).
///
/// Inject it into an invocation: tools that call other services, such as those of MCP servers, send it along.
///
/// ```
/// use strands::TraceContext;
/// # use strands::{Agent, testing::ScriptedModel};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let mut agent = Agent::builder().model(ScriptedModel::responding("hi")).build().await?;
/// let trace: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse()?;
/// agent.prompt("Book a flight.").inject(trace).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    parent: String,
    state: Option<String>,
}

/// An error of a text that is not a trace context.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceContextError {
    /// The `traceparent` is not valid.
    #[error(
        "invalid traceparent: expected version, trace id, parent id and flags in lower-case hexadecimal, with `-` between"
    )]
    Parent,
    /// The `tracestate` has characters other than visible ASCII and spaces, or more than 512 bytes.
    #[error("invalid tracestate: expected at most {MAX_STATE} bytes of visible ASCII")]
    State,
}

crate::error_chain::debug_with_sources!(TraceContextError);

impl TraceContext {
    /// Sets the `tracestate`, the data of tracing systems.
    ///
    /// # Errors
    ///
    /// Returns [`TraceContextError::State`] if it is not valid.
    pub fn with_state(mut self, state: impl Into<String>) -> Result<Self, TraceContextError> {
        let state = state.into();
        if state.len() > MAX_STATE || !state.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(TraceContextError::State);
        }
        self.state = (!state.is_empty()).then_some(state);
        Ok(self)
    }

    /// Returns the `traceparent`.
    pub fn traceparent(&self) -> &str {
        &self.parent
    }

    /// Returns the `tracestate`, if there is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

impl FromStr for TraceContext {
    type Err = TraceContextError;

    /// Reads a `traceparent`.
    fn from_str(parent: &str) -> Result<Self, Self::Err> {
        let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
        let mut parts = parent.split('-');
        let mut next = |len: usize| parts.next().filter(|part| part.len() == len && is_hex(part));
        let (version, trace, span, flags) = (next(2), next(32), next(16), next(2));
        let (Some(version), Some(trace), Some(span), Some(_)) = (version, trace, span, flags) else {
            return Err(TraceContextError::Parent);
        };
        // Later versions may have more parts.
        let has_more = parts.next().is_some();
        if version == "ff"
            || is_zero(trace)
            || is_zero(span)
            || (has_more && version == "00")
            || parent.len() > MAX_STATE
        {
            return Err(TraceContextError::Parent);
        }
        Ok(Self { parent: parent.to_owned(), state: None })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_traceparents_of_the_recommendation() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(valid.parse::<TraceContext>().unwrap().to_string(), valid);
        assert!("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-follows".parse::<TraceContext>().is_ok());
        let invalid = [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX: y",
        ];
        for text in invalid {
            assert_eq!(text.parse::<TraceContext>(), Err(TraceContextError::Parent), "{text}");
        }
    }

    #[test]
    fn rejects_states_that_are_not_a_header_value() {
        let context: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
        assert_eq!(context.clone().with_state("a=1,b=2").unwrap().tracestate(), Some("a=1,b=2"));
        assert_eq!(context.clone().with_state("").unwrap().tracestate(), None);
        for state in ["a=1\n", "ä=1", &"x".repeat(513)] {
            assert_eq!(context.clone().with_state(state), Err(TraceContextError::State));
        }
    }
}
