//! Processor time of the parts of a turn, without HTTP.

use std::time::Duration;

use cpu_time::ThreadTime;
use strands::identity::Identity;
use strands::serve::SessionChoice;
use tokio::runtime::Builder;

use crate::answer::Answer;
use crate::service;

const TURNS: u32 = 2_000;
const ROUNDS: usize = 5;

pub(crate) fn print() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let prompt = Answer { deltas: 20, interval: Duration::ZERO, padding: 0 }.prompt();
    let identity = Identity::new("alice");
    println!("| work | processor time |\n|---|---|");
    let row = |name: &str, work: &dyn Fn()| {
        work();
        let times = (0..ROUNDS).map(|_| {
            let start = ThreadTime::now();
            (0..TURNS).for_each(|_| work());
            start.elapsed() / TURNS
        });
        println!("| {name} | {:.2?} |", times.min().unwrap());
    };
    let template = service::template();
    row("build of an agent from the template", &|| {
        std::hint::black_box(runtime.block_on(template.clone().build()).unwrap());
    });
    row("build and prompt of an agent, without a session", &|| {
        let mut agent = runtime.block_on(template.clone().build()).unwrap();
        std::hint::black_box(runtime.block_on(async { agent.prompt(prompt.as_str()).await }).unwrap());
    });
    let service = service::service("memory");
    row("turn of the service, in a new session", &|| {
        let turn = service.turn(identity.clone(), SessionChoice::New, prompt.as_str());
        std::hint::black_box(runtime.block_on(async { turn.await }).unwrap());
    });
    row("turn of the service, with its events", &|| {
        runtime.block_on(async {
            let turn = service.turn(identity.clone(), SessionChoice::New, prompt.as_str());
            let mut turn = turn.start().await.unwrap();
            while let Some(event) = turn.next().await {
                std::hint::black_box(event.unwrap());
            }
        });
    });
}
