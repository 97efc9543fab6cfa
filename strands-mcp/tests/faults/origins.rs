//! Origins that must not get a token.

use serde_json::json;
use strands::mcp::{McpClient, McpError};
use strands_testkit::{Response, Server};

use crate::server::McpServer;
use crate::{Texts as _, soon};

#[tokio::test]
async fn follows_no_redirect_to_another_origin() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Server::repeat(Response::new(200)).await;
        let target = format!("{}/mcp", elsewhere.url());
        // From the first request, and from a tool call.
        for method in ["initialize", "tools/call"] {
            let location = target.clone();
            let redirect = move |request: &strands_testkit::Request| {
                let is_redirected = request.method == "POST" && request.json()["method"] == method;
                is_redirected.then(|| Response::new(status).header("location", &location))
            };
            let server = McpServer::with_filter(redirect, |call| call.json("worked")).await;
            let client = McpClient::http(server.url()).bearer_token("secret-token").header("x-key", "secret-key");
            let error = soon(client.build().unwrap().call_tool("work", json!({}))).await.unwrap_err();
            let text = format!("{error:?}");
            assert!(!text.contains("secret"), "{text}");
        }
        assert_eq!(elsewhere.counts().connections, 0, "status {status}");
    }
}

#[tokio::test]
async fn follows_redirects_within_its_origin_with_the_same_request() {
    let redirect = |request: &strands_testkit::Request| {
        (request.path == "/mcp").then(|| Response::new(307).header("location", "/v2/mcp"))
    };
    let server = McpServer::with_filter(redirect, |call| call.json("worked")).await;
    let client = McpClient::http(server.url()).bearer_token("secret-token").build().unwrap();
    assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "worked");
    let requests = server.http.requests();
    let posts = requests.iter().filter(|request| request.method == "POST" && request.path == "/v2/mcp");
    assert!(posts.clone().count() >= 3);
    assert!(posts.clone().all(|request| request.sends_credential("authorization", "Bearer secret-token")));
}

#[test]
fn sends_no_token_over_plain_http_to_other_hosts() {
    for url in [
        "http://example.com/mcp",
        "http://localhost.example.com/mcp",
        "http://127.0.0.1.example.com/mcp",
        "http://10.0.0.1/mcp",
        "http://0.0.0.0/mcp",
        "http://[::ffff:10.0.0.1]/mcp",
        "http://[2001:db8::1]/mcp",
        "HTTP://EXAMPLE.COM/mcp",
    ] {
        let error = McpClient::http(url).bearer_token("secret-token").build().unwrap_err();
        assert!(matches!(error, McpError::PlaintextToken { .. }), "{url}: {error:?}");
        let error =
            McpClient::http(url).bearer_token_fn(|| async { Ok::<_, String>("secret-token") }).build().unwrap_err();
        assert!(matches!(error, McpError::PlaintextToken { .. }), "{url}: {error:?}");
        let error = McpClient::http(url).header("Authorization", "Bearer secret-token").build().unwrap_err();
        assert!(matches!(error, McpError::PlaintextToken { .. }), "{url}: {error:?}");
    }
    for url in ["http://127.0.0.1:1/mcp", "http://localhost:1/mcp", "http://[::1]:1/mcp", "https://example.com/mcp"] {
        McpClient::http(url).bearer_token("secret-token").build().unwrap();
    }
    McpClient::http("http://example.com/mcp").build().unwrap();
}

#[tokio::test]
async fn sends_a_token_to_no_other_host_through_a_url_with_credentials() {
    let error = McpClient::http("ftp://example.com/mcp").build().unwrap_err();
    assert!(matches!(error, McpError::Setting { .. }), "{error:?}");
    let error = McpClient::http("not a url with a secret-key").build().unwrap_err();
    assert!(!format!("{error:?} {error}").contains("secret-key"), "{error:?}");
}
