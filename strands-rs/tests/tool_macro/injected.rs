//! Injected values as arguments of tools.

use std::sync::{Arc, Mutex};

use strands::message::ToolResultContent;
use strands::serde_json::json;
use strands::testing::ToolContextBuilder;
use strands::{AgentState, CancellationToken, FromContext, InjectedKey, Tool, ToolContext, ToolError, tool};

struct Bookings(Mutex<Vec<String>>);

struct Identity {
    user: &'static str,
}

type Ctx = ToolContext;

/// Books for the identified user.
#[tool]
async fn book(
    hotel: String,
    /// All bookings.
    bookings: &Bookings,
    identity: &Identity,
    ctx: &Ctx,
) -> String {
    let mut bookings = bookings.0.lock().unwrap();
    bookings.push(format!("{} {hotel} {}", identity.user, ctx.tool_use_id()));
    format!("{} booked", bookings.len())
}

#[tokio::test]
async fn references_are_injected_by_type() {
    let bookings = Arc::new(Bookings(Mutex::default()));
    let ctx = ToolContextBuilder::new("book").inject(Arc::clone(&bookings)).inject(Identity { user: "ada" }).build();
    let output = Book.call(&ctx, json!({"hotel": "Ritz"})).await.unwrap();
    assert_eq!(output.content(), [ToolResultContent::Text("1 booked".into())]);
    assert_eq!(*bookings.0.lock().unwrap(), ["ada Ritz test"]);
}

#[tokio::test]
async fn the_function_remains_a_function() {
    let bookings = Bookings(Mutex::default());
    let ctx = ToolContextBuilder::new("book").build();
    assert_eq!(book("Ritz".into(), &bookings, &Identity { user: "ada" }, &ctx).await, "1 booked");
}

#[test]
fn requires_its_injected_values() {
    let declared: Vec<_> = Book.requires().iter().map(InjectedKey::type_name).collect();
    assert!(declared[0].ends_with("::Bookings") && declared[1].ends_with("::Identity"), "{declared:?}");
    assert!(Plain.requires().is_empty());
}

/// Needs no injected values.
#[tool]
fn plain() {}

#[tokio::test]
async fn missing_injected_values_are_errors_and_not_panics() {
    let ctx = ToolContextBuilder::new("book").inject(Identity { user: "ada" }).build();
    let error = Book.call(&ctx, json!({"hotel": "Ritz"})).await.unwrap_err();
    assert!(error.to_string().contains("Bookings"), "{error}");
    assert!(!error.is_invalid_input());
}

/// An owned value from the context.
struct CallName(String);

impl FromContext for CallName {
    fn from_context(ctx: &ToolContext) -> Result<Self, ToolError> {
        Ok(Self(ctx.tool_name().to_owned()))
    }
}

/// Takes owned values.
#[tool]
fn owner(
    #[inject] shared: Arc<Identity>,
    #[inject] state: AgentState,
    #[inject] token: CancellationToken,
    #[inject] name: CallName,
    also: &Identity,
) -> String {
    state.set("seen", true).unwrap();
    format!("{} {} {} {}", shared.user, token.is_cancelled(), name.0, also.user)
}

#[tokio::test]
async fn owned_injected_values_use_from_context() {
    let declared: Vec<_> = Owner.requires().iter().map(InjectedKey::type_name).collect();
    assert_eq!(declared.len(), 2, "{declared:?}");
    let state = AgentState::new();
    let ctx = ToolContextBuilder::new("owner").inject(Identity { user: "ada" }).state(state.clone()).build();
    let output = Owner.call(&ctx, json!({})).await.unwrap();
    assert_eq!(output.content(), [ToolResultContent::Text("ada false owner ada".into())]);
    assert_eq!(state.get("seen"), Some(json!(true)));
    let schema = &Owner.spec().input_schema;
    assert_eq!(schema["properties"], json!({}), "injected arguments are not in the schema");
}

trait Clock: Send + Sync {
    fn now(&self) -> u64;
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> u64 {
        12
    }
}

/// Returns the time.
#[tool(inline)]
fn time(clock: &Arc<dyn Clock>) -> u64 {
    clock.now()
}

#[tokio::test]
async fn injects_trait_objects_in_an_arc() {
    let ctx = ToolContextBuilder::new("time").inject::<Arc<dyn Clock>>(Arc::new(Stopped)).build();
    let output = Time.call(&ctx, json!({})).await.unwrap();
    assert_eq!(output.content(), [ToolResultContent::Json(json!(12))]);
}
