//! Reasons why a model, or the loop around it, stopped.

use crate::message::wire_enum;

wire_enum! {
    /// Reason why a model, or the loop around it, stopped. The words are those of Strands and Bedrock.
    pub enum StopReason {
        /// The model had said everything.
        EndTurn = "end_turn",
        /// The model wants tools to run.
        ToolUse = "tool_use",
        /// The model reached the most tokens it may write; its answer is incomplete.
        MaxTokens = "max_tokens",
        /// The model wrote one of the stop sequences.
        StopSequence = "stop_sequence",
        /// The provider's filter stopped the model.
        ContentFiltered = "content_filtered",
        /// A guardrail stopped the model.
        GuardrailIntervened = "guardrail_intervened",
        /// The invocation was cancelled.
        Cancelled = "cancelled",
        /// A tool or a hook needs a human's answer.
        Interrupt = "interrupt",
        /// [`Limits::turns`](crate::Limits::turns) was reached.
        LimitTurns = "limit_turns",
        /// [`Limits::output_tokens`](crate::Limits::output_tokens) was reached.
        LimitOutputTokens = "limit_output_tokens",
        /// [`Limits::total_tokens`](crate::Limits::total_tokens) was reached.
        LimitTotalTokens = "limit_total_tokens",
        /// [`Limits::duration`](crate::Limits::duration) was reached.
        LimitDuration = "limit_duration",
    }
}
