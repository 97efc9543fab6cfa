//! Placement of cache points. Bedrock caches tools, then the system prompt, then messages, and allows four points in a
//! request. It rejects a point without content before it, directly after a document other than a PDF, or with a longer time
//! to live than an earlier point.

use std::borrow::Cow;

use strands_core::message::SystemBlock;

use crate::content_rules;
use crate::settings::{CacheConfig, CacheSection};
use crate::turns::{OutBlock, OutTurn};

/// Returns the time to live of the cache point after the tools, or `None` if there is no point. The inner `None` is
/// Bedrock's default.
pub(crate) fn tools_point(config: Option<&CacheConfig>) -> Option<Option<&str>> {
    let config = config?;
    config.tools.ttl(config.ttl.as_deref())
}

/// An outgoing block of the system prompt.
#[derive(Debug, PartialEq)]
pub(crate) enum OutSystem<'a> {
    Text(&'a str),
    CachePoint { kind: &'a str, ttl: Option<&'a str> },
}

/// Returns the system prompt with its cache point.
pub(crate) fn system<'a>(
    blocks: &'a [SystemBlock],
    config: Option<&'a CacheConfig>,
    has_tools: bool,
) -> Vec<OutSystem<'a>> {
    let mut out: Vec<_> = content_rules::system(blocks)
        .filter_map(|block| match block {
            SystemBlock::Text(text) => Some(OutSystem::Text(text)),
            SystemBlock::CachePoint(point) => Some(OutSystem::CachePoint {
                kind: &point.kind,
                ttl: point.ttl.as_deref().filter(|ttl| !ttl.is_empty()),
            }),
            _ => None,
        })
        .collect();
    let Some(config) = config else {
        return out;
    };
    let has_point = out.iter().any(|block| matches!(block, OutSystem::CachePoint { .. }));
    if config.system != CacheSection::Off && !out.is_empty() && !has_point {
        out.push(OutSystem::CachePoint { kind: "default", ttl: None });
    }
    let ttl = system_ttl(config, has_tools);
    for block in &mut out {
        if let OutSystem::CachePoint { ttl: point_ttl, .. } = block {
            *point_ttl = point_ttl.or(ttl);
        }
    }
    out
}

/// Returns the time to live of cache points in the system prompt that have none.
fn system_ttl(config: &CacheConfig, has_tools: bool) -> Option<&str> {
    if let CacheSection::Ttl(ttl) = &config.system {
        return Some(ttl);
    }
    let inherited = config.ttl.as_deref()?;
    // A point after the tools with another time to live restricts the points after it. Bedrock's default is always allowed.
    let tools = has_tools.then(|| tools_point(Some(config))).flatten();
    match tools {
        Some(tools) if tools != Some(inherited) => None,
        _ => Some(inherited),
    }
}

/// Returns the time to live of the cache point in the last user message, or `None` if no point is placed. The inner `None` is
/// Bedrock's default.
pub(crate) fn messages_point(config: Option<&CacheConfig>) -> Option<Option<&str>> {
    let config = config?;
    config.messages.ttl(config.ttl.as_deref())
}

/// Removes the cache points of a message.
pub(crate) fn remove_points(turn: &mut OutTurn<'_>) {
    turn.content.retain(|block| !block.is_cache_point());
}

/// Places one cache point in a message: where the caller put it, else at the end.
pub(crate) fn place_point<'a>(turn: &mut OutTurn<'a>, ttl: Option<&'a str>) {
    let content = &mut turn.content;
    let point = || OutBlock::CachePoint { kind: Cow::Borrowed("default"), ttl: ttl.map(Cow::Borrowed) };
    let placed = content.iter().position(OutBlock::is_cache_point);
    content.retain(|block| !block.is_cache_point());
    if content.is_empty() {
        return;
    }
    let at = match placed {
        // The caller marked the end of the repeated content. Move the point before documents that it may not follow.
        Some(placed) if placed > 0 => {
            let mut at = placed;
            while at > 0 && content.get(at - 1).is_some_and(OutBlock::is_non_pdf_document) {
                at -= 1;
            }
            at
        }
        _ => content.iter().position(OutBlock::is_non_pdf_document).unwrap_or(content.len()),
    };
    // Before the first block there is nothing to cache.
    if at > 0 {
        content.insert(at, point());
    }
}

