//! Agent cards: the part that a client needs, and the choice of an endpoint.

use serde::Deserialize;
use serde_json::Value;
use url::{Origin, Url};

use super::endpoint::{Binding, Transport};
use super::error::A2aError;
use crate::json::count_values;
use crate::v03::client_edge::card_to_v1;

/// Path of the agent card.
const WELL_KNOWN: &str = ".well-known/agent-card.json";

/// Maximum length of the name of an agent, in bytes.
const MAX_NAME: usize = 128;
/// Maximum length of the description of an agent, in bytes.
const MAX_DESCRIPTION: usize = 4 * 1024;
/// Maximum number of JSON values in a card.
const MAX_VALUES: usize = 10_000;
/// Maximum length of an origin in an error, in bytes.
const MAX_ORIGIN: usize = 1024;
/// Maximum number of endpoints that an error lists.
const MAX_LISTED: usize = 8;

/// The part of an agent card that a client needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Card {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    supported_interfaces: Vec<Interface>,
    #[serde(default)]
    capabilities: Capabilities,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interface {
    url: String,
    #[serde(default)]
    protocol_binding: String,
    #[serde(default)]
    protocol_version: String,
    #[serde(default)]
    tenant: Option<String>,
}

#[derive(Default, Deserialize)]
struct Capabilities {
    #[serde(default)]
    streaming: Option<bool>,
}

/// The chosen endpoint of an agent.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) binding: Binding,
    pub(super) url: Url,
    pub(super) tenant: Option<String>,
}

