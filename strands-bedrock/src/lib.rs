//! strands-bedrock
