# Logs and alarms.

resource "aws_cloudwatch_log_group" "function" {
  # The names are known without the functions, whose policies name the groups.
  for_each          = toset(["agent_api", "agent_stream", "mcp", "authorizer"])
  name              = "/aws/lambda/travel-${replace(each.key, "_", "-")}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.key.arn
}

resource "aws_cloudwatch_log_group" "api" {
  for_each          = toset(["agent", "mcp"])
  name              = "/aws/apigateway/travel-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.key.arn
}

resource "aws_sns_topic" "alarms" {
  name_prefix       = "travel-agent-alarms-"
  kms_master_key_id = aws_kms_key.key.id
}

resource "aws_sns_topic_subscription" "email" {
  count     = var.alarm_email != "" ? 1 : 0
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  alarms = merge(
    { for name in keys(local.functions) : "${name}_errors" => {
      description = "The function ${name} fails. Its log group has the reason."
      metric      = "Errors"
      function    = name
      statistic   = "Sum"
      percentile  = null
      periods     = 1
      threshold   = 0
    } },
    { for name in ["agent_stream", "mcp"] : "${name}_throttles" => {
      description = "More requests than the reserved concurrency of ${name} allows. Raise it, or find out who sends them."
      metric      = "Throttles"
      function    = name
      statistic   = "Sum"
      percentile  = null
      periods     = 1
      threshold   = 0
    } },
    { agent_stream_duration = {
      description = "Turns come close to the time limit of the function, where they are cut off."
      metric      = "Duration"
      function    = "agent_stream"
      statistic   = null
      percentile  = "p95"
      periods     = 3
      threshold   = 90000
    } },
  )
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each            = local.alarms
  alarm_name          = "travel-${replace(each.key, "_", "-")}"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = aws_lambda_function.function[each.value.function].function_name }
  statistic           = each.value.statistic
  extended_statistic  = each.value.percentile
  period              = 300
  evaluation_periods  = each.value.periods
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "mcp_refusals" {
  alarm_name          = "travel-mcp-refusals"
  alarm_description   = "The MCP API refuses requests. The agent sends valid tokens, so another client may have found it."
  namespace           = "AWS/ApiGateway"
  metric_name         = "4xx"
  dimensions          = { ApiId = aws_apigatewayv2_api.mcp.id }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 20
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
