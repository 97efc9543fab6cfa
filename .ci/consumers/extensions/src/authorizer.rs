//! An authorizer and an audit sink: a budget for each user, and the records in memory.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use strands::identity::{AuditRecord, AuditSink, AuthorizationRequest, Authorizer, Decision};

/// Allows calls of tools with a `price` as long as the user's budget suffices, and all other calls.
#[derive(Debug, Default)]
pub struct Budgets(Mutex<HashMap<String, u64>>);

impl Budgets {
    pub fn set(&self, subject: &str, budget: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(subject.to_owned(), budget);
    }
}

#[async_trait]
impl Authorizer for Budgets {
    async fn authorize(&self, request: &AuthorizationRequest<'_>) -> Result<Decision, Box<dyn Error + Send + Sync>> {
        let Some(price) = request.input.get("price") else { return Ok(Decision::allow()) };
        let price = price.as_u64().ok_or("a price is not a whole number")?;
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = budgets.entry(request.identity.subject.clone()).or_default();
        Ok(match budget.checked_sub(price) {
            Some(rest) => {
                *budget = rest;
                Decision::allow().with_policies(["budget"])
            }
            None => Decision::deny(format!("the budget is {budget}")).with_policies(["budget"]),
        })
    }
}

/// Keeps the records as JSON lines.
#[derive(Clone, Debug, Default)]
pub struct Lines(pub Arc<Mutex<Vec<String>>>);

#[async_trait]
impl AuditSink for Lines {
    async fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn Error + Send + Sync>> {
        let line = strands::serde_json::to_string(record)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        Ok(())
    }
}
