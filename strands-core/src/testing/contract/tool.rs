//! The contract of tools: a stable description, arguments that are checked, calls that don't disturb each other.

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::polling::{Moment, poll_times};
use super::violation::{ContractViolation, Promise, ensure, ensure_eq};
use crate::schema_validation::Validator;
use crate::tool::{InjectedKey, Tool, ToolContext, ToolError, ToolOutput, is_valid_tool_name};

/// After so many polls a call is no longer interrupted.
const MOST_POLLS: usize = 4;

/// The number of concurrent calls.
const CONCURRENT: usize = 4;

/// Checks the contract of a [`Tool`].
///
/// The tool is called about a dozen times with `example`, which must be an object that fits its schema, and with variants
/// of it that lack a required argument or have one of a wrong type. Calls are also dropped, and made at the same time. If the
/// first call succeeds, all calls with `example` must; if it fails, the error must not refuse the arguments. What `ctx` lends is up to the tool: make it with
/// [`ToolContextBuilder`](crate::testing::ToolContextBuilder).
///
/// # Errors
///
/// Returns the first promise that is broken.
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
        (tool.spec().clone(), requires, tool.policy(), tool.checks_input())
    };
    let before = described();
    let (example, validator) = described_well(tool, example)?;
    let succeeds = call(tool, ctx, example).await?.is_ok();
    let again = async || match call(tool, ctx, example).await? {
        Err(error) if succeeds => {
            let expected = "each call to succeed as the first one did";
            Err(ContractViolation::error(Promise::ToolCallsIndependent, expected, error))
        }
        _ => Ok(()),
    };
    for moment in Moment::ALL {
        for polls in 1..=MOST_POLLS {
            let input = Value::Object(example.clone());
            let finished = poll_times(tool.call(ctx, input), polls, moment).await.is_some();
            again().await?;
            if finished {
                break;
            }
        }
    }
    for outcome in join_all((0..CONCURRENT).map(|_| again())).await {
        outcome?;
    }
    for (what, input) in unfit(&tool.spec().input_schema, &validator, example) {
        refused(tool, ctx, &validator, &what, input).await?;
    }
    ensure_eq(Promise::ToolStable, "the tool's spec, required values and policy", &before, &described())
}

/// Checks the spec, and that the example fits it. Returns the example as an object, and the compiled schema.
fn described_well<'a, T: Tool + ?Sized>(
    tool: &T,
    example: &'a Value,
) -> Result<(&'a Map<String, Value>, Validator), ContractViolation> {
    let promise = Promise::ToolSpecValid;
    let spec = tool.spec();
    let valid = is_valid_tool_name(&spec.name);
    ensure(valid, promise, "a name of 1 to 64 of `a-z A-Z 0-9 _ -`", || format!("`{}`", spec.name))?;
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

/// Calls the tool with arguments that fit. Only a refusal of the arguments is a violation.
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

/// Variants of the example that don't fit the schema, and what is wrong with each.
fn unfit(schema: &Value, validator: &Validator, example: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut unfit = Vec::new();
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        let mut input = example.clone();
        input.shift_remove(name);
        unfit.push((format!("arguments without the required `{name}`"), Value::Object(input)));
    }
    let wrong = [json!({"unexpected": {"type": true}}), json!([[["unexpected"]]]), json!(true), json!("unexpected")];
    for name in example.keys() {
        let mut variants = wrong.iter().map(|wrong| {
            let mut input = example.clone();
            input.insert(name.clone(), wrong.clone());
            Value::Object(input)
        });
        if let Some(input) = variants.find(|input| validator.check(input).is_err()) {
            unfit.push((format!("arguments in which `{name}` has a wrong type"), input));
        }
    }
    unfit
}

/// Checks that arguments are refused, by the schema or by the tool.
async fn refused<T: Tool + ?Sized>(
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
    let expected = format!("{what} to be refused with `ToolError::invalid_input`");
    Err(ContractViolation::new(Promise::ToolRefusesInput, expected, observed))
}

fn outcome_of(outcome: Result<ToolOutput, ToolError>) -> String {
    match outcome {
        Ok(_) => "a result".to_owned(),
        Err(error) => format!("another error: {error}"),
    }
}
