//! Read of a conversation: the messages at given positions, and its end, where a batch may be incomplete.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join;
use strands_core::message::Message;
use strands_core::session::{MessageRange, SessionError};

use super::StoredSession;
use super::listing::Listing;
use super::record::is_same_truncation;
use super::view::{BatchId, Repair, View};
use crate::document_store::Document;
use crate::documents::{self, Batch, Previous, Truncation};
use crate::storage::failed;

/// Attempts at reading a conversation that other workers truncate meanwhile.
const ATTEMPTS: usize = 5;

/// Number of newest messages that are read sequentially, because a batch may end there.
const NEWEST: usize = 2;

/// The positions in a range.
struct Wanted {
    from: u64,
    /// In ascending order.
    earlier: Vec<u64>,
}

impl Wanted {
    fn new(range: &MessageRange) -> Self {
        let mut earlier = range.earlier.clone();
        earlier.sort_unstable();
        Self { from: range.from, earlier }
    }

    fn has(&self, position: u64) -> bool {
        position >= self.from || self.earlier.binary_search(&position).is_ok()
    }
}

/// The end of a conversation.
#[derive(Default)]
struct Tail {
    /// The numbers of all messages that have a document.
    numbers: Vec<u64>,
    /// The messages that were read, by their numbers, as callers see them.
    messages: Vec<(u64, Arc<Message>)>,
    /// The messages of an incomplete batch that have no document yet.
    missing: Vec<Arc<Message>>,
    repairs: Vec<Repair>,
    /// The documents that were read.
    seen: Vec<(u64, Document)>,
    /// The highest number of a document whose writer did not know of a truncation.
    void: Option<u64>,
    /// True if a listed document was deleted meanwhile.
    is_torn: bool,
}

/// Messages by their numbers.
type Numbered = Vec<(u64, Arc<Message>)>;

impl StoredSession {
    /// Reads the messages in a range, and updates the view of the conversation.
    pub(super) async fn load(&mut self, range: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        let known = self.known_truncation()?;
        let mut truncation = known.clone();
        let wanted = Wanted::new(range);
        for _ in 0..ATTEMPTS {
            let listing = self.list(truncation.as_ref()).await?;
            let tail = self.tail(listing.numbers.clone(), truncation.as_ref(), &wanted);
            let others = self.others(&listing.numbers, &wanted);
            let (tail, others) = try_join(tail, others).await?;
            // Read last, so that it has every truncation before the messages were read: after one, a message may be
            // replaced.
            let record = self.storage.read(self.agent.key()).await?;
            let found = self.truncation_in(record.as_ref())?;
            if found != truncation {
                if self.view.is_none() && !is_same_truncation(known.as_ref(), found.as_ref()) {
                    // The record that the agent was opened with belongs to another conversation.
                    return Err(self.truncated_by_another(record.as_ref()));
                }
                truncation = found;
                continue;
            }
            // A truncation by another worker deletes documents that were listed before it.
            let Some(others) = others.filter(|_| !tail.is_torn) else { continue };
            let is_own = |record: &Document| {
                self.agent.is_unconfirmed(&record.content) || self.agent.known() == Some(&record.content)
            };
            let own = record.clone().filter(is_own);
            let messages = self.select(&wanted, &tail, others)?;
            self.has_read(record.as_ref())?;
            if own.is_some() {
                self.agent.observe(own);
            }
            self.update_view(tail, listing, truncation)?;
            return Ok(messages);
        }
        Err(failed("read", &self.storage.locate(&self.folder), "other workers truncate it repeatedly; try again later"))
    }

    /// Reads the wanted messages except the newest two. Returns `None` if one was deleted meanwhile.
    async fn others(&self, numbers: &[u64], wanted: &Wanted) -> Result<Option<Numbered>, SessionError> {
        let others = numbers.get(..numbers.len().saturating_sub(NEWEST)).unwrap_or_default();
        let wanted: Vec<u64> =
            (0..).zip(others).filter_map(|(position, number)| wanted.has(position).then_some(*number)).collect();
        let keys: Vec<String> = wanted.iter().map(|number| self.message_key(*number)).collect();
        let parse = |index: usize, location: &str, document: Document| {
            Ok((wanted.get(index).copied().unwrap_or_default(), documents::message(location, &document.content)?))
        };
        let read = self.storage.read_all(&keys, parse).await?;
        Ok((read.len() == wanted.len()).then_some(read))
    }

