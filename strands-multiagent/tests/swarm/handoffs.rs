//! Handoffs: who gets the task next, and what it is told.

use strands::message::{ContentBlock, ImageBlock, ImageFormat};
use strands::models::StopReason;
use strands::multiagent::{Member, NodeStatus, Swarm};
use strands::schemars::JsonSchema;
use strands::serde::Deserialize;
use strands::serde_json::json;
use strands::testing::ScriptedTurn;
use strands::{AgentEvent, Prompt, PromptRequest, Promptable, SharedAgent, StreamExt};

use crate::support::{member, member_of, started, to, with_context};

#[tokio::test(start_paused = true)]
async fn a_handoff_ends_the_turn_at_once_and_the_next_member_has_all_it_needs() {
    // A second turn of the researcher would fail, since there is none.
    let researcher = member("researcher", |_| with_context("writer", "Write it down.", json!({"legs": 6})));
    let writer = member_of("writer", |messages| ScriptedTurn::text(messages[0].text()));
    let swarm = Swarm::builder("team").member(researcher).member(writer).build().unwrap();
    let response = swarm.run("Tell me about bees.").await.unwrap();
    assert_eq!(response.response.stop_reason, StopReason::EndTurn);
    let prompt = "Handoff Message: Write it down.\n\nUser Request: Tell me about bees.\n\nPrevious agents who worked on this: \
        researcher\n\nShared knowledge from previous agents:\n• researcher: {\"legs\":6}\n\nOther agents available for collaboration:\n\
        Agent name: researcher. Agent description: Is researcher.\n\nCall handoff_to_agent if another agent should continue. If you \
        do not hand over, your response completes the task.";
    assert_eq!(response.text(), prompt);
    let history: Vec<&str> = response.history.iter().map(|name| &**name).collect();
    assert_eq!(history, ["researcher", "writer"]);
    assert_eq!(response.shared_context.get("researcher", "legs"), Some(&json!(6)));
    let researched = &response.results["researcher"];
    assert_eq!((researched.status.clone(), researched.turns), (NodeStatus::Completed, 1));
    assert_eq!(researched.text(), "Handing off to writer: Write it down.");
    assert_eq!(researched.ended_by.as_ref().map(|call| call.name.as_str()), Some("handoff_to_agent"));
    assert_eq!(response.response.turns, 2);
}

