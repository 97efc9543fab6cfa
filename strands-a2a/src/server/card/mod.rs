//! The agent card: the description of an agent for clients.

mod signature;
mod skill;

use std::collections::HashMap;

use a2a::{
    AgentCapabilities, AgentCard, AgentInterface, AgentProvider, HttpAuthSecurityScheme, OpenIdConnectSecurityScheme,
    SecurityScheme, TRANSPORT_PROTOCOL_HTTP_JSON, TRANSPORT_PROTOCOL_JSONRPC,
};
use serde_json::Value;
use url::Url;

pub use signature::{CardSigner, SigningKeyError};
pub use skill::Skill;

use super::error::A2aServerError;
use crate::v03::server_edge;

/// Facts of an agent card.
pub(super) struct CardFacts {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) version: String,
    pub(super) url: String,
    pub(super) skills: Vec<Skill>,
    pub(super) provider: Option<(String, String)>,
    pub(super) documentation_url: Option<String>,
    pub(super) icon_url: Option<String>,
    pub(super) input_modes: Vec<String>,
    pub(super) output_modes: Vec<String>,
    pub(super) security: Vec<Security>,
    pub(super) push_notifications: bool,
    pub(super) signer: Option<CardSigner>,
    pub(super) has_v03: bool,
    pub(super) has_http_json: bool,
}

/// The JSON of a card.
pub(super) struct CardJson {
    /// For clients of both protocol versions.
    pub(super) both: Value,
    /// For clients of 1.0.
    pub(super) v1: Value,
}

/// A way to authenticate requests.
#[derive(Clone)]
pub(super) enum Security {
    Bearer,
    OpenIdConnect(String),
}

impl CardFacts {
    /// Returns the JSON of the card.
    pub(super) fn json(self) -> Result<CardJson, A2aServerError> {
        let base = base_url(&self.url)?;
        if self.name.is_empty() {
            return Err(A2aServerError::MissingName);
        }
        if self.description.is_empty() {
            return Err(A2aServerError::MissingDescription);
        }
        // With a path, the path itself is the endpoint: a router that is nested does not serve it with a slash at its end.
        let json_rpc = if base.matches('/').count() == 2 { format!("{base}/") } else { base.clone() };
        let (schemes, requirements) = security(&self.security);
        let mut interfaces = vec![AgentInterface::new(json_rpc.as_str(), TRANSPORT_PROTOCOL_JSONRPC)];
        if self.has_http_json {
            interfaces.push(AgentInterface::new(base, TRANSPORT_PROTOCOL_HTTP_JSON));
        }
        if self.has_v03 {
            let v1 = AgentInterface::new(json_rpc, TRANSPORT_PROTOCOL_JSONRPC);
            interfaces.push(AgentInterface { protocol_version: "0.3".to_owned(), ..v1 });
        }
        let card = AgentCard {
            name: self.name,
            description: self.description,
            version: self.version,
            supported_interfaces: interfaces,
            capabilities: AgentCapabilities {
                streaming: Some(true),
                push_notifications: Some(self.push_notifications),
                extensions: None,
                extended_agent_card: Some(false),
            },
            default_input_modes: self.input_modes,
            default_output_modes: self.output_modes,
            skills: self.skills.into_iter().map(Skill::into_card).collect(),
            provider: self.provider.map(|(organization, url)| AgentProvider { organization, url }),
            documentation_url: self.documentation_url,
            icon_url: self.icon_url,
            security_schemes: schemes,
            security_requirements: requirements,
            signatures: None,
        };
        let mut v1 = serde_json::to_value(card).map_err(|error| A2aServerError::Card(error.into()))?;
        omit_empty_scopes(&mut v1);
        if let Some(signer) = self.signer {
            let signature = signer.sign(&v1).map_err(|error| A2aServerError::Card(error.into()))?;
            if let Some(fields) = v1.as_object_mut() {
                fields.insert("signatures".to_owned(), Value::Array(vec![signature]));
            }
        }
        let mut both = v1.clone();
        if self.has_v03 {
            server_edge::add_v03_to_card(&mut both).map_err(|error| A2aServerError::Card(error.into()))?;
        }
        Ok(CardJson { both, v1 })
    }
}

/// Removes empty lists of scopes. The canonical form of a card that is signed has no fields with default values but those that are
/// required (specification, section 8.4.1), and verifiers make it from what they parsed.
fn omit_empty_scopes(card: &mut Value) {
    let requirements = card.get_mut("securityRequirements").and_then(Value::as_array_mut);
    let schemes =
        requirements.into_iter().flatten().filter_map(|requirement| requirement.get_mut("schemes")?.as_object_mut());
    for scopes in schemes.flat_map(|schemes| schemes.values_mut()).filter_map(Value::as_object_mut) {
        scopes.retain(|name, value| name != "list" || value.as_array().is_none_or(|list| !list.is_empty()));
    }
}

/// Returns a URL of HTTP without a slash at its end.
fn base_url(url: &str) -> Result<String, A2aServerError> {
    let invalid = || A2aServerError::InvalidUrl { url: url.to_owned() };
    let parsed = Url::parse(url).map_err(|_| invalid())?;
    let is_valid = matches!(parsed.scheme(), "http" | "https")
        && parsed.has_host()
        && parsed.query().is_none()
        && parsed.fragment().is_none()
        && parsed.username().is_empty()
        && parsed.password().is_none();
    if is_valid { Ok(parsed.as_str().trim_end_matches('/').to_owned()) } else { Err(invalid()) }
}

type Schemes = Option<HashMap<String, SecurityScheme>>;
type Requirements = Option<Vec<a2a::SecurityRequirement>>;

/// Returns the schemes, of which any is enough.
fn security(security: &[Security]) -> (Schemes, Requirements) {
    if security.is_empty() {
        return (None, None);
    }
    let mut schemes = HashMap::new();
    let mut requirements = Vec::new();
    for security in security {
        let (name, scheme) = match security {
            Security::Bearer => {
                let scheme =
                    HttpAuthSecurityScheme { scheme: "Bearer".to_owned(), description: None, bearer_format: None };
                ("bearer", SecurityScheme::HttpAuth(scheme))
            }
            Security::OpenIdConnect(url) => {
                let scheme = OpenIdConnectSecurityScheme { open_id_connect_url: url.clone(), description: None };
                ("openIdConnect", SecurityScheme::OpenIdConnect(scheme))
            }
        };
        schemes.insert(name.to_owned(), scheme);
        requirements.push(HashMap::from([(name.to_owned(), Vec::new())]));
    }
    (Some(schemes), Some(requirements))
}
