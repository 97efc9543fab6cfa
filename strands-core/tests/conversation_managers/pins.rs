//! Pinned messages stay where all others go, and come back in front of what a session restores.

use strands_core::conversation::{SlidingWindowConversationManager, SummarizingConversationManager};
use strands_core::message::Message;

use crate::store::Store;
use crate::support::{Answer, Planned, Step, flaw, say, texts};

const LEFT_OUT: &str = "[Earlier messages left out.]";

#[tokio::test]
async fn pins_stay_in_the_window_and_come_back_from_the_session() {
    let (model, store) = (Planned::taking(100_000), Store::default());
    let manager = SlidingWindowConversationManager::new(2).pin_first(1);
    let build = || model.agent().conversation_manager(manager.clone()).session_manager(store.clone()).build();
    let mut agent = build().await.unwrap();
    for n in 0..6 {
        model.plans([say(&format!("a{n}"))]);
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
async fn a_pinned_prompt_that_joins_results_pins_them_and_their_calls() {
    let (model, store) = (Planned::taking(100_000), Store::default());
    let manager = SlidingWindowConversationManager::new(2);
    let build = || model.agent().conversation_manager(manager.clone()).session_manager(store.clone()).build();
    let mut agent = build().await.unwrap();
    model.plans([Step::Call(1, Answer::Text(5)), Step::Fail]);
    agent.prompt("look").await.unwrap_err();
    model.plans([say("noted")]);
    agent.prompt(Message::user("never forget").pinned()).await.unwrap();
    for n in 0..3 {
        model.plans([say(&format!("a{n}"))]);
        agent.prompt(format!("q{n}")).await.unwrap();
    }
    assert_eq!(texts(agent.messages()), [LEFT_OUT, "", "never forget", LEFT_OUT, "q2", "a2"]);
    assert_eq!(flaw(agent.messages()), None);
    assert_eq!(build().await.unwrap().messages(), agent.messages());
}

#[tokio::test]
async fn pins_and_the_newest_prompt_stand_before_the_summary_and_what_was_said_after_it() {
    let (model, store) = (Planned::taking(100_000), Store::default());
    let manager = SummarizingConversationManager::new().summary_ratio(0.8).preserve_recent(2).pin_first(2);
    let build = || model.agent().conversation_manager(manager.clone()).session_manager(store.clone()).build();
    let mut agent = build().await.unwrap();
    for n in 0..4 {
        model.plans([say(&format!("a{n}"))]);
        agent.prompt(format!("q{n} {}", "and more ".repeat(20))).await.unwrap();
    }
    model.plans([Step::Call(1, Answer::Text(3)), Step::Call(1, Answer::Text(3)), Step::Refuse, say("done")]);
    agent.prompt("the newest").await.unwrap();
    let summary = "summary of";
    let said = texts(agent.messages());
    let said: Vec<&str> = said.iter().map(|text| if text.starts_with(summary) { summary } else { &**text }).collect();
    assert_eq!(said[1..], ["a0", "the newest", LEFT_OUT, summary, "", "", "done"]);
    assert!(said[0].starts_with("q0"));
    assert_eq!(build().await.unwrap().messages(), agent.messages());
}

#[tokio::test]
async fn a_snapshot_brings_the_same_messages_back() {
    for summarizing in [false, true] {
        let model = Planned::taking(100_000);
        let builder = match summarizing {
            true => model.agent().conversation_manager(
                SummarizingConversationManager::new().summary_ratio(0.8).preserve_recent(2).pin_first(1),
            ),
            false => model.agent().conversation_manager(SlidingWindowConversationManager::new(2).pin_first(1)),
        };
        let mut agent = builder.clone().build().await.unwrap();
        for n in 0..4 {
            model.plans([say(&format!("a{n}"))]);
            agent.prompt(format!("q{n} {}", "and more ".repeat(20))).await.unwrap();
        }
        model.plans([Step::Refuse, say("done")]);
        agent.prompt("the newest").await.unwrap();
        let json = serde_json::to_string(&agent.snapshot().unwrap()).unwrap();
        let mut other = builder.build().await.unwrap();
        other.restore(serde_json::from_str(&json).unwrap()).unwrap();
        assert_eq!(other.messages(), agent.messages());
        assert!(texts(other.messages()).contains(&LEFT_OUT.to_owned()));
    }
}

#[tokio::test]
async fn a_request_that_joined_results_outlives_the_tools_that_it_takes() {
    for summarizing in [false, true] {
        let (model, store) = (Planned::taking(100_000), Store::default());
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
        model.plans([Step::Call(1, Answer::Text(5)), Step::Fail]);
        agent.prompt("look").await.unwrap_err();
        let calls = (0..9).map(|_| Step::Call(1, Answer::Text(90)));
        let refuses = summarizing.then_some(Step::Refuse);
        model.plans(calls.chain(refuses).chain([say("done")]));
        agent.prompt("rather look there").await.unwrap();
        let last = model.asked().pop().unwrap().messages;
        assert!(last.len() < 12 && texts(&last).contains(&"rather look there".to_owned()), "{:?}", texts(&last));
        assert_eq!(build().await.unwrap().messages(), agent.messages());
    }
}

#[tokio::test]
async fn a_summary_behind_pins_is_merged_into_the_next_one() {
    let (model, store) = (Planned::taking(100_000), Store::default());
    let manager = SummarizingConversationManager::new().summary_ratio(0.1).preserve_recent(2);
    let build = || model.agent().conversation_manager(manager.clone()).session_manager(store.clone()).build();
    let mut agent = build().await.unwrap();
    let calls = || (0..3).map(|_| Step::Call(1, Answer::Text(400)));
    model.plans(calls().chain([Step::Refuse, say("seen")]));
    agent.prompt("look around, for as long as it takes to find the way out of here").await.unwrap();
    for n in 0..3 {
        // The prompt of the summarized run is no longer the newest, and stands in front of its summary.
        model.plans([Step::Refuse, say(&format!("a{n} {}", "and so on ".repeat(30)))]);
        agent.prompt(format!("q{n} {}", "and so on ".repeat(30))).await.unwrap();
        let summaries = texts(agent.messages()).iter().filter(|text| text.starts_with("summary of")).count();
        assert_eq!(summaries, 1, "{:?}", texts(agent.messages()));
        assert_eq!(build().await.unwrap().messages(), agent.messages());
    }
}
