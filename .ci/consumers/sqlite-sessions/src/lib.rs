//! Sessions in SQLite: a document store in one file.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Params};
use strands_session::bytes::Bytes;
use strands_session::{Document, DocumentStore, StoreError, Version, WriteOutcome};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, content BLOB, revision INTEGER)";
// Random, and not counted per row: a document that is deleted and created again must not get a revision again.
const CREATE: &str = "INSERT INTO documents VALUES (?1, ?2, random()) ON CONFLICT DO NOTHING RETURNING revision";
const UPDATE: &str =
    "UPDATE documents SET content = ?2, revision = random() WHERE key = ?1 AND revision = ?3 RETURNING revision";

/// Documents in a table of a database file.
#[derive(Clone)]
pub struct SqliteStore(Arc<Mutex<Connection>>);

impl SqliteStore {
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Connection::open(path)?;
        database.busy_timeout(Duration::from_secs(10))?;
        database.pragma_update(None, "journal_mode", "wal")?;
        database.pragma_update(None, "synchronous", "full")?;
        database.execute(TABLE, [])?;
        Ok(Self(Arc::new(Mutex::new(database))))
    }

    /// Runs a query on a thread that may wait.
    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.0);
        let run = move || query(&database.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(tokio::task::spawn_blocking(run).await??)
    }

    /// Writes a document, and returns its new revision.
    async fn write(&self, sql: &'static str, values: impl Params + Send + 'static) -> Result<WriteOutcome, StoreError> {
        let revision = self.run(move |database| database.query_row(sql, values, |row| row.get(0)).optional()).await?;
        Ok(revision.map_or(WriteOutcome::Conflict, |revision| WriteOutcome::Done(version(revision))))
    }
}

#[async_trait::async_trait]
impl DocumentStore for SqliteStore {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        let (key, select) = (key.to_owned(), "SELECT content, revision FROM documents WHERE key = ?1");
        let row = |row: &rusqlite::Row<'_>| Ok(Document::new(row.get::<_, Vec<u8>>(0)?, version(row.get(1)?)));
        self.run(move |database| database.query_row(select, [key], row).optional()).await
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        self.write(CREATE, (key.to_owned(), content.to_vec())).await
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        let revision: i64 = known.version.as_str().parse()?;
        self.write(UPDATE, (key.to_owned(), content.to_vec(), revision)).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let from = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let select = "SELECT key FROM documents WHERE substr(key, 1, length(?1)) = ?1";
        self.run(move |database| database.prepare(select)?.query_map([from], |row| row.get(0))?.collect()).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.run(move |database| database.execute("DELETE FROM documents WHERE key = ?1", [key]).map(drop)).await
    }
}

fn version(revision: i64) -> Version {
    Version::new(revision.to_string())
}
