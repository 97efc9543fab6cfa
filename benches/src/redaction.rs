//! Throughput of the redaction of personal data, in MB/s: of whole texts, and of streamed ones through an agent's hook.

use std::time::Duration;

use cpu_time::ThreadTime;
use futures_util::StreamExt;
use strands::guardrails::{GuardrailHook, PiiKind, PiiRedactor, PiiVault};
use strands::models::{StopReason, StreamEvent};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentEvent};

/// Prose without numbers, as most responses are.
const PROSE: &str =
    "The old town is small enough to walk through in an afternoon, and the harbour is right next to it. ";

/// Numbers that are no personal data.
const NUMBERS: &str = "On 2026-11-29 at 12:30 the fare was 1,234.56 EUR for order 1234567890, platform 12. ";

/// Personal data of each default kind.
const DATA: &str =
    "Write to ada@example.org or call +49 30 901820; card 4111 1111 1111 1111, account DE89 3704 0044 0532 0130 00. ";

const BYTES: usize = 1 << 20;
const STREAMED_BYTES: usize = 64 << 10;
const ROUNDS: usize = 9;

/// Measures and prints all rows.
pub(crate) fn print() {
    let texts = [
        ("prose", PROSE.to_owned()),
        ("prose, data in each KiB", format!("{}{DATA}", PROSE.repeat(10))),
        ("numbers", NUMBERS.to_owned()),
        ("nothing but data", DATA.to_owned()),
    ];
    let redactors = [
        ("default kinds", PiiRedactor::new()),
        ("all kinds", PiiRedactor::builder().kinds(PiiKind::ALL).build().unwrap()),
    ];
    println!("| text | redactor | whole | with a vault |\n|---|---|---|---|");
    for (text_name, text) in &texts {
        let text = text.repeat(BYTES / text.len());
        for (name, redactor) in &redactors {
            let whole = fastest(|| redactor.redact(&text));
            let vault = PiiVault::new();
            let with_vault = fastest(|| redactor.redact_into(&text, &vault));
            println!("| {text_name} | {name} | {} | {} |", rate(text.len(), whole), rate(text.len(), with_vault));
        }
    }
    println!("\n| streamed text | chunks | without a hook | with the hook |\n|---|---|---|---|");
    for (text_name, text) in &texts {
        let text = text.repeat(STREAMED_BYTES / text.len());
        for chunk in [4, 64] {
            let plain = fastest(|| streamed(&text, chunk, None));
            let redacted = fastest(|| streamed(&text, chunk, Some(PiiRedactor::new())));
            let (plain, redacted) = (rate(text.len(), plain), rate(text.len(), redacted));
            println!("| {text_name} | {chunk} bytes | {plain} | {redacted} |");
        }
    }
}

/// Streams a text through an agent. Returns the length of the text that it emits.
fn streamed(text: &str, chunk: usize, redactor: Option<PiiRedactor>) -> usize {
    let chunks = text.as_bytes().chunks(chunk).map(|chunk| std::str::from_utf8(chunk).unwrap());
    let deltas = chunks.map(|chunk| StreamEvent::text(0, chunk));
    let end = [StreamEvent::block_stop(0), StreamEvent::stop(StopReason::EndTurn)];
    let turn = ScriptedTurn::events([StreamEvent::start()].into_iter().chain(deltas).chain(end));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut builder = Agent::builder().model(ScriptedModel::new([turn]));
        if let Some(redactor) = redactor {
            builder = builder.hook(GuardrailHook::new(redactor));
        }
        let mut agent = builder.build().await.unwrap();
        let mut stream = agent.prompt("go").stream();
        let mut length = 0;
        while let Some(event) = stream.next().await {
            if let AgentEvent::TextDelta { text } = event.unwrap() {
                length += text.len();
            }
        }
        length
    })
}

fn fastest<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut time = |_| {
        let start = ThreadTime::now();
        std::hint::black_box(work());
        start.elapsed()
    };
    (0..ROUNDS).map(&mut time).min().unwrap()
}

fn rate(bytes: usize, time: Duration) -> String {
    format!("{:.0} MB/s", bytes as f64 / time.as_secs_f64() / 1e6)
}
