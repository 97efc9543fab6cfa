//! JSON Web Tokens: verification of a user's token, and tokens for services.
