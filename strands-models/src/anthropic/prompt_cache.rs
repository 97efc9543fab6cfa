//! Cache points of a request: after the tools, in the system prompt, and in the conversation.
//! Source: <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>.

use std::sync::Arc;

use serde::Serialize;
use strands_core::message::{CachePoint, ContentBlock, Message, Role, SystemBlock};

/// Maximum number of cache points in a request.
const MAX_CACHE_POINTS: usize = 4;

/// Time to live of the prompt cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheTtl {
    /// Five minutes from the last read.
    FiveMinutes,
    /// One hour from the last read. Cache writes cost more.
    OneHour,
}

/// `cache_control` of a block.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct CacheControl {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl CacheTtl {
    fn of(point: &CachePoint) -> Self {
        if point.ttl.as_deref() == Some("1h") { Self::OneHour } else { Self::FiveMinutes }
    }

    pub(super) fn control(self) -> CacheControl {
        // Five minutes are the provider's default.
        CacheControl { r#type: "ephemeral", ttl: (self == Self::OneHour).then_some("1h") }
    }
}

/// Cache points set by the builder.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Caching {
    pub(super) tools: Option<CacheTtl>,
    pub(super) system: Option<CacheTtl>,
    pub(super) messages: Option<CacheTtl>,
}

/// Cache points of one request, in its order: tools, system prompt, conversation.
#[derive(Debug, Default)]
pub(super) struct CachePoints {
    pub(super) tools: Option<CacheTtl>,
    /// Blocks of the system prompt.
    system: Vec<(usize, CacheTtl)>,
    /// Messages, and blocks in them.
    messages: Vec<((usize, usize), CacheTtl)>,
}

impl CachePoints {
    /// Places the cache points of the builder and the conversation, up to the provider's maximum; `taken` are already used.
    /// Earlier ones of the conversation are dropped first, since later ones cover more.
    pub(super) fn plan(
        caching: Caching,
        has_tools: bool,
        system: &[SystemBlock],
        messages: &[Arc<Message>],
        taken: usize,
    ) -> Self {
        let mut marks = Self {
            tools: caching.tools.filter(|_| has_tools),
            system: system_marks(system, caching.system),
            messages: message_marks(messages, caching.messages),
        };
        let mut left = MAX_CACHE_POINTS.saturating_sub(taken);
        if left == 0 {
            marks.tools = None;
        }
        left = left.saturating_sub(usize::from(marks.tools.is_some()));
        // The last one of each covers the most.
        keep_last(&mut marks.system, left.saturating_sub(usize::from(!marks.messages.is_empty())));
        keep_last(&mut marks.messages, left.saturating_sub(marks.system.len()));
        marks.in_order();
        marks
    }

    /// Enforces the provider's rule that no one-hour cache point follows a five-minute one.
    fn in_order(&mut self) {
        let all = self.tools.iter_mut();
        let all = all.chain(self.system.iter_mut().map(|(_, ttl)| ttl));
        let all = all.chain(self.messages.iter_mut().map(|(_, ttl)| ttl));
        let mut most = CacheTtl::OneHour;
        for ttl in all {
            if most == CacheTtl::FiveMinutes {
                *ttl = most;
            }
            most = *ttl;
        }
    }

    pub(super) fn of_system(&self, block: usize) -> Option<CacheControl> {
        self.system.iter().find(|(at, _)| *at == block).map(|(_, ttl)| ttl.control())
    }

    /// Returns the index of the first message with a cache point.
    pub(super) fn first_message(&self) -> Option<usize> {
        self.messages.iter().map(|(at, _)| at.0).min()
    }

    /// True if a block of this message has a cache point.
    pub(super) fn are_in(&self, message: usize) -> bool {
        self.messages.iter().any(|(at, _)| at.0 == message)
    }

    pub(super) fn of_block(&self, message: usize, block: usize) -> Option<CacheControl> {
        self.messages.iter().find(|(at, _)| *at == (message, block)).map(|(_, ttl)| ttl.control())
    }
}

fn keep_last<T>(marks: &mut Vec<T>, most: usize) {
    let surplus = marks.len().saturating_sub(most);
    marks.drain(..surplus);
}

fn system_marks(system: &[SystemBlock], ttl: Option<CacheTtl>) -> Vec<(usize, CacheTtl)> {
    let mut marks = Vec::new();
    let mut text = None;
    for (at, block) in system.iter().enumerate() {
        match block {
            SystemBlock::Text(words) if !words.trim().is_empty() => text = Some(at),
            SystemBlock::CachePoint(point) => mark(&mut marks, text, CacheTtl::of(point)),
            _ => {}
        }
    }
    if let Some(ttl) = ttl {
        mark(&mut marks, text, ttl);
    }
    marks
}

