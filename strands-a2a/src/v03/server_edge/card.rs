//! Agent cards that clients of both versions can read.

use serde_json::{Value, json};

use crate::v03::TranslationError;
use crate::v03::json::{Object, change, change_each, object, text};

/// Version in a card for clients of 0.3.
const VERSION: &str = "0.3.0";

/// Type of each security scheme in 0.3.
const SCHEMES: [(&str, &str); 5] = [
    ("apiKeySecurityScheme", "apiKey"),
    ("httpAuthSecurityScheme", "http"),
    ("oauth2SecurityScheme", "oauth2"),
    ("openIdConnectSecurityScheme", "openIdConnect"),
    ("mtlsSecurityScheme", "mutualTLS"),
];

/// Adds the fields of 0.3 to a card of 1.0. Each version's readers ignore the fields of the other, so one document is for both.
///
/// The endpoint for 0.3 is the first interface of version 0.3, or else the first one over JSON-RPC.
pub(crate) fn add_v03_to_card(card: &mut Value) -> Result<(), TranslationError> {
    let fields = object(card, "agent card")?;
    let interfaces = fields.get("supportedInterfaces").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let field = |interface: &Value, field: &str| interface.get(field).and_then(Value::as_str).map(str::to_owned);
    let is_jsonrpc = |interface: &&Value| field(interface, "protocolBinding").as_deref() == Some("JSONRPC");
    let is_v03 =
        |interface: &&Value| field(interface, "protocolVersion").is_some_and(|version| version.starts_with("0.3"));
    let endpoint = interfaces.iter().filter(is_jsonrpc).find(is_v03).or_else(|| interfaces.iter().find(is_jsonrpc));
    let url = endpoint.and_then(|endpoint| field(endpoint, "url")).ok_or(TranslationError::NoEndpoint)?;
    fields.insert("url".to_owned(), url.into());
    fields.insert("preferredTransport".to_owned(), "JSONRPC".into());
    fields.insert("protocolVersion".to_owned(), VERSION.into());
    if fields.get("capabilities").and_then(|capabilities| capabilities.get("extendedAgentCard"))
        == Some(&Value::Bool(true))
    {
        fields.insert("supportsAuthenticatedExtendedCard".to_owned(), true.into());
    }
    add_requirements(fields);
    change_each(fields, "skills", "agent card", |skill| {
        add_requirements(skill);
        Ok(())
    })?;
    change(fields, "securitySchemes", "agent card", |schemes| {
        schemes.values_mut().try_for_each(|scheme| add_scheme(object(scheme, "security scheme")?))
    })
}

fn add_requirements(fields: &mut Object) {
    let Some(Value::Array(requirements)) = fields.get("securityRequirements") else { return };
    let requirements =
        requirements.iter().filter_map(|requirement| requirement.get("schemes")?.as_object()).map(|schemes| {
            let schemes = schemes.iter().map(|(name, scopes)| {
                let scopes = scopes.get("list").cloned().unwrap_or_else(|| json!([]));
                (name.clone(), scopes)
            });
            schemes.collect::<Object>()
        });
    let requirements: Vec<_> = requirements.map(Value::Object).collect();
    fields.insert("security".to_owned(), requirements.into());
}

/// Puts the fields of a scheme beside the object that has them in 1.0.
fn add_scheme(scheme: &mut Object) -> Result<(), TranslationError> {
    let Some((v1, v03)) = SCHEMES.iter().find(|(v1, _)| scheme.contains_key(*v1)) else { return Ok(()) };
    let Some(Value::Object(fields)) = scheme.get(*v1) else {
        return Err(TranslationError::NoObject { what: "security scheme" });
    };
    let mut fields = fields.clone();
    if let Some(location) = text(&fields, "location").map(str::to_owned) {
        fields.remove("location");
        fields.insert("in".to_owned(), location.into());
    }
    scheme.extend(fields);
    scheme.insert("type".to_owned(), (*v03).into());
    Ok(())
}
