//! Protocol 0.3 at the edges: JSON of protocol 1.0 from that of 0.3, and the reverse.
//!
//! Everything behind the edges is protocol 1.0. Strands for Python and many other peers speak 0.3: [`client_edge`] is for a client
//! of such a server, and [`server_edge`] for such a client of a server here. They are pure functions on JSON. They change what has
//! another form, and pass on what they don't know. What 0.3 has no form for is treated as the compatibility layer of `a2a-sdk` 1.x
//! does, so that both can be in one chain.
//!
//! Protocol 0.3 is spoken over JSON-RPC alone. Its HTTP+JSON has names and enums of its own, and Strands does not speak it.
//!
//! Sources: the schemas at <https://a2a-protocol.org/v0.3.0/specification/> and <https://a2a-protocol.org/latest/specification/>.

#[cfg(feature = "client")]
pub(crate) mod client_edge;
mod content;
mod json;
#[cfg(feature = "server")]
pub(crate) mod server_edge;
mod task_state;

/// A message that does not have the form of its protocol version.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TranslationError {
    /// A value that must be an object is none.
    #[error("invalid {what}: expected an object")]
    NoObject { what: &'static str },
    /// A field is missing, or has another type.
    #[error("invalid {what}: expected `{field}`")]
    Field { what: &'static str, field: &'static str },
    /// The agent card has no interface that this version can call.
    #[error("the agent card names no endpoint")]
    NoEndpoint,
}

/// The methods that both versions have, under different names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    SendMessage,
    SendStreamingMessage,
    GetTask,
    CancelTask,
    SubscribeToTask,
    #[cfg(feature = "server")]
    CreatePushConfig,
    #[cfg(feature = "server")]
    GetPushConfig,
    #[cfg(feature = "server")]
    ListPushConfigs,
    #[cfg(feature = "server")]
    DeletePushConfig,
    #[cfg(feature = "server")]
    GetExtendedCard,
}

/// Each method with its names in 0.3 and in 1.0.
const METHODS: &[(Method, &str, &str)] = &[
    (Method::SendMessage, "message/send", "SendMessage"),
    (Method::SendStreamingMessage, "message/stream", "SendStreamingMessage"),
    (Method::GetTask, "tasks/get", "GetTask"),
    (Method::CancelTask, "tasks/cancel", "CancelTask"),
    (Method::SubscribeToTask, "tasks/resubscribe", "SubscribeToTask"),
    #[cfg(feature = "server")]
    (Method::CreatePushConfig, "tasks/pushNotificationConfig/set", "CreateTaskPushNotificationConfig"),
    #[cfg(feature = "server")]
    (Method::GetPushConfig, "tasks/pushNotificationConfig/get", "GetTaskPushNotificationConfig"),
    #[cfg(feature = "server")]
    (Method::ListPushConfigs, "tasks/pushNotificationConfig/list", "ListTaskPushNotificationConfigs"),
    #[cfg(feature = "server")]
    (Method::DeletePushConfig, "tasks/pushNotificationConfig/delete", "DeleteTaskPushNotificationConfig"),
    #[cfg(feature = "server")]
    (Method::GetExtendedCard, "agent/getAuthenticatedExtendedCard", "GetExtendedAgentCard"),
];

impl Method {
    /// Returns the method with a name of protocol 0.3.
    #[cfg(feature = "server")]
    pub(crate) fn from_v03(name: &str) -> Option<Self> {
        METHODS.iter().find(|(_, v03, _)| *v03 == name).map(|(method, ..)| *method)
    }

    /// Returns the name in protocol 0.3.
    #[cfg(feature = "client")]
    pub(crate) fn v03(self) -> &'static str {
        METHODS.iter().find(|(method, ..)| *method == self).map_or("", |(_, v03, _)| v03)
    }

    /// Returns the name in protocol 1.0.
    pub(crate) fn v1(self) -> &'static str {
        METHODS.iter().find(|(method, ..)| *method == self).map_or("", |(_, _, v1)| v1)
    }
}

#[cfg(test)]
#[cfg(all(feature = "client", feature = "server"))]
mod tests;