#[tokio::test(start_paused = true)]
async fn one_stream_has_the_events_of_all_members_and_the_handoffs() {
    let swarm = Swarm::builder("team")
        .member(member("a", |_| to("b", "go on")))
        .member(member("b", |_| ScriptedTurn::text("done")))
        .build()
        .unwrap();
    let events: Vec<AgentEvent> = swarm.stream("x".into()).map(Result::unwrap).collect().await;
    assert!(matches!(events.first(), Some(AgentEvent::Start { agent_name, .. }) if &**agent_name == "team"));
    assert_eq!(started(&events), ["a 1", "b 1"]);
    let handoff = events.iter().position(|event| matches!(event, AgentEvent::Handoff { .. })).unwrap();
    let AgentEvent::Handoff { from, to, message } = &events[handoff] else { panic!("{events:?}") };
    assert_eq!((&**from, &**to, message.as_str()), ("a", "b", "go on"));
    let of =
        |member: &'static str| move |event: &AgentEvent| event.path().first().is_some_and(|name| &**name == member);
    assert!(events[..handoff].iter().any(of("a")) && !events[handoff..].iter().any(of("a")));
    assert!(events[handoff..].iter().any(of("b")) && !events[..handoff].iter().any(of("b")));
    assert!(matches!(events.last(), Some(AgentEvent::Result { response }) if response.text() == "done"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_handoff_leaves_the_turn_to_the_member() {
    let last = |messages: &[std::sync::Arc<strands::message::Message>]| {
        let results =
            messages.last().unwrap().tool_results().map(|result| format!("{:?}", result.content)).collect::<String>();
        match messages.len() {
            1 => to("boss", "x"),
            3 => {
                assert!(results.contains("you can't hand over to this agent, but to `b`"), "{results}");
                ScriptedTurn::tool_uses([
                    ("handoff_to_agent", json!({"agent_name": "b", "message": "x"})),
                    ("handoff_to_agent", json!({"agent_name": "c", "message": "y"})),
                ])
            }
            _ => {
                assert_eq!(results.matches("must be the only tool").count(), 2, "{results}");
                ScriptedTurn::text("I did it.")
            }
        }
    };
    let swarm = Swarm::builder("team")
        .member(member_of("a", last))
        .member(member("b", |_| ScriptedTurn::text("never")))
        .handoffs("a", ["b"])
        .build()
        .unwrap();
    let response = swarm.run("x").await.unwrap();
    assert_eq!((response.text().as_str(), response.history.len()), ("I did it.", 1));
}

#[tokio::test(start_paused = true)]
async fn one_template_is_in_several_swarms_and_runs_concurrently() {
    let shared = member_of("shared", |messages| match messages[0].text().contains("Agent name: left") {
        true => to("left", "for you"),
        false => to("right", "for you"),
    });
    let team = |other: &'static str| {
        let other = member(other, move |_| ScriptedTurn::text(other));
        Swarm::builder("team").member(shared.clone()).member(other).build().unwrap()
    };
    let (left, right) = (team("left"), team("right"));
    let (one, two, three) = tokio::join!(left.run("x"), right.run("x"), left.run("y"));
    let texts = [one, two, three].map(|response| response.unwrap().text());
    assert_eq!(texts, ["left", "right", "left"]);
}

#[tokio::test(start_paused = true)]
async fn members_forget_or_keep_their_conversation_by_choice() {
    let run = |keeps: bool| async move {
        let first =
            member_of("first", |messages| match messages.iter().any(|message| message.text().contains("back")) {
                true => ScriptedTurn::text(format!("{} messages", messages.len())),
                false => to("second", "please"),
            });
        let swarm = Swarm::builder("team")
            .member(Member::new(first).keeps_conversation(keeps))
            .member(member("second", |_| to("first", "back to you")))
            .build()
            .unwrap();
        swarm.run("x").await.unwrap().text()
    };
    assert_eq!(run(false).await, "1 messages");
    // The prompt, the call, its result, the response with it, and the new prompt.
    assert_eq!(run(true).await, "5 messages");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_one_conversation_keeps_it() {
    let agent = member("second", |turn| ScriptedTurn::text(["one", "two"][turn])).build().await.unwrap();
    let shared = SharedAgent::new(agent);
    let swarm =
        Swarm::builder("team").member(member("first", |_| to("second", "go"))).member(shared.clone()).build().unwrap();
    swarm.run("x").await.unwrap();
    assert_eq!(swarm.run("y").await.unwrap().text(), "two");
    drop(swarm);
    assert_eq!(shared.try_into_agent().unwrap().messages().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_member_without_the_tool_returns_to_another_one_with_all_its_content() {
    /// A promptable without a model, such as an agent on another server.
    struct Remote;

    impl Promptable for Remote {
        fn name(&self) -> &str {
            "remote"
        }

        fn stream(&self, _: PromptRequest) -> strands::PromptStream {
            let content = [ContentBlock::text("a chart"), ImageBlock::new(ImageFormat::Png, vec![1, 2]).into()];
            let message = strands::message::Message::new(strands::message::Role::Assistant, content);
            let response = Box::new(strands::AgentResponse::new(message, StopReason::EndTurn));
            let events = [AgentEvent::start("1", "remote", "remote"), AgentEvent::Result { response }];
            Box::pin(futures_util::stream::iter(events.map(Ok)))
        }
    }

    let planner = member_of("planner", |messages| {
        let images = messages[0].content.iter().filter(|block| matches!(block, ContentBlock::Image(_))).count();
        match images {
            0 => to("remote", "Draw."),
            _ => ScriptedTurn::text(format!("{images} image: {}", messages[0].text())),
        }
    });
    let swarm = Swarm::builder("team").member(planner).member(Remote).returns_to("planner").build().unwrap();
    let response = swarm.run("Chart it.").await.unwrap();
    assert!(
        response.text().starts_with("1 image: ") && response.text().contains("Response of remote: a chart"),
        "{response}"
    );
    assert_eq!(response.history.len(), 3);
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(crate = "strands::serde")]
#[schemars(crate = "strands::schemars")]
#[expect(dead_code, reason = "only the schema matters")]
struct Price {
    euros: u32,
}

#[tokio::test(start_paused = true)]
async fn structured_output_comes_from_the_member_that_ends() {
    let swarm = Swarm::builder("team")
        .member(member("a", |_| to("b", "Price it.")))
        .member(member("b", |_| ScriptedTurn::tool_use("Price", json!({"euros": 7}))))
        .build()
        .unwrap();
    let response = swarm.run(PromptRequest::new("x").output::<Price>()).await.unwrap();
    assert_eq!(response.response.output, Some(json!({"euros": 7})));
}

#[tokio::test(start_paused = true)]
async fn a_swarm_is_a_member_of_another_one_and_a_tool_of_an_agent() {
    let inner = Swarm::builder("inner")
        .description("Does the work.")
        .member(member("x", |_| to("y", "go")))
        .member(member("y", |_| ScriptedTurn::text("worked")))
        .build()
        .unwrap();
    let outer =
        Swarm::builder("outer").member(member("boss", |_| to("inner", "work"))).member(inner.clone()).build().unwrap();
    let events: Vec<AgentEvent> = outer.stream("x".into()).map(Result::unwrap).collect().await;
    let nested = events.iter().any(|event| event.path().iter().map(|name| &**name).eq(["inner", "y"]));
    assert!(nested, "{events:?}");
    let AgentEvent::Result { response } = events.last().unwrap() else { panic!("{events:?}") };
    assert_eq!((response.text().as_str(), response.turns), ("worked", 3));

    let turns = |turn| match turn {
        0 => ScriptedTurn::tool_use("inner", json!({"input": "do it"})),
        _ => ScriptedTurn::text("done"),
    };
    let agent = member("agent", turns).tool(strands::AgentTool::new(inner));
    let mut agent = agent.build().await.unwrap();
    assert_eq!(agent.prompt("x").await.unwrap().turns, 4);
    assert_eq!(agent.messages()[2].tool_results().count(), 1);
    assert!(matches!(agent.prompt(Prompt::none()).await, Err(strands::AgentError::NothingToRespondTo)));
}
