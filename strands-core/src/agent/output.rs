//! Types of structured output.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// A type that a model can be asked for with [`Invocation::output`](crate::Invocation::output): any type with `Deserialize`
/// and `JsonSchema`, which has it without an implementation of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be asked for as structured output",
    label = "the model can't be asked for this",
    note = "derive both `Deserialize` and `JsonSchema` for `{Self}`: `#[derive(Deserialize, JsonSchema)]`, from `strands::serde` and `strands::schemars`"
)]
pub trait StructuredOutput: DeserializeOwned + JsonSchema {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema> StructuredOutput for T {}
