variable "agent_package" {
  type        = string
  default     = "../../target/lambda/travel-agent/bootstrap.zip"
  description = "Zip file with the agent as `bootstrap`, for arm64: see docs/src/deployment.md."
}

variable "mcp_package" {
  type        = string
  default     = "../../target/lambda/travel-mcp/bootstrap.zip"
  description = "Zip file with the MCP server as `bootstrap`, for arm64."
}

variable "page_url" {
  type        = string
  default     = ""
  description = "URL of the chat page, with its final slash, to which users return after sign-in. Leave it empty for the first apply, and apply again with the output page_url."
  validation {
    condition     = can(regex("^(https://[A-Za-z0-9.-]+/)?$", var.page_url))
    error_message = "page_url must be empty or an https URL with a final slash and no path."
  }
}

variable "sign_in_prefix" {
  type        = string
  default     = ""
  description = "Prefix of the sign-in domain, unique in the region. By default travel-agent- and the account id."
}

variable "model_id" {
  type        = string
  default     = "anthropic.claude-haiku-4-5-20251001-v1:0"
  description = "Foundation model on Amazon Bedrock that the inference profile routes to."
}

variable "inference_profile_id" {
  type        = string
  default     = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
  description = "Cross-region inference profile of the United States for the model."
}

variable "knowledge_base_id" {
  type        = string
  default     = ""
  description = "Amazon Bedrock knowledge base with the travel policies. If empty, the documents in the program are searched."
}

variable "agent_concurrency" {
  type        = number
  default     = 20
  description = "Concurrent turns of each agent function, which bounds what the model can cost."
}

variable "mcp_concurrency" {
  type        = number
  default     = 20
  description = "Concurrent tool calls of the MCP server, and of its authorizer."
}

variable "log_retention_days" {
  type        = number
  default     = 365
  description = "Days for which logs are kept."
}

variable "session_retention_days" {
  type        = number
  default     = 90
  description = "Days after the last write until a message of a session is deleted."
}

variable "alarm_email" {
  type        = string
  default     = ""
  description = "E-mail address for alarms. If empty, the topic has no subscription."
}

variable "otlp_endpoint" {
  type        = string
  default     = ""
  description = "OTLP collector for traces, metrics and logs of the programs. If empty, they export none."
}
