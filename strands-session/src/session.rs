//! One agent's part of a session, as one worker sees it.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageRange, Session, SessionError};

use crate::slot::{Outcome, Slot};
use crate::storage::{Storage, failed};
use crate::{documents, layout};

/// One agent's part of a session.
#[derive(Debug)]
pub(crate) struct StoredSession {
    storage: Arc<Storage>,
    session_id: String,
    agent_id: String,
    messages: String,
    /// The agent's document. What is not known to be there is written with the first message.
    agent: Slot,
    /// The newest message, where it is known.
    newest: Option<Slot>,
    /// Where the next message goes; `None` until the store was asked.
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    number: u64,
    slot: Slot,
}

impl StoredSession {
    /// Reads what is kept of the agent beside its messages.
    pub(crate) async fn open(
        storage: Arc<Storage>,
        session_id: &str,
        agent_id: &str,
    ) -> Result<(Self, Option<AgentRecord>), SessionError> {
        let mut agent = Slot::new(layout::agent_document(session_id, agent_id));
        let place = storage.locate(agent.key());
        let record = match agent.read(&storage).await? {
            Some(bytes) => Some(documents::agent_record(&place, bytes)?),
            None => None,
        };
        let session = Self {
            storage,
            session_id: session_id.to_owned(),
            agent_id: agent_id.to_owned(),
            messages: layout::messages_folder(session_id, agent_id),
            agent,
            newest: None,
            next: None,
        };
        Ok((session, record))
    }

    fn message_slot(&self, number: u64) -> Slot {
        Slot::new(layout::message_document(&self.messages, number))
    }

    fn next_after(&self, newest: Option<u64>) -> Result<Next, SessionError> {
        let number = match newest {
            None => 0,
            Some(newest) => newest.checked_add(1).ok_or_else(|| {
                failed(
                    "write",
                    &self.storage.locate(&self.messages),
                    "the newest message has the highest number there is",
                )
            })?,
        };
        Ok(Next { number, slot: self.message_slot(number) })
    }

    /// The numbers of the messages in the store, rising.
    async fn numbers(&self) -> Result<Vec<u64>, SessionError> {
        let names = self.storage.documents_in(&self.messages).await?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| layout::message_number(name)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// Takes the place of the next message, asking the store if nobody has yet. Given back with [`Self::settle`], so
    /// that a write that nobody waits for is remembered.
    async fn find_next(&mut self) -> Result<(), SessionError> {
        if self.next.is_none() {
            let newest = self.numbers().await?.last().copied();
            self.next = Some(self.next_after(newest)?);
        }
        Ok(())
    }

    /// Makes the session and the agent known to readers before the first message is.
    async fn announce(&mut self) -> Result<(), SessionError> {
        if self.agent.known().is_some() {
            return Ok(());
        }
        self.write_record(&documents::new_record(&self.agent_id)).await
    }

    async fn write_record(&mut self, record: &AgentRecord) -> Result<(), SessionError> {
        let place = self.storage.locate(self.agent.key());
        let stored = match self.agent.known() {
            Some(bytes) => Some(documents::agent_fields(&place, bytes)?),
            None => {
                self.write_session().await?;
                None
            }
        };
        let Some(document) = documents::merged_record(&place, stored.as_ref(), record)? else { return Ok(()) };
        let bytes = documents::write(&place, &document)?;
        let expected = self.agent.known().map(|bytes| documents::summary(bytes));
        match self.agent.write(&self.storage, bytes).await? {
            Outcome::Done => Ok(()),
            Outcome::Conflict(found) => {
                Err(self.conflict(format!("the record of agent `{}`", self.agent_id), expected, found.as_deref()))
            }
        }
    }

    /// Writes the session's document unless there is one, whoever wrote it.
    async fn write_session(&self) -> Result<(), SessionError> {
        let key = layout::session_document(&self.session_id);
        let bytes = documents::new_session(&self.storage.locate(&key), &self.session_id)?;
        let mut slot = Slot::new(key);
        match slot.write(&self.storage, bytes).await? {
            Outcome::Done | Outcome::Conflict(_) => Ok(()),
        }
    }

    fn conflict(&self, what: String, expected: Option<String>, found: Option<&[u8]>) -> SessionError {
        SessionError::Conflict {
            session_id: self.session_id.clone(),
            what,
            expected: expected.unwrap_or_else(|| "absent".to_owned()),
            found: found.map_or_else(|| "gone".to_owned(), documents::summary),
        }
    }
}

#[async_trait]
impl Session for StoredSession {
    async fn read(&mut self, wanted: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        let mut numbers = self.numbers().await?;
        let next = self.next_after(numbers.last().copied())?;
        let mut also = wanted.also.clone();
        also.sort_unstable();
        if let Some(missing) = also.iter().find(|number| numbers.binary_search(number).is_err()) {
            let key = layout::message_document(&self.messages, *missing);
            return Err(SessionError::NotFound {
                what: "a message that the agent's record names",
                key: self.storage.locate(&key),
            });
        }
        numbers.retain(|number| *number >= wanted.from || also.binary_search(number).is_ok());
        let newest = numbers.pop_if(|number| number.checked_add(1) == Some(next.number));
        let keys = numbers.iter().map(|number| layout::message_document(&self.messages, *number)).collect();
        let mut slot = newest.map(|number| self.message_slot(number));
        let read_newest = async {
            let Some(slot) = &mut slot else { return Ok(None) };
            let place = self.storage.locate(slot.key());
            match slot.read(&self.storage).await? {
                Some(bytes) => documents::message(&place, bytes).map(Some),
                None => Ok(None),
            }
        };
        let (mut messages, newest) = try_join(self.storage.read_all(keys, documents::message), read_newest).await?;
        messages.extend(newest);
        self.newest = slot;
        self.next = Some(next);
        Ok(messages)
    }

