//! From the start of a process to its first request over HTTPS: the server closes the connection after the ClientHello.

use strands::models::OpenAiModel;

use crate::process;
use crate::script::PROMPT;
use crate::serve::{HANG_UP, Servers};
use crate::work::{Side, block_on};

/// First argument of a measured process.
pub(crate) const COMMAND: &str = "start";

/// Measures a process that sends one request.
pub(crate) fn measure(servers: &Servers, side: Side) -> process::Cost {
    process::measure(&[COMMAND, side.name(), &servers.address(HANG_UP)])
}

/// Sends the request, in the measured process.
pub(crate) fn run(side: Side, address: &str) {
    let url = format!("https://{address}/v1");
    block_on(async {
        let failed = if side == Side::HandWritten {
            let request = reqwest::Client::new().post(format!("{url}/chat/completions")).bearer_auth("test-key");
            request.body(PROMPT).send().await.is_err()
        } else {
            let model = OpenAiModel::builder().model_id("gpt-4o").api_key("test-key").base_url(url).build().unwrap();
            let agent = strands::Agent::builder().model(model).retry(strands::RetryPolicy::never());
            agent.build().await.unwrap().prompt(PROMPT).await.is_err()
        };
        assert!(failed, "the server closes the connection");
    });
}
