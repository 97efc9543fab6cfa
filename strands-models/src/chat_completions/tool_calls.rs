//! Tool calls of a message, assembled from their deltas. A delta belongs to a call by its id and its index; servers omit either,
//! send the same index for all calls, or a new id with each delta.

use std::collections::{BTreeMap, HashMap, VecDeque};

use strands_core::models::{ModelError, StreamEvent, ToolUseStart};

use super::chunk::ToolCallDelta;
use crate::http::{ContentLimit, StreamedArguments};

/// Calls in the order of their first delta.
#[derive(Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    by_id: HashMap<String, usize>,
    /// Ordered, because hashing an index costs more for every delta than comparing it with a few others.
    by_index: BTreeMap<usize, IndexGroup>,
    /// Call of the last delta.
    last: usize,
    /// Number of calls without arguments so far.
    bare: usize,
}

struct Call {
    index: usize,
    id: String,
    /// Empty until it is known.
    name: String,
    block: usize,
    arguments: StreamedArguments,
    /// Arguments that came before the name.
    early: String,
    /// Chunk of the last delta.
    chunk: usize,
}

/// Calls with the same index.
#[derive(Default)]
struct IndexGroup {
    by_id: HashMap<String, usize>,
    count: usize,
    latest: usize,
    /// Call of the last delta.
    last: usize,
    /// Number of calls in the group without arguments so far.
    bare: usize,
}

/// Delta with empty values in place of missing ones.
pub(super) struct CallDelta {
    index: Option<usize>,
    id: String,
    name: String,
    arguments: String,
    /// Number of its chunk.
    chunk: usize,
    /// True for a whole call, which continues no other.
    is_whole: bool,
}

impl CallDelta {
    pub(super) fn new(delta: ToolCallDelta, chunk: usize, is_whole: bool) -> Self {
        let (name, arguments) = delta.function.map_or((None, None), |function| (function.name, function.arguments));
        Self {
            index: delta.index,
            // Mistral's client sends this word.
            id: delta.id.filter(|id| id != "null").unwrap_or_default(),
            name: name.unwrap_or_default(),
            arguments: arguments.unwrap_or_default(),
            chunk,
            is_whole,
        }
    }