/// Returns the URL of the card of an agent: below the agent's URL, unless that names a JSON document.
pub(super) fn card_url(url: &str) -> Result<Url, A2aError> {
    let invalid = |reason: String| A2aError::Setting { reason };
    // An invalid URL may contain a key.
    let mut url = Url::parse(url).map_err(|error| invalid(format!("the URL is not valid: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(format!("the URL has the scheme `{}`; expected https or http", url.scheme())));
    }
    url.set_fragment(None);
    if url.path().ends_with(".json") {
        return Ok(url);
    }
    let path = format!("{}/{WELL_KNOWN}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

impl Card {
    /// Reads a card of protocol 0.3 or 1.0.
    pub(super) fn read(json: &[u8]) -> Result<Self, A2aError> {
        if count_values(json) > MAX_VALUES {
            return Err(A2aError::card(format!("it has more than {MAX_VALUES} JSON values")));
        }
        let card: Value = serde_json::from_slice(json).map_err(A2aError::card)?;
        let card = card_to_v1(card).map_err(A2aError::card)?;
        serde_json::from_value(card).map_err(A2aError::card)
    }

    /// Returns the name, on one line.
    pub(super) fn name(&self) -> String {
        line(&self.name, MAX_NAME)
    }

    /// Returns the description.
    pub(super) fn description(&self) -> String {
        line(&self.description, MAX_DESCRIPTION)
    }

    pub(super) fn streams(&self) -> bool {
        self.capabilities.streaming == Some(true)
    }

    /// Chooses the endpoint: the first of the preferred transport, or else the first of the newest version.
    ///
    /// # Errors
    ///
    /// Returns [`A2aError::NoEndpoint`] if there is none, and [`A2aError::Origin`] if all are of an origin that is not allowed.
    pub(super) fn endpoint(
        &self,
        card_url: &Url,
        preferred: Option<Transport>,
        is_allowed: impl Fn(&Origin) -> bool,
    ) -> Result<Choice, A2aError> {
        let mut choices: Vec<Choice> = self.supported_interfaces.iter().filter_map(|it| it.choice(card_url)).collect();
        if choices.is_empty() {
            let offered = self.supported_interfaces.iter().take(MAX_LISTED).map(Interface::described);
            let offered = offered.collect::<Vec<_>>().join(", ");
            return Err(A2aError::NoEndpoint { offered: if offered.is_empty() { "none".to_owned() } else { offered } });
        }
        choices.sort_by_key(|choice| {
            let is_preferred = Some(choice.binding.transport()) == preferred;
            (!is_preferred, choice.binding == Binding::JsonRpcV03)
        });
        let allowed = choices.iter().position(|choice| is_allowed(&choice.url.origin())).unwrap_or_default();
        let choice = choices.swap_remove(allowed);
        if is_allowed(&choice.url.origin()) {
            return Ok(choice);
        }
        let ascii = |url: &Url| line(&url.origin().ascii_serialization(), MAX_ORIGIN);
        Err(A2aError::Origin { card: ascii(card_url), endpoint: ascii(&choice.url) })
    }
}

impl Interface {
    fn choice(&self, card_url: &Url) -> Option<Choice> {
        let is_old = |version: &str| version.starts_with("0.3") || version.starts_with("0.2");
        let version = self.protocol_version.as_str();
        let is_new = version.is_empty() || version == "1" || version.starts_with("1.");
        let binding = match self.protocol_binding.to_ascii_uppercase().as_str() {
            "JSONRPC" if is_new => Binding::JsonRpc,
            "JSONRPC" if is_old(version) => Binding::JsonRpcV03,
            "HTTP+JSON" if is_new => Binding::HttpJson,
            _ => return None,
        };
        let url = card_url.join(&self.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let tenant = self.tenant.clone().filter(|tenant| !tenant.is_empty());
        Some(Choice { binding, url, tenant })
    }

    fn described(&self) -> String {
        line(&format!("{} {}", self.protocol_binding, self.protocol_version), MAX_NAME)
    }
}

/// Returns a text of a card on one line, and not too long.
fn line(text: &str, limit: usize) -> String {
    let start = text.get(..text.floor_char_boundary(limit)).unwrap_or_default();
    let line: String = start.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn choose(interfaces: Value, preferred: Option<Transport>) -> Result<Choice, A2aError> {
        let card = json!({"name": "a", "supportedInterfaces": interfaces});
        let url = Url::parse("https://a.example/.well-known/agent-card.json").unwrap();
        let own = url.origin();
        Card::read(card.to_string().as_bytes()).unwrap().endpoint(&url, preferred, |origin| *origin == own)
    }

    fn interface(url: &str, binding: &str, version: &str) -> Value {
        json!({"url": url, "protocolBinding": binding, "protocolVersion": version})
    }

    #[test]
    fn the_card_is_below_the_url_of_the_agent() {
        for (url, expected) in [
            ("http://a", "http://a/.well-known/agent-card.json"),
            ("http://a/", "http://a/.well-known/agent-card.json"),
            ("http://a/agents/x/?k=1#f", "http://a/agents/x/.well-known/agent-card.json?k=1"),
            ("https://a/cards/x.json", "https://a/cards/x.json"),
        ] {
            assert_eq!(card_url(url).unwrap().as_str(), expected);
        }
        for url in ["a.example", "ftp://a", "mailto:a@b"] {
            assert!(matches!(card_url(url), Err(A2aError::Setting { .. })), "{url}");
        }
    }

    #[test]
    fn chooses_the_newest_version_and_the_preferred_transport() {
        let all = json!([
            interface("https://a.example/grpc", "GRPC", "1.0"),
            interface("https://a.example/old", "JSONRPC", "0.3.0"),
            interface("https://a.example/rest", "HTTP+JSON", "1.0"),
            interface("/rpc", "JSONRPC", "1.0.1"),
        ]);
        let url = |preferred| choose(all.clone(), preferred).unwrap().url.path().to_owned();
        assert_eq!(url(None), "/rest");
        assert_eq!(url(Some(Transport::JsonRpc)), "/rpc");
        assert_eq!(url(Some(Transport::HttpJson)), "/rest");
        let old = json!([interface("https://a.example/old", "JSONRPC", "0.3.0")]);
        assert_eq!(choose(old, Some(Transport::HttpJson)).unwrap().binding, Binding::JsonRpcV03);
    }

    #[test]
    fn rejects_other_origins_and_unsupported_endpoints() {
        for url in ["http://a.example/", "https://a.example:8443/", "https://b.example/", "http://0.0.0.0:9000/"] {
            let error = choose(json!([interface(url, "JSONRPC", "1.0")]), None).unwrap_err();
            assert!(matches!(&error, A2aError::Origin { .. }), "{error}");
            assert!(error.to_string().contains(&format!("allow_origin(\"{}\")", url.trim_end_matches('/'))), "{error}");
        }
        let allowed = json!([
            interface("https://b.example/", "JSONRPC", "1.0"),
            interface("https://a.example/", "JSONRPC", "0.3"),
        ]);
        assert_eq!(choose(allowed, None).unwrap().url.as_str(), "https://a.example/");
        for (interfaces, offered) in [
            (json!([]), "it has none"),
            (json!([interface("https://a.example/", "GRPC", "1.0")]), "it has GRPC 1.0"),
            (json!([interface("https://a.example/", "HTTP+JSON", "0.3.0")]), "it has HTTP+JSON 0.3.0"),
            (json!([interface("https://a.example/", "JSONRPC", "2.0")]), "it has JSONRPC 2.0"),
            (json!([interface("file:///etc/passwd", "JSONRPC", "1.0")]), "it has JSONRPC 1.0"),
        ] {
            let error = choose(interfaces, None).unwrap_err().to_string();
            assert!(error.ends_with(offered), "{error}");
        }
    }

    #[test]
    fn texts_of_the_card_are_bounded() {
        let card = json!({"name": "a\n\u{1b}b ", "description": "ä".repeat(10_000), "supportedInterfaces": []});
        let card = Card::read(card.to_string().as_bytes()).unwrap();
        assert_eq!(card.name(), "a  b");
        assert_eq!(card.description().len(), MAX_DESCRIPTION);
        assert!(!card.streams());
        let long = json!({"supportedInterfaces": ["x".repeat(100_000)]}).to_string();
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        for invalid in ["", "[]", "{}", "{\"supportedInterfaces\": [{}]}", &long, &many] {
            let Err(A2aError::Card { reason }) = Card::read(invalid.as_bytes()) else { panic!("a card") };
            assert!(reason.len() <= 4096, "{}", reason.len());
            assert_eq!(reason.contains("10000 JSON values"), invalid == many, "{reason}");
        }
    }
}