fn message_marks(messages: &[Arc<Message>], ttl: Option<CacheTtl>) -> Vec<((usize, usize), CacheTtl)> {
    let mut marks = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        for (at, block) in message.content.iter().enumerate() {
            if let ContentBlock::CachePoint(point) = block {
                let before = message.content.get(..at).and_then(|before| before.iter().rposition(takes_mark));
                mark(&mut marks, before.map(|before| (number, before)), CacheTtl::of(point));
            }
        }
    }
    if let Some(ttl) = ttl {
        let last = messages.iter().enumerate().rev().find(|(_, message)| message.role == Role::User);
        let block = last.and_then(|(number, message)| Some((number, message.content.iter().rposition(takes_mark)?)));
        mark(&mut marks, block, ttl);
    }
    marks
}

/// Adds a cache point, unless there is one at this position.
fn mark<T: PartialEq + Copy>(marks: &mut Vec<(T, CacheTtl)>, position: Option<T>, ttl: CacheTtl) {
    if let Some(position) = position
        && !marks.iter().any(|(known, _)| *known == position)
    {
        marks.push((position, ttl));
    }
}

/// True for blocks that can have a cache point. Reasoning and blocks that are not sent can't.
fn takes_mark(block: &ContentBlock) -> bool {
    match block {
        ContentBlock::Text(text) => !text.text.trim().is_empty(),
        ContentBlock::Image(_)
        | ContentBlock::Document(_)
        | ContentBlock::ToolUse(_)
        | ContentBlock::ToolResult(_)
        | ContentBlock::Citations(_)
        | ContentBlock::GuardContent(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use strands_core::message::ReasoningContent;

    use super::CacheTtl::{FiveMinutes, OneHour};
    use super::*;

    fn point(ttl: Option<&str>) -> ContentBlock {
        ContentBlock::CachePoint(CachePoint::new(ttl.map(str::to_owned)))
    }

    fn plan(caching: Caching, system: &[SystemBlock], messages: &[Message], taken: usize) -> CachePoints {
        let messages: Vec<_> = messages.iter().cloned().map(Arc::new).collect();
        CachePoints::plan(caching, true, system, &messages, taken)
    }

    #[test]
    fn a_cache_point_belongs_to_the_closest_suitable_block_before_it() {
        let reasoning = ContentBlock::Reasoning(ReasoningContent::text("hm", Some("s".to_owned())));
        let message =
            Message::new(Role::Assistant, [point(None), "said".into(), " ".into(), reasoning, point(Some("1h"))]);
        assert_eq!(plan(Caching::default(), &[], &[message], 0).messages, [((0, 1), OneHour)]);
    }

    #[test]
    fn keeps_four_cache_points_and_drops_early_ones() {
        let talk: Vec<_> = (0..6).map(|_| Message::new(Role::User, ["x".into(), point(None)])).collect();
        let all = Caching { tools: Some(FiveMinutes), system: Some(FiveMinutes), messages: Some(FiveMinutes) };
        let system = [SystemBlock::from("s")];
        let marks = plan(all, &system, &talk, 0);
        assert_eq!((marks.tools, marks.system.len()), (Some(FiveMinutes), 1));
        assert_eq!(marks.messages.iter().map(|(at, _)| at.0).collect::<Vec<_>>(), [4, 5]);
        let marks = plan(all, &system, &talk, 2);
        assert_eq!((marks.system.len(), marks.messages.len()), (0, 1), "the last cache point covers the most");
        let marks = plan(all, &system, &talk, 4);
        assert!(marks.tools.is_none() && marks.system.is_empty() && marks.messages.is_empty());
    }

    #[test]
    fn places_one_cache_point_per_block() {
        let system = ["a".into(), SystemBlock::CachePoint(CachePoint::new(Some("1h".to_owned())))];
        let caching = Caching { system: Some(FiveMinutes), messages: Some(OneHour), ..Caching::default() };
        let marks = plan(caching, &system, &[Message::user("x")], 0);
        assert_eq!(marks.system, [(0, OneHour)]);
        assert_eq!(marks.messages, [((0, 0), OneHour)]);
    }

    #[test]
    fn shortens_cache_points_after_shorter_ones() {
        let caching = Caching { tools: Some(OneHour), system: Some(FiveMinutes), messages: Some(OneHour) };
        let marks = plan(caching, &["s".into()], &[Message::user("x")], 0);
        assert_eq!((marks.tools, marks.system[0].1, marks.messages[0].1), (Some(OneHour), FiveMinutes, FiveMinutes));
    }
}
