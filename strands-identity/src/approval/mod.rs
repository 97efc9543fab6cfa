//! Approval of tool calls by humans: who may approve what, for how long, and bound to which call.
