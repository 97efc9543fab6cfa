use strands::testing::ScriptedModel;
use strands::{Agent, serde};

struct Trip;

#[derive(serde::Deserialize)]
#[serde(crate = "strands::serde")]
struct Hotel;

async fn ask(mut agent: Agent) {
    let _ = agent.prompt("A trip, please.").output::<Trip>();
    let _ = agent.prompt("A hotel, please.").output::<Hotel>().await;
}

fn main() {
    let _ = (ask, ScriptedModel::answering(""));
}
