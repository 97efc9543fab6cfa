//! Listing of the interrupts of graphs and swarms that wait for responses, in all sessions of a store.

use std::collections::BTreeMap;

use futures_util::Stream;
use serde::Deserialize;
use serde_json::{Map, Value};
use strands_core::Interrupt;
use strands_core::session::SessionError;

use super::Layout;
use crate::documents::corrupt;
use crate::storage::Storage;
use crate::stored_sessions::{Session, valid};
use crate::{SessionStore, key_layout, snapshots};

/// The interrupts of one stored graph or swarm that wait for responses.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenRun {
    /// Id of the session.
    pub session_id: String,
    /// Id of the graph or swarm.
    pub multi_agent_id: String,
    /// The interrupts that have no response, with the ids under which the run is resumed.
    pub interrupts: Vec<Interrupt>,
}

/// The part of a run that has its interrupts, in the JSON of Strands.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Run {
    #[serde(rename = "_internal_state")]
    internal: Internal,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Internal {
    interrupt_state: InterruptState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InterruptState {
    interrupts: BTreeMap<String, Interrupt>,
    context: Map<String, Value>,
    activated: bool,
}

/// An interrupted node.
#[derive(Deserialize)]
struct Node {
    /// Absent in a swarm of Strands, which interrupts one member at a time.
    interrupt_ids: Option<Vec<String>>,
    /// True if a hook raised the interrupts, and not the node itself: in a graph.
    #[serde(default)]
    from_hook: bool,
    /// The opposite, in a swarm.
    #[serde(default = "yes")]
    activated: bool,
}

fn yes() -> bool {
    true
}

impl SessionStore {
    /// Returns the interrupts of graphs and swarms that wait for responses, in all sessions of the store in alphabetical order. Those
    /// of agents are in [`open_interrupts`](Self::open_interrupts). Strands may have written the sessions.
    ///
    /// No graph is built, and nothing is written. The documents of up to 15 sessions are read at a time.
    ///
    /// # Errors
    ///
    /// An item is a [`SessionError`] if the sessions can't be listed, or if a run can't be read. The stream continues with the next
    /// one.
    ///
    /// # Examples
    ///
    /// ```
    /// use strands::session::SessionStore;
    /// use strands::StreamExt as _;
    ///
    /// # async fn list() -> Result<(), strands::session::SessionError> {
    /// let store = SessionStore::files("/var/lib/travel/sessions");
    /// let mut open = std::pin::pin!(store.open_runs(|session_id| session_id.starts_with("alice-")));
    /// while let Some(run) = open.next().await {
    ///     let run = run?;
    ///     for interrupt in &run.interrupts {
    ///         println!("{} in {}: {}", run.multi_agent_id, run.session_id, interrupt.name);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_runs<F: FnMut(&str) -> bool + Send>(
        &self,
        wanted: F,
    ) -> impl Stream<Item = Result<OpenRun, SessionError>> + Send + use<F> {
        let storage = self.storage().clone();
        self.of_sessions(wanted, move |session| {
            let storage = storage.clone();
            async move { session.open_runs(&storage).await }
        })
    }
}

impl Session {
    /// Reads the runs of the session, one after the other.
    async fn open_runs(&self, storage: &Storage) -> Vec<Result<OpenRun, SessionError>> {
        let ids = match self.multi_agents(storage).await {
            Ok(ids) => ids,
            Err(error) => return vec![Err(error)],
        };
        let mut open = Vec::new();
        for multi_agent_id in ids {
            match self.interrupts(storage, &multi_agent_id).await {
                Ok(interrupts) if interrupts.is_empty() => {}
                Ok(interrupts) => {
                    open.push(Ok(OpenRun { session_id: self.id.clone(), multi_agent_id, interrupts }));
                }
                Err(error) => open.push(Err(error)),
            }
        }
        open
    }

    async fn multi_agents(&self, storage: &Storage) -> Result<Vec<String>, SessionError> {
        let mut ids = match self.layout {
            Layout::Messages => {
                let folders = storage.folders_in(&key_layout::multi_agents_folder(&self.id)).await?;
                folders.iter().filter_map(|folder| key_layout::multi_agent_id(folder)).map(str::to_owned).collect()
            }
            Layout::Snapshots => storage.folders_in(&snapshots::key_layout::multi_agents_folder(&self.id)).await?,
        };
        ids.sort_unstable();
        Ok(valid("multi-agent id", ids.into_iter()))
    }

    async fn interrupts(&self, storage: &Storage, id: &str) -> Result<Vec<Interrupt>, SessionError> {
        let key = self.layout.key(&self.id, id);
        // Deleted meanwhile.
        let Some(document) = storage.read(&key).await? else { return Ok(Vec::new()) };
        let location = storage.locate(&key);
        let run = self.layout.parse(&location, id, &document.content)?;
        pending(run).map_err(|error| corrupt(&location, "an interrupted run", error))
    }
}

/// Returns the interrupts without a response, node by node.
fn pending(run: Map<String, Value>) -> Result<Vec<Interrupt>, serde_json::Error> {
    let state = Run::deserialize(Value::Object(run))?.internal.interrupt_state;
    let mut pending = Vec::new();
    // Besides nodes, Strands has lists in the context.
    for (id, node) in state.context.into_iter().filter(|(_, node)| state.activated && node.is_object()) {
        let node = Node::deserialize(node)?;
        let is_of_node = |id: &String| node.interrupt_ids.as_ref().is_none_or(|ids| ids.contains(id));
        let of_node = state.interrupts.iter().filter(|(id, interrupt)| is_of_node(id) && interrupt.response.is_none());
        let of_node = of_node.map(|(_, interrupt)| interrupt.clone());
        if node.from_hook || !node.activated {
            pending.extend(of_node);
        } else {
            pending.extend(of_node.map(|interrupt| interrupt.at_node(&id)));
        }
    }
    Ok(pending)
}
