//! `GET /ws`, over loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};
use strands_core::Agent;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_identity::Identity;
use strands_serve::agentcore::AgentCoreHost;
use strands_serve::http::{Authenticate, AuthenticationError};
use strands_serve::{AgentService, Server};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::rig::{PATIENCE, bearer, echo, get, send, service, until, verifier};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn serve(service: AgentService) -> SocketAddr {
    serve_with(service, verifier()).await
}

async fn serve_with(service: AgentService, authenticate: impl Authenticate + 'static) -> SocketAddr {
    let router = AgentCoreHost::new(service, authenticate).into_router();
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr();
    tokio::spawn(server.serve_with(router, |_| async {}, std::future::pending()));
    address
}

async fn connect(address: SocketAddr, authorization: &str) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    request.headers_mut().insert("authorization", authorization.parse().unwrap());
    Ok(connect_async(request).await?.0)
}

async fn ask(socket: &mut Socket, payload: &str) {
    socket.send(Message::text(payload)).await.unwrap();
}

async fn next(socket: &mut Socket) -> Value {
    let message = tokio::time::timeout(PATIENCE, socket.next()).await.expect("no message").unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

/// Reads events up to the result.
async fn result(socket: &mut Socket) -> Value {
    loop {
        let event = next(socket).await;
        if event["type"] == "result" {
            return event;
        }
        assert!(event.get("error").is_none(), "{event}");
    }
}

#[tokio::test]
async fn each_message_is_a_prompt_whose_events_are_messages() {
    let address = serve(service(echo())).await;
    let mut socket = connect(address, &bearer("alice")).await.unwrap();
    for text in ["Hello", "And again"] {
        ask(&mut socket, &json!({"prompt": text}).to_string()).await;
        let event = result(&mut socket).await;
        assert!(event.to_string().contains(text), "{event}");
    }
    ask(&mut socket, "{").await;
    assert_eq!(next(&mut socket).await["error"], "Invalid JSON");
    ask(&mut socket, r#"{"prompt": "Still here"}"#).await;
    result(&mut socket).await;
    socket.send(Message::binary(vec![1])).await.unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else { panic!("no close") };
    assert_eq!(u16::from(frame.code), 1003);
}

#[tokio::test]
async fn a_connection_without_a_token_or_an_upgrade_is_refused() {
    let address = serve(service(echo())).await;
    match connect(address, "Bearer x.y.z").await {
        Err(Error::Http(response)) => assert_eq!(response.status(), StatusCode::UNAUTHORIZED),
        other => panic!("{other:?}"),
    }
    let router = AgentCoreHost::new(service(echo()), verifier()).into_router();
    let mut request = get("/ws");
    request.headers_mut().insert("authorization", bearer("alice").parse().unwrap());
    assert_eq!(send(&router, request).await.status, StatusCode::BAD_REQUEST);
}

/// Accepts requests while it is valid.
struct Expiring(Arc<AtomicBool>);

#[async_trait]
impl Authenticate for Expiring {
    async fn authenticate(&self, _: &Parts) -> Result<Identity, AuthenticationError> {
        let is_valid = self.0.load(Ordering::Relaxed);
        if is_valid { Ok(Identity::new("alice")) } else { Err(AuthenticationError::Unauthenticated) }
    }
}

#[tokio::test]
async fn a_prompt_after_the_token_has_expired_does_not_reach_the_model() {
    let is_valid = Arc::new(AtomicBool::new(true));
    let address = serve_with(service(echo()), Expiring(Arc::clone(&is_valid))).await;
    let mut socket = connect(address, "Bearer x").await.unwrap();
    ask(&mut socket, r#"{"prompt": "Hi"}"#).await;
    result(&mut socket).await;
    is_valid.store(false, Ordering::Relaxed);
    ask(&mut socket, r#"{"prompt": "Hi again"}"#).await;
    assert_eq!(next(&mut socket).await["error_type"], "unauthenticated");
    let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else { panic!("no close") };
    assert_eq!(u16::from(frame.code), 1008);
}

#[tokio::test]
async fn a_prompt_during_another_one_is_refused_and_a_close_cancels() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("never complete").stalling_after(2));
    let service = service(Agent::builder().model(model));
    let address = serve(service.clone()).await;
    for closes in [true, false] {
        let mut socket = connect(address, &bearer("alice")).await.unwrap();
        ask(&mut socket, r#"{"prompt": "Hi"}"#).await;
        until(|| service.running_turns() == 1).await;
        ask(&mut socket, r#"{"prompt": "Hi again"}"#).await;
        while next(&mut socket).await["error_type"] != "session_busy" {}
        if closes {
            socket.close(None).await.unwrap();
        }
        drop(socket);
        until(|| service.running_turns() == 0).await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
}
