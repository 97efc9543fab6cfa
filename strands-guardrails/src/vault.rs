//! Vault of redacted originals.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::Restorer;
use crate::placeholders::{is_label, replaced};

/// Maximum number of originals of a vault.
const MAX_ENTRIES: usize = 10_000;

/// Originals of redacted data, by their placeholders such as `[EMAIL_1]`. Cheap to clone; clones share their entries.
///
/// Inject one vault for each conversation of each user, with [`AgentBuilder::inject`](strands_core::AgentBuilder::inject) or per
/// invocation: a [`PiiRedactor`](crate::PiiRedactor) then stores what it redacts there. The same original has the same
/// placeholder within a vault. A placeholder that a vault does not have is not restored, so a placeholder of another user
/// stays as it is.
///
/// The vault is in memory. To continue a conversation in another process, store its [`entries`](Self::entries) as the secrets
/// that they are: an empty vault numbers from 1 again, so that placeholders of the conversation would get other originals. At most 10,000 originals are stored; the data after that is redacted without a number.
///
/// # Examples
///
/// ```
/// use strands::Agent;
/// use strands::guardrails::{GuardrailHook, PiiRedactor, PiiVault};
/// # use strands::testing::ScriptedModel;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let model = ScriptedModel::responding("I wrote to [EMAIL_1].");
/// let vault = PiiVault::new();
/// let mut agent = Agent::builder()
///     .model(model)
///     .hook(GuardrailHook::new(PiiRedactor::new()))
///     .inject(vault.clone())
///     .build()
///     .await?;
/// let response = agent.prompt("Write to ada@example.org.").await?;
/// assert_eq!(response.text(), "I wrote to [EMAIL_1].");
/// assert_eq!(vault.restore(&response.text()), "I wrote to ada@example.org.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct PiiVault {
    entries: Arc<Mutex<Entries>>,
}

#[derive(Default)]
struct Entries {
    originals: HashMap<String, String>,
    /// Placeholders by label and original.
    placeholders: HashMap<(String, String), String>,
    /// Last number of each label.
    numbers: HashMap<String, u64>,
}

impl PiiVault {
    /// Creates an empty vault.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a vault with the [`entries`](Self::entries) of another one. Pairs whose first part is not a placeholder are
    /// ignored.
    pub fn from_entries(entries: impl IntoIterator<Item = (String, String)>) -> Self {
        let vault = Self::new();
        let mut stored = vault.lock();
        for (placeholder, original) in entries {
            let parts = placeholder.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.rsplit_once('_'));
            let Some((label, number)) = parts else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            if !is_label(label) || stored.originals.len() >= MAX_ENTRIES {
                continue;
            }
            let last = stored.numbers.entry(label.to_owned()).or_default();
            *last = number.max(*last);
            stored.placeholders.insert((label.to_owned(), original.clone()), placeholder.clone());
            stored.originals.insert(placeholder, original);
        }
        drop(stored);
        vault
    }

    /// Returns all placeholders with their originals. They are secret.
    pub fn entries(&self) -> Vec<(String, String)> {
        let entries = self.lock();
        entries.originals.iter().map(|(placeholder, original)| (placeholder.clone(), original.clone())).collect()
    }

    /// Returns the number of originals.
    pub fn len(&self) -> usize {
        self.lock().originals.len()
    }

    /// Returns true if nothing was redacted yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all originals. Their placeholders can't be restored any more, and are not used again.
    pub fn clear(&self) {
        let mut entries = self.lock();
        entries.originals.clear();
        entries.placeholders.clear();
    }

    /// Replaces the placeholders in a text by their originals, for the user.
    pub fn restore(&self, text: &str) -> String {
        let entries = self.lock();
        replaced(text, |placeholder| entries.originals.get(placeholder).cloned())
    }

    /// Replaces the placeholders in the strings of a JSON value by their originals.
    pub fn restore_json(&self, value: &mut Value) {
        change_strings(value, &|text| self.restore(text));
    }

    /// Returns a restorer for streamed text, whose chunks may split placeholders.
    pub fn restorer(&self) -> Restorer {
        Restorer::new(self.clone())
    }

    /// Replaces the originals in a text by their placeholders.
    pub fn hide(&self, text: &str) -> String {
        let entries = self.lock();
        let mut found: Vec<_> =
            entries.placeholders.iter().filter(|((_, original), _)| text.contains(original.as_str())).collect();
        // An original may contain another one.
        found.sort_by_key(|((_, original), placeholder)| (usize::MAX - original.len(), *placeholder));
        let mut hidden = String::with_capacity(text.len());
        let mut rest = text;
        // In one pass, since a placeholder may contain a short original.
        while let Some((at, original, placeholder)) = found
            .iter()
            .filter_map(|((_, original), placeholder)| Some((rest.find(original.as_str())?, original, placeholder)))
            .min_by_key(|(at, ..)| *at)
        {
            hidden.push_str(rest.get(..at).unwrap_or_default());
            hidden.push_str(placeholder);
            rest = rest.get(at + original.len()..).unwrap_or_default();
        }
        hidden.push_str(rest);
        hidden
    }

    /// Replaces the originals in the strings of a JSON value by their placeholders.
    pub fn hide_json(&self, value: &mut Value) {
        change_strings(value, &|text| self.hide(text));
    }

    /// Returns the placeholder of an original, which is stored if it is new. `None` if the vault is full.
    pub(crate) fn placeholder(&self, label: &str, original: &str) -> Option<String> {
        let mut entries = self.lock();
        let key = (label.to_owned(), original.to_owned());
        if let Some(known) = entries.placeholders.get(&key) {
            return Some(known.clone());
        }
        if entries.originals.len() >= MAX_ENTRIES {
            return None;
        }
        let number = entries.numbers.entry(key.0.clone()).or_default();
        *number += 1;
        let placeholder = format!("[{label}_{number}]");
        entries.placeholders.insert(key, placeholder.clone());
        entries.originals.insert(placeholder.clone(), original.to_owned());
        Some(placeholder)
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PiiVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PiiVault").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Changes all strings of a JSON value.
fn change_strings(value: &mut Value, change: &dyn Fn(&str) -> String) {
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            Value::String(text) => *text = change(text),
            Value::Array(items) => rest.extend(items),
            Value::Object(fields) => rest.extend(fields.values_mut()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