    /// Returns the size of the content in bytes.
    pub(super) fn size(&self) -> usize {
        self.id.len() + self.name.len() + self.arguments.len()
    }
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Returns the call that a delta continues; `None` if it starts one.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::Protocol`] for a delta that may belong to several calls.
    pub(super) fn find(&self, delta: &CallDelta) -> Result<Option<usize>, ModelError> {
        let Some(newest) = self.calls.len().checked_sub(1).filter(|_| !delta.is_whole) else {
            return Ok(None);
        };
        let group = delta.index.and_then(|index| self.by_index.get(&index));
        if !delta.id.is_empty() {
            let exact = match delta.index {
                Some(_) => group.and_then(|group| group.by_id.get(&delta.id)),
                None => self.by_id.get(&delta.id),
            };
            // Without a name it continues the call with its id, and the index is ignored.
            let known = exact.or_else(|| self.by_id.get(&delta.id).filter(|_| delta.name.is_empty()));
            if known.is_some() {
                return Ok(known.copied());
            }
        }
        let (latest, last, count, bare) = match (group, delta.index) {
            (Some(group), _) => (group.latest, group.last, group.count, group.bare),
            (None, None) => (newest, self.last, self.calls.len(), self.bare),
            (None, Some(_)) => return Ok(None),
        };
        let Some(call) = self.calls.get(latest) else {
            return Ok(None);
        };
        if !delta.name.is_empty() {
            return Ok(call.is_named_again(delta).then_some(latest));
        }
        // A different id means another call, unless there is only one. Without an id it continues the latest call, unless an older
        // one was continued since, or has no arguments yet.
        let others_wait = bare > usize::from(!call.arguments.has_begun());
        let is_clear = if delta.id.is_empty() { last == latest && !others_wait } else { call.id.is_empty() };
        if is_clear || count == 1 { Ok(Some(latest)) } else { Err(ambiguous()) }
    }

    /// Starts a call with this block, and returns its position.
    pub(super) fn begin(
        &mut self,
        delta: &CallDelta,
        block: usize,
        limit: &mut ContentLimit,
    ) -> Result<usize, ModelError> {
        // The id is stored twice: as a key, too.
        limit.grow(size_of::<Call>() + size_of::<IndexGroup>() + delta.id.len())?;
        let at = self.calls.len();
        let index = delta.index.unwrap_or(at);
        let group = self.by_index.entry(index).or_default();
        group.latest = at;
        group.count += 1;
        group.bare += 1;
        self.bare += 1;
        self.calls.push(Call {
            index,
            id: String::new(),
            name: String::new(),
            block,
            arguments: StreamedArguments::default(),
            early: String::new(),
            chunk: delta.chunk,
        });
        Ok(at)
    }

    /// Adds a delta to the call at this position.
    pub(super) fn push(&mut self, at: usize, delta: CallDelta, out: &mut VecDeque<StreamEvent>) {
        let Some(call) = self.calls.get_mut(at) else {
            return;
        };
        let group = self.by_index.entry(call.index).or_default();
        group.last = at;
        self.last = at;
        call.chunk = delta.chunk;
        if call.id.is_empty() && !delta.id.is_empty() {
            group.by_id.insert(delta.id.clone(), at);
            self.by_id.insert(delta.id.clone(), at);
            call.id = delta.id;
        }
        if call.name.is_empty() && !delta.name.is_empty() {
            call.name = delta.name;
            call.start(out);
        }
        let was_bare = !call.arguments.has_begun();
        if let Some(certain) = call.arguments.push(&delta.arguments) {
            call.emit(certain, out);
        }
        if was_bare && call.arguments.has_begun() {
            group.bare = group.bare.saturating_sub(1);
            self.bare = self.bare.saturating_sub(1);
        }
    }

    /// Ends all calls.
    pub(super) fn end(&mut self, out: &mut VecDeque<StreamEvent>) {
        for call in &mut self.calls {
            // A call without a name is one of a tool that does not exist, and gets an error result.
            if call.name.is_empty() {
                call.start(out);
            }
            if let Some(rest) = call.arguments.end() {
                out.push_back(StreamEvent::tool_input(call.block, rest));
            }
            out.push_back(StreamEvent::block_stop(call.block));
        }
    }
}

impl Call {
    /// Returns true if a delta with a name continues this call instead of starting another one.
    fn is_named_again(&self, delta: &CallDelta) -> bool {
        let fits = |known: &str, other: &str| known.is_empty() || other.is_empty() || known == other;
        if !fits(&self.id, &delta.id) || !fits(&self.name, &delta.name) {
            return false;
        }
        let is_repeated = match delta.index {
            // A repeated call comes in a later chunk.
            Some(_) => {
                delta.arguments.trim().is_empty() || delta.chunk != self.chunk && self.arguments.are(&delta.arguments)
            }
            None => false,
        };
        let goes_on = match delta.index {
            // One list contains each of its calls once.
            Some(_) => !self.arguments.are_complete() && !self.is_whole_beside(delta),
            None => self.name.is_empty() || self.arguments.has_begun() && !self.arguments.are_complete(),
        };
        goes_on || is_repeated
    }

    /// Returns true if a delta in the same list as the last one is another call: both have arguments, even if empty.
    fn is_whole_beside(&self, delta: &CallDelta) -> bool {
        let is_named = !self.name.is_empty() && !delta.name.is_empty();
        delta.chunk == self.chunk && is_named && self.arguments.is_whole() && !delta.arguments.trim().is_empty()
    }

    fn start(&mut self, out: &mut VecDeque<StreamEvent>) {
        out.push_back(StreamEvent::tool_use(self.block, ToolUseStart::new(self.id.clone(), self.name.clone())));
        let early = std::mem::take(&mut self.early);
        if !early.is_empty() {
            out.push_back(StreamEvent::tool_input(self.block, early));
        }
    }

    fn emit(&mut self, certain: String, out: &mut VecDeque<StreamEvent>) {
        if self.name.is_empty() {
            self.early.push_str(&certain);
        } else {
            out.push_back(StreamEvent::tool_input(self.block, certain));
        }
    }
}

fn ambiguous() -> ModelError {
    ModelError::protocol(
        "a delta of tool arguments may belong to several tool calls: neither its index nor its id identifies the call; turn \
         streaming off for this server",
    )
}
