//! Open items of a response. An event names its item by an index and by an id; servers omit either, send one index for several
//! items, or another id with each event.

use std::collections::VecDeque;

use strands_core::models::{ModelError, StreamEvent};

use crate::http::{ContentLimit, StreamedArguments};

/// Open blocks, each of an item or of a part of one.
#[derive(Default)]
pub(super) struct Items {
    open: Vec<Open>,
    /// Index of the next block.
    next: usize,
}

/// Index and id by which an event names its item.
#[derive(Clone, Copy, Default)]
pub(super) struct Key<'a> {
    pub(super) index: Option<usize>,
    pub(super) id: &'a str,
}

pub(super) struct Open {
    index: Option<usize>,
    id: String,
    /// Open part of the item, or the last one.
    pub(super) part: usize,
    kind: Kind,
    pub(super) block: usize,
    /// True before the first content.
    pub(super) empty: bool,
    /// Id of the call, which its result has.
    pub(super) call_id: String,
    pub(super) arguments: StreamedArguments,
    /// True after reasoning itself, not a summary of it.
    pub(super) is_plain: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Reasoning,
    Call,
}

impl Items {
    /// Returns the index of a block that is complete at once.
    pub(super) fn new_block(&mut self) -> usize {
        let block = self.next;
        self.next += 1;
        block
    }

    /// Returns true before the first block.
    pub(super) fn are_none(&self) -> bool {
        self.next == 0
    }

    /// Returns the position of an item's block, and of this part of it if parts are blocks.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::Protocol`] if it may be any of several.
    pub(super) fn find(&self, kind: Kind, key: Key<'_>, part: Option<usize>) -> Result<Option<usize>, ModelError> {
        let fits = |open: &Open| {
            let is_indexed = match (key.index, open.index) {
                (Some(index), Some(known)) => index == known,
                _ => key.id.is_empty() || open.id.is_empty() || key.id == open.id,
            };
            open.kind == kind && is_indexed && part.is_none_or(|part| open.part == part)
        };
        let mut fitting = self.open.iter().enumerate().filter(|(_, open)| fits(open));
        let (Some((first, _)), more) = (fitting.next(), fitting.next()) else {
            return Ok(None);
        };
        if more.is_none() {
            return Ok(Some(first));
        }
        let named = self.open.iter().rposition(|open| fits(open) && !key.id.is_empty() && open.id == key.id);
        let ambiguous = || {
            ModelError::protocol(
                "an event of the response may belong to several items: its `output_index` and its `item_id` do not say to \
                 which; turn streaming off for this server",
            )
        };
        named.map(Some).ok_or_else(ambiguous)
    }

    /// Returns the open call with this id.
    pub(super) fn call(&self, call_id: &str) -> Option<usize> {
        let is_same = |open: &Open| open.kind == Kind::Call && !call_id.is_empty() && open.call_id == call_id;
        self.open.iter().rposition(is_same)
    }

    /// Returns the position of the latest block.
    pub(super) fn newest(&self) -> usize {
        self.open.len().saturating_sub(1)
    }

    /// Returns true after text of an item.
    pub(super) fn has_text(&self, key: Key<'_>) -> bool {
        self.open.iter().any(|open| open.is_text_of(key))
    }

    pub(super) fn get(&mut self, at: usize) -> Option<&mut Open> {
        self.open.get_mut(at)
    }

    /// Starts a block.
    pub(super) fn begin(
        &mut self,
        kind: Kind,
        key: Key<'_>,
        part: usize,
        limit: &mut ContentLimit,
    ) -> Result<&mut Open, ModelError> {
        limit.grow(size_of::<Open>() + key.id.len())?;
        let block = self.new_block();
        Ok(self.open.push_mut(Open {
            index: key.index,
            id: key.id.to_owned(),
            part,
            kind,
            block,
            empty: true,
            call_id: String::new(),
            arguments: StreamedArguments::default(),
            is_plain: false,
        }))
    }

    /// Ends the block at a position.
    pub(super) fn end(&mut self, at: usize, out: &mut VecDeque<StreamEvent>) {
        if at < self.open.len() {
            self.open.remove(at).end(out);
        }
    }

    /// Ends the text blocks of an item.
    pub(super) fn end_text(&mut self, key: Key<'_>, out: &mut VecDeque<StreamEvent>) {
        self.open.extract_if(.., |open| open.is_text_of(key)).for_each(|open| open.end(out));
    }

    /// Ends all blocks.
    pub(super) fn end_all(&mut self, out: &mut VecDeque<StreamEvent>) {
        self.open.drain(..).for_each(|open| open.end(out));
    }
}

impl Open {
    /// Returns true if it has this id.
    pub(super) fn is(&self, key: Key<'_>) -> bool {
        !key.id.is_empty() && self.id == key.id
    }

    fn is_text_of(&self, key: Key<'_>) -> bool {
        self.kind == Kind::Text && (key.index.is_none() || self.index.is_none() || self.index == key.index)
    }

    fn end(mut self, out: &mut VecDeque<StreamEvent>) {
        if let Some(rest) = self.arguments.end() {
            out.push_back(StreamEvent::tool_input(self.block, rest));
        }
        out.push_back(StreamEvent::block_stop(self.block));
    }
}
