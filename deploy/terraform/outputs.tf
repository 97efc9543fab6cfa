output "page_url" {
  value       = aws_lambda_function_url.page.function_url
  description = "The chat page. Apply again with it as page_url, so that users return to it after sign-in."
}

output "api_url" {
  value       = aws_apigatewayv2_api.agent.api_endpoint
  description = "The agent without streaming, for programs; POST /prompt with an access token of the user pool."
}

output "mcp_url" {
  value       = "${aws_apigatewayv2_api.mcp.api_endpoint}/mcp"
  description = "MCP server of the travel desk."
}

output "user_pool_id" {
  value       = aws_cognito_user_pool.users.id
  description = "User pool. Create users with aws cognito-idp admin-create-user, and add them to traveler, manager or auditor."
}

output "page_client_id" {
  value       = aws_cognito_user_pool_client.page.id
  description = "OAuth client of the page; audience of the AgentCore runtime."
}
