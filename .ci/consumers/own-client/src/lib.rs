//! A model behind a proxy, with the program's own HTTP client.

use strands::models::{ModelBuildError, OpenAiModel, install_crypto_provider};

/// Builds a model whose requests go through the proxy.
///
/// # Errors
///
/// Returns the error of the model's builder.
pub fn behind_proxy(proxy: reqwest::Proxy, base_url: &str) -> Result<OpenAiModel, ModelBuildError> {
    // Without this line the next one panics: this build of reqwest includes no crypto provider.
    install_crypto_provider();
    let client = reqwest::Client::builder().proxy(proxy).build();
    let client = client.map_err(|error| ModelBuildError::Client { source: error.into() })?;
    OpenAiModel::builder().base_url(base_url).client(client).build()
}
