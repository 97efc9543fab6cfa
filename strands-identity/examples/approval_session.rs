//! An agent whose tool needs an approval. The checks of sessions shared with Python Strands run it.
//!
//! ```text
//! approval_session <folder> <session id> prompt <number of calls>
//! approval_session <folder> <session id> respond approve|deny|trust|<word> [<interrupt id>]
//! approval_session <folder> - list
//! ```
//!
//! Prints the end of the invocation, or the open requests, as JSON. A run of the tool is a line in the file `ledger` of the
//! folder.
#![allow(clippy::print_stdout, reason = "it prints for the checks")]

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use strands::identity::{ApprovalHook, ApprovalRequest, Approver, Identity, Trust};
use strands::serde_json::{Value, json};
use strands::session::{FileSessionManager, SessionStore};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentResponse, InterruptResponse, Prompt, StreamExt as _, Tool, ToolContext, ToolError, ToolOutput,
    ToolSpec, async_trait, tools,
};

struct Pay {
    spec: ToolSpec,
    ledger: PathBuf,
}

#[async_trait]
impl Tool for Pay {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let price = input.get("price").unwrap_or(&Value::Null);
        let mut ledger =
            OpenOptions::new().append(true).create(true).open(&self.ledger).map_err(ToolError::from_source)?;
        writeln!(ledger, "Rust {price}").map_err(ToolError::from_source)?;
        Ok(ToolOutput::text(format!("paid {price}")))
    }
}

async fn agent(folder: &str, session: &str, calls: usize) -> Result<Agent, Box<dyn Error>> {
    let schema = json!({"type": "object", "properties": {"price": {"type": "integer"}}, "required": ["price"]});
    let pay = Pay { spec: ToolSpec::new("pay", "Pays.", schema), ledger: PathBuf::from(folder).join("ledger") };
    let turn = (0..calls).map(|number| ("pay", json!({"price": 900 + number})));
    let text = ScriptedTurn::text("done in Rust");
    let turns = if calls > 0 { vec![ScriptedTurn::tool_uses(turn), text] } else { vec![text] };
    let approval = ApprovalHook::builder().tools(["pay"]).by_role("manager").by_another().trust(Trust::Session);
    let session = FileSessionManager::builder(session).dir(folder).build().await?;
    let builder = Agent::builder().model(ScriptedModel::new(turns)).agent_id("main").tools(tools![pay]);
    Ok(builder.hook(approval.build()).session_manager(session).build().await?)
}

fn traveler() -> Identity {
    Identity::new("alice").with_role("traveler")
}

fn manager() -> Identity {
    Identity::new("bob").with_role("manager")
}

async fn requests(folder: &str) -> Result<Vec<ApprovalRequest>, Box<dyn Error>> {
    let store = SessionStore::files(folder);
    let mut open = std::pin::pin!(store.open_interrupts());
    let mut requests = Vec::new();
    while let Some(agent) = open.next().await {
        let agent = agent?;
        for call in &agent.calls {
            let found = ApprovalRequest::from_stored(&agent.session_id, &agent.agent_id, call);
            requests.extend(found.into_iter().filter(|request| request.may_be_approved_by(&manager())));
        }
    }
    Ok(requests)
}

fn response(request: &ApprovalRequest, word: &str) -> InterruptResponse {
    match word {
        "approve" => request.approve(),
        "deny" => request.deny(),
        "trust" => request.approve_with(Trust::Session),
        word => InterruptResponse::new(request.interrupt_id.clone(), word),
    }
}

fn printed(agent: &Agent, response: &AgentResponse) -> Value {
    json!({
        "stop_reason": response.stop_reason.to_string(),
        "interrupts": response.interrupts.iter().map(|interrupt| &interrupt.id).collect::<Vec<_>>(),
        "text": response.text(),
        "trusted": agent.state().get("hitl:trusted_tools"),
        "messages": agent.messages().len(),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let printed = match args[..] {
        [folder, _, "list"] => serde_json::to_value(requests(folder).await?)?,
        [folder, session, "prompt", calls] => {
            let mut agent = agent(folder, session, calls.parse()?).await?;
            let response = agent.prompt("Pay it.").inject(traveler()).await?;
            printed(&agent, &response)
        }
        [folder, session, "respond", word, ref ids @ ..] => {
            let mut requests = requests(folder).await?;
            requests.retain(|request| request.session_id.as_deref() == Some(session));
            requests.retain(|request| ids.is_empty() || ids.contains(&&*request.interrupt_id));
            let responses: Vec<_> = requests.iter().map(|request| response(request, word)).collect();
            let mut agent = agent(folder, session, 0).await?;
            let resumed = agent.prompt(Prompt::none()).resume(responses);
            let response = resumed.inject(traveler()).inject(Approver::new(manager())).await?;
            printed(&agent, &response)
        }
        _ => return Err("unknown arguments: see the first lines of the source".into()),
    };
    println!("{printed}");
    Ok(())
}
