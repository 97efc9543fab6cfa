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
    assert!(err.contains("Travelling as Marcus Webb, Engineering, based in San Francisco, CA"), "{err}");
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
    // The environment works, too.
    let chosen = home.command(&["hello"]).env("TRAVEL_DB", &db).env("TRAVEL_USER", "jonas").output().unwrap();
    let (out, err) = output(chosen);
    assert!(out.starts_with("Hello Jonas."), "{out}");
    assert_eq!(err, "");
}

#[test]
fn explains_invalid_arguments() {
    let home = Home::new("mistakes");
    let error = failure(home.command(&["--user", "mallory", "hello"]).output().unwrap());
    assert!(error.contains("error: `mallory` is not an employee: use one of the users in the README"), "{error}");
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
fn the_remote_desk_needs_a_secret_and_a_safe_url() {
    let home = Home::new("desk");
    let ask = |url: &str, secret: &str| {
        let mut command = home.command(&["--desk", url, "hello"]);
        if !secret.is_empty() {
            command.env("TRAVEL_DESK_SECRET", secret);
        }
        command.output().unwrap()
    };
    let secret = "a secret of at least 32 bytes, really";
    let error = failure(ask("http://127.0.0.1:9/mcp", ""));
    assert!(error.contains("TRAVEL_DESK_SECRET"), "{error}");
    for url in ["nonsense", "ftp://127.0.0.1/mcp", "http://desk.example/mcp"] {
        let error = failure(ask(url, secret));
        assert!(error.contains("travel desk can't be used") && !error.contains(secret), "{url}: {error}");
    }
    // The agent replies without the desk, which it explains when it needs it.
    let (out, _) = output(ask("http://127.0.0.1:9/mcp", secret));
    assert!(out.starts_with("Hello ana."), "{out}");
    let error = failure(home.command(&["mcp"]).output().unwrap());
    assert!(error.contains("TRAVEL_DESK_SECRET"), "{error}");
}
