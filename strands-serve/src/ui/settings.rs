//! Settings of the page.

use serde::Serialize;

use super::SignIn;

/// Settings of the chat page; see [`HttpHost::ui`](crate::http::HttpHost::ui).
///
/// The page reads them from `/ui/settings.json` without a token, so they have no secrets.
#[derive(Clone, Debug, Serialize)]
#[must_use = "settings do nothing until they are given to a host"]
pub struct UiSettings {
    title: String,
    suggestions: Vec<String>,
    pub(super) sign_in: SignIn,
    attachments: Vec<Attachments>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prices: Option<TokenPrices>,
    /// Set by the host, from its limit of bodies.
    max_attachment_bytes: usize,
}

impl UiSettings {
    /// Creates settings of a page with a title, such as the name of the agent: users paste an access token, and attach nothing.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            suggestions: Vec::new(),
            sign_in: SignIn::Token,
            attachments: Vec::new(),
            prices: None,
            max_attachment_bytes: 0,
        }
    }

    /// Sets prompts that an empty conversation suggests.
    pub fn suggestions(mut self, prompts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.suggestions = prompts.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how users sign in. Default: [`SignIn::Token`].
    pub fn sign_in(mut self, sign_in: impl Into<SignIn>) -> Self {
        self.sign_in = sign_in.into();
        self
    }

    /// Sets the files that users may attach to a prompt: those that the model takes. Default: none.
    ///
    /// All files of a prompt, in Base64, must fit the [`body_limit`](crate::http::HttpHost::body_limit).
    pub fn attachments(mut self, kinds: impl IntoIterator<Item = Attachments>) -> Self {
        self.attachments = kinds.into_iter().collect();
        self
    }

    /// Sets the prices of tokens, from which the page computes the cost of each turn. Default: no costs are shown.
    pub fn prices(mut self, prices: TokenPrices) -> Self {
        self.prices = Some(prices);
        self
    }

    /// Sets the maximum size of all files of a prompt, so that they fit the body.
    pub(crate) fn fit_body(mut self, body_limit: usize) -> Self {
        // Base64 needs 4 bytes for 3; the rest of the body has the text.
        self.max_attachment_bytes = (body_limit / 4 * 3).saturating_sub(64 * 1024);
        self
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        // Texts, numbers and lists can be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Kind of files that users may attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Attachments {
    /// Images: PNG, JPEG, GIF and WebP.
    Images,
    /// PDF documents.
    Pdf,
}

/// Prices of tokens, in US dollars.
///
/// ```
/// use strands::serve::ui::TokenPrices;
///
/// let prices = TokenPrices::per_million(1.0, 5.0).cached_input(0.1);
/// # drop(prices);
/// ```
#[derive(Clone, Debug, Serialize)]
#[must_use = "prices do nothing until they are given to the settings"]
pub struct TokenPrices {
    input: f64,
    output: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_input: Option<f64>,
}

impl TokenPrices {
    /// Creates prices per million input tokens and output tokens.
    pub fn per_million(input: f64, output: f64) -> Self {
        Self { input, output, cached_input: None }
    }

    /// Sets the price per million input tokens that are read from the provider's cache. Default: that of input tokens.
    pub fn cached_input(mut self, price: f64) -> Self {
        self.cached_input = Some(price);
        self
    }
}
