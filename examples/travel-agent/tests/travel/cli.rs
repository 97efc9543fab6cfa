//! The program from the command line.

use serde_json::Value;

use super::home::{Home, failure, output};

#[test]
fn continues_a_session_in_another_process() {
    let home = Home::new("session");
    let session = ["--session", "trip-to-boston"];
    let ask = |prompt| home.run(&[session.as_slice(), &[prompt]].concat()).0;
    let proposal = ask("Show me flights to Boston next Monday");
    assert!(proposal.contains("Shall I book it?"), "{proposal}");
    let booked = ask("yes");
    assert!(booked.contains("your trip to Boston, MA is booked"), "{booked}");

    let stranger = home.run(&["yes"]).0;
    assert!(!stranger.contains("is booked"), "a separate conversation does not see it: {stranger}");
    let other_user = home.run(&["--user", "mei", "--session", "trip-to-boston", "hello"]).0;
    assert!(other_user.starts_with("Hello Mei."), "{other_user}");
    // A name is no path.
    let (out, _) = home.run(&["--session", "../../elsewhere", "hello"]);
    assert!(out.starts_with("Hello Ana.") && !home.0.join("data/elsewhere").exists(), "{out}");
}

#[test]
fn finds_a_booking_of_another_process() {
    let home = Home::new("books");
    let (out, err) = home.run(&["Book me a trip to New York next Monday"]);
    assert!(out.contains("your trip to New York, NY is booked"), "{out}");
    for line in ["Travelling as Ana Silva", "\u{2713} todays_date() ok, ", "\u{2713} book_trip(destination: New York, "]
    {
        assert!(err.contains(line), "{err}");
    }
    assert!(!err.contains('\x1b') && !out.contains('\x1b'), "no terminal, no escapes");

    let code = out.lines().find_map(|line| line.strip_prefix("- **Code:** ")).unwrap();
    let (out, _) = home.run(&["what did you book for me?"]);
    assert!(out.contains(code), "{out}");
}

#[test]
fn marks_failed_tool_calls() {
    let home = Home::new("fails");
    let (out, err) = home.run(&["Book me a trip to Gotham next Monday"]);
    assert!(out.contains("Nothing was booked"), "{out}");
    assert!(err.contains("\u{2717} check_policy(destination: Gotham, "), "{err}");
    assert!(err.contains(" err, "), "{err}");
}

#[test]
fn chat_ends_at_quit() {
    let home = Home::new("chat");
    let (out, err) =
        home.chat(&["--user", "marcus"], "I need to book a trip\nBoston\nnext Monday\n\nquit\nthis is not read\n");
    assert!(err.contains("Travelling as Marcus Webb, Engineering, from San Francisco, CA"), "{err}");
    assert!(out.contains("Where would you like to travel to, Marcus?"), "{out}");
    assert!(out.contains("your trip to Boston, MA is booked"), "{out}");
    assert!(!out.contains("I book AcmeCorp's business trips"), "{out}");
}

#[test]
fn prints_metrics_as_json() {
    let home = Home::new("metrics");
    let (out, _) = home.run(&["--metrics", "what day is it?"]);
    let (text, json) = out.split_at(out.find('{').unwrap());
    assert_eq!(text, "Today is Sunday, November 22, 2026, Ana.\n");
    let summary: Value = serde_json::from_str(json).unwrap();
    assert_eq!(summary["total_cycles"], 2);
    assert_eq!(summary["tool_usage"]["todays_date"]["execution_stats"]["success_count"], 1);
}

#[test]
fn selects_user_and_database() {
    let home = Home::new("chosen");
    let db = home.0.join("elsewhere").join("desk.sqlite3");
    let (out, err) = home.run(&["--db", db.to_str().unwrap(), "--user", "Priya", "hello"]);
    assert!(out.starts_with("Hello Priya."), "{out}");
    assert_eq!(err, "");
    assert!(db.exists());
    // The environment works, too, and the login name of an employee is the default user.
    let (out, err) = output(home.command(&["hello"]).env("TRAVEL_DB", &db).env("USER", "mei").output().unwrap());
    assert!(out.starts_with("Hello Mei."), "{out}");
    assert_eq!(err, "");
    let (out, _) = output(home.command(&["hello"]).env("TRAVEL_USER", "jonas").env("USER", "mei").output().unwrap());
    assert!(out.starts_with("Hello Jonas."), "{out}");
}

