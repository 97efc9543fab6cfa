//! Host on Restate: turns that survive crashes and deploys of this process.

use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value};
use strands::{
    durable::{
        FailureKind, TurnFailure, TurnInfo,
        restate::{DurableAgent, restate_sdk::endpoint::Endpoint, serve},
    },
    identity::{Approver, Identity},
    serve::stop_signal,
};
use tokio::net::TcpListener;

use super::{BoxError, System, Terminal};
use crate::access::{self, Role};

#[derive(Debug, Args)]
pub(crate) struct DurableArgs {
    /// The address to listen on.
    #[arg(long, value_name = "HOST:PORT", env = "TRAVEL_LISTEN", default_value = "127.0.0.1:9080")]
    listen: String,

    /// The public key of the Restate server, `publickeyv1_...`: requests that it has not signed are refused.
    #[arg(long, value_name = "KEY", env = "TRAVEL_RESTATE_KEY")]
    restate_key: Option<String>,
}

/// Serves the virtual object `TravelAgent`, whose key is the id of the session.
///
/// Its callers have authenticated the user, whom they name in the metadata of turns and answers: `{"user": "bob", "role": "manager"}`.
pub(crate) async fn durable(system: &System, options: &DurableArgs) -> Result<(), BoxError> {
    let agent = Arc::new(system.agent.clone());
    let template = move |turn: TurnInfo| {
        let agent = Arc::clone(&agent);
        async move { Ok::<_, BoxError>(agent.call_agent(&user(&turn.metadata)?).await?) }
    };
    let agent = DurableAgent::new("TravelAgent", template)?
        .answered_by(|metadata| Ok::<_, BoxError>(Approver::new(user(metadata)?)));
    let mut endpoint = Endpoint::builder().bind(agent);
    match options.restate_key.as_deref().filter(|key| !key.is_empty()) {
        Some(key) => endpoint = endpoint.identity_key(key)?,
        None => Terminal::standard().note("Requests are not signed: only a Restate server may reach this address")?,
    }
    let listener = TcpListener::bind(&options.listen).await?;
    Terminal::standard().note(&format!("Serving Restate on http://{}", listener.local_addr()?))?;
    serve(listener, endpoint.build(), stop_signal()).await;
    Ok(())
}

fn user(metadata: &Map<String, Value>) -> Result<Identity, TurnFailure> {
    // Final: another attempt has the same metadata.
    let invalid = |reason| TurnFailure::new(FailureKind::InvalidRequest, format!("invalid metadata: {reason}"));
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    let user = text("user").ok_or_else(|| invalid("it has no `user`"))?;
    let role = text("role").map_or(Ok(Role::Traveler), str::parse).map_err(|_| invalid("unknown `role`"))?;
    Ok(access::trusted(user, role))
}
