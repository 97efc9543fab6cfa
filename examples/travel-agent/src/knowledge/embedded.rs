//! Policy documents in this program, ranked with BM25 by SQLite's full-text index.

use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, params};
use strands::async_trait;

use super::{KnowledgeError, MOST_PASSAGES, MOST_QUERY_CHARS, Passage, PolicySearch, bounded};

const DOCUMENTS: [&str; 10] = [
    include_str!("documents/air-travel.md"),
    include_str!("documents/approvals.md"),
    include_str!("documents/cancellations.md"),
    include_str!("documents/expenses.md"),
    include_str!("documents/hotels.md"),
    include_str!("documents/meals.md"),
    include_str!("documents/remote-stays.md"),
    include_str!("documents/rental-cars.md"),
    include_str!("documents/safety.md"),
    include_str!("documents/sustainability.md"),
];

/// Words that say nothing about the subject of a question.
const STOP_WORDS: &str = "a about allowed am an and are at be can company do does for from have how i if in is it may me much must my \
    of on or our policies policy please rule rules say says should tell that the there to us we what when where which who with you";

/// The policy documents in this program. Each section is a passage.
#[derive(Debug)]
pub struct EmbeddedDocuments {
    index: Mutex<Connection>,
}

impl EmbeddedDocuments {
    /// Indexes the documents.
    ///
    /// # Errors
    ///
    /// Returns [`KnowledgeError::Database`] if SQLite fails.
    pub fn new() -> Result<Self, KnowledgeError> {
        let index = Connection::open_in_memory()?;
        index.execute_batch(
            "CREATE VIRTUAL TABLE passages USING fts5 (document, section, text, tokenize = 'porter unicode61')",
        )?;
        for document in DOCUMENTS {
            let mut parts = document.split("\n## ");
            let title = parts.next().unwrap_or_default().trim_start_matches('#').trim();
            for (section, text) in parts.filter_map(|part| part.split_once('\n')) {
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                index.execute("INSERT INTO passages VALUES (?1, ?2, ?3)", params![title, section, text])?;
            }
        }
        Ok(Self { index: Mutex::new(index) })
    }
}

#[async_trait]
impl PolicySearch for EmbeddedDocuments {
    async fn search(&self, query: &str, limit: u8) -> Result<Vec<Passage>, KnowledgeError> {
        let query = matching(query)?;
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let mut search = index.prepare(
            // A word in the title of the document or the section counts more.
            "SELECT document || ': ' || section, text, -bm25(passages, 3.0, 2.0, 1.0) AS score
             FROM passages WHERE passages MATCH ?1 ORDER BY score DESC, rowid LIMIT ?2",
        )?;
        let found = search.query_map(params![query, limit.min(MOST_PASSAGES)], |row| {
            Ok(Passage { source: row.get(0)?, text: row.get(1)?, score: row.get(2)? })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

/// Returns the full-text expression for any of the words. Words are quoted, so that none is an operator.
fn matching(query: &str) -> Result<String, KnowledgeError> {
    let lower = bounded(query, MOST_QUERY_CHARS).to_lowercase();
    let words = || lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let is_stop_word = |word: &str| STOP_WORDS.split_whitespace().any(|stop| stop == word);
    let mut terms: Vec<&str> = words().filter(|word| !is_stop_word(word)).collect();
    if terms.is_empty() {
        terms = words().collect();
    }
    let quoted: Vec<String> = terms.into_iter().map(|word| format!("\"{word}\"")).collect();
    if quoted.is_empty() { Err(KnowledgeError::EmptyQuery) } else { Ok(quoted.join(" OR ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sources(query: &str) -> Vec<String> {
        let documents = EmbeddedDocuments::new().unwrap();
        documents.search(query, 3).await.unwrap().into_iter().map(|passage| passage.source).collect()
    }

    #[tokio::test]
    async fn ranks_the_section_that_answers_first() {
        for (query, best) in [
            ("what does the policy say about rental cars?", "Rental cars: "),
            ("Is a luxury car or an SUV allowed?", "Rental cars: Categories and rates"),
            ("how much can I spend on dinner", "Meals: "),
            ("hotel cap in Boston", "Hotels: Nightly caps"),
            ("which trips need the approval of a manager", "Approvals: "),
            ("lost receipt", "Expense reports: Receipts"),
            ("hurricane", "Safety on the road: Weather and strikes"),
            ("cancel the trip on the day of departure", "Cancellations and changes: "),
            ("electric cars and trains", "Sustainability: Cleaner choices"),
            ("can I work in Toronto, outside of the United States", "Remote and long stays: "),
            ("economy class fare", "Air travel: "),
        ] {
            let found = sources(query).await;
            assert!(found.first().is_some_and(|source| source.starts_with(best)), "{query}: {found:?}");
        }
    }

    #[tokio::test]
    async fn treats_operators_as_words() {
        for query in
            ["\"unbalanced", "car AND NOT (", "text:car*", "NEAR(car, 2)", "'; DROP TABLE passages; --", "^car -x"]
        {
            sources(query).await;
        }
        assert!(sources("zebra").await.is_empty());
        let documents = EmbeddedDocuments::new().unwrap();
        for query in ["", " ?! ", "\u{1f697}"] {
            assert!(matches!(documents.search(query, 3).await, Err(KnowledgeError::EmptyQuery)), "{query}");
        }
        assert!(documents.search(&"car ".repeat(1_000_000), 200).await.unwrap().len() <= MOST_PASSAGES.into());
    }

    #[tokio::test]
    async fn passages_are_bounded_and_sorted() {
        let documents = EmbeddedDocuments::new().unwrap();
        let found = documents.search("trip car hotel flight manager", 10).await.unwrap();
        assert_eq!(found.len(), 10);
        assert!(found.is_sorted_by(|a, b| a.score >= b.score), "{found:?}");
        assert!(found.iter().all(|passage| passage.score > 0.0 && passage.text.len() < super::super::MOST_TEXT_CHARS));
    }

    /// The documents state the amounts that the desk enforces.
    #[test]
    fn agrees_with_the_rules_of_the_desk() {
        let policies = crate::store::Store::in_memory().unwrap().policies().unwrap();
        let text = DOCUMENTS.join("\n").split_whitespace().collect::<Vec<_>>().join(" ");
        for rule in &policies.rules {
            for number in rule.rule.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()) {
                assert!(text.contains(number) || number == "1", "{number} of {}", rule.code);
            }
        }
        for cap in &policies.hotel_caps {
            let (_, rest) = text.split_once(&format!("${} in", cap.nightly_usd)).unwrap();
            let sentence = rest.split([';', '.']).next().unwrap();
            assert!(cap.cities.iter().all(|city| sentence.contains(city.as_str())), "{sentence}: {:?}", cap.cities);
        }
    }
}