    /// Collects the wanted messages in order.
    fn select(&self, wanted: &Wanted, tail: &Tail, others: Numbered) -> Result<Vec<Arc<Message>>, SessionError> {
        let total = tail.numbers.len() + tail.missing.len();
        let end = u64::try_from(total).unwrap_or(u64::MAX);
        if let Some(absent) = wanted.earlier.last().filter(|position| **position >= end) {
            let location = self.storage.locate(&self.folder);
            return Err(SessionError::NotFound {
                what: "a message that the agent's record names",
                key: format!("position {absent} of {total} messages in {location}"),
            });
        }
        let mut documents: BTreeMap<u64, &Arc<Message>> = BTreeMap::new();
        documents.extend(others.iter().chain(&tail.messages).map(|(number, message)| (*number, message)));
        let messages = tail.numbers.iter().map(|number| documents.get(number).copied());
        let messages = messages.chain(tail.missing.iter().map(Some));
        let wanted = (0..).zip(messages).filter(|(position, _)| wanted.has(*position));
        Ok(wanted.filter_map(|(_, message)| message.cloned()).collect())
    }

    /// Reads the end of a conversation: the newest message, and the batch in its document.
    async fn tail(
        &self,
        numbers: Vec<u64>,
        truncation: Option<&Truncation>,
        wanted: &Wanted,
    ) -> Result<Tail, SessionError> {
        let floor = truncation.map_or(0, Truncation::before);
        let is_void =
            |number: u64, batch: &Batch| truncation.is_some_and(|known| known.voids(number, batch.follows_truncation));
        let mut tail = Tail { numbers, ..Tail::default() };
        while let Some(newest) = tail.numbers.last().copied() {
            let Some(document) = self.listed(newest, &mut tail).await? else { break };
            let (message, batch) = documents::message_and_batch(&self.location(newest), &document.content)?;
            tail.seen.push((newest, document));
            // A batch that starts before a truncation was complete before it.
            let rest = match batch.continues {
                _ if is_void(newest, &batch) => None,
                _ if newest < floor => Some(Vec::new()),
                Some(first) => self.rest_of_batch(first, newest, &batch, &mut tail).await?,
                None => Some(batch.followed_by.clone()),
            };
            if is_void(newest, &batch) {
                tail.void = tail.void.max(Some(newest));
            }
            if self.is_torn(newest, &batch, floor, &tail).await? {
                tail.is_torn = true;
                break;
            }
            let Some(rest) = rest else {
                // It belongs to an abandoned attempt.
                tail.numbers.pop();
                continue;
            };
            let previous = tail.numbers.iter().rev().nth(1).copied();
            if let (Some(message), Some(previous_was)) = (batch.replaces_previous.clone(), batch.previous.clone())
                && newest >= floor
            {
                let found = match previous {
                    Some(number) => self.listed(number, &mut tail).await?.map(|found| (number, found)),
                    None => None,
                };
                if tail.is_torn {
                    break;
                }
                if !self.replaces(newest, message, previous_was, found, &mut tail)? {
                    tail.numbers.pop();
                    continue;
                }
            }
            tail.messages.push((newest, message));
            // If both are written as a unit, the previous message must not be older than the newest.
            let position = u64::try_from(tail.numbers.len()).unwrap_or(u64::MAX).saturating_sub(2);
            if let Some(number) = previous.filter(|_| batch.replaced_previous || wanted.has(position))
                && !tail.messages.iter().any(|(seen, _)| *seen == number)
            {
                self.read_previous(number, &mut tail).await?;
            }
            let id = BatchId::new(batch.continues.unwrap_or(newest), &batch);
            let numbers = newest.saturating_add(1)..;
            tail.repairs.extend(numbers.zip(&rest).map(|(number, message)| Repair::Follow {
                number,
                message: Arc::clone(message),
                batch: id.clone(),
            }));
            tail.missing = rest;
            break;
        }
        Ok(tail)
    }

    /// Returns true if the newest listed message was replaced and the document after it has changed since the listing:
    /// both may have been written as a unit.
    async fn is_torn(&self, newest: u64, batch: &Batch, floor: u64, tail: &Tail) -> Result<bool, SessionError> {
        if batch.updated_at == batch.created_at {
            return Ok(false);
        }
        let next = newest.saturating_add(1).max(floor);
        let seen = tail.seen.iter().find(|(seen, _)| *seen == next).map(|(_, document)| &document.content);
        let found = self.storage.read(&self.message_key(next)).await?;
        Ok(found.as_ref().map(|document| &document.content) != seen)
    }

