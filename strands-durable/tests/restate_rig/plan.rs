//! Conversations of the rig: for each prompt, the responses of the model and the results of the tools, so that an undisturbed
//! turn is known beforehand.

use serde_json::{Value, json};

/// A tool call of a plan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlannedCall {
    pub(crate) tool: &'static str,
    pub(crate) number: u32,
}

/// Kind of a conversation: the first word of the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// 10 model calls and 12 tools, 4 of them concurrent.
    Journey,
    /// A tool that needs approval, among others.
    Approve,
    /// A slow response of the model.
    Slow,
    /// A slow tool.
    SlowTool,
    /// A response after two refusals by a rate limit.
    Throttled,
    /// A model that refuses the key.
    Refused,
    /// A tool with a result that is too large for a record.
    Huge,
    /// 3 model calls and 3 tools, as a part of a tree.
    Branch,
    /// Two agents and a graph of four nodes, which are objects elsewhere.
    Tree,
    /// An agent elsewhere whose tool needs approval, among others.
    TreeApprove,
    /// An agent elsewhere with a slow tool.
    TreeSlow,
    /// An agent elsewhere whose turn fails after a model call.
    TreeFails,
    /// An agent elsewhere that calls itself without end.
    TreeDeep,
}

impl Plan {
    pub(crate) fn of(prompt: &str) -> Self {
        match prompt.split(' ').next() {
            Some("journey") => Self::Journey,
            Some("approve") => Self::Approve,
            Some("slow") => Self::Slow,
            Some("slow_tool") => Self::SlowTool,
            Some("throttled") => Self::Throttled,
            Some("refused") => Self::Refused,
            Some("huge") => Self::Huge,
            Some("branch") => Self::Branch,
            Some("tree") => Self::Tree,
            Some("tree_approve") => Self::TreeApprove,
            Some("tree_slow") => Self::TreeSlow,
            Some("tree_fails") => Self::TreeFails,
            Some("tree_deep") => Self::TreeDeep,
            other => panic!("unknown plan {other:?}"),
        }
    }

    /// Returns the calls of a response, by its one-based number; empty for the last one.
    pub(crate) fn calls(self, response: u32) -> Vec<PlannedCall> {
        let act = |number| PlannedCall { tool: "act", number };
        let call = |tool, number| PlannedCall { tool, number };
        match (self, response) {
            (Self::Journey, 1) => (1..=4).map(act).collect(),
            (Self::Journey, 2..=9) => vec![act(response + 3)],
            (Self::Approve, 1) => vec![act(1), PlannedCall { tool: "pay", number: 2 }, act(3)],
            (Self::Slow, 1) => vec![act(1)],
            (Self::SlowTool, 1) => vec![act(1), PlannedCall { tool: "linger", number: 2 }],
            (Self::Huge, 1) => vec![PlannedCall { tool: "bulk", number: 1 }],
            (Self::Branch, 1) => vec![act(1), act(2)],
            (Self::Branch, 2) => vec![act(3)],
            (Self::Tree, 1) => vec![call("hotels", 1), call("flights", 2)],
            (Self::Tree, 2) => vec![call("newsroom", 3), act(4)],
            (Self::TreeApprove, 1) => vec![call("bank", 1), call("hotels", 2), act(3)],
            (Self::TreeSlow, 1) => vec![call("sloth", 1), act(2)],
            (Self::TreeFails, 1) => vec![call("bulky", 1)],
            (Self::TreeDeep, 1) => vec![call("again", 1)],
            _ => Vec::new(),
        }
    }

    /// Returns the number of model calls of an undisturbed turn.
    pub(crate) fn responses(self) -> u32 {
        (1..).find(|response| self.calls(*response).is_empty()).unwrap_or(1)
    }
}

/// Returns the words of a response. They contain a marker, so that it is found wherever the conversation leaks to.
pub(crate) fn words(session: &str, response: u32) -> Vec<String> {
    [session, "says", &response.to_string(), MARKER, "alpha", "beta."].map(str::to_owned).to_vec()
}

