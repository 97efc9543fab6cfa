//! `GET /ws`: one prompt per message, with the events of its turn as messages. Each prompt needs credentials that are still valid.

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use tracing::Instrument as _;

use super::Shared;
use super::error::InvocationError;
use super::invocations::Caller;
use super::payload::Payload;
use crate::http::AuthenticationError;

/// End of a connection.
enum End {
    /// The client has closed it, or it is broken.
    Gone,
    /// The client has sent something that is not a prompt.
    Unsupported,
    /// Its credentials are no longer valid.
    Denied,
}

pub(super) async fn connect(State(shared): State<Shared>, request: Request) -> Result<Response, InvocationError> {
    let (mut parts, _) = request.into_parts();
    let caller = shared.caller(&parts).await?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &shared).await;
    let upgrade = upgrade.map_err(|rejection: WebSocketUpgradeRejection| {
        InvocationError::new(StatusCode::BAD_REQUEST, "no_upgrade", rejection.body_text())
    })?;
    let span = tracing::info_span!(
        "websocket",
        request_id = caller.context.request_id(),
        session_id = caller.context.runtime_session_id(),
    );
    let upgrade = upgrade.max_message_size(shared.body_limit).max_frame_size(shared.body_limit);
    Ok(upgrade.on_upgrade(move |socket| serve(shared, parts, caller, socket).instrument(span)))
}

async fn serve(shared: Shared, parts: Parts, caller: Caller, mut socket: WebSocket) {
    let end = loop {
        let prompt = match next_prompt(&mut socket).await {
            Ok(prompt) => prompt,
            Err(end) => break end,
        };
        // The token of the connection may have expired since.
        if let Err(error) = shared.http.identity(&parts).await {
            let is_denied = !matches!(error, AuthenticationError::Unavailable);
            match send_error(&mut socket, &InvocationError::from(error)).await {
                Ok(()) if is_denied => break End::Denied,
                Ok(()) => continue,
                Err(end) => break end,
            }
        }
        if let Err(end) = run_prompt(&shared, &caller, &mut socket, &prompt).await {
            break end;
        }
    };
    let (code, reason) = match end {
        End::Gone => return,
        End::Unsupported => (close_code::UNSUPPORTED, "only text messages are supported"),
        End::Denied => (close_code::POLICY, "a valid bearer token is required"),
    };
    let reason = Utf8Bytes::from_static(reason);
    // The client may be gone.
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason }))).await;
}

/// Returns the next text of the client.
async fn next_prompt(socket: &mut WebSocket) -> Result<Utf8Bytes, End> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(End::Unsupported),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
        }
    }
}

/// Runs the turn of a prompt. It is dropped, which cancels it, when the client is gone.
async fn run_prompt(shared: &Shared, caller: &Caller, socket: &mut WebSocket, prompt: &str) -> Result<(), End> {
    let started = async {
        let request = shared.turn(caller.clone(), Payload::parse(prompt.as_bytes())?)?;
        request.inline().start().await.map_err(|error| InvocationError::from(shared.http.problem(&error)))
    };
    let mut turn = match started.await {
        Ok(turn) => turn,
        Err(error) => return send_error(socket, &error).await,
    };
    loop {
        let event = tokio::select! {
            event = turn.next() => event,
            text = next_prompt(socket) => {
                text?;
                refuse(socket).await?;
                continue;
            }
        };
        match event {
            None => return Ok(()),
            Some(Ok(event)) => send(socket, event.json()).await?,
            Some(Err(error)) => return send_error(socket, &InvocationError::from(shared.http.problem(&error))).await,
        }
    }
}

/// Refuses a prompt that arrives while another one runs.
async fn refuse(socket: &mut WebSocket) -> Result<(), End> {
    let detail = "another prompt of this connection is running; send the next one after its result";
    send_error(socket, &InvocationError::new(StatusCode::CONFLICT, "session_busy", detail)).await
}

async fn send(socket: &mut WebSocket, json: String) -> Result<(), End> {
    socket.send(Message::Text(json.into())).await.map_err(|_| End::Gone)
}

async fn send_error(socket: &mut WebSocket, error: &InvocationError) -> Result<(), End> {
    send(socket, error.event().to_string()).await
}
