//! The chat page: its files, headers and settings. What the page does is tested in a browser.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::json;
use strands_serve::AgentService;
use strands_serve::http::HttpHost;
use strands_serve::ui::{Attachments, OidcSignIn, SignIn, TokenPrices, UiSettings};
use tower::ServiceExt as _;

use crate::support::{ByHeaders, Gate, Outgoing, Reply, agent, get, memory, request, rig};

fn host(settings: UiSettings) -> HttpHost {
    let service = AgentService::builder(agent(&Gate::new()), memory()).build();
    HttpHost::new(service, ByHeaders).ui(settings)
}

async fn send_to(host: HttpHost, request: Outgoing) -> Reply {
    Reply::of(host.into_router().oneshot(request.build()).await.unwrap()).await
}

async fn send(request: Outgoing) -> Reply {
    send_to(host(UiSettings::new("Desk")), request).await
}

fn directive<'a>(policy: &'a str, name: &str) -> &'a str {
    let found = policy.split("; ").find_map(|directive| directive.strip_prefix(name));
    found.unwrap_or_else(|| panic!("{name}: {policy}")).trim()
}

#[tokio::test]
async fn the_page_is_public_and_strict() {
    let page = send(get("/")).await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert_eq!((page.header("x-content-type-options"), page.header("referrer-policy")), ("nosniff", "no-referrer"));
    let policy = page.header("content-security-policy");
    for (name, value) in [
        ("default-src", "'none'"),
        ("script-src", "'self'"),
        ("style-src", "'self'"),
        ("img-src", "'self' data: blob:"),
        ("connect-src", "'self'"),
        ("base-uri", "'none'"),
        ("form-action", "'none'"),
        ("frame-ancestors", "'none'"),
        ("require-trusted-types-for", "'script'"),
        ("trusted-types", "'none'"),
    ] {
        assert_eq!(directive(policy, name), value);
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    // A service without the page has nothing there.
    for path in ["/", "/ui/app.js", "/ui/settings.json"] {
        assert_eq!(rig().send(get(path)).await.problem(), (404, "not_found".into()));
    }
}

#[tokio::test]
async fn the_issuer_may_be_connected_to() {
    let oidc = OidcSignIn::new("https://login.example.com/tenant", "page").unwrap();
    let oidc = oidc.endpoint_origin("https://tokens.example.com/oauth2/token").unwrap();
    let page = send_to(host(UiSettings::new("Desk").sign_in(oidc)), get("/")).await;
    let connect = directive(page.header("content-security-policy"), "connect-src");
    assert_eq!(connect, "'self' https://login.example.com https://tokens.example.com");
}

/// Returns the files that a file refers to, as paths below `/ui/`.
fn references(path: &str, text: &str) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_page = path == "index.html";
    let mut found = Vec::new();
    for quoted in text.split('"').skip(1).step_by(2) {
        let relative = if is_page { quoted.strip_prefix("ui/") } else { quoted.strip_prefix("./") };
        let parent = quoted.strip_prefix("../").filter(|_| !is_page);
        match (relative, parent) {
            (Some(rest), _) if folder.is_empty() => found.push(rest.to_owned()),
            (Some(rest), _) => found.push(format!("{folder}/{rest}")),
            (None, Some(rest)) => found.push(rest.to_owned()),
            _ => {}
        }
    }
    found
}

