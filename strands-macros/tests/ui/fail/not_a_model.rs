use strands::Agent;

struct Gpt;

fn main() {
    let _ = Agent::builder().model("gpt-5");
    let _ = Agent::builder().model(Gpt);
}
