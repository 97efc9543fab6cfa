# Policies of the functions. `.ci/deploy/least_privilege` compares them with those of ../sam/template.yaml.

locals {
  inference_profile = "arn:${local.partition}:bedrock:${local.region}:${local.account}:inference-profile/${var.inference_profile_id}"
}

data "aws_iam_policy_document" "authorizer" {
  # checkov:skip=CKV_AWS_111:X-Ray has no resources to name
  # checkov:skip=CKV_AWS_356:X-Ray has no resources to name
  statement {
    sid       = "DeskSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.desk.arn]
  }
  statement {
    sid       = "DeskSecretKey"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.key.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${local.region}.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:SecretARN"
      values   = [aws_secretsmanager_secret.desk.arn]
    }
  }
  statement {
    sid       = "Tracing"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "agent" {
  # The agent mints the tokens that the authorizer verifies.
  source_policy_documents = [data.aws_iam_policy_document.authorizer.json]
  statement {
    sid       = "Sessions"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.sessions.arn}/agent_sessions/*"]
  }
  statement {
    sid       = "ListSessions"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.sessions.arn]
  }
  statement {
    sid       = "SessionsKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.key.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.region}.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:s3:arn"
      values   = [aws_s3_bucket.sessions.arn]
    }
  }
  statement {
    sid       = "InferenceProfile"
    actions   = ["bedrock:InvokeModelWithResponseStream"]
    resources = [local.inference_profile]
  }
  statement {
    sid     = "ModelOfTheProfile"
    actions = ["bedrock:InvokeModelWithResponseStream"]
    resources = [
      "arn:${local.partition}:bedrock:us-east-1::foundation-model/${var.model_id}",
      "arn:${local.partition}:bedrock:us-east-2::foundation-model/${var.model_id}",
      "arn:${local.partition}:bedrock:us-west-2::foundation-model/${var.model_id}",
    ]
    condition {
      test     = "StringEquals"
      variable = "bedrock:InferenceProfileArn"
      values   = [local.inference_profile]
    }
  }
}

data "aws_iam_policy_document" "mcp" {
  source_policy_documents = [data.aws_iam_policy_document.authorizer.json]
  statement {
    sid       = "Bookings"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${aws_s3_bucket.desk.arn}/desk/travel.sqlite3"]
  }
  statement {
    sid       = "BookingsExist"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.desk.arn]
  }
  statement {
    sid       = "BookingsKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.key.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.region}.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:s3:arn"
      values   = [aws_s3_bucket.desk.arn]
    }
  }
  dynamic "statement" {
    for_each = var.knowledge_base_id != "" ? [1] : []
    content {
      sid       = "Policies"
      actions   = ["bedrock:Retrieve"]
      resources = ["arn:${local.partition}:bedrock:${local.region}:${local.account}:knowledge-base/${var.knowledge_base_id}"]
    }
  }
}

data "aws_iam_policy_document" "function" {
  for_each                = local.functions
  source_policy_documents = [each.value.policy]
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function[each.key].arn}:*"]
  }
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  for_each           = local.functions
  name_prefix        = "travel-${each.key}-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions
  name     = "function"
  role     = aws_iam_role.function[each.key].id
  policy   = data.aws_iam_policy_document.function[each.key].json
}