#[test]
fn explains_invalid_arguments() {
    let home = Home::new("mistakes");
    let error = failure(home.command(&["--user", "mallory", "hello"]).output().unwrap());
    assert!(error.contains("error: `mallory` is not an employee: the users are ana, "), "{error}");
    let error = failure(home.command(&["--today", "someday", "hello"]).output().unwrap());
    assert!(error.contains("--today"), "{error}");
    let error = failure(home.command(&["--db", home.0.to_str().unwrap(), "hello"]).output().unwrap());
    assert!(error.contains("cannot open the travel database") && error.contains("--db"), "{error}");
    let error = failure(home.command(&["hello"]).env("STRANDS_MODEL", "nonsense/x").output().unwrap());
    assert!(error.contains("nonsense"), "{error}");
}

#[cfg(not(feature = "serve"))]
#[test]
fn names_the_feature_of_a_host() {
    let error = failure(Home::new("no-host").command(&["serve"]).output().unwrap());
    assert!(error.contains("`serve` is not compiled in: ") && error.contains("--features serve -- serve"), "{error}");
}

#[cfg(feature = "serve")]
#[test]
fn serves_without_tokens_on_this_machine_only() {
    let home = Home::new("open");
    let error = failure(home.command(&["--events", "serve"]).output().unwrap());
    assert!(error.contains("leave them out"), "an option without effect: {error}");
    let error = failure(home.command(&["serve", "--listen", "0.0.0.0:0"]).output().unwrap());
    assert!(error.contains("listen on a loopback address") && error.contains("--jwks"), "{error}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = failure(home.command(&["serve", "--listen", &address]).output().unwrap());
    assert!(error.contains(&format!("error: {address} is in use")), "{error}");
    // An incomplete verification is no development mode.
    #[cfg(feature = "jwt")]
    for option in [["--issuer", "https://id.example"], ["--audience", "travel"], ["--jwks", "https://id.example/keys"]]
    {
        let error = failure(home.command(&[option.as_slice(), &["serve"]].concat()).output().unwrap());
        assert!(error.contains("needs --jwks, --issuer and --audience"), "{error}");
    }
}

#[cfg(feature = "mcp")]
#[test]
fn names_a_missing_variable_of_the_mcp_file() {
    let home = Home::new("mcp");
    let file = home.0.join("mcp.json");
    std::fs::write(&file, r#"{"mcpServers": {"files": {"command": "server", "env": {"KEY": "${TRAVEL_TEST_KEY}"}}}}"#)
        .unwrap();
    let error = failure(home.command(&["--mcp", file.to_str().unwrap(), "hello"]).output().unwrap());
    assert!(error.contains("files") && error.contains("TRAVEL_TEST_KEY"), "{error}");
}

#[cfg(feature = "mcp")]
#[test]
fn an_mcp_server_that_is_down_is_an_error() {
    let home = Home::new("mcp-down");
    let error = failure(home.command(&["--mcp-url", "http://127.0.0.1:9/mcp", "hello"]).output().unwrap());
    assert!(error.contains("can't connect to MCP server `127.0.0.1`"), "{error}");
}

#[cfg(feature = "mcp")]
#[test]
fn the_token_of_a_server_is_not_sent_to_another_one() {
    let home = Home::new("mcp-token");
    let args = ["--mcp-url", "http://127.0.0.1:9/a", "--mcp-url", "http://127.0.0.1:9/b", "hello"];
    let error = failure(home.command(&args).env("TRAVEL_MCP_TOKEN", "secret-token").output().unwrap());
    assert!(error.contains("TRAVEL_MCP_TOKEN") && !error.contains("secret-token"), "{error}");
}
