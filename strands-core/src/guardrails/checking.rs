//! Checks of texts and of JSON, with timeouts, panics and invalid verdicts.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use serde_json::{Map, Value};

use super::settings::Settings;
use super::{Check, GuardedContent, GuardrailAction, GuardrailReport, Redaction, Verdict, Window};
use crate::diagnostics;
use crate::hook::HookContext;
use crate::message::Citation;

/// Content that must not pass, with the text in place of it.
pub(super) struct Blocked(pub(super) String);

/// Checks of one piece of content. It counts the changes.
pub(super) struct Checks<'a> {
    pub(super) settings: &'a Settings,
    context: &'a HookContext,
    content: GuardedContent,
    redacted: u32,
    rewritten: u32,
}

impl<'a> Checks<'a> {
    pub(super) fn new(settings: &'a Settings, context: &'a HookContext, content: GuardedContent) -> Self {
        Self { settings, context, content, redacted: 0, rewritten: 0 }
    }

    /// Returns reports of the changes so far.
    pub(super) fn reports(&self) -> impl Iterator<Item = GuardrailReport> + use<> {
        let redacted = self.report(GuardrailAction::Redacted, self.redacted);
        let rewritten = self.report(GuardrailAction::Rewritten, self.rewritten);
        redacted.into_iter().chain(rewritten)
    }

    /// Returns the report of blocked content.
    pub(super) fn blocked(&self) -> Option<GuardrailReport> {
        self.report(GuardrailAction::Blocked, 1)
    }

    fn report(&self, action: GuardrailAction, count: u32) -> Option<GuardrailReport> {
        if count == 0 {
            return None;
        }
        let report = GuardrailReport::new(self.settings.guardrail.name(), self.content.clone(), action, count);
        diagnostics::guardrail(self.context.scope(), &report);
        Some(report)
    }

    /// Checks a complete text, and changes it. Returns true if it was changed.
    pub(super) async fn text(&mut self, text: &mut String) -> Result<bool, Blocked> {
        if text.is_empty() {
            return Ok(false);
        }
        if let Window::Whole { max_bytes } = self.settings.guardrail.window()
            && text.len() > max_bytes
        {
            return self.failed("too_long").map(|()| false);
        }
        match self.verdict(text, 0..text.len()).await? {
            Verdict::Pass => Ok(false),
            Verdict::Redact(redactions) => {
                let mut released = String::new();
                let count = self.apply(text, 0..text.len(), redactions, &mut 0, &mut released)?;
                if count > 0 {
                    *text = released;
                }
                Ok(count > 0)
            }
            Verdict::Rewrite(rewritten) => {
                self.rewritten = self.rewritten.saturating_add(1);
                *text = rewritten;
                Ok(true)
            }
            Verdict::Block { message } => Err(Blocked(message)),
        }
    }

    /// Checks strings, numbers and keys of a JSON value, and changes them. Returns true if something was changed.
    pub(super) async fn json(&mut self, value: &mut Value) -> Result<bool, Blocked> {
        if let Window::Whole { .. } = self.settings.guardrail.window() {
            return self.json_text(value).await;
        }
        let mut is_changed = false;
        let mut rest = vec![value];
        while let Some(value) = rest.pop() {
            match value {
                Value::String(text) => is_changed |= self.text(text).await?,
                Value::Number(number) => {
                    let mut text = number.to_string();
                    if self.text(&mut text).await? {
                        *value = Value::String(text);
                        is_changed = true;
                    }
                }
                Value::Array(items) => rest.extend(items),
                Value::Object(fields) => {
                    is_changed |= self.keys(fields).await?;
                    rest.extend(fields.values_mut());
                }
                Value::Null | Value::Bool(_) => {}
            }
        }
        Ok(is_changed)
    }

    /// Checks the fields of an object, as [`json`](Self::json) does.
    pub(super) async fn fields(&mut self, fields: &mut Map<String, Value>) -> Result<bool, Blocked> {
        let mut value = Value::Object(std::mem::take(fields));
        let checked = self.json(&mut value).await;
        if let Value::Object(changed) = value {
            *fields = changed;
        }
        checked
    }

    /// Checks the texts and the location of a citation, and changes them.
    pub(super) async fn citation(&mut self, citation: &mut Citation) -> Result<(), Blocked> {
        if let Some(title) = &mut citation.title {
            self.text(title).await?;
        }
        for source in &mut citation.source_content {
            self.text(&mut source.text).await?;
        }
        if let Some(location) = &mut citation.location {
            self.json(location).await?;
        }
        Ok(())
    }

