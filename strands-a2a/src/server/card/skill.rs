//! Skills of an agent.

use a2a::AgentSkill;
use strands_core::ToolSpec;

/// A skill in an agent card: something that the agent can do.
///
/// ```
/// use strands::a2a::Skill;
///
/// let skill = Skill::new("book", "Book trips", "Books flights and hotels within a budget.")
///     .tag("travel")
///     .example("Book me a flight to Oslo next Monday.");
/// # drop(skill);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Skill {
    id: String,
    name: String,
    description: String,
    tags: Vec<String>,
    examples: Vec<String>,
}

impl Skill {
    /// Creates a skill with an id that is unique in the card.
    pub fn new(id: impl Into<String>, name: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            description: description.into(),
            tags: Vec::new(),
            examples: Vec::new(),
        }
    }

    /// Adds a tag, by which clients search. Default: the id, since a card must have a tag for each skill.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds an example of a prompt.
    pub fn example(mut self, example: impl Into<String>) -> Self {
        self.examples.push(example.into());
        self
    }

    /// Creates the skill of a tool.
    pub(in crate::server) fn of_tool(spec: &ToolSpec) -> Self {
        Self::new(spec.name.as_str(), spec.name.as_str(), spec.description.as_str()).tag("tool")
    }

    pub(super) fn into_card(self) -> AgentSkill {
        let tags = if self.tags.is_empty() { vec![self.id.clone()] } else { self.tags };
        AgentSkill {
            id: self.id,
            name: self.name,
            description: self.description,
            tags,
            examples: (!self.examples.is_empty()).then_some(self.examples),
            input_modes: None,
            output_modes: None,
            security_requirements: None,
        }
    }
}
