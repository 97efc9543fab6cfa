use strands::Agent;

struct Audit;

fn main() {
    let _ = Agent::builder().hook(Audit);
    let _ = Agent::builder().hook(|_: &str| {});
}