#[cfg(test)]
mod tests {
    use strands_core::message::{CachePoint, ContentBlock, DocumentBlock, DocumentFormat, Message, Role};

    use super::*;
    use crate::capabilities::ReasoningReplay;
    use crate::document_names::DocumentNames;
    use crate::turns::outgoing_turn;

    fn point() -> ContentBlock {
        ContentBlock::CachePoint(CachePoint::new(Some("1h".to_owned())))
    }

    fn document(format: DocumentFormat) -> ContentBlock {
        ContentBlock::Document(DocumentBlock::new("d", format, vec![1]))
    }

    fn text() -> ContentBlock {
        ContentBlock::text("t")
    }

    /// Returns the layout of a message: `t` text, `d` document, `p` PDF, `.` cache point.
    fn placed(content: Vec<ContentBlock>) -> String {
        let message = Message::new(Role::User, content);
        let mut turn = outgoing_turn(&message, ReasoningReplay::All, &mut DocumentNames::default());
        let config = CacheConfig::new().ttl("5m");
        place_point(&mut turn, messages_point(Some(&config)).unwrap());
        turn.content
            .iter()
            .map(|block| match block {
                OutBlock::CachePoint { ttl, .. } => {
                    assert_eq!(ttl.as_deref(), Some("5m"), "the caller's time to live is replaced");
                    '.'
                }
                OutBlock::Plain(block) => match &**block {
                    ContentBlock::Document(document) if document.format == Some(DocumentFormat::Pdf) => 'p',
                    ContentBlock::Document(_) => 'd',
                    _ => 't',
                },
                _ => '?',
            })
            .collect()
    }

    #[test]
    fn removes_the_points_of_a_message() {
        let message = Message::new(Role::User, [text(), point()]);
        let mut turn = outgoing_turn(&message, ReasoningReplay::All, &mut DocumentNames::default());
        remove_points(&mut turn);
        assert!(matches!(turn.content[..], [OutBlock::Plain(_)]), "{turn:?}");
    }

    #[test]
    fn places_one_point_in_a_message() {
        use DocumentFormat::{Md, Pdf};
        assert_eq!(placed(vec![text(), text()]), "tt.");
        assert_eq!(placed(vec![text(), point(), text(), point()]), "t.t");
        assert_eq!(placed(vec![point(), text()]), "t.");
        assert_eq!(placed(vec![point()]), "t.");
        assert_eq!(placed(vec![text(), document(Pdf)]), "tp.");
        assert_eq!(placed(vec![text(), document(Md), text()]), "t.dt");
        assert_eq!(placed(vec![document(Md), text()]), "dt");
        assert_eq!(placed(vec![text(), document(Md), document(Md), point(), text()]), "t.ddt");
        assert_eq!(placed(vec![document(Md), point(), text()]), "dt");
        assert_eq!(placed(vec![document(Md), text(), point(), text()]), "dt.t");
    }

    #[test]
    fn adds_a_point_to_the_system_prompt_unless_it_has_one() {
        let prompt = [SystemBlock::from("be kind")];
        let ttl = |config: &CacheConfig, has_tools| {
            let out = system(&prompt, Some(config), has_tools);
            match out.get(1) {
                Some(OutSystem::CachePoint { ttl, .. }) => Some(ttl.map(str::to_owned)),
                _ => None,
            }
        };
        assert_eq!(ttl(&CacheConfig::new(), true), Some(None));
        assert_eq!(ttl(&CacheConfig::new().ttl("1h"), true), Some(Some("1h".to_owned())));
        assert_eq!(ttl(&CacheConfig::new().system(CacheSection::Off), true), None);
        let shorter_tools = CacheConfig::new().ttl("1h").tools(CacheSection::Ttl("5m".to_owned()));
        assert_eq!(ttl(&shorter_tools, true), Some(None));
        assert_eq!(ttl(&shorter_tools, false), Some(Some("1h".to_owned())));

        let with_point = [
            SystemBlock::from("a"),
            SystemBlock::CachePoint(CachePoint::new(Some("5m".to_owned()))),
            SystemBlock::from("b"),
        ];
        let config = CacheConfig::new().ttl("1h");
        assert_eq!(system(&with_point, Some(&config), false).len(), 3);
        assert_eq!(
            system(&with_point, Some(&config), false)[1],
            OutSystem::CachePoint { kind: "default", ttl: Some("5m") }
        );
        assert!(system(&[], Some(&config), false).is_empty());
    }
}
