//! The hook of guardrails keeps the contract of hooks, whatever its guardrail does.

use std::error::Error;

use async_trait::async_trait;
use strands_core::guardrails::{Check, Guardrail, GuardrailHook, Redaction, Verdict, Window};
use strands_core::testing::contract::check_hook;

/// Returns one verdict about everything, after a yield.
struct Always(Window, Result<Verdict, ()>);

#[async_trait]
impl Guardrail for Always {
    fn name(&self) -> &str {
        "always"
    }

    fn window(&self) -> Window {
        self.0
    }

    async fn check(&self, _: &Check<'_>) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        tokio::task::yield_now().await;
        self.1.clone().map_err(|()| "no verdict".into())
    }
}

#[tokio::test]
async fn the_hook_keeps_the_contract_with_every_verdict() {
    for window in [Window::whole(1 << 20), Window::Bytes(4)] {
        let redaction = Verdict::Redact(vec![Redaction::new(0..1, "*")]);
        for verdict in [Ok(Verdict::Pass), Ok(redaction), Ok(Verdict::Rewrite("\"new\"".into()))] {
            check_hook(GuardrailHook::new(Always(window, verdict)), |builder| builder).await.unwrap();
        }
    }
    for verdict in [Ok(Verdict::block("blocked")), Err(())] {
        let hook = GuardrailHook::new(Always(Window::whole(1 << 20), verdict));
        let checked = check_hook(hook, |builder| builder).await;
        assert!(checked.is_ok(), "{:?}", checked.unwrap_err());
    }
}
