//! Path to a value, for messages.

use super::quoting::truncated;

/// The most characters of a name in a path.
const MAX_NAME: usize = 60;

/// The most steps at the start and at the end of a path that are shown.
const MAX_STEPS: usize = 8;

/// The path to a value: the parent's path and the last step.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    above: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Property(&'p str),
    Item(usize),
    NameOf(&'p str),
}

impl<'p> Path<'p> {
    pub(super) const ROOT: Path<'static> = Path { above: None, step: Step::Root };

    pub(super) fn property<'s>(&'s self, name: &'s str) -> Path<'s> {
        Path { above: Some(self), step: Step::Property(name) }
    }

    pub(super) fn item(&self, index: usize) -> Path<'_> {
        Path { above: Some(self), step: Step::Item(index) }
    }

    /// Returns the path of a property's name as a value.
    pub(super) fn name_of<'s>(&'s self, name: &'s str) -> Path<'s> {
        Path { above: Some(self), step: Step::NameOf(name) }
    }

    fn steps(&self) -> Vec<Step<'p>> {
        let mut steps = Vec::new();
        let mut next = Some(self);
        while let Some(path) = next {
            steps.push(path.step);
            next = path.above;
        }
        steps.reverse();
        steps
    }

    /// Formats the path: `legs[2].to`; empty for the root.
    pub(super) fn dotted(&self) -> String {
        let steps = self.steps();
        let mut text = String::new();
        for (index, step) in steps.iter().enumerate() {
            if index == MAX_STEPS + 1 && steps.len() > 2 * MAX_STEPS {
                text.push('…');
            }
            if index > MAX_STEPS && index + MAX_STEPS < steps.len() {
                continue;
            }
            match step {
                Step::Root => {}
                Step::Item(index) => text.push_str(&format!("[{index}]")),
                Step::Property(name) | Step::NameOf(name) => {
                    let is_word = |letter: char| letter.is_alphanumeric() || "_-$@".contains(letter);
                    if name.is_empty() || !name.chars().take(MAX_NAME).all(is_word) {
                        text.push_str(&format!("[{:?}]", truncated(name, MAX_NAME)));
                        continue;
                    }
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(&truncated(name, MAX_NAME));
                }
            }
        }
        text
    }

    /// Returns true for the name of a property.
    pub(super) fn is_name(&self) -> bool {
        matches!(self.step, Step::NameOf(_))
    }

    /// Returns the JSON Pointer of the value.
    pub(super) fn pointer(&self) -> String {
        let segment = |step: Step<'_>| match step {
            Step::Root | Step::NameOf(_) => String::new(),
            Step::Item(index) => format!("/{index}"),
            Step::Property(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        };
        self.steps().into_iter().map(segment).collect()
    }
}
