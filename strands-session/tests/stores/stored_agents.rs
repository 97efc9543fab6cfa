//! Records of agents with their times, for lists of sessions.

use futures_util::TryStreamExt as _;
use strands_core::Agent;
use strands_core::session::SessionError;
use strands_core::testing::ScriptedModel;
use strands_session::{SessionStore, StoreSessionManager, StoredAgent};

use crate::support::backends;

async fn agent(store: &SessionStore, session_id: &str) -> Agent {
    let sessions = StoreSessionManager::new(session_id, store.clone()).unwrap();
    let builder = Agent::builder().model(ScriptedModel::responding("hello")).agent_id("main");
    builder.session_manager(sessions).build().await.unwrap()
}

async fn listed(store: &SessionStore, prefix: &str) -> Vec<StoredAgent> {
    store.stored_agents("main", |id| id.starts_with(prefix)).try_collect().await.unwrap()
}

#[tokio::test]
async fn lists_the_wanted_sessions_with_their_times() {
    for backend in backends().await {
        let (store, name) = (&backend.store, backend.name);
        assert!(listed(store, "").await.is_empty(), "{name}");
        for session_id in ["a-2", "a-1", "b-1"] {
            agent(store, session_id).await.prompt("hi").await.unwrap();
        }
        let found = listed(store, "a-").await;
        let ids: Vec<&str> = found.iter().map(|agent| agent.session_id.as_str()).collect();
        assert_eq!(ids, ["a-1", "a-2"], "{name}");
        assert!(found[0].updated_at > found[1].updated_at, "{name}: {found:?}");

        // A message counts, although it does not change the record.
        let mut again = agent(store, "a-2").await;
        again.prompt("more").await.unwrap();
        let later = listed(store, "a-").await;
        assert_eq!(later[0], found[0], "{name}");
        assert_eq!((&later[1].created_at, &later[1].record), (&found[1].created_at, &found[1].record), "{name}");
        assert!(later[1].updated_at > found[0].updated_at, "{name}: {later:?}");

        // So does a change of the record.
        again.state().set("title", "x").unwrap();
        again.save().await.unwrap();
        let renamed = store.stored_agent("a-2", "main").await.unwrap().unwrap();
        assert_eq!(renamed.record.state["title"], "x", "{name}");
        assert!(renamed.updated_at > later[1].updated_at, "{name}");
        let is_plain =
            |time: &Option<String>| time.as_ref().is_some_and(|time| time.len() == 27 && time.ends_with('Z'));
        assert!(is_plain(&renamed.created_at) && is_plain(&renamed.updated_at), "{name}: {renamed:?}");
    }
}

#[tokio::test]
async fn unknown_sessions_and_agents_are_none() {
    for backend in backends().await {
        agent(&backend.store, "a").await.prompt("hi").await.unwrap();
        for (session_id, agent_id) in [("b", "main"), ("a", "other")] {
            assert_eq!(backend.store.stored_agent(session_id, agent_id).await.unwrap(), None, "{}", backend.name);
        }
        let invalid = backend.store.stored_agent("../a", "main").await.unwrap_err();
        assert!(matches!(invalid, SessionError::InvalidId { .. }), "{invalid:?}");
        let other: Vec<StoredAgent> = backend.store.stored_agents("other", |_| true).try_collect().await.unwrap();
        assert_eq!(other, [], "{}", backend.name);
    }
}
