//! Sources of a response: grounding metadata of the provider's search, and citations.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use strands_core::message::{Citation, CitationText};

/// Source metadata of a response.
#[derive(Debug, Default)]
pub(super) struct Sources {
    grounding: Option<Value>,
    url_context: Option<Value>,
    citations: Vec<Citation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CitationMetadata {
    /// The Gemini API calls them sources, Google Cloud calls them citations.
    #[serde(alias = "citations", default)]
    citation_sources: Vec<CitationSource>,
}

#[derive(Deserialize)]
struct CitationSource {
    uri: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Grounding {
    grounding_chunks: Vec<Chunk>,
    grounding_supports: Vec<Support>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    #[serde(alias = "maps", alias = "retrievedContext", alias = "image")]
    web: Option<WebSource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebSource {
    #[serde(alias = "sourceUri")]
    uri: Option<String>,
    title: Option<String>,
    domain: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Support {
    #[serde(default)]
    grounding_chunk_indices: Vec<usize>,
}

impl Sources {
    /// Sets the grounding metadata. The last non-empty one wins: it includes the previous ones.
    pub(super) fn set_grounding(&mut self, raw: &str) {
        replace_non_empty(&mut self.grounding, raw);
    }

    pub(super) fn set_url_context(&mut self, raw: &str) {
        replace_non_empty(&mut self.url_context, raw);
    }

    /// Adds the citations of a chunk.
    pub(super) fn add_citations(&mut self, raw: &str) {
        let Ok(quoted) = serde_json::from_str::<CitationMetadata>(raw) else {
            return;
        };
        for CitationSource { uri, title } in quoted.citation_sources {
            if let Some(citation) = cited(uri, title, None, None)
                && !self.citations.contains(&citation)
            {
                self.citations.push(citation);
            }
        }
    }

    /// Returns the sources that support the response, or all sources if it names none.
    pub(super) fn citations(&mut self) -> Vec<Citation> {
        let mut citations = std::mem::take(&mut self.citations);
        let found = self.grounding.as_ref().and_then(|grounding| Grounding::deserialize(grounding).ok());
        let Grounding { grounding_chunks, grounding_supports } = found.unwrap_or_default();
        let is_supporting = |at: &usize| {
            grounding_supports.is_empty()
                || grounding_supports.iter().any(|support| support.grounding_chunk_indices.contains(at))
        };
        let sources = grounding_chunks.into_iter().enumerate().filter(|(at, _)| is_supporting(at));
        for source in sources.filter_map(|(_, chunk)| chunk.web) {
            if let Some(citation) = cited(source.uri, source.title, source.domain, source.text)
                && !citations.contains(&citation)
            {
                citations.push(citation);
            }
        }
        citations
    }

    /// Returns the raw metadata. Google requires programs to display parts of it.
    pub(super) fn into_fields(self) -> Option<Value> {
        let fields = [("groundingMetadata", self.grounding), ("urlContextMetadata", self.url_context)];
        let fields: Map<String, Value> =
            fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        (!fields.is_empty()).then_some(Value::Object(fields))
    }
}

fn replace_non_empty(target: &mut Option<Value>, raw: &str) {
    if let Ok(value) = serde_json::from_str::<Value>(raw)
        && value.as_object().is_some_and(|fields| !fields.is_empty())
    {
        *target = Some(value);
    }
}

fn cited(uri: Option<String>, title: Option<String>, domain: Option<String>, text: Option<String>) -> Option<Citation> {
    if uri.is_none() && title.is_none() {
        return None;
    }
    let mut citation = Citation::default();
    citation.title = title;
    citation.location = uri.map(|uri| match domain {
        Some(domain) => json!({"web": {"url": uri, "domain": domain}}),
        None => json!({"web": {"url": uri}}),
    });
    citation.source_content = text.map(CitationText::new).into_iter().collect();
    Some(citation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(sources: &mut Sources) -> Vec<Value> {
        sources.citations().into_iter().filter_map(|citation| citation.location).collect()
    }

    #[test]
    fn cites_supporting_sources() {
        let mut sources = Sources::default();
        sources.set_grounding(
            &json!({
                "webSearchQueries": ["q"],
                "groundingChunks": [
                    {"web": {"uri": "https://a", "title": "a.com"}},
                    {"web": {"uri": "https://b", "title": "b.com"}},
                    {"maps": {"uri": "https://c", "title": "C", "placeId": "p"}},
                ],
                "groundingSupports": [{"segment": {"endIndex": 3}, "groundingChunkIndices": [0, 2]},
                    {"groundingChunkIndices": [2]}],
            })
            .to_string(),
        );
        sources.set_grounding("{}");
        assert_eq!(urls(&mut sources), [json!({"web": {"url": "https://a"}}), json!({"web": {"url": "https://c"}})]);
        let fields = sources.into_fields().unwrap();
        assert_eq!(fields["groundingMetadata"]["webSearchQueries"], json!(["q"]));
    }

    #[test]
    fn cites_each_source_once() {
        let mut sources = Sources::default();
        let quoted =
            json!({"citationSources": [{"startIndex": 1, "endIndex": 9, "uri": "https://a", "license": "mit"}]});
        sources.add_citations(&quoted.to_string());
        sources.add_citations(&quoted.to_string());
        sources
            .add_citations(&json!({"citations": [{"uri": "https://b", "title": "B"}, {"startIndex": 2}]}).to_string());
        assert_eq!(urls(&mut sources), [json!({"web": {"url": "https://a"}}), json!({"web": {"url": "https://b"}})]);
    }

    #[test]
    fn ignores_invalid_metadata() {
        let mut sources = Sources::default();
        for raw in ["null", "[]", "{\"groundingChunks\": 1}", "{\"citationSources\": 1}"] {
            sources.set_grounding(raw);
            sources.add_citations(raw);
        }
        assert_eq!(urls(&mut sources), Vec::<Value>::new());
    }
}
