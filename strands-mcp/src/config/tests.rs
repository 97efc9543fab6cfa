use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::server::TransportSettings;
use super::*;

fn variables(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("s3cret".to_owned()),
        "HOME" => Some("/home/me".to_owned()),
        _ => None,
    }
}

fn read(document: Value) -> Result<Vec<ServerSettings>, String> {
    settings_of_text(&document.to_string(), &variables).map_err(|error| error.to_string())
}

/// The settings of one server.
fn one(server: Value) -> Result<ServerSettings, String> {
    read(json!({"mcpServers": {"s": server}})).map(|mut servers| servers.pop().unwrap())
}

fn error(server: Value) -> String {
    let error = one(server).unwrap_err();
    error.strip_prefix("invalid settings of MCP server `s`: ").unwrap_or(&error).to_owned()
}

fn exposed(named: &[(String, secrecy::SecretString)]) -> Vec<(&str, &str)> {
    named.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect()
}

#[test]
fn reads_servers_with_a_command() {
    let server = one(json!({
        "type": "stdio",
        "command": "~/bin/${NAME:-server}",
        "args": ["-y", "--token=${TOKEN}"],
        "env": {"API_KEY": "${env:TOKEN}", "PORT": 80, "DEBUG": true},
        "cwd": "~",
        "autoApprove": ["read"],
        "disabled": false,
        "//": "comment",
    }));
    let TransportSettings::Stdio { command, args, env, current_dir } = server.unwrap().transport else { panic!() };
    assert_eq!((&*command, &*args), ("/home/me/bin/server", &["-y".to_owned(), "--token=s3cret".to_owned()][..]));
    assert_eq!(exposed(&env), [("API_KEY", "s3cret"), ("PORT", "80"), ("DEBUG", "true")]);
    assert_eq!(current_dir.as_deref(), Some(Path::new("/home/me")));
}

#[test]
fn reads_servers_with_a_url() {
    for (key, kind) in [("url", "http"), ("serverUrl", "streamableHttp"), ("httpUrl", "streamable-http")] {
        let server =
            one(json!({key: "https://a.b/mcp", "type": kind, "headers": {"Authorization": "Bearer ${TOKEN}"}}));
        let TransportSettings::Http { url, headers } = server.unwrap().transport else { panic!() };
        assert_eq!((&*url, &*exposed(&headers)), ("https://a.b/mcp", &[("Authorization", "Bearer s3cret")][..]));
    }
}

#[test]
fn reads_the_settings_of_a_client() {
    let server = one(json!({
        "command": "x", "args": null, "prefix": "fs", "optional": true, "timeout": 90, "connectTimeout": "500ms",
    }));
    let server = server.unwrap();
    assert_eq!((server.name.as_str(), server.prefix.as_deref(), server.optional), ("s", Some("fs"), true));
    let timeouts = (server.timeout, server.connect_timeout);
    assert_eq!(timeouts, (Some(Duration::from_secs(90)), Some(Duration::from_millis(500))));
    for (timeout, seconds) in [(json!("2m"), 120.0), (json!("1.5 s"), 1.5), (json!(0.5), 0.5), (json!("1h"), 3600.0)] {
        let server = one(json!({"command": "x", "timeout": timeout})).unwrap();
        assert_eq!(server.timeout, Some(Duration::from_secs_f64(seconds)));
    }
    for timeout in
        [json!(60_000), json!(0), json!(-1), json!("60"), json!("s"), json!("1d"), json!(true), json!("1e3s")]
    {
        assert!(error(json!({"command": "x", "timeout": timeout})).starts_with("`timeout` is not a number of seconds"));
    }
}

