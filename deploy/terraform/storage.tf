# The key, the secret and the buckets.

data "aws_iam_policy_document" "key" {
  # checkov:skip=CKV_AWS_109:In the policy of a key, the resource * is the key itself
  # checkov:skip=CKV_AWS_111:In the policy of a key, the resource * is the key itself
  # checkov:skip=CKV_AWS_356:In the policy of a key, the resource * is the key itself
  statement {
    sid       = "PoliciesOfTheAccount"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }
  statement {
    sid       = "LogGroups"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:*"]
    }
  }
  statement {
    sid       = "Alarms"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_kms_key" "key" {
  description             = "Sessions, bookings, secrets, logs and alarms of the travel agent."
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_secretsmanager_secret" "desk" {
  # checkov:skip=CKV2_AWS_57:Agent and MCP server read the secret once per sandbox; docs/src/deployment.md has the steps to replace it
  description = "Shared secret of the service tokens with which the agent calls its MCP server."
  kms_key_id  = aws_kms_key.key.arn
}

# The value is not in the state.
ephemeral "random_password" "desk" {
  length  = 64
  special = false
}

resource "aws_secretsmanager_secret_version" "desk" {
  secret_id                = aws_secretsmanager_secret.desk.id
  secret_string_wo         = ephemeral.random_password.desk.result
  secret_string_wo_version = 1
}

# Two buckets for data, since a function that may list a bucket sees the names of all of its objects: without that permission S3
# reports a missing object as forbidden, and with a condition on the prefix, too.
resource "aws_s3_bucket" "sessions" {
  # checkov:skip=CKV_AWS_144:Sessions of an assistant need no copy in another region
  # checkov:skip=CKV2_AWS_62:No program listens to changes of the bucket
}

resource "aws_s3_bucket" "desk" {
  # checkov:skip=CKV_AWS_144:Versions protect the bookings; add replication where a region may be lost
  # checkov:skip=CKV2_AWS_62:No program listens to changes of the bucket
}

resource "aws_s3_bucket" "access_logs" {
  # checkov:skip=CKV_AWS_18:This bucket receives the access logs
  # checkov:skip=CKV_AWS_21:Logs are written once and expire
  # checkov:skip=CKV_AWS_144:Access logs need no copy in another region
  # checkov:skip=CKV_AWS_145:S3 delivers its access logs to buckets with its own keys only
  # checkov:skip=CKV2_AWS_62:No program listens to changes of the bucket
}

locals {
  data_buckets = { sessions = aws_s3_bucket.sessions, desk = aws_s3_bucket.desk }
  buckets      = merge(local.data_buckets, { access_logs = aws_s3_bucket.access_logs })
}

resource "aws_s3_bucket_public_access_block" "all" {
  for_each                = local.buckets
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "all" {
  for_each = local.buckets
  bucket   = each.value.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "data" {
  for_each = local.data_buckets
  bucket   = each.value.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.key.arn
    }
  }
}

resource "aws_s3_bucket_versioning" "data" {
  for_each = local.data_buckets
  bucket   = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_logging" "data" {
  for_each      = local.data_buckets
  bucket        = each.value.id
  target_bucket = aws_s3_bucket.access_logs.id
  target_prefix = "${each.key}/"
}

resource "aws_s3_bucket_lifecycle_configuration" "sessions" {
  bucket = aws_s3_bucket.sessions.id
  rule {
    id     = "OldSessions"
    status = "Enabled"
    filter {
      prefix = "agent_sessions/"
    }
    expiration {
      days = var.session_retention_days
    }
  }
  rule {
    id     = "OldVersions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
  rule {
    id     = "DeleteMarkers"
    status = "Enabled"
    filter {}
    expiration {
      expired_object_delete_marker = true
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "desk" {
  bucket = aws_s3_bucket.desk.id
  rule {
    id     = "OldVersions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id
  rule {
    id     = "Expire"
    status = "Enabled"
    filter {}
    expiration {
      days = var.log_retention_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
  dynamic "statement" {
    for_each = each.key == "access_logs" ? [1] : []
    content {
      sid       = "AccessLogs"
      actions   = ["s3:PutObject"]
      resources = ["${each.value.arn}/*"]
      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "all" {
  for_each = local.buckets
  bucket   = each.value.id
  policy   = data.aws_iam_policy_document.bucket[each.key].json
}