#[tokio::test]
async fn all_files_are_there_and_have_no_inline_parts() {
    let router = host(UiSettings::new("Desk")).into_router();
    let mut seen = BTreeSet::from(["index.html".to_owned()]);
    let mut left = vec!["index.html".to_owned()];
    while let Some(path) = left.pop() {
        let address = if path == "index.html" { "/".to_owned() } else { format!("/ui/{path}") };
        let reply = Reply::of(router.clone().oneshot(get(address).build()).await.unwrap()).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert!(!reply.header("content-security-policy").is_empty() && reply.header("cache-control") == "no-cache");
        let text = reply.text();
        let extension = path.rsplit_once('.').unwrap().1;
        let expected = match extension {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => panic!("{path}"),
        };
        assert_eq!(reply.header("content-type"), expected);
        let forbidden: &[&str] = match extension {
            "html" => &["<style", " style=", " onclick", "javascript:", "<script>", "<base", "http://", "https://"],
            "js" => &[
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "\"style\"",
            ],
            "css" => &["@import", "url(", "http://", "https://"],
            _ => &["<script", "href", " on"],
        };
        for part in forbidden {
            assert!(!text.contains(part), "{path} has {part}");
        }
        for reference in references(&path, text) {
            if seen.insert(reference.clone()) {
                left.push(reference);
            }
        }
    }
    // Each file of the folder is served, and is a part of the page.
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let mut folders = vec![folder.clone()];
    let mut on_disk = BTreeSet::new();
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                on_disk.insert(path.strip_prefix(&folder).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    assert_eq!(seen, on_disk);
}

#[tokio::test]
async fn browsers_keep_files_until_they_change() {
    let first = send(get("/ui/app.js")).await;
    let tag = first.header("etag").to_owned();
    for known in [tag.clone(), format!("\"x\", {tag}"), "*".to_owned(), tag.trim_start_matches("W/").to_owned()] {
        let again = send(get("/ui/app.js").header("if-none-match", known)).await;
        assert_eq!((again.status.as_u16(), again.body.len(), again.header("etag")), (304, 0, &*tag));
    }
    let other = send(get("/ui/app.js").header("if-none-match", "W/\"0\"")).await;
    assert_eq!((other.status, &other.body), (StatusCode::OK, &first.body));
    let head = send(request("HEAD", "/ui/app.js")).await;
    assert_eq!((head.status, head.body.len(), head.header("etag")), (StatusCode::OK, 0, &*tag));
    let small = send(get("/ui/app.js").header("accept-encoding", "gzip")).await;
    assert_eq!(small.header("content-encoding"), "gzip");
    assert!(small.body.len() < first.body.len() / 2);
    let settings = send(get("/ui/settings.json")).await;
    let changed = send_to(host(UiSettings::new("Other")), get("/ui/settings.json")).await;
    assert_ne!(settings.header("etag"), changed.header("etag"));
    let method = send(request("POST", "/ui/app.js")).await;
    assert_eq!(method.problem(), (405, "method_not_allowed".into()));
}

#[tokio::test]
async fn settings_are_what_the_page_needs_and_nothing_else() {
    let oidc = OidcSignIn::new("https://login.example.com", "page").unwrap().parameter("audience", "desk");
    let settings = UiSettings::new("Desk")
        .sign_in(oidc)
        .suggestions(["Hello"])
        .attachments([Attachments::Images, Attachments::Pdf])
        .prices(TokenPrices::per_million(1.0, 5.0).cached_input(0.1));
    let reply = send_to(host(settings).body_limit(1024 * 1024), get("/ui/settings.json")).await;
    let expected = json!({
        "title": "Desk",
        "suggestions": ["Hello"],
        "sign_in": {
            "kind": "oidc",
            "issuer": "https://login.example.com",
            "client_id": "page",
            "scopes": ["openid", "profile"],
            "parameters": {"audience": "desk"},
        },
        "attachments": ["images", "pdf"],
        "prices": {"input": 1.0, "output": 5.0, "cached_input": 0.1},
        "max_attachment_bytes": 720_896,
    });
    assert_eq!(reply.ok(), expected);
    let plain = send_to(host(UiSettings::new("Desk").sign_in(SignIn::None)), get("/ui/settings.json")).await.ok();
    assert_eq!(plain["sign_in"], json!({"kind": "none"}));
    assert_eq!(send(get("/ui/settings.json")).await.ok()["sign_in"], json!({"kind": "token"}));
}

#[tokio::test]
async fn other_paths_have_nothing() {
    for path in [
        "/ui/",
        "/ui",
        "/ui/index.html",
        "/ui/missing.js",
        "/ui/../Cargo.toml",
        "/ui/..%2fCargo.toml",
        "/ui/..%2F..%2F..%2Fetc%2Fpasswd",
        "/ui/%2e%2e/Cargo.toml",
        "/ui/%00",
        "/ui/%ff",
        "/ui/app.js%00",
        "/ui/App.js",
        "/ui//app.js",
        "/ui/./app.js",
        "/ui/app.js/",
        "/index.html",
    ] {
        assert_eq!(send(get(path)).await.problem(), (404, "not_found".into()), "{path}");
    }
}

#[tokio::test]
async fn other_routes_are_the_same() {
    let with_page = send(get("/openapi.json")).await;
    assert_eq!(with_page.body, rig().send(get("/openapi.json")).await.body);
    assert_eq!(send(get("/sessions")).await.problem(), (401, "unauthenticated".into()));
}