#[test]
fn reads_filters() {
    let debug = |filters: &[crate::client::ToolFilter]| format!("{filters:?}");
    for (server, allow, deny) in [
        (json!({"includeTools": ["read", "/list_.*/"]}), r#"[Names(["read"]), Pattern("^(?:list_.*)$")]"#, "[]"),
        (json!({"enabledTools": ["a.b", "a.*"]}), r#"[Names(["a.b"]), Pattern("^(?:a\\..*)$")]"#, "[]"),
        (json!({"allowTools": []}), "[Names([])]", "[]"),
        (json!({"disabledTools": ["write"]}), "[]", r#"[Names(["write"])]"#),
        (
            json!({"tool_filters": {"allowed": ["read"], "rejected": ["x|y"]}}),
            r#"[Pattern("^(?:(?:read).*)$")]"#,
            r#"[Pattern("^(?:(?:x|y).*)$")]"#,
        ),
        (json!({"toolFilters": {"allowed": null}}), "[]", "[]"),
    ] {
        let mut server = server;
        server["command"] = "x".into();
        let settings = one(server).unwrap();
        assert_eq!((&*debug(&settings.allow), &*debug(&settings.deny)), (allow, deny));
    }
    for (server, expected) in [
        (json!({"allowTools": ["/(/"]}), "invalid tool pattern `(`"),
        (json!({"allowTools": "read"}), "`allowTools` is not a list of strings"),
        (json!({"toolFilters": {"denied": ["x"]}}), "`toolFilters` is not an object with `allowed` and `rejected`"),
        (json!({"excludeTools": [], "denyTools": []}), "`denyTools` and `excludeTools` set the same"),
    ] {
        let mut server = server;
        server["command"] = "x".into();
        let error = error(server);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn skips_disabled_servers_and_their_variables() {
    let servers = read(json!({"mcpServers": {
        "a": {"command": "${MISSING}", "disabled": true},
        "b": {"url": "http://b", "enabled": false},
        "c": {"command": "c", "enabled": true},
    }}));
    assert_eq!(servers.unwrap().iter().map(|server| server.name.as_str()).collect::<Vec<_>>(), ["c"]);
    // A typing error is found in any case.
    assert!(error(json!({"command": "x", "disabled": true, "arg": []})).starts_with("unknown key `arg`"));
}

#[test]
fn names_unknown_keys_with_suggestions() {
    let error = one(json!({"comand": "x"})).unwrap_err();
    assert_eq!(
        error,
        "invalid settings of MCP server `s`: unknown key `comand`, did you mean `command`?; expected one of `type`, `command`, \
         `args`, `env`, `cwd`, `url`, `headers`, `disabled`, `enabled`, `prefix`, `allowTools`, `denyTools`, `toolFilters`, \
         `optional`, `timeout`, `connectTimeout`, `description`, `name`"
    );
}

#[test]
fn rejects_invalid_settings() {
    for (server, expected) in [
        (json!([]), "`s` is not an object"),
        (json!({}), "neither `command` nor `url` is set"),
        (json!({"command": "x", "url": "http://a"}), "both `command` and `url` are set; use one of them"),
        (json!({"command": " "}), "`command` is not the name of a program"),
        (json!({"command": ["x"]}), "`command` is not a string"),
        (json!({"command": "x", "args": "y"}), "`args` is not a list of strings"),
        (json!({"command": "x", "env": {"A": ["b"]}}), "`env.A` is not a string"),
        (json!({"command": "x", "env": []}), "`env` is not an object of strings"),
        (json!({"command": "x", "disabled": "yes"}), "`disabled` is not true or false"),
        (json!({"command": "x", "headers": {"A": "b"}}), "`headers` is for servers with `url`"),
        (json!({"url": "http://a", "args": ["x"]}), "`args` is for servers with `command`"),
        (json!({"url": "http://a", "serverUrl": "http://a"}), "`url` and `serverUrl` set the same; use one of them"),
        (json!({"url": "http://a", "type": "stdio"}), "transport `stdio` needs a `command`"),
        (json!({"command": "x", "transport": "http"}), "transport `http` needs a `url`"),
        (json!({"url": "http://a", "type": "ws"}), "transport `ws` is unknown; expected `stdio` or `http`"),
        (json!({"command": "x", "envFile": ".env"}), "`envFile` is not supported; set the variables in `env`"),
        (
            json!({"command": "x", "args": ["a", "${NO}"]}),
            "environment variable `NO` in `args[1]` is not set; set it, or write `${NO:-default}`",
        ),
        (
            json!({"command": "x", "env": {"KEY": "${input:key}"}}),
            "invalid reference `${input:key}` in `env.KEY`: inputs of an editor are not available; use an environment variable",
        ),
    ] {
        assert_eq!(error(server), expected);
    }
    assert!(error(json!({"url": "http://a", "type": "sse"})).starts_with("transport `sse` is deprecated"));
    assert!(one(json!({"url": "http://a", "args": [], "env": {}})).is_ok());
}

#[test]
fn finds_the_servers_of_a_document() {
    let server = json!({"command": "x"});
    for document in [
        json!({"mcpServers": {"s": server}, "globalShortcut": "", "theme": {}}),
        json!({"servers": {"s": server}, "inputs": [{"id": "key", "type": "promptString"}]}),
        json!({"s": server}),
    ] {
        assert_eq!(read(document).unwrap().len(), 1);
    }
    assert_eq!(read(json!({"mcpServers": {}})).unwrap().len(), 0);
    for (document, expected) in [
        (json!([]), "no servers: expected an object `mcpServers`"),
        (json!({}), "no servers: expected an object `mcpServers`"),
        (json!({"mcpServer": {"s": server}}), "no servers: expected an object `mcpServers`; found `mcpServer`"),
        (json!({"mcpServers": []}), "no servers: expected an object `mcpServers`; found `mcpServers`"),
        (json!({"mcpServers": {}, "servers": {}}), "both `mcpServers` and `servers` are present; use one of them"),
    ] {
        assert_eq!(read(document).unwrap_err(), expected);
    }
}

#[test]
fn errors_of_the_syntax_have_a_place() {
    let error = |text: &str| settings_of_text(text, &variables).unwrap_err().to_string();
    assert_eq!(error("// comment\n{\"a\" 1}"), "invalid JSON: expected `:` at line 2 column 6");
    assert_eq!(
        error(r#"{"mcpServers": {"s": {"command": "x"}, "s": {"command": "y"}}}"#),
        "invalid JSON: duplicate key `s` at line 1 column 42"
    );
    assert!(error(&"[".repeat(10_000)).starts_with("invalid JSON: recursion limit exceeded"));
    assert!(error("{} x").starts_with("invalid JSON: trailing characters"));
}

#[test]
fn secrets_are_in_no_debug_output() {
    for server in [
        json!({"command": "x-${TOKEN}", "args": ["${TOKEN}"], "env": {"A": "${TOKEN}"}, "cwd": "/${TOKEN}"}),
        json!({"url": "http://a/${TOKEN}", "headers": {"A": "${TOKEN}"}}),
    ] {
        let debug = format!("{:?}", one(server).unwrap());
        assert!(!debug.contains("s3cret") && debug.contains("[\"A\"]"), "{debug}");
    }
}

#[test]
fn reads_regular_files_of_limited_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mcp.json");
    let error = |path: &Path| read_file(path).unwrap_err();
    assert!(matches!(error(&path), McpConfigError::File { .. }));
    assert!(matches!(error(dir.path()), McpConfigError::File { .. }));
    assert!(matches!(error(Path::new("/dev/zero")), McpConfigError::File { .. }));
    let limit = usize::try_from(MAX_FILE).unwrap();
    std::fs::write(&path, " ".repeat(limit)).unwrap();
    assert_eq!(read_file(&path).unwrap().len(), limit);
    std::fs::write(&path, " ".repeat(limit + 1)).unwrap();
    assert!(matches!(error(&path), McpConfigError::TooLarge { .. }));
}

#[test]
fn builds_clients() {
    let document = json!({"mcpServers": {
        "files": {"command": "npx", "args": ["-y"], "env": {"A": "b"}, "cwd": "/", "prefix": "fs", "optional": true, "timeout": 5},
        "travel": {"url": "http://127.0.0.1/mcp", "headers": {"Authorization": "Bearer x"}, "denyTools": ["x"]},
    }});
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mcp.json");
    std::fs::write(&path, document.to_string()).unwrap();
    let clients = load_servers(&path).unwrap();
    assert_eq!(clients.iter().map(McpClient::name).collect::<Vec<_>>(), ["files", "travel"]);
    let is_http: Vec<_> =
        load_builders(&path).unwrap().into_iter().map(|builder| builder.into_http().is_ok()).collect();
    assert_eq!(is_http, [false, true]);

    for (server, expected) in [
        (json!({"url": "travel"}), "invalid setting of MCP server `s`: the URL is not valid"),
        (
            json!({"url": "http://a.b", "headers": {"Authorization": "x"}}),
            "MCP server `s`: no token is sent over plain HTTP",
        ),
        (
            json!({"url": "http://a.b", "headers": {"a b": "x"}}),
            "invalid setting of MCP server `s`: invalid header name",
        ),
        (json!({"command": "x", "prefix": ""}), "invalid setting of MCP server `s`: the prefix must not be empty"),
    ] {
        let error = parse_servers(&json!({"mcpServers": {"s": server}}).to_string()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
