use strands::testing::ScriptedModel;
use strands::{Agent, serde};

/// Makes the name ambiguous, so that rustc prints the same path for any set of compiled crates.
struct Invocation;

struct Trip;

#[derive(serde::Deserialize)]
#[serde(crate = "strands::serde")]
struct Hotel;

async fn ask(mut agent: Agent) {
    let _ = agent.prompt("A trip, please.").output::<Trip>();
    let _ = agent.prompt("A hotel, please.").output::<Hotel>().await;
}

fn main() {
    let _ = (ask, Invocation, ScriptedModel::responding(""));
}