/// A word of all prompts and responses.
pub(crate) const MARKER: &str = "quetzalcoatl";

pub(crate) fn text(session: &str, response: u32) -> String {
    words(session, response).join(" ")
}

pub(crate) fn result(session: &str, number: u32) -> String {
    format!("done {session} {number}")
}

/// Agents of a tree, which are objects elsewhere, and their plans.
pub(crate) const AGENTS: [(&str, &str, Plan); 5] = [
    ("hotels", "branch", Plan::Branch),
    ("flights", "branch", Plan::Branch),
    ("bank", "approve", Plan::Approve),
    ("sloth", "slow_tool", Plan::SlowTool),
    ("bulky", "huge", Plan::Huge),
];

/// Nodes of the graph of a tree. The first two lead to the third, and that to the last one.
pub(crate) const NODES: [&str; 4] = ["facts", "prices", "write", "judge"];

/// Session of an agent that a call of a tree prompts.
pub(crate) fn inner_session(session: &str, number: u32) -> String {
    format!("{session}-{number}")
}

/// Session of a node of a graph that a call of a tree runs.
pub(crate) fn node_session(graph_session: &str, node: &str) -> String {
    format!("{graph_session}-{node}")
}

/// Returns the sessions of all agents elsewhere that a turn prompts, with their plans.
pub(crate) fn inner_turns(plan: Plan, session: &str) -> Vec<(String, Plan)> {
    let calls = (1..=plan.responses()).flat_map(|response| plan.calls(response));
    let of_call = |call: PlannedCall| {
        let inner = inner_session(session, call.number);
        let agent = AGENTS.iter().find(|(name, ..)| *name == call.tool).map(|(_, _, plan)| (inner.clone(), *plan));
        let nodes = NODES.iter().filter(|_| call.tool == "newsroom");
        let nodes: Vec<_> = nodes.map(|node| (node_session(&inner, node), Plan::Branch)).collect();
        agent.into_iter().chain(nodes)
    };
    calls.flat_map(of_call).collect()
}

/// Returns the result of a call.
fn result_of(call: &PlannedCall, session: &str) -> String {
    let inner = inner_session(session, call.number);
    match AGENTS.iter().find(|(name, ..)| *name == call.tool) {
        Some((_, _, plan)) => text(&inner, plan.responses()),
        None if call.tool == "newsroom" => text(&node_session(&inner, "judge"), Plan::Branch.responses()),
        None => result(session, call.number),
    }
}

/// Returns the history of an undisturbed turn, without ids.
pub(crate) fn history(plan: Plan, prompt: &str, session: &str) -> Vec<Value> {
    let mut messages = vec![json!({"role": "user", "content": [{"text": prompt}]})];
    for response in 1..=plan.responses() {
        let calls = plan.calls(response);
        let mut content = vec![json!({"text": text(session, response)})];
        content.extend(calls.iter().map(|call| json!({"call": [call.tool, call.number]})));
        messages.push(json!({"role": "assistant", "content": content}));
        if !calls.is_empty() {
            let results: Vec<Value> = calls.iter().map(|call| json!({"result": result_of(call, session)})).collect();
            messages.push(json!({"role": "user", "content": results}));
        }
    }
    messages
}

/// Returns a history in the form of [`history`], and the ids of its calls.
pub(crate) fn normalized(messages: &[Value]) -> (Vec<Value>, Vec<String>) {
    let mut ids = Vec::new();
    let messages = messages.iter().map(|message| {
        let blocks = message["content"].as_array().cloned().unwrap_or_default();
        let content: Vec<Value> = blocks
            .into_iter()
            .map(|block| {
                if let Some(call) = block.get("toolUse") {
                    ids.push(call["toolUseId"].as_str().unwrap_or_default().to_owned());
                    json!({"call": [call["name"], call["input"]["number"]]})
                } else if let Some(result) = block.get("toolResult") {
                    json!({"result": result["content"][0]["text"]})
                } else {
                    block
                }
            })
            .collect();
        json!({"role": message["role"], "content": content})
    });
    (messages.collect(), ids)
}