    /// Reads a listed document.
    async fn listed(&self, number: u64, tail: &mut Tail) -> Result<Option<Document>, SessionError> {
        let document = self.storage.read(&self.message_key(number)).await?;
        tail.is_torn |= document.is_none();
        Ok(document)
    }

    /// Returns the messages of a batch after one of its messages, or `None` if the message belongs to another attempt at
    /// writing the batch.
    async fn rest_of_batch(
        &self,
        first: u64,
        number: u64,
        batch: &Batch,
        tail: &mut Tail,
    ) -> Result<Option<Vec<Arc<Message>>>, SessionError> {
        if first >= number || tail.numbers.binary_search(&first).is_err() {
            return Ok(None);
        }
        let Some(document) = self.listed(first, tail).await? else { return Ok(None) };
        let committed = documents::batch(&self.location(first), &document.content)?;
        tail.seen.push((first, document));
        let at = usize::try_from(number - first).unwrap_or(usize::MAX);
        // Strands drops the rest of the batch when it rewrites the document.
        let rest = committed.followed_by.get(at..).unwrap_or_default().to_vec();
        Ok((committed.created_at == batch.created_at).then_some(rest))
    }

    /// Checks the message before the one that commits a batch against the replacement in the batch. Returns false if the
    /// batch is void.
    fn replaces(
        &self,
        batch: u64,
        message: Arc<Message>,
        previous: Previous,
        found: Option<(u64, Document)>,
        tail: &mut Tail,
    ) -> Result<bool, SessionError> {
        let Some((number, document)) = found else { return Ok(false) };
        let location = self.location(number);
        let is_unchanged = documents::updated_at(&location, &document.content)? == previous.updated_at;
        let is_done = documents::message(&location, &document.content)? == message;
        if number != previous.message_id || !(is_done || is_unchanged) {
            return Ok(false);
        }
        tail.messages.push((number, Arc::clone(&message)));
        tail.repairs.push(Repair::Replace { previous, message, batch });
        tail.seen.push((number, document));
        Ok(true)
    }

    /// Reads the message before the newest, after the newest was read.
    async fn read_previous(&self, number: u64, tail: &mut Tail) -> Result<(), SessionError> {
        let location = self.location(number);
        let seen = tail.seen.iter().find(|(seen, _)| *seen == number).map(|(_, document)| document.content.clone());
        let content = match seen {
            Some(content) => Some(content),
            None => self.listed(number, tail).await?.map(|document| document.content),
        };
        if let Some(content) = content {
            tail.messages.push((number, documents::message(&location, &content)?));
        }
        Ok(())
    }

    /// Replaces the view with the conversation that was read.
    fn update_view(
        &mut self,
        tail: Tail,
        listing: Listing,
        truncation: Option<Truncation>,
    ) -> Result<(), SessionError> {
        let folder = self.folder.clone();
        let mut view =
            View { tracked_documents: self.view.take().unwrap_or_default().tracked_documents, ..View::default() };
        let newest = tail.numbers.last().copied();
        let behind = match newest {
            Some(newest) => newest.checked_add(1),
            None => Some(0),
        };
        let is_seen = |number: &u64| tail.seen.iter().any(|(seen, _)| seen == number);
        view.tracked_documents.retain(|number, _| is_seen(number) || Some(*number) >= behind);
        for (_, tracked) in view.tracked_documents.iter_mut().filter(|(number, _)| !is_seen(number)) {
            tracked.observe(None);
        }
        let is_replaced = |number: u64| {
            let replaces =
                |repair: &Repair| matches!(repair, Repair::Replace { previous, .. } if previous.message_id == number);
            tail.repairs.iter().any(replaces)
        };
        for (number, document) in tail.seen {
            let tracked = view.tracked_document(&folder, number);
            tracked.observe(Some(document));
            if !tracked.is_settled() && Some(number) <= newest && !is_replaced(number) {
                view.repairs.push(Repair::Rewrite { number });
            }
        }
        let missing = u64::try_from(tail.missing.len()).unwrap_or(u64::MAX);
        let end = behind.and_then(|behind| Some(behind..behind.checked_add(missing)?)).ok_or_else(|| {
            failed("read", &self.storage.locate(&self.folder), "the newest message has the highest possible number")
        })?;
        let floor = truncation.as_ref().map_or(0, Truncation::before);
        view.next = end.end.max(floor);
        view.void = tail.void;
        view.numbers = tail.numbers;
        view.numbers.extend(end);
        view.repairs.extend(tail.repairs);
        view.leftovers = listing.removed;
        view.truncation = truncation;
        self.view = Some(view);
        Ok(())
    }
}
