//! States of tasks.

/// Each state in 0.3 and in 1.0.
const STATES: [(&str, &str); 9] = [
    ("unknown", "TASK_STATE_UNSPECIFIED"),
    ("submitted", "TASK_STATE_SUBMITTED"),
    ("working", "TASK_STATE_WORKING"),
    ("completed", "TASK_STATE_COMPLETED"),
    ("failed", "TASK_STATE_FAILED"),
    ("canceled", "TASK_STATE_CANCELED"),
    ("input-required", "TASK_STATE_INPUT_REQUIRED"),
    ("rejected", "TASK_STATE_REJECTED"),
    ("auth-required", "TASK_STATE_AUTH_REQUIRED"),
];

/// Returns the state of 1.0 of one of 0.3. States of later versions are unspecified.
#[cfg(feature = "client")]
pub(super) fn to_v1(state: &str) -> &'static str {
    STATES.iter().find(|(v03, _)| *v03 == state).map_or("TASK_STATE_UNSPECIFIED", |(_, v1)| v1)
}

/// Returns the state of 0.3 of one of 1.0. States of later versions are unknown.
#[cfg(feature = "server")]
pub(super) fn to_v03(state: &str) -> &'static str {
    STATES.iter().find(|(_, v1)| *v1 == state).map_or("unknown", |(v03, _)| v03)
}
