//! Agents on a server of Restate, with kills. `.ci/durable/restate` installs the server and runs this.
//!
//! ```text
//! restate_rig kills [N]     N random kills of worker and server
//! restate_rig fleet [N]     N sessions on three workers, which are killed in turn; `one` is the same on one worker
//! restate_rig figures [N]   cost of N turns
//! ```
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod fleet;
mod kills;
mod mock;
mod plan;
mod processes;
mod readers;
mod rig;
mod scenarios;
mod tree;
mod tree_bounds;
mod worker;

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let args: Vec<String> = std::env::args().collect();
    let number = |default: u32| args.get(2).map_or(default, |number| number.parse().unwrap());
    let seed = std::env::var("STRANDS_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    let suite = args.get(1).map(String::as_str);
    if suite != Some("worker") {
        println!("STRANDS_SEED={seed}");
        fastrand::seed(seed);
    }
    match suite {
        Some("worker") => worker::run(serde_json::from_str(&args[2]).unwrap()).await,
        Some("kills") => kills::kills(number(20)).await,
        Some("fleet") => fleet::fleet(number(300), 3, true).await,
        Some("one") => fleet::fleet(number(300), 1, false).await,
        Some("figures") => fleet::figures(number(20)).await,
        Some("approvals") => scenarios::approvals(number(1)).await,
        Some("waits") => scenarios::waits().await,
        Some("cancels") => scenarios::cancels().await,
        Some("refusals") => scenarios::refusals().await,
        Some("failures") => scenarios::failures().await,
        Some("long_steps") => scenarios::long_steps().await,
        Some("queued") => scenarios::queued().await,
        Some("versions") => scenarios::versions().await,
        Some("tree") => tree::kills(number(20)).await,
        Some("tree_approvals") => tree::approvals(number(3)).await,
        Some("tree_cancels") => tree::cancels().await,
        _ => panic!("name a suite"),
    }
}
