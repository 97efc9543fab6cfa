//! Calls of methods, whichever binding they come from: from JSON of protocol 1.0, to JSON of protocol 1.0.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strands_http::Caller;

use crate::server::core::Core;
use crate::server::failure::{Failure, quote};
use crate::server::shares::{Exhausted, Share};
use crate::server::streams::Events;

/// The result of a method.
pub(super) enum Called {
    /// A value, with the share of the request in requests that are processed: the response holds it until it is sent.
    Result(Value, Share),
    Stream(BoxStream<'static, Result<Value, Failure>>),
}

/// Calls a method by its name in protocol 1.0.
pub(super) async fn call(
    core: &Arc<Core>,
    caller: &Caller,
    method: &str,
    params: Value,
    is_v03: bool,
) -> Result<Called, Failure> {
    use a2a::methods;
    // Those with a stream have a share in streams.
    let shares = match method {
        methods::SEND_STREAMING_MESSAGE => {
            return Ok(stream(core.send_streaming(caller, read(params)?, is_v03).await?));
        }
        methods::SUBSCRIBE_TO_TASK => return Ok(stream(core.subscribe(caller, read(params)?).await?)),
        methods::SEND_MESSAGE => &core.sends,
        methods::CANCEL_TASK => &core.cancels,
        _ => &core.requests,
    };
    let share = shares.take(&caller.key(), 1).map_err(|exhausted| {
        Failure::Overloaded(match exhausted {
            Exhausted::Total => "too many requests are processed; send the request again later",
            Exhausted::Caller => "too many of your requests are processed; send the request again after one has ended",
        })
    })?;
    let value = match method {
        methods::SEND_MESSAGE => json_of(core.send(caller, read(params)?, is_v03).await?),
        methods::GET_TASK => json_of(core.get_task(caller, read(params)?).await?),
        methods::LIST_TASKS => json_of(core.list_tasks(caller, read(or_empty(params))?).await?),
        methods::CANCEL_TASK => json_of(core.cancel_task(caller, read(params)?).await?),
        methods::CREATE_PUSH_CONFIG => json_of(core.create_push_config(caller, read(params)?, is_v03).await?),
        methods::GET_PUSH_CONFIG => json_of(core.get_push_config(caller, read(params)?).await?),
        methods::LIST_PUSH_CONFIGS => json_of(core.list_push_configs(caller, read(params)?).await?),
        methods::DELETE_PUSH_CONFIG => {
            core.delete_push_config(caller, read(params)?).await?;
            Ok(json!({}))
        }
        methods::GET_EXTENDED_AGENT_CARD => Err(Failure::Unsupported("the agent has no extended card".to_owned())),
        _ => Err(Failure::MethodNotFound(quote(method))),
    };
    Ok(Called::Result(value?, share))
}

fn or_empty(params: Value) -> Value {
    if params.is_null() { json!({}) } else { params }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Failure> {
    serde_json::from_value(params)
        .map_err(|error| Failure::InvalidParams(format!("invalid parameters: {}", quote(&error.to_string()))))
}

fn json_of(value: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(Failure::internal)
}

fn stream(events: Events) -> Called {
    let events = events.and_then(|event| async move { serde_json::to_value(&*event).map_err(Failure::internal) });
    Called::Stream(events.boxed())
}
