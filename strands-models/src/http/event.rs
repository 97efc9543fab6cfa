//! One event of a response, borrowed from the bytes of its chunk.

/// A server-sent event, or a line of JSON lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// Name of a server-sent event, if it has one.
    pub(crate) name: Option<&'a str>,
    pub(crate) data: &'a str,
}

impl<'a> Event<'a> {
    /// Creates an event without a name.
    pub(crate) fn of(data: &'a str) -> Self {
        Self { name: None, data }
    }
}
