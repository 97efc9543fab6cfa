# The user pool, its groups, and the client of the page.

resource "aws_cognito_user_pool" "users" {
  name                     = "travel-agent"
  deletion_protection      = "ACTIVE"
  auto_verified_attributes = ["email"]
  mfa_configuration        = "OPTIONAL"

  admin_create_user_config {
    allow_admin_create_user_only = true
  }
  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }
  username_configuration {
    case_sensitive = false
  }
  software_token_mfa_configuration {
    enabled = true
  }
  password_policy {
    minimum_length                   = 12
    require_lowercase                = true
    require_uppercase                = true
    require_numbers                  = true
    require_symbols                  = false
    temporary_password_validity_days = 3
  }
  schema {
    name                = "email"
    attribute_data_type = "String"
    required            = true
    mutable             = true
    string_attribute_constraints {}
  }
  schema {
    name                = "name"
    attribute_data_type = "String"
    required            = true
    mutable             = true
    string_attribute_constraints {}
  }
}

resource "aws_cognito_user_group" "roles" {
  for_each = {
    traveler = "Book their own trips."
    manager  = "Approve trips of others above the cost limit."
    auditor  = "See all bookings and book none."
  }
  user_pool_id = aws_cognito_user_pool.users.id
  name         = each.key
  description  = each.value
}

resource "aws_cognito_user_pool_domain" "sign_in" {
  user_pool_id = aws_cognito_user_pool.users.id
  domain       = var.sign_in_prefix != "" ? var.sign_in_prefix : "travel-agent-${local.account}"
}

# A public client: the page has no secret. It uses the code flow with PKCE (S256).
resource "aws_cognito_user_pool_client" "page" {
  name                                 = "travel-page"
  user_pool_id                         = aws_cognito_user_pool.users.id
  generate_secret                      = false
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes                 = ["openid", "profile"]
  supported_identity_providers         = ["COGNITO"]
  callback_urls                        = [var.page_url != "" ? var.page_url : "http://localhost:8080/"]
  logout_urls                          = [var.page_url != "" ? var.page_url : "http://localhost:8080/"]
  explicit_auth_flows                  = ["ALLOW_REFRESH_TOKEN_AUTH"]
  prevent_user_existence_errors        = "ENABLED"
  enable_token_revocation              = true
  access_token_validity                = 15
  id_token_validity                    = 15
  refresh_token_validity               = 12
  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "hours"
  }
}

locals {
  issuer = "https://cognito-idp.${local.region}.amazonaws.com/${aws_cognito_user_pool.users.id}"
}
