//! Runs that are dropped after any number of events, and go on from the session: the result is the same, and a recorded turn never runs
//! again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use strands::multiagent::{Member, Swarm};
use strands::serde_json::{Value, json};
use strands::session::SessionManager;
use strands::testing::{InMemorySessionManager, ScriptedTurn};
use strands::{Prompt, PromptRequest, Promptable, StreamExt};

use crate::support::{member_of, with_context};

/// Numbers of the turns that have started, by member.
#[derive(Default)]
struct Turns([AtomicU32; 3]);

impl Turns {
    fn counts(&self) -> [u32; 3] {
        self.0.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// `a` hands over to `b`, `b` to `c`, `c` back to `a`, which ends. Members keep their conversations.
fn swarm(turns: &Arc<Turns>, sessions: &InMemorySessionManager) -> Swarm {
    let mut builder = Swarm::builder("team").session_manager(sessions.clone());
    for (index, name) in NAMES.into_iter().enumerate() {
        let turns = Arc::clone(turns);
        let next = NAMES[(index + 1) % 3];
        let agent = member_of(name, move |messages| {
            turns.0[index].fetch_add(1, Ordering::Relaxed);
            let prompt = messages.last().unwrap().text();
            match name == "a" && prompt.contains("Previous agents") {
                true => ScriptedTurn::text(format!("{} messages; {prompt}", messages.len())),
                false => with_context(next, &format!("from {name}"), json!({"by": name})),
            }
        });
        builder = builder.member(Member::new(agent).keeps_conversation(true));
    }
    builder.build().unwrap()
}

/// Returns the members whose turns are recorded.
async fn recorded(sessions: &InMemorySessionManager) -> Option<Vec<String>> {
    let document = sessions.open_multi_agent("team").await.unwrap().read().await.unwrap()?;
    let history = document["node_history"].as_array().cloned().unwrap_or_default();
    Some(history.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_at_any_event_goes_on_with_the_same_result() {
    let straight = swarm(&Arc::default(), &InMemorySessionManager::new("s")).run("go").await.unwrap();
    assert!(straight.text().starts_with("5 messages; Handoff Message: from c"), "{straight}");
    let mut events = 0;
    loop {
        let (turns, sessions) = (Arc::<Turns>::default(), InMemorySessionManager::new("s"));
        let mut has_ended = false;
        // Several stops on the way, each after as many events. A turn may need more, so that the last run goes to the end.
        let mut last = None;
        for attempt in 0..=3 {
            let before = recorded(&sessions).await;
            let known = turns.counts();
            let request = match before.is_none() {
                true => PromptRequest::new("go"),
                false => PromptRequest::new(Prompt::none()),
            };
            let team = swarm(&turns, &sessions);
            if attempt == 3 {
                last = Some(team.run(request).await.unwrap().text());
            } else {
                let mut stream = team.stream(request);
                for _ in 0..events {
                    match stream.next().await.map(Result::unwrap) {
                        Some(strands::AgentEvent::Result { response }) => last = Some(response.text()),
                        Some(_) => {}
                        None => has_ended |= attempt == 0,
                    }
                }
            }
            for (index, name) in NAMES.into_iter().enumerate() {
                let turn = before.iter().flatten().filter(|recorded| *recorded == name).count();
                // `a` has a second turn after `c`.
                if turn == if name == "a" { 2 } else { 1 } {
                    assert_eq!(turns.counts()[index], known[index], "{name} again after {events} events");
                }
            }
            if last.is_some() {
                break;
            }
        }
        assert_eq!(last, Some(straight.text()), "stopped after {events} events");
        if has_ended {
            break;
        }
        events += 1;
    }
    assert!(events > 20, "{events} events");
}
