//! [`StructuredOutput`], the trait of output types.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// A trait for types of structured output, see [`Invocation::output`](crate::Invocation::output). It is implemented for every
/// type with `Deserialize` and `JsonSchema`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as structured output",
    label = "not a structured output type",
    note = "derive both `Deserialize` and `JsonSchema` for `{Self}`: `#[derive(Deserialize, JsonSchema)]`, from `strands::serde` and `strands::schemars`"
)]
pub trait StructuredOutput: DeserializeOwned + JsonSchema {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema> StructuredOutput for T {}
