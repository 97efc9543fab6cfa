//! Guardrails for strands-rs: redaction of personal data in prompts, responses and tool results.

#![cfg_attr(docsrs, feature(doc_cfg))]
