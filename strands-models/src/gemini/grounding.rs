//! Where an answer comes from: what the provider's search has found, and what it has quoted.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use strands_core::message::{Citation, CitationText};

/// What came beside an answer about its sources, as it came.
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
    citation_sources: Vec<Quoted>,
}

#[derive(Deserialize)]
struct Quoted {
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
    web: Option<Place>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
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
    /// The last that says anything counts: it has everything that those before it have.
    pub(super) fn ground(&mut self, raw: &str) {
        keep(&mut self.grounding, raw);
    }

    pub(super) fn read_urls(&mut self, raw: &str) {
        keep(&mut self.url_context, raw);
    }

    /// What was quoted in a piece of the answer.
    pub(super) fn quote(&mut self, raw: &str) {
        let Ok(quoted) = serde_json::from_str::<CitationMetadata>(raw) else {
            return;
        };
        for Quoted { uri, title } in quoted.citation_sources {
            if let Some(citation) = cited(uri, title, None, None)
                && !self.citations.contains(&citation)
            {
                self.citations.push(citation);
            }
        }
    }

    /// The places that the answer comes from: those that it says to rest on, or all that were found.
    pub(super) fn citations(&mut self) -> Vec<Citation> {
        let mut citations = std::mem::take(&mut self.citations);
        let found = self.grounding.as_ref().and_then(|grounding| Grounding::deserialize(grounding).ok());
        let Grounding { grounding_chunks, grounding_supports } = found.unwrap_or_default();
        let rests_on = |at: &usize| {
            grounding_supports.is_empty()
                || grounding_supports.iter().any(|support| support.grounding_chunk_indices.contains(at))
        };
        let places = grounding_chunks.into_iter().enumerate().filter(|(at, _)| rests_on(at));
        for place in places.filter_map(|(_, chunk)| chunk.web) {
            if let Some(citation) = cited(place.uri, place.title, place.domain, place.text)
                && !citations.contains(&citation)
            {
                citations.push(citation);
            }
        }
        citations
    }

    /// All of it in the provider's words. Google wants programs to show some of it.
    pub(super) fn into_fields(self) -> Option<Value> {
        let fields = [("groundingMetadata", self.grounding), ("urlContextMetadata", self.url_context)];
        let fields: Map<String, Value> =
            fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        (!fields.is_empty()).then_some(Value::Object(fields))
    }
}

fn keep(kept: &mut Option<Value>, raw: &str) {
    if let Ok(value) = serde_json::from_str::<Value>(raw)
        && value.as_object().is_some_and(|fields| !fields.is_empty())
    {
        *kept = Some(value);
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
    fn places_that_the_answer_rests_on_are_cited() {
        let mut sources = Sources::default();
        sources.ground(
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
        sources.ground("{}");
        assert_eq!(urls(&mut sources), [json!({"web": {"url": "https://a"}}), json!({"web": {"url": "https://c"}})]);
        let fields = sources.into_fields().unwrap();
        assert_eq!(fields["groundingMetadata"]["webSearchQueries"], json!(["q"]));
    }

    #[test]
    fn quotations_are_cited_once() {
        let mut sources = Sources::default();
        let quoted =
            json!({"citationSources": [{"startIndex": 1, "endIndex": 9, "uri": "https://a", "license": "mit"}]});
        sources.quote(&quoted.to_string());
        sources.quote(&quoted.to_string());
        sources.quote(&json!({"citations": [{"uri": "https://b", "title": "B"}, {"startIndex": 2}]}).to_string());
        assert_eq!(urls(&mut sources), [json!({"web": {"url": "https://a"}}), json!({"web": {"url": "https://b"}})]);
    }

    #[test]
    fn what_can_not_be_read_is_passed_over() {
        let mut sources = Sources::default();
        for raw in ["null", "[]", "{\"groundingChunks\": 1}", "{\"citationSources\": 1}"] {
            sources.ground(raw);
            sources.quote(raw);
        }
        assert_eq!(urls(&mut sources), Vec::<Value>::new());
    }
}
