//! OpenTelemetry for strands-rs: traces, metrics and logs of agents, with the GenAI semantic conventions.

#![cfg_attr(docsrs, feature(doc_cfg))]