    async fn append(&mut self, message: &Message) -> Result<(), SessionError> {
        self.find_next().await?;
        self.announce().await?;
        let Some(next) = &mut self.next else { return Ok(()) };
        let bytes = documents::new_message(&self.storage.locate(next.slot.key()), next.number, message)?;
        let number = next.number;
        match next.slot.write(&self.storage, bytes).await? {
            Outcome::Done => {
                let following = self.next_after(Some(number))?;
                self.newest = self.next.replace(following).map(|next| next.slot);
                Ok(())
            }
            Outcome::Conflict(found) => Err(self.conflict(format!("message {number}"), None, found.as_deref())),
        }
    }

    async fn replace_last(&mut self, message: &Message) -> Result<(), SessionError> {
        self.find_next().await?;
        let Some(next) = &self.next else { return Ok(()) };
        let next_key = next.slot.key().to_owned();
        let next_number = next.number;
        let Some(number) = next_number.checked_sub(1) else {
            return Err(SessionError::NotFound {
                what: "the message to replace",
                key: self.storage.locate(&self.messages),
            });
        };
        if self.storage.exists(&next_key).await? {
            let found = self.storage.read(&next_key).await?;
            let found = found.as_ref().map(|stored| &*stored.bytes);
            return Err(self.conflict(format!("message {next_number}"), None, found));
        }
        let mut slot = match self.newest.take() {
            Some(slot) => slot,
            None => self.message_slot(number),
        };
        let place = self.storage.locate(slot.key());
        if slot.known().is_none() {
            slot.read(&self.storage).await?;
        }
        let newest = self.newest.insert(slot);
        let Some(stored) = newest.known() else {
            return Err(SessionError::NotFound { what: "the message to replace", key: place });
        };
        let expected = Some(documents::summary(stored));
        let bytes = documents::replaced_message(&place, stored, message)?;
        match newest.write(&self.storage, bytes).await? {
            Outcome::Done => Ok(()),
            Outcome::Conflict(found) => Err(self.conflict(format!("message {number}"), expected, found.as_deref())),
        }
    }

    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError> {
        self.write_record(record).await
    }
}
