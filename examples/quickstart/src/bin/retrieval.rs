//! Retrieval: a tool searches files for passages, and the model responds from them. The search counts words; a vector store
//! can replace it behind the same tool.
//!
//! ```text
//! $ cargo run -p quickstart --bin retrieval
//! > Search the handbook: "how many vacation days are there?"
//! search_handbook:
//! - file vacation.md, text Vacation days that are left in December can be taken until the end of March.
//! - file vacation.md, text All employees have 30 vacation days a year. Ask for them two weeks ahead.
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Serialize;
use strands::{Agent, tool, tools};

/// A paragraph of a file.
#[derive(Clone, Serialize)]
struct Passage {
    file: String,
    text: String,
}

/// The paragraphs of all files.
struct Handbook(Vec<Passage>);

impl Handbook {
    fn open(folder: &Path) -> std::io::Result<Self> {
        let mut passages = Vec::new();
        let mut paths: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        paths.sort();
        for path in paths {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path)?;
            let paragraphs = text.split("\n\n").map(str::trim).filter(|text| !text.starts_with('#'));
            passages.extend(paragraphs.map(|text| Passage { file: file.clone(), text: text.to_owned() }));
        }
        Ok(Self(passages))
    }

    /// Returns the passages with the most words of the query, best first.
    fn search(&self, query: &str, most: usize) -> Vec<Passage> {
        let wanted = words(query);
        let score = |passage: &Passage| words(&passage.text).intersection(&wanted).count();
        let mut found: Vec<_> =
            self.0.iter().map(|passage| (score(passage), passage)).filter(|(score, _)| *score > 1).collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().take(most).map(|(_, passage)| passage.clone()).collect()
    }
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.len() > 2);
    words.map(str::to_lowercase).collect()
}

/// Searches the handbook of the company. Returns passages with their files.
#[tool]
fn search_handbook(
    /// Words to look for.
    query: String,
    handbook: &Handbook,
) -> Result<Vec<Passage>, String> {
    match handbook.search(&query, 3) {
        found if found.is_empty() => Err("nothing found: try other words".to_owned()),
        found => Ok(found),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let handbook = Handbook::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("handbook"))?;
    let mut agent = Agent::builder()
        .model(quickstart::model().await?)
        .system_prompt("Use the handbook only, and name the file. Say so if the handbook does not help.")
        .tools(tools![SearchHandbook])
        .inject(handbook)
        .build()
        .await?;

    let question = r#"Search the handbook: "how many vacation days are there?""#;
    println!("> {question}\n{}", agent.prompt(question).await?.text());
    Ok(())
}
