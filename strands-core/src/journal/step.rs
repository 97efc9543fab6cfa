//! Steps of a journal: one effect each.

use std::fmt;

use serde_json::Value;

/// One effect of an invocation: a model call, a tool call, or what hooks decide about an event around these calls.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct JournalStep<'a> {
    /// Name of the step, which is the same in every replay:
    ///
    /// | name | effect |
    /// |---|---|
    /// | `model/<call>/<attempt>` | an attempt of a model call, with the hooks around it |
    /// | `tools/<turn>/<n>` | the next of a turn's concurrent tool calls to end, with the hooks around it |
    /// | `<event>/<n>`, such as `before_tools/<n>` | the hooks of an event around calls, if there are any |
    /// | `conversation/<n>` | a model call of the conversation manager, such as a summary |
    /// | `capabilities/<calls>/<tools>` | the model's capabilities, for structured output |
    ///
    /// Numbers are one-based, besides those of capabilities. A name is unique in an invocation including those that resume
    /// it. A journal that is keyed by name and serves several prompts must add the number of the prompt.
    pub name: &'a str,
    input: Option<&'a (dyn Fn() -> Value + Sync)>,
}

impl<'a> JournalStep<'a> {
    /// Creates a step with a name.
    pub fn new(name: &'a str) -> Self {
        Self { name, input: None }
    }

    /// Sets the function that returns the input of the effect.
    pub(crate) fn with_input(self, input: &'a (dyn Fn() -> Value + Sync)) -> Self {
        Self { input: Some(input), ..self }
    }

    /// Returns the input of the effect as JSON: the request of a model call, or the open calls of tools. `None` for other
    /// steps.
    ///
    /// It is made on each call, and holds the whole conversation. For tests, or for a digest, since a replay that gets recorded
    /// values has the same input as the first attempt unless the program has changed.
    pub fn input(&self) -> Option<Value> {
        self.input.map(|input| input())
    }
}

impl fmt::Debug for JournalStep<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalStep").field("name", &self.name).finish_non_exhaustive()
    }
}
