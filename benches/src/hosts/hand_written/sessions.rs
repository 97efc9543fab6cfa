//! Sessions of the hand-written handler: in a map, or a folder with a file for each message.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::Message;

#[derive(Clone)]
pub(crate) enum Sessions {
    Memory(Arc<Mutex<HashMap<String, Vec<Message>>>>),
    Files(PathBuf),
}

impl Sessions {
    pub(crate) fn new(place: &str) -> Self {
        match place {
            "memory" => Self::Memory(Arc::default()),
            folder => Self::Files(folder.into()),
        }
    }

    pub(crate) async fn load(&self, id: &str) -> Vec<Message> {
        match self {
            Self::Memory(sessions) => sessions.lock().unwrap().get(id).cloned().unwrap_or_default(),
            Self::Files(folder) => {
                let folder = folder.join(id);
                tokio::task::spawn_blocking(move || read(&folder)).await.unwrap()
            }
        }
    }

    /// Saves a conversation, whose first messages have been saved before.
    pub(crate) async fn append(&self, id: &str, saved: usize, messages: Vec<Message>) {
        match self {
            Self::Memory(sessions) => {
                sessions.lock().unwrap().insert(id.to_owned(), messages);
            }
            Self::Files(folder) => {
                let folder = folder.join(id);
                tokio::task::spawn_blocking(move || write(&folder, saved, &messages)).await.unwrap();
            }
        }
    }
}

fn read(folder: &Path) -> Vec<Message> {
    let numbered = (0..).map(|number| fs::read(file(folder, number)));
    numbered.map_while(Result::ok).map(|json| serde_json::from_slice(&json).unwrap()).collect()
}

/// Syncs each message, and then their folder.
fn write(folder: &Path, saved: usize, messages: &[Message]) {
    fs::create_dir_all(folder).unwrap();
    for (number, message) in messages.iter().enumerate().skip(saved) {
        let mut file = File::create(file(folder, number)).unwrap();
        file.write_all(&serde_json::to_vec(message).unwrap()).unwrap();
        file.sync_all().unwrap();
    }
    File::open(folder).unwrap().sync_all().unwrap();
}

fn file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("{number}.json"))
}
