//! Pinned messages: retained by managers, and restored from sessions and snapshots.

use strands_core::conversation::{SlidingWindowConversationManager, SummarizingConversationManager};
use strands_core::message::Message;

use crate::store::Store;
use crate::support::{Planned, Step, ToolResponse, say, texts};
use crate::valid_history::flaw;

const LEFT_OUT: &str = "[Earlier messages left out.]";

#[tokio::test]
async fn retains_pinned_messages_and_restores_them() {
    let (model, store) = (Planned::with_window(100_000), Store::default());
    let manager = SlidingWindowConversationManager::new(2).pin_first(1);
    let build = || model.agent().conversation_manager(manager.clone()).session_manager(store.clone()).build();
    let mut agent = build().await.unwrap();
    for n in 0..6 {
        model.set_plan([say(&format!("a{n}"))]);
        let prompt = Message::user(format!("q{n}"));
        agent.prompt(if n == 3 { prompt.pinned() } else { prompt }).await.unwrap();
    }
    let expected = ["q0", LEFT_OUT, "q3", LEFT_OUT, "q5", "a5"];
    assert_eq!(texts(agent.messages()), expected);
    let state = store.record().conversation_manager_state;
    assert_eq!((&state["removed_message_count"], &state["kept_messages"]), (&10.into(), &serde_json::json!([0, 6])));
    assert_eq!(build().await.unwrap().messages(), agent.messages());
    assert_eq!(store.messages().len(), 12);
}

#[tokio::test]
async fn pinning_a_prompt_with_results_pins_their_calls() {
    let (model, store) = (Planned::with_window(100_000), Store::default());
    let manager = SlidingWindowConversationManager::new(2);
    let build = || model.agent().conversation_manager(manager.clone()).session_manager(store.clone()).build();
    let mut agent = build().await.unwrap();
    model.set_plan([Step::Call(1, ToolResponse::Text(5)), Step::Fail]);
    agent.prompt("look").await.unwrap_err();
    model.set_plan([say("noted")]);
    agent.prompt(Message::user("never forget").pinned()).await.unwrap();
    for n in 0..3 {
        model.set_plan([say(&format!("a{n}"))]);
        agent.prompt(format!("q{n}")).await.unwrap();
    }
    assert_eq!(texts(agent.messages()), [LEFT_OUT, "", "never forget", LEFT_OUT, "q2", "a2"]);
    assert_eq!(flaw(agent.messages(), false), None);
    assert_eq!(build().await.unwrap().messages(), agent.messages());
}

#[tokio::test]
async fn inserts_the_summary_after_pins_and_the_newest_prompt() {
    let (model, store) = (Planned::with_window(100_000), Store::default());
    let manager = SummarizingConversationManager::new().summary_ratio(0.8).preserve_recent(2).pin_first(2);
    let build = || model.agent().conversation_manager(manager.clone()).session_manager(store.clone()).build();
    let mut agent = build().await.unwrap();
    for n in 0..4 {
        model.set_plan([say(&format!("a{n}"))]);
        agent.prompt(format!("q{n} {}", "and more ".repeat(20))).await.unwrap();
    }
    model.set_plan([
        Step::Call(1, ToolResponse::Text(3)),
        Step::Call(1, ToolResponse::Text(3)),
        Step::Overflow,
        say("done"),
    ]);
    agent.prompt("the newest").await.unwrap();
    let summary = "summary of";
    let texts = texts(agent.messages());
    let texts: Vec<&str> = texts.iter().map(|text| if text.starts_with(summary) { summary } else { &**text }).collect();
    assert_eq!(texts[1..], ["a0", "the newest", LEFT_OUT, summary, "", "", "done"]);
    assert!(texts[0].starts_with("q0"));
    assert_eq!(build().await.unwrap().messages(), agent.messages());
}

#[tokio::test]
async fn a_snapshot_restores_the_same_messages() {
    for summarizing in [false, true] {
        let model = Planned::with_window(100_000);
        let builder = match summarizing {
            true => model.agent().conversation_manager(
                SummarizingConversationManager::new().summary_ratio(0.8).preserve_recent(2).pin_first(1),
            ),
            false => model.agent().conversation_manager(SlidingWindowConversationManager::new(2).pin_first(1)),
        };
        let mut agent = builder.clone().build().await.unwrap();
        for n in 0..4 {
            model.set_plan([say(&format!("a{n}"))]);
            agent.prompt(format!("q{n} {}", "and more ".repeat(20))).await.unwrap();
        }
        model.set_plan([Step::Overflow, say("done")]);
        agent.prompt("the newest").await.unwrap();
        let json = serde_json::to_string(&agent.snapshot().unwrap()).unwrap();
        let mut other = builder.build().await.unwrap();
        other.restore(serde_json::from_str(&json).unwrap()).unwrap();
        assert_eq!(other.messages(), agent.messages());
        assert!(texts(other.messages()).contains(&LEFT_OUT.to_owned()));
    }
}

#[tokio::test]
async fn retains_a_prompt_that_was_joined_with_results() {
    for summarizing in [false, true] {
        let (model, store) = (Planned::with_window(100_000), Store::default());
        let build = || {
            let builder = model.agent().session_manager(store.clone());
            match summarizing {
                true => builder
                    .conversation_manager(SummarizingConversationManager::new().summary_ratio(0.8).preserve_recent(2)),
                false => builder.conversation_manager(SlidingWindowConversationManager::new(4).per_turn(1)),
            }
            .build()
        };
        let mut agent = build().await.unwrap();
        model.set_plan([Step::Call(1, ToolResponse::Text(5)), Step::Fail]);
        agent.prompt("look").await.unwrap_err();
        let calls = (0..9).map(|_| Step::Call(1, ToolResponse::Text(90)));
        let refuses = summarizing.then_some(Step::Overflow);
        model.set_plan(calls.chain(refuses).chain([say("done")]));
        agent.prompt("rather look there").await.unwrap();
        let last = model.requests().pop().unwrap().messages;
        assert!(last.len() < 12 && texts(&last).contains(&"rather look there".to_owned()), "{:?}", texts(&last));
        assert_eq!(build().await.unwrap().messages(), agent.messages());
    }
}

#[tokio::test]
async fn merges_a_summary_after_pins_into_the_next() {
    let (model, store) = (Planned::with_window(100_000), Store::default());
    let manager = SummarizingConversationManager::new().summary_ratio(0.1).preserve_recent(2);
    let build = || model.agent().conversation_manager(manager.clone()).session_manager(store.clone()).build();
    let mut agent = build().await.unwrap();
    let calls = || (0..3).map(|_| Step::Call(1, ToolResponse::Text(400)));
    model.set_plan(calls().chain([Step::Overflow, say("seen")]));
    agent.prompt("look around, for as long as it takes to find the way out of here").await.unwrap();
    for n in 0..3 {
        // The prompt of the summarized invocation is no longer the newest, and comes before its summary.
        model.set_plan([Step::Overflow, say(&format!("a{n} {}", "and so on ".repeat(30)))]);
        agent.prompt(format!("q{n} {}", "and so on ".repeat(30))).await.unwrap();
        let summaries = texts(agent.messages()).iter().filter(|text| text.starts_with("summary of")).count();
        assert_eq!(summaries, 1, "{:?}", texts(agent.messages()));
        assert_eq!(build().await.unwrap().messages(), agent.messages());
    }
}
