//! The hosts for AgentCore Runtime and for Lambda, in this process.

mod agentcore;
mod agentcore_ping;
mod agentcore_socket;
mod lambda;
mod lambda_time;
mod rig;
