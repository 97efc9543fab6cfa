//! All processes of the system.

use std::collections::BTreeMap;

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    SystemError,
    output::Output,
    process::Program,
    programs::{Durable, Programs, Role},
    registration::register,
    summary::Summary,
    supervisor::{Event, Stop, supervise},
};

/// Events that wait to be read.
const EVENTS: usize = 64;

/// Processes that are stopped together.
struct Group {
    rank: u8,
    stop: watch::Sender<Stop>,
    tasks: JoinSet<()>,
}

/// The processes. They are killed when the value is dropped.
pub(super) struct Children {
    groups: Vec<Group>,
    /// Programs that need the S3 server, until it is ready.
    waiting: Vec<(Role, Program)>,
    total: usize,
    ids: BTreeMap<String, u32>,
    events: mpsc::Receiver<Event>,
    sender: mpsc::Sender<Event>,
}

impl Children {
    /// Starts the programs: the S3 server first.
    pub(super) fn start(programs: &Programs, output: &Output) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let mut children =
            Self { groups: Vec::new(), waiting: Vec::new(), total: 0, ids: BTreeMap::new(), events, sender };
        let has_s3 = programs.iter().any(|(role, _)| *role == Role::S3);
        for (role, program) in programs.iter().cloned() {
            children.total += 1;
            if has_s3 && role != Role::S3 {
                children.waiting.push((role, program));
            } else {
                children.supervise(role, program, output);
            }
        }
        children
    }

    fn supervise(&mut self, role: Role, program: Program, output: &Output) {
        let rank = role.stop_rank();
        let at = self.groups.iter().position(|group| group.rank == rank).unwrap_or_else(|| {
            self.groups.push(Group { rank, stop: watch::channel(Stop::No).0, tasks: JoinSet::new() });
            self.groups.len() - 1
        });
        if let Some(group) = self.groups.get_mut(at) {
            let stop = group.stop.subscribe();
            group.tasks.spawn(supervise(program, output.clone(), self.sender.clone(), stop));
        }
    }

    /// Tells when all are ready, and of each restart. Returns when one fails.
    pub(super) async fn watch(
        &mut self,
        output: &Output,
        summary: &Summary,
        mut to_register: Option<Durable>,
    ) -> Result<(), SystemError> {
        loop {
            match self.events.recv().await {
                Some(Event::Ready { name, id }) => {
                    for (role, program) in std::mem::take(&mut self.waiting) {
                        self.supervise(role, program, output);
                    }
                    let is_restart = self.ids.insert(name.clone(), id).is_some();
                    if is_restart {
                        output.note(&format!("{name} is ready again"));
                    }
                    if self.ids.len() == self.total {
                        if let Some(Durable { restate, agent }) = to_register.take() {
                            register(restate.admin, agent).await?;
                        }
                        summary.print(output, &self.ids, is_restart);
                    }
                }
                Some(Event::Failed(error)) => return Err(error),
                // This value has a sender.
                None => return Ok(()),
            }
        }
    }

    /// Stops all gracefully: first the agents, which use the others.
    pub(super) async fn stop(&mut self) {
        self.events.close();
        self.groups.sort_by_key(|group| group.rank);
        for group in &mut self.groups {
            // Unless there is an order to stop at once.
            group.stop.send_if_modified(|stop| {
                let is_new = *stop == Stop::No;
                if is_new {
                    *stop = Stop::Gracefully;
                }
                is_new
            });
            while group.tasks.join_next().await.is_some() {}
        }
    }

    /// Kills all.
    pub(super) async fn kill(&mut self) {
        self.events.close();
        for group in &self.groups {
            group.stop.send_replace(Stop::Now);
        }
        for group in &mut self.groups {
            while group.tasks.join_next().await.is_some() {}
        }
    }
}
