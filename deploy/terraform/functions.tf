# The functions. The agent is deployed twice: a function has one response mode, and an HTTP API can't stream.

locals {
  agent_environment = {
    STRANDS_MODEL         = "bedrock/${var.inference_profile_id}"
    TRAVEL_ISSUER         = local.issuer
    TRAVEL_JWKS           = "${local.issuer}/.well-known/jwks.json"
    TRAVEL_CLIENT_ID      = aws_cognito_user_pool_client.page.id
    TRAVEL_ROLES_CLAIM    = "cognito:groups"
    TRAVEL_SIGN_IN_ORIGIN = "https://${aws_cognito_user_pool_domain.sign_in.domain}.auth.${local.region}.amazoncognito.com"
    TRAVEL_S3_BUCKET      = aws_s3_bucket.sessions.id
    TRAVEL_DESK_URL       = "${aws_apigatewayv2_api.mcp.api_endpoint}/mcp"
  }
  functions = {
    agent_api = {
      description = "The agent on the HTTP API."
      package     = var.agent_package
      handler     = "bootstrap"
      timeout     = 29
      memory      = 256
      concurrency = var.agent_concurrency
      policy      = data.aws_iam_policy_document.agent.json
      environment = merge(local.agent_environment, { STRANDS_LAMBDA_INVOKE_MODE = "buffered" })
    }
    agent_stream = {
      description = "The chat page, and the agent with response streaming."
      package     = var.agent_package
      handler     = "bootstrap"
      timeout     = 120
      memory      = 256
      concurrency = var.agent_concurrency
      policy      = data.aws_iam_policy_document.agent.json
      environment = merge(local.agent_environment, { STRANDS_LAMBDA_INVOKE_MODE = "response_stream" })
    }
    mcp = {
      description = "MCP server of the travel desk, which verifies the service token again."
      package     = var.mcp_package
      handler     = "bootstrap"
      timeout     = 20
      memory      = 256
      concurrency = var.mcp_concurrency
      policy      = data.aws_iam_policy_document.mcp.json
      environment = merge(
        { TRAVEL_DB = "s3://${aws_s3_bucket.desk.id}/desk/travel.sqlite3" },
        var.knowledge_base_id != "" ? { TRAVEL_KNOWLEDGE_BASE = var.knowledge_base_id } : {},
      )
    }
    authorizer = {
      description = "Verifies the service token before the MCP server is invoked."
      package     = var.mcp_package
      # The handler chooses the part of the program.
      handler     = "authorizer"
      timeout     = 5
      memory      = 128
      concurrency = var.mcp_concurrency
      policy      = data.aws_iam_policy_document.authorizer.json
      environment = {}
    }
  }
}

resource "aws_lambda_function" "function" {
  # checkov:skip=CKV_AWS_116:Requests are synchronous, so no event waits in a queue
  # checkov:skip=CKV_AWS_117:They call public endpoints alone, over TLS; a VPC would add a NAT gateway
  # checkov:skip=CKV_AWS_272:Add a code-signing configuration where the pipeline has a signing profile
  for_each                       = local.functions
  function_name                  = "travel-${replace(each.key, "_", "-")}"
  description                    = each.value.description
  role                           = aws_iam_role.function[each.key].arn
  runtime                        = "provided.al2023"
  architectures                  = ["arm64"]
  handler                        = each.value.handler
  filename                       = each.value.package
  source_code_hash               = filebase64sha256(each.value.package)
  timeout                        = each.value.timeout
  memory_size                    = each.value.memory
  reserved_concurrent_executions = each.value.concurrency
  kms_key_arn                    = aws_kms_key.key.arn

  environment {
    variables = merge(
      each.value.environment,
      { TRAVEL_DESK_SECRET_ARN = aws_secretsmanager_secret.desk.arn, OTEL_SDK_DISABLED = tostring(var.otlp_endpoint == "") },
      var.otlp_endpoint != "" ? { OTEL_EXPORTER_OTLP_ENDPOINT = var.otlp_endpoint } : {},
    )
  }
  tracing_config {
    mode = "Active"
  }
  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }
  depends_on = [aws_iam_role_policy.function]
}

resource "aws_lambda_function_url" "page" {
  # checkov:skip=CKV_AWS_258:The page is public, and the program verifies the token of each other request
  function_name      = aws_lambda_function.function["agent_stream"].function_name
  authorization_type = "NONE"
  invoke_mode        = "RESPONSE_STREAM"
}

# A public function URL needs both permissions.
resource "aws_lambda_permission" "page_url" {
  # checkov:skip=CKV_AWS_301:The page is public, and the program verifies the token of each other request
  statement_id           = "PublicUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.function["agent_stream"].function_name
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_lambda_permission" "page_invocation" {
  # checkov:skip=CKV_AWS_301:It allows invocations through the function URL alone
  statement_id             = "PublicUrlInvocation"
  action                   = "lambda:InvokeFunction"
  function_name            = aws_lambda_function.function["agent_stream"].function_name
  principal                = "*"
  invoked_via_function_url = true
}
