//! The same random scenarios with a session, dropped in the middle of its writes too: whoever opens it goes on from a
//! valid conversation, and from the very same one where the invocation came to its end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use strands_core::Agent;
use strands_core::conversation::SlidingWindowConversationManager;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageRange, OpenedSession, Session, SessionError, SessionManager};

use crate::properties::{Reply, Scenario, invoke, model, paused, reply_to, scenario, shape, tools};
use crate::support::{flaw, template};

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<(Option<AgentRecord>, Vec<Message>)>>);

struct Open {
    store: Memory,
    next: usize,
}

/// A write takes its time, before and after it is done.
async fn takes_time() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[async_trait]
impl SessionManager for Memory {
    fn session_id(&self) -> &str {
        "memory"
    }

    async fn open(&self, _: &str) -> Result<OpenedSession, SessionError> {
        let (record, next) = {
            let stored = self.0.lock().unwrap();
            (stored.0.clone(), stored.1.len())
        };
        Ok(OpenedSession::new(Box::new(Open { store: self.clone(), next }), record))
    }
}

#[async_trait]
impl Session for Open {
    async fn read(&mut self, wanted: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        let messages = self.store.0.lock().unwrap().1.clone();
        self.next = messages.len();
        let is_wanted = |at: u64| at >= wanted.from || wanted.also.contains(&at);
        Ok((0..).zip(messages).filter(|(at, _)| is_wanted(*at)).map(|(_, message)| Arc::new(message)).collect())
    }

    async fn append(&mut self, message: &Message) -> Result<(), SessionError> {
        takes_time().await;
        {
            let messages = &mut self.store.0.lock().unwrap().1;
            match messages.get_mut(self.next) {
                None => messages.push(message.clone()),
                // An earlier attempt was dropped after it had written.
                Some(written) if written.tracking_id == message.tracking_id => *written = message.clone(),
                Some(_) => panic!("another message is in the place of this one"),
            }
        }
        takes_time().await;
        self.next += 1;
        Ok(())
    }

    async fn replace_last(&mut self, message: &Message) -> Result<(), SessionError> {
        takes_time().await;
        let at = self.next - 1;
        self.store.0.lock().unwrap().1[at] = message.clone();
        takes_time().await;
        Ok(())
    }

    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError> {
        takes_time().await;
        self.store.0.lock().unwrap().0 = Some(record.clone());
        takes_time().await;
        Ok(())
    }
}

async fn open(scenario: &Scenario, store: &Memory, model: &strands_core::testing::ScriptedModel) -> Agent {
    let manager = SlidingWindowConversationManager::new(scenario.window);
    let builder = template(model, tools()).tool_concurrency(scenario.concurrency).conversation_manager(manager);
    builder.session_manager(store.clone()).build().await.unwrap()
}

async fn play(scenario: &Scenario) -> Result<(), TestCaseError> {
    let (store, model) = (Memory::default(), model(&scenario.answers));
    let mut agent = open(scenario, &store, &model).await;
    for (at, (manner, reply)) in scenario.prompts.iter().enumerate() {
        let ended;
        if agent.interrupts().is_empty() {
            let dropped = invoke(&mut agent, format!("prompt {at}").into(), *manner).await.is_none();
            ended = !dropped;
        } else {
            reply_to(&mut agent, *reply).await?;
            // Questions that were discarded go from the session with the next invocation.
            ended = !matches!(reply, Reply::Discard);
        }
        let elsewhere = open(scenario, &store, &model).await;
        let messages = elsewhere.messages();
        let open = messages.last().is_some_and(|last| last.tool_uses().next().is_some());
        prop_assert_eq!(flaw(messages, open), None, "{:#?}", messages);
        if ended {
            prop_assert_eq!(shape(messages), shape(agent.messages()));
            let ids = |agent: &Agent| agent.interrupts().into_iter().map(|each| each.id).collect::<Vec<_>>();
            prop_assert_eq!(ids(&elsewhere), ids(&agent));
        }
        // Every other time somebody else goes on.
        if at % 2 == 1 {
            agent = elsewhere;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_opens_the_session_goes_on_from_a_valid_conversation(scenario in scenario()) {
        paused(play(&scenario))?;
    }
}
