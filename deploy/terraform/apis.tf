# The API of the agent with its JWT authorizer, and that of the MCP server with its Lambda authorizer.

resource "aws_apigatewayv2_api" "agent" {
  name          = "travel-agent"
  description   = "The agent, for programs that need no stream."
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_api" "mcp" {
  name          = "travel-mcp"
  description   = "MCP server of the travel desk."
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_authorizer" "users" {
  api_id           = aws_apigatewayv2_api.agent.id
  name             = "users"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]
  jwt_configuration {
    issuer   = local.issuer
    audience = [aws_cognito_user_pool_client.page.id]
  }
}

resource "aws_apigatewayv2_authorizer" "service_token" {
  api_id                            = aws_apigatewayv2_api.mcp.id
  name                              = "service-token"
  authorizer_type                   = "REQUEST"
  authorizer_uri                    = aws_lambda_function.function["authorizer"].invoke_arn
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = true
  identity_sources                  = ["$request.header.Authorization"]
  # A decision is reused for less time than a token lives.
  authorizer_result_ttl_in_seconds = 60
}

locals {
  routes = {
    agent = {
      api             = aws_apigatewayv2_api.agent
      function        = aws_lambda_function.function["agent_api"]
      key             = "ANY /{proxy+}"
      authorizer_type = "JWT"
      authorizer      = aws_apigatewayv2_authorizer.users.id
      burst           = 50
      rate            = 20
    }
    mcp = {
      api             = aws_apigatewayv2_api.mcp
      function        = aws_lambda_function.function["mcp"]
      key             = "POST /mcp"
      authorizer_type = "CUSTOM"
      authorizer      = aws_apigatewayv2_authorizer.service_token.id
      burst           = 200
      rate            = 100
    }
  }
}

resource "aws_apigatewayv2_integration" "function" {
  for_each               = local.routes
  api_id                 = each.value.api.id
  integration_type       = "AWS_PROXY"
  integration_uri        = each.value.function.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "function" {
  for_each           = local.routes
  api_id             = each.value.api.id
  route_key          = each.value.key
  target             = "integrations/${aws_apigatewayv2_integration.function[each.key].id}"
  authorization_type = each.value.authorizer_type
  authorizer_id      = each.value.authorizer
}

resource "aws_apigatewayv2_stage" "default" {
  for_each    = local.routes
  api_id      = each.value.api.id
  name        = "$default"
  auto_deploy = true
  default_route_settings {
    throttling_burst_limit = each.value.burst
    throttling_rate_limit  = each.value.rate
  }
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api[each.key].arn
    format = jsonencode({
      time       = "$context.requestTime"
      id         = "$context.requestId"
      address    = "$context.identity.sourceIp"
      route      = "$context.routeKey"
      status     = "$context.status"
      latency    = "$context.responseLatency"
      authorizer = "$context.authorizer.error"
    })
  }
}

resource "aws_lambda_permission" "api" {
  for_each      = local.routes
  statement_id  = "Api"
  action        = "lambda:InvokeFunction"
  function_name = each.value.function.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${each.value.api.execution_arn}/*"
}

resource "aws_lambda_permission" "authorizer" {
  statement_id  = "Authorizer"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["authorizer"].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.mcp.execution_arn}/authorizers/${aws_apigatewayv2_authorizer.service_token.id}"
}
