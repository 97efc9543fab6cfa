//! Identity, authorization, approval and audit for strands-rs: from a verified token to a decision about each tool call.

#![cfg_attr(docsrs, feature(doc_cfg))]
