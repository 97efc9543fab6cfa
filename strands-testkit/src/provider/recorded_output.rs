//! Structured output over recordings: schema-constrained responses of real providers, in random chunks, as the
//! structured output of an agent.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here fails the calling test")]

use futures_util::StreamExt as _;
use serde_json::{Map, Value};
use strands_core::{Agent, AgentEvent};

use super::Recorded;
use crate::fault::Splits;
use crate::recording::{Exchange, recordings};
use crate::response::Response;
use crate::server::Server;

/// An output that any JSON object fits.
type Output = Map<String, Value>;

/// Requests structured output for each recorded response that is a JSON object. Returns their number.
///
/// The partial values of each must be prefixes of the output. Without `STRANDS_SHARED` there are none.
pub async fn recorded_objects_are_structured_output(provider: &dyn Recorded) -> usize {
    let mut objects = 0;
    for folder in provider.folders() {
        for (seed, recording) in recordings(folder.name).into_iter().flatten().enumerate() {
            for (at, exchange) in recording.exchanges.iter().enumerate() {
                let Some(object) = object_in(provider, exchange) else { continue };
                let name = format!("{}, exchange {at}", recording.name);
                let pieces = Response::from(exchange).splits(Splits::Random { seed: seed as u64, max: 23 });
                // A model without schema support gets two requests: the second one forces the tool.
                let server = Server::sequence([pieces.clone(), pieces]).await;
                let model = provider.asking(folder.name, exchange, &server.url()).await;
                let mut agent = Agent::builder().model(model).build().await.unwrap();
                let mut events = agent.prompt("hello").output::<Output>().stream();
                let (mut partial, mut output) = (Vec::new(), None);
                while let Some(event) = events.next().await {
                    match event.unwrap_or_else(|error| panic!("{name}: {error:?}")) {
                        AgentEvent::PartialOutput { value } => partial.push(value),
                        AgentEvent::Result { response } => output = response.output,
                        _ => {}
                    }
                }
                let output = Value::Object(output.unwrap_or_else(|| panic!("{name}: no output")));
                assert_eq!(output, Value::Object(object), "{name}");
                for value in partial {
                    assert!(is_prefix(&value, &output), "{name}: {value} is no prefix of {output}");
                }
                objects += 1;
            }
        }
    }
    objects
}

/// Returns the JSON object of a recorded response, if it is one.
fn object_in(provider: &dyn Recorded, exchange: &Exchange) -> Option<Output> {
    if !provider.speaks(exchange) || exchange.response.status >= 400 {
        return None;
    }
    let expected = provider.expectation(exchange);
    let ended = expected.calls.is_empty() && expected.stop_reason == Some("end_turn");
    ended.then(|| serde_json::from_str(&expected.text).ok()).flatten()
}

/// True if a value can be an intermediate state of the other one.
fn is_prefix(partial: &Value, whole: &Value) -> bool {
    match (partial, whole) {
        (Value::String(partial), Value::String(whole)) => whole.starts_with(partial),
        (Value::Array(partial), Value::Array(whole)) => {
            let newest = partial.len().saturating_sub(1);
            let mut pairs = partial.iter().zip(whole).enumerate();
            partial.len() <= whole.len()
                && pairs.all(
                    |(at, (partial, whole))| if at == newest { is_prefix(partial, whole) } else { partial == whole },
                )
        }
        (Value::Object(partial), Value::Object(whole)) => {
            let newest = partial.len().saturating_sub(1);
            let mut pairs = partial.iter().zip(whole).enumerate();
            partial.len() <= whole.len()
                && pairs.all(|(at, ((name, partial), (other, whole)))| {
                    name == other && if at == newest { is_prefix(partial, whole) } else { partial == whole }
                })
        }
        (partial, whole) => partial == whole,
    }
}