    async fn keys(&mut self, fields: &mut Map<String, Value>) -> Result<bool, Blocked> {
        let mut renamed = Vec::new();
        for key in fields.keys() {
            let mut name = key.clone();
            if self.text(&mut name).await? {
                renamed.push((key.clone(), name));
            }
        }
        for (key, name) in &renamed {
            let Some(value) = fields.shift_remove(key) else { continue };
            // Two keys may have the same replacement.
            let unique = (2..).map(|number| format!("{name} {number}")).find(|name| !fields.contains_key(name));
            let name = if fields.contains_key(name) { unique.unwrap_or_default() } else { name.clone() };
            fields.insert(name, value);
        }
        Ok(!renamed.is_empty())
    }

    /// Checks the JSON text of a value as one text.
    async fn json_text(&mut self, value: &mut Value) -> Result<bool, Blocked> {
        let mut text = value.to_string();
        let is_changed = self.text(&mut text).await?;
        if is_changed {
            match serde_json::from_str(&text) {
                Ok(changed) => *value = changed,
                Err(_) => return self.failed("invalid_json").map(|()| false),
            }
        }
        Ok(is_changed)
    }

    /// Returns the redactions of a range within a streamed text.
    pub(super) async fn redactions(&mut self, text: &str, range: Range<usize>) -> Result<Vec<Redaction>, Blocked> {
        match self.verdict(text, range).await? {
            Verdict::Pass => Ok(Vec::new()),
            Verdict::Redact(redactions) => Ok(redactions),
            Verdict::Rewrite(_) => self.failed("rewrite_of_a_part").map(|()| Vec::new()),
            Verdict::Block { message } => Err(Blocked(message)),
        }
    }

    /// Returns the end of the decided part of an incomplete text.
    pub(super) fn decided(&self, text: &str, decided: usize) -> Result<usize, Blocked> {
        let guardrail = &self.settings.guardrail;
        match catch_unwind(AssertUnwindSafe(|| guardrail.decided(text, decided))) {
            Ok(decided) => Ok(decided),
            Err(_) => self.failed("panic").map(|()| decided),
        }
    }

    /// Appends a range of a text with its redactions to `released`. Redactions that were applied before cover the text up to
    /// `covered`, which is updated. Returns the number of redactions.
    pub(super) fn apply(
        &mut self,
        text: &str,
        range: Range<usize>,
        mut redactions: Vec<Redaction>,
        covered: &mut usize,
        released: &mut String,
    ) -> Result<u32, Blocked> {
        redactions.retain(|redaction| range.contains(&redaction.range.start));
        if redactions.iter().any(|redaction| text.get(redaction.range.clone()).is_none()) {
            self.failed("invalid_range")?;
            redactions.clear();
        }
        redactions.sort_by_key(|redaction| (redaction.range.start, usize::MAX - redaction.range.end));
        let mut count = 0;
        let mut at = range.start.max(*covered);
        for Redaction { range: found, replacement } in redactions {
            // Within another redaction.
            if found.end <= *covered && found.start < *covered {
                continue;
            }
            // Empty if the redaction overlaps the one before.
            released.push_str(text.get(at..found.start).unwrap_or_default());
            released.push_str(&replacement);
            count += 1;
            *covered = found.end;
            at = found.end;
        }
        released.push_str(text.get(at..range.end).unwrap_or_default());
        self.redacted = self.redacted.saturating_add(count);
        Ok(count)
    }

    async fn verdict(&self, text: &str, range: Range<usize>) -> Result<Verdict, Blocked> {
        let check = Check { context: self.context, content: &self.content, text, range };
        let checking = AssertUnwindSafe(async { self.settings.guardrail.check(&check).await }).catch_unwind();
        let cause = match tokio::time::timeout(self.settings.timeout, checking).await {
            Ok(Ok(Ok(verdict))) => return Ok(verdict),
            Ok(Ok(Err(_))) => "error",
            Ok(Err(_)) => "panic",
            Err(_) => "timeout",
        };
        self.failed(cause).map(|()| Verdict::Pass)
    }

    /// Reports a failed check. Its content is blocked, unless failures let it pass.
    pub(super) fn failed(&self, cause: &'static str) -> Result<(), Blocked> {
        let name = self.settings.guardrail.name();
        diagnostics::guardrail_failed(self.context.scope(), name, &self.content, cause);
        if self.settings.passes_on_failure {
            return Ok(());
        }
        Err(Blocked(format!("blocked, since the check `{name}` failed")))
    }
}
