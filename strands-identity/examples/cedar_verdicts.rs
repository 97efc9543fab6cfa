//! Decides about tool calls by Cedar policies, for a comparison with other implementations.
//!
//! Reads a case per line: `{"policies": "..", "calls": [{"subject", "roles", "claims", "tool", "input", "facts"}, ..]}`, the
//! calls of one session in order. Writes a line for each: `[{"allowed": bool, "skipping": bool}, ..]`, with and without the
//! denial of calls on which a `forbid` fails.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use strands_core::{
    AgentState, Tool, ToolCallOutcome, ToolContext, ToolError, ToolOutput, ToolRunner, ToolSpec, async_trait, tools,
};
use strands_identity::{
    AuthorizationHook, AuthorizationRequest, Authorizer, CedarAuthorizer, CedarPolicies, Decision, Effect, Identity,
    ToolRequest,
};

#[derive(Deserialize)]
struct Case {
    policies: String,
    calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Call {
    subject: String,
    roles: Vec<String>,
    claims: Map<String, Value>,
    tool: String,
    input: Value,
    facts: Map<String, Value>,
}

/// A tool that succeeds.
struct Named(ToolSpec);

#[async_trait]
impl Tool for Named {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("ran"))
    }
}

/// An authorizer that fails if a tool is hidden although its call is not denied.
struct Checked(CedarAuthorizer);

#[async_trait]
impl Authorizer for Checked {
    async fn authorize(&self, request: &AuthorizationRequest<'_>) -> Result<Decision, Box<dyn Error + Send + Sync>> {
        let about_tool = ToolRequest::new(request.identity, request.tool, request.context);
        let is_shown = self.0.may_call(&about_tool).await?;
        let decision = self.0.authorize(request).await?;
        match decision.effect {
            Effect::Deny { .. } => Ok(decision),
            _ if is_shown => Ok(decision),
            _ => Err("the tool is hidden".into()),
        }
    }
}

/// Makes the calls of a case. Returns whether each ran.
async fn play(case: &Case, skips_failing: bool) -> Result<Vec<bool>, Box<dyn Error>> {
    let facts = Arc::new(Mutex::new(Map::new()));
    let current = Arc::clone(&facts);
    let mut authorizer = CedarAuthorizer::new(CedarPolicies::parse(&case.policies)?)
        .resource(r#"Resource::"agent""#)?
        .session_facts(move |_| {
            let facts = current.lock().map(|facts| facts.clone()).map_err(|_| "the facts are poisoned");
            std::future::ready(facts)
        });
    if skips_failing {
        authorizer = authorizer.skip_failing_policies();
    }
    let hook = AuthorizationHook::new(Checked(authorizer));
    let state = AgentState::new();
    let mut ran = Vec::new();
    for call in &case.calls {
        if let Ok(mut facts) = facts.lock() {
            facts.clone_from(&call.facts);
        }
        let mut identity = Identity::new(&call.subject);
        identity.roles.clone_from(&call.roles);
        identity.claims.clone_from(&call.claims);
        let tool = Named(ToolSpec::new(&call.tool, "Does it.", json!({"type": "object"})));
        let runner = ToolRunner::new(tools![tool])?.hook(hook.clone()).state(state.clone()).inject(identity);
        let outcome = runner.call(&call.tool, call.input.clone()).await?;
        ran.push(matches!(outcome, ToolCallOutcome::Result(result) if !result.is_error()));
    }
    Ok(ran)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lock().lines() {
        let case: Case = serde_json::from_str(&line?)?;
        let (strict, skipping) = (play(&case, false).await?, play(&case, true).await?);
        let verdicts: Vec<Value> = std::iter::zip(strict, skipping)
            .map(|(allowed, skipping)| json!({"allowed": allowed, "skipping": skipping}))
            .collect();
        writeln!(io::stdout(), "{}", serde_json::to_string(&verdicts)?)?;
    }
    Ok(())
}
