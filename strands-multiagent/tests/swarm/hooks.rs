//! Hooks of a swarm: handoffs that are denied, failures, and values of the run.

use std::sync::{Arc, Mutex};

use strands::hook::HookResult;
use strands::multiagent::{AfterNode, BeforeHandoff, BeforeNode, NodeHook, Swarm};
use strands::testing::ScriptedTurn;
use strands::{BuildError, async_trait, tool, tools};

use crate::support::{member, member_of, to};

#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Vec<String>>>);

impl Watch {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

#[async_trait]
impl NodeHook for Watch {
    async fn before_node(&self, event: &mut BeforeNode<'_>) -> HookResult {
        self.add(format!("before {}", event.node));
        Ok(())
    }

    async fn after_node(&self, event: &mut AfterNode<'_>) -> HookResult {
        self.add(format!("after {} {}", event.node, event.result.status));
        Ok(())
    }

    async fn before_handoff(&self, event: &mut BeforeHandoff<'_>) -> HookResult {
        self.add(format!("{} {} -> {}: {}", event.context.name(), event.from, event.to, event.message));
        match event.message {
            "fail" => return Err("the hook failed".into()),
            "deny" => event.deny = Some("not now".to_owned()),
            _ => {}
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_sees_each_handoff_and_may_deny_it() {
    let first = member_of("a", |messages| match messages.len() {
        1 => to("b", "deny"),
        _ => {
            assert!(format!("{:?}", messages.last()).contains("not now"), "{messages:?}");
            to("b", "go")
        }
    });
    let watch = Watch::default();
    let swarm = Swarm::builder("team")
        .member(first)
        .member(member("b", |_| ScriptedTurn::text("done")))
        .hook(watch.clone())
        .build()
        .unwrap();
    assert_eq!(swarm.run("x").await.unwrap().text(), "done");
    let expected =
        ["before a", "team a -> b: deny", "team a -> b: go", "after a completed", "before b", "after b completed"];
    assert_eq!(*watch.0.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_a_hook_before_a_handoff_fails_the_member() {
    let swarm = Swarm::builder("team")
        .member(member("a", |_| to("b", "fail")))
        .member(member("b", |_| ScriptedTurn::text("never")))
        .hook(Watch::default())
        .build()
        .unwrap();
    let error = swarm.run("x").await.unwrap_err();
    assert!(error.to_string().contains("the node `a` failed: the hook failed"), "{error}");
}

struct User(&'static str);

/// Returns the name of the user.
#[tool]
fn whoami(user: &User) -> String {
    user.0.to_owned()
}

#[tokio::test(start_paused = true)]
async fn injected_values_reach_the_tools_of_members() {
    let asking = || {
        let turns = |messages: &[Arc<strands::message::Message>]| match messages.last().unwrap().tool_results().next() {
            Some(result) => ScriptedTurn::text(format!("{:?}", result.content)),
            None => ScriptedTurn::tool_use("whoami", strands::serde_json::json!({})),
        };
        member_of("a", turns).tools(tools![Whoami])
    };
    let missing = Swarm::builder("team").member(asking()).build().unwrap_err();
    assert!(
        missing.to_string().contains("the member `a` needs a") && missing.to_string().contains("User"),
        "{missing}"
    );
    let response = Swarm::builder("team").member(asking()).inject(User("ana")).build().unwrap().run("x").await.unwrap();
    assert!(response.text().contains("ana"), "{response}");

    let per_prompt = Swarm::builder("team").member(asking()).injected_per_prompt::<User>().build().unwrap();
    assert!(per_prompt.run("x").await.unwrap_err().to_string().contains("User"));
    let request = strands::PromptRequest::new("x").inject(User("mei"));
    assert!(per_prompt.run(request).await.unwrap().text().contains("mei"));
    let agent = member("outer", |_| ScriptedTurn::text("x")).tool(strands::AgentTool::new(per_prompt)).build().await;
    assert!(matches!(agent, Err(BuildError::MissingInjectedValue { .. })));
}
