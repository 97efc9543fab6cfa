//! Cost of a journal in memory: entries, bytes and processor time of a turn, beside the bare loop and in a replay.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use cpu_time::ThreadTime;
use serde_json::{Value, json};
use strands::models::{Model, ModelError, ModelRequest, ModelStream};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, BoxFuture, Journal, JournalError, JournalStep, tool};

/// Model calls of one invocation. All but the last call tools.
const TURNS: u32 = 10;
const INVOCATIONS: u32 = 200;
const ROUNDS: usize = 9;

const SIDES: [&str; 3] = ["bare", "recorded", "replayed"];

/// Measures and prints all rows.
pub(crate) fn print() {
    println!(
        "| agent | entries a turn | bytes a turn | bare, a turn | with the journal | ratio | replayed |\n|---|---|---|---|---|---|---|"
    );
    for (name, calls, has_hooks) in [
        ("1 tool call", 1, false),
        ("4 concurrent tool calls", 4, false),
        ("1 tool call, hooks of all events", 1, true),
    ] {
        let work = Work::new(calls, has_hooks);
        let entries = work.journal.entries.lock().unwrap();
        let bytes: usize = entries.iter().map(|(name, record)| name.len() + record.len()).sum();
        let per_turn = |total: usize| f64::from(u32::try_from(total).unwrap()) / f64::from(TURNS);
        let (count, bytes) = (per_turn(entries.len()), per_turn(bytes));
        drop(entries);
        let [bare, recorded, replayed] =
            SIDES.map(|side| fastest(|| work.run(side, INVOCATIONS)) / (INVOCATIONS * TURNS));
        let ratio = recorded.as_secs_f64() / bare.as_secs_f64();
        println!("| {name} | {count:.1} | {bytes:.0} | {bare:.1?} | {recorded:.1?} | {ratio:.2} | {replayed:.1?} |");
    }
}

/// Runs one side this many times after a first run, for a profiler.
pub(crate) fn once(side: &str, count: u32) {
    let work = Work::new(1, false);
    work.run(side, 1);
    profiled(&work, side, count);
}

/// The runs that a profiler counts: it finds them by the name of this function.
#[inline(never)]
fn profiled(work: &Work, side: &str, count: u32) {
    work.run(side, count);
}

fn fastest(mut run: impl FnMut()) -> Duration {
    let time = |_| {
        let began = ThreadTime::now();
        run();
        began.elapsed()
    };
    (0..ROUNDS).map(time).min().unwrap()
}

/// Adds two numbers.
#[tool]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

struct Work {
    runtime: tokio::runtime::Runtime,
    template: AgentBuilder,
    journal: Recorded,
}

impl Work {
    /// Creates the work, and records an invocation for replays.
    fn new(calls: usize, has_hooks: bool) -> Self {
        let mut template = Agent::builder().model(Calling(calls)).tool(Add);
        if has_hooks {
            template = template
                .on_before_invocation(|_| ())
                .on_select_tools(|_| ())
                .on_message_added(|_| ())
                .on_before_tools(|_| ())
                .on_after_tools(|_| ())
                .on_after_invocation(|_| ());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let work = Self { runtime, template, journal: Recorded::default() };
        work.runtime.block_on(work.prompt(Some(&work.journal)));
        work
    }

    async fn prompt(&self, journal: Option<&Recorded>) {
        let mut agent = self.template.clone().build().await.unwrap();
        let invocation = agent.prompt("Add them.");
        let response = match journal {
            Some(journal) => invocation.journal(journal).await,
            None => invocation.await,
        };
        assert_eq!(response.unwrap().turns, TURNS);
    }

    fn run(&self, side: &str, count: u32) {
        self.runtime.block_on(async {
            for _ in 0..count {
                match side {
                    "bare" => self.prompt(None).await,
                    "recorded" => self.prompt(Some(&Recorded::default())).await,
                    _ => {
                        *self.journal.position.lock().unwrap() = 0;
                        self.prompt(Some(&self.journal)).await;
                    }
                }
            }
        });
    }
}

/// A model that responds like a scripted one, which keeps all requests.
struct Calling(usize);

#[async_trait]
impl Model for Calling {
    fn model_id(&self) -> &str {
        "calling"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let turn = match request.messages.len() < 2 * TURNS as usize - 1 {
            true => ScriptedTurn::tool_uses((0..self.0).map(|call| ("add", json!({"a": call, "b": 1})))),
            false => ScriptedTurn::text("The sums are all there."),
        };
        ScriptedModel::new([turn]).stream(request).await
    }
}

/// A journal in memory, of serialized records.
#[derive(Default)]
struct Recorded {
    entries: Mutex<Vec<(String, Vec<u8>)>>,
    position: Mutex<usize>,
}

impl Journal for Recorded {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        Box::pin(async move {
            let position = {
                let mut position = self.position.lock().unwrap();
                *position += 1;
                *position - 1
            };
            if let Some((_, record)) = self.entries.lock().unwrap().get(position) {
                return serde_json::from_slice(record).map_err(|error| JournalError::new(step.name, error));
            }
            let value = effect.await;
            let record = serde_json::to_vec(&value).map_err(|error| JournalError::new(step.name, error))?;
            self.entries.lock().unwrap().push((step.name.to_owned(), record));
            Ok(value)
        })
    }

    fn sleep<'a>(&'a self, _: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            tokio::time::sleep(time).await;
            Ok(())
        })
    }

    fn random(&self) -> u64 {
        4
    }
}
