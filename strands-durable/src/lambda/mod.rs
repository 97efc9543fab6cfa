//! AWS Lambda durable functions.
