//! The durable agent, beside a stand-in of the Restate server.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{
    failures::failure,
    system::{System, runs, send, until, up},
};

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/system/restate.py");

fn deployments(data: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(data.join("restate/deployments")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn registers_the_agent_and_stops_with_all_processes() {
    let data = tempfile::tempdir().unwrap();
    let mut system = System::start(data.path(), &["--durable", "--restate-server", SERVER]);
    let ids = system.ids();
    let names = ids.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["auth", "durable", "mcp", "restate", "serve-1"]);
    let processes = system.state["processes"].as_array().unwrap();
    let agent = &processes.iter().find(|process| process["name"] == "durable").unwrap()["url"];
    assert_eq!(deployments(data.path()), [json!({"uri": agent, "force": true, "breaking": true})]);
    assert_ne!(system.url("restate"), system.url("restate_admin"));
    for name in ["durable", "restate"] {
        send(system.id_of(name), Signal::SIGKILL);
        system.next_state();
    }
    let ids: Vec<_> = ids.into_iter().chain(system.ids()).collect();
    assert_eq!(system.end(Signal::SIGINT).code(), Some(0), "{}", system.errors());
    for (name, id) in ids {
        assert!(!runs(id), "{name} still runs");
    }
    assert_eq!(deployments(data.path()).len(), 1, "the server keeps its deployments");
}

#[test]
fn the_server_ends_with_a_killed_system() {
    let data = tempfile::tempdir().unwrap();
    let mut system = System::start(data.path(), &["--durable", "--restate-server", SERVER]);
    let ids = system.ids();
    system.end(Signal::SIGKILL);
    for (name, id) in ids {
        until(&format!("{name} ends"), || !runs(id));
    }
}

#[test]
fn a_missing_server_is_an_error_that_says_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let what_to_do = "install npm, or name the program of a server with --restate-server";
    let error = failure(&mut up(data.path(), &["--durable", "--restate-server", "/nonexistent"]));
    assert!(error.contains(&format!("error: no Restate server: /nonexistent is no file; {what_to_do}")), "{error}");
    let programs = tempfile::tempdir().unwrap();
    let error = failure(up(data.path(), &["--durable"]).env("PATH", programs.path()));
    assert!(error.contains("error: no Restate server: npm can't be started"), "{error}");
    assert!(error.contains(what_to_do), "{error}");
}

#[test]
fn npm_installs_the_server_once() {
    let (data, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let npm = |script: &str| {
        let file = programs.path().join("npm");
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let command = || {
        let mut command = up(data.path(), &["--durable"]);
        command.env("PATH", format!("{}:/usr/bin:/bin", programs.path().display()));
        command
    };
    npm(
        r#"mkdir "$3/node_modules"; echo "npm error no disk" >&2; echo "npm error A complete log of this run" >&2; exit 1"#,
    );
    let error = failure(&mut command());
    assert!(error.contains("error: no Restate server: npm failed (npm error no disk)"), "{error}");
    let left: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"], "what is half installed is removed");

    // A server that ends at once.
    npm(r#"test "$1 $2" = "install --prefix" || exit 1
for package; do :; done
folder="$3/node_modules/${package%@*}/bin"
mkdir -p "$folder" && printf '#!/bin/sh\necho "%s"; exit 3\n' "$package" >"$folder/restate-server" && chmod +x "$folder/restate-server""#);
    let error = failure(&mut command());
    assert!(error.contains("restate ended before it was ready (exit status: 3)"), "{error}");
    assert!(error.contains("  @restatedev/restate-server-linux-"), "{error}");
    npm("exit 1");
    let error = failure(&mut command());
    assert!(error.contains("restate ended before it was ready (exit status: 3)"), "it is there: {error}");
}
