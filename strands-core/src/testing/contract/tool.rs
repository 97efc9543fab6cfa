//! Contract of tools: a stable spec, validated arguments, independent calls.

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::polling::{DropPoint, poll_times};
use super::violation::{ContractViolation, Promise, ensure, ensure_eq};
use crate::schema_validation::Validator;
use crate::tool::{InjectedKey, Tool, ToolContext, ToolError, ToolOutput, is_valid_tool_name};

/// The most polls after which a call is dropped.
const MAX_POLLS: usize = 4;

/// Number of concurrent calls.
const CONCURRENT: usize = 4;

/// Checks the contract of a [`Tool`].
///
/// The suite calls the tool about a dozen times with `example`, which must be an object that fits its schema, and with
/// variants that lack a required argument or have one of a wrong type. Calls are also dropped, and made concurrently. If the
/// first call succeeds, all calls with `example` must; if it fails, the error must not be one of invalid arguments. Build
/// `ctx` with [`ToolContextBuilder`](crate::testing::ToolContextBuilder), and inject the values that the tool needs.
///
/// # Errors
///
/// Returns the first broken promise.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use strands::testing::{ToolContextBuilder, contract::check_tool};
/// use strands::tool;
///
/// /// Adds two numbers.
/// #[tool(crate = strands_core)]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let ctx = ToolContextBuilder::new("add").build();
/// check_tool(&Add, &ctx, &json!({"a": 1, "b": 2})).await?;
/// # Ok::<(), strands::testing::contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_tool<T: Tool + ?Sized>(
    tool: &T,
    ctx: &ToolContext,
    example: &Value,
) -> Result<(), ContractViolation> {
    let described = || {
        let requires: Vec<&str> = tool.requires().iter().map(InjectedKey::type_name).collect();
        let limiter = tool.limiter().map(|limiter| std::ptr::from_ref(limiter).addr());
        (tool.spec().clone(), requires, tool.policy(), limiter, tool.checks_input())
    };
    let before = described();
    let (example, validator) = checked_spec(tool, example)?;
    let succeeds = call(tool, ctx, example).await?.is_ok();
    let again = async || match call(tool, ctx, example).await? {
        Err(error) if succeeds => {
            let expected = "each call to succeed as the first one did";
            Err(ContractViolation::error(Promise::ToolCallsIndependent, expected, error))
        }
        _ => Ok(()),
    };
    for drop_point in DropPoint::ALL {
        for polls in 1..=MAX_POLLS {
            let input = Value::Object(example.clone());
            let finished = poll_times(tool.call(ctx, input), polls, drop_point).await.is_some();
            again().await?;
            if finished {
                break;
            }
        }
    }
    for outcome in join_all((0..CONCURRENT).map(|_| again())).await {
        outcome?;
    }
    for (what, input) in invalid_inputs(&tool.spec().input_schema, &validator, example) {
        rejects(tool, ctx, &validator, &what, input).await?;
    }
    ensure_eq(Promise::ToolStable, "the tool's spec, required values, policy and limiter", &before, &described())
}

/// Checks the spec, and that the example fits it. Returns the example as an object, and the compiled schema.
fn checked_spec<'a, T: Tool + ?Sized>(
    tool: &T,
    example: &'a Value,
) -> Result<(&'a Map<String, Value>, Validator), ContractViolation> {
    let promise = Promise::ToolSpecValid;
    let spec = tool.spec();
    let valid = is_valid_tool_name(&spec.name);
    ensure(valid, promise, "a name of 1 to 64 characters of `a-z A-Z 0-9 _ -`", || format!("`{}`", spec.name))?;
    let is_object = spec.input_schema.get("type").is_some_and(|of| of == "object");
    ensure(is_object, promise, r#"an input schema with `"type": "object"`"#, || spec.input_schema.to_string())?;
    let properties = spec.input_schema.get("properties").is_none_or(Value::is_object);
    ensure(properties, promise, "`properties` that are an object", || spec.input_schema.to_string())?;
    let validator = Validator::new(&spec.input_schema);
    let validator =
        validator.map_err(|error| ContractViolation::error(promise, "an input schema that is supported", error))?;
    let fits = validator.check(example);
    ensure(fits.is_ok(), Promise::ToolAcceptsInput, "an example that fits the schema", || format!("{fits:?}"))?;
    let object = example.as_object();
    let expected = "an example that is an object";
    let object =
        object.ok_or_else(|| ContractViolation::new(Promise::ToolAcceptsInput, expected, example.to_string()))?;
    Ok((object, validator))
}

/// Calls the tool with valid arguments. Only an error of invalid arguments is a violation.
async fn call<T: Tool + ?Sized>(
    tool: &T,
    ctx: &ToolContext,
    example: &Map<String, Value>,
) -> Result<Result<ToolOutput, ToolError>, ContractViolation> {
    match tool.call(ctx, Value::Object(example.clone())).await {
        Err(error) if error.is_invalid_input() => {
            Err(ContractViolation::error(Promise::ToolAcceptsInput, "the example to be accepted", error))
        }
        outcome => Ok(outcome),
    }
}

/// Returns variants of the example that don't fit the schema, each with its mistake.
fn invalid_inputs(schema: &Value, validator: &Validator, example: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut invalid_inputs = Vec::new();
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        let mut input = example.clone();
        input.shift_remove(name);
        invalid_inputs.push((format!("arguments without the required `{name}`"), Value::Object(input)));
    }
    let wrong = [json!({"unexpected": {"type": true}}), json!([[["unexpected"]]]), json!(true), json!("unexpected")];
    for name in example.keys() {
        let mut variants = wrong.iter().map(|wrong| {
            let mut input = example.clone();
            input.insert(name.clone(), wrong.clone());
            Value::Object(input)
        });
        if let Some(input) = variants.find(|input| validator.check(input).is_err()) {
            invalid_inputs.push((format!("arguments in which `{name}` has a wrong type"), input));
        }
    }
    invalid_inputs
}

/// Checks that arguments are rejected, by the schema or by the tool.
async fn rejects<T: Tool + ?Sized>(
    tool: &T,
    ctx: &ToolContext,
    validator: &Validator,
    what: &str,
    input: Value,
) -> Result<(), ContractViolation> {
    let observed = if tool.checks_input() {
        match tool.call(ctx, input).await {
            Err(error) if error.is_invalid_input() => return Ok(()),
            outcome => outcome_of(outcome),
        }
    } else {
        match validator.check(&input) {
            Err(_) => return Ok(()),
            Ok(()) => "arguments that fit the schema".to_owned(),
        }
    };
    let expected = format!("{what} to be rejected with `ToolError::invalid_input`");
    Err(ContractViolation::new(Promise::ToolRejectsInput, expected, observed))
}

fn outcome_of(outcome: Result<ToolOutput, ToolError>) -> String {
    match outcome {
        Ok(_) => "a result".to_owned(),
        Err(error) => format!("another error: {error}"),
    }
}
