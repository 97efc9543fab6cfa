//! Idempotency keys of tool calls.

use super::ToolContext;

impl ToolContext {
    /// Returns a key under which a service recognizes the call if it is made again: in a retry, in the replay of a durable engine,
    /// or by another process that resumes the invocation. Other calls have other keys, also those of other agents.
    ///
    /// It consists of the id of the run, which is that of its first invocation, and the id of the call: letters, digits, `-`, `_`,
    /// `.` and `%`, typically fewer than 100. A tool with several effects appends a name for each. An agent that a tool runs has a run of
    /// its own, and so other keys each time that tool is called again: let the outer tool send its own key for them.
    ///
    /// A tool needs it if a second call would have an effect of its own, such as a second booking, and the service can tell the calls
    /// apart.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use std::sync::Mutex;
    /// use strands::{ToolContext, tool};
    ///
    /// /// Bookings by their idempotency key, as a service keeps them.
    /// #[derive(Default)]
    /// struct Bookings(Mutex<BTreeMap<String, String>>);
    ///
    /// /// Books a flight.
    /// #[tool(crate = strands_core)]
    /// async fn book(flight: String, bookings: &Bookings, ctx: &ToolContext) -> String {
    ///     let mut bookings = bookings.0.lock().unwrap();
    ///     let booked = bookings.entry(ctx.idempotency_key()).or_insert(flight);
    ///     format!("{booked} is booked")
    /// }
    /// ```
    pub fn idempotency_key(&self) -> String {
        let mut key = String::with_capacity(self.parts.scope.run_id().len() + 1 + self.tool_use_id().len());
        key.push_str(self.parts.scope.run_id());
        key.push('.');
        // The id is from a model or from its provider, and the key may become a header.
        for byte in self.tool_use_id().bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => key.push(char::from(byte)),
                _ => key.push_str(&format!("%{byte:02X}")),
            }
        }
        key
    }

    /// Returns the name and the value of an HTTP header with the [`idempotency_key`](Self::idempotency_key), for requests of a
    /// tool to services that support `Idempotency-Key`.
    ///
    /// ```
    /// # let ctx = strands::testing::ToolContextBuilder::new("charge").build();
    /// let (name, value) = ctx.idempotency_header();
    /// // let request = client.post("https://payments.example/charges").header(name, value);
    /// assert_eq!((name, value), ("Idempotency-Key", ctx.idempotency_key()));
    /// ```
    pub fn idempotency_header(&self) -> (&'static str, String) {
        ("Idempotency-Key", self.idempotency_key())
    }
}
