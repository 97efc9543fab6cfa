//! Macro tools in an agent: errors of `build()`, and error results in a conversation.

use strands::message::ToolResultContent;
use strands::serde_json::json;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, BuildError, tool, tools};

struct Rates {
    per_night: u32,
}

struct Identity(&'static str);

/// Books a hotel.
#[tool]
fn book_hotel(#[arg(range = 1..=30)] nights: u32, rates: &Rates, identity: &Identity) -> String {
    format!("{} pays {}", identity.0, nights * rates.per_night)
}

#[tokio::test]
async fn build_fails_without_a_required_injected_value() {
    let model = ScriptedModel::responding("never asked");
    let builder = Agent::builder().model(model.clone()).tools(tools![BookHotel]).inject(Identity("ada"));
    let error = builder.build().await.unwrap_err();
    assert!(
        matches!(&error, BuildError::MissingInjectedValue { tool, ty } if tool == "book_hotel" && ty.ends_with("Rates"))
    );
    assert!(error.to_string().contains("take it by value"), "{error}");
    assert!(model.requests().is_empty());
}

#[tokio::test]
async fn the_model_can_correct_its_mistakes() {
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("book_hotel", json!({"nights": 31, "city": "Oslo"})),
        ScriptedTurn::tool_use("book_hotel", json!({"nights": 3})),
        ScriptedTurn::text("Booked."),
    ]);
    let mut agent = Agent::builder()
        .model(model.clone())
        .tools(tools![BookHotel])
        .inject(Rates { per_night: 100 })
        .injected_per_prompt::<Identity>()
        .build()
        .await
        .unwrap();
    let response = agent.prompt("Book.").inject(Identity("ada")).await.unwrap();
    assert_eq!(response.text(), "Booked.");

    let asked = model.requests();
    let tool_result = |request: usize| {
        let result = asked[request].messages.last().unwrap().tool_results().next().unwrap();
        (result.is_error(), result.content.clone())
    };
    let mistakes = "`nights`: 31 is out of range, expected 1 to 30; unknown `city`; expected `nights`";
    let (is_error, content) = tool_result(1);
    assert!(is_error);
    assert!(matches!(&content[..], [ToolResultContent::Text(text)] if text.contains(mistakes)), "{content:?}");
    assert_eq!(tool_result(2), (false, vec![ToolResultContent::Text("ada pays 300".into())]));
}
