//! Stop reasons of models and of the loop.

use crate::message::wire_enum;

wire_enum! {
    /// Reason for which a model, or the loop, stopped. The JSON values are those of Strands and Bedrock.
    pub enum StopReason {
        /// The model completed its response.
        EndTurn = "end_turn",
        /// The model called tools.
        ToolUse = "tool_use",
        /// The model reached the maximum number of output tokens; the response is incomplete.
        MaxTokens = "max_tokens",
        /// The model generated one of the stop sequences.
        StopSequence = "stop_sequence",
        /// The provider's content filter stopped the model.
        ContentFiltered = "content_filtered",
        /// A guardrail stopped the model.
        GuardrailIntervened = "guardrail_intervened",
        /// The invocation was cancelled.
        Cancelled = "cancelled",
        /// A tool or a hook raised an interrupt, which needs a response.
        Interrupt = "interrupt",
        /// [`Limits::turns`](crate::Limits::turns) was reached.
        LimitTurns = "limit_turns",
        /// [`Limits::output_tokens`](crate::Limits::output_tokens) was reached.
        LimitOutputTokens = "limit_output_tokens",
        /// [`Limits::total_tokens`](crate::Limits::total_tokens) was reached.
        LimitTotalTokens = "limit_total_tokens",
        /// [`Limits::duration`](crate::Limits::duration) was reached.
        LimitDuration = "limit_duration",
        /// A swarm reached its maximum number of handoffs or turns.
        LimitSteps = "limit_steps",
    }
}

impl StopReason {
    /// Returns true for a limit of the program, such as [`Limits`](crate::Limits). The maximum of output tokens of one model response is none.
    ///
    /// ```
    /// use strands::models::StopReason;
    ///
    /// assert!(StopReason::LimitTurns.is_limit());
    /// assert!(!StopReason::MaxTokens.is_limit());
    /// ```
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::LimitTurns
                | Self::LimitOutputTokens
                | Self::LimitTotalTokens
                | Self::LimitDuration
                | Self::LimitSteps
        )
    }
}
