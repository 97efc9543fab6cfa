//! strands-models
