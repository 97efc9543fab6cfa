//! Hosts for agents: one service on HTTP, AgentCore Runtime and Lambda.

#![cfg_attr(docsrs, feature(doc_cfg))]
