//! Resources of a server: data with URIs that a program reads.

use bytes::Bytes;
use rmcp::model::{ReadResourceRequestParams, ReadResourceResponse, ResourceContents};
use rmcp::service::{Peer, RoleClient, ServiceError};
use strands_core::message::ContentBlock;

use super::content::{decoded, resource_content};
use super::description::{visible_line, visible_text};
use super::error::McpError;
use super::mcp_client::McpClient;
use super::reading::{Round, RoundInput};

/// Maximum size of a description, in bytes.
const MAX_DESCRIPTION: usize = 16 * 1024;

/// A resource that a server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceInfo {
    /// URI, for [`McpClient::read_resource`].
    pub uri: String,
    /// Name.
    pub name: String,
    /// Title for users.
    pub title: Option<String>,
    /// Description for users and models.
    pub description: Option<String>,
    /// Media type.
    pub mime_type: Option<String>,
    /// Size in bytes.
    pub size: Option<u64>,
}

/// A template of the URIs of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceTemplate {
    /// Template (RFC 6570), such as `file:///{path}`.
    pub uri_template: String,
    /// Name.
    pub name: String,
    /// Title for users.
    pub title: Option<String>,
    /// Description for users and models.
    pub description: Option<String>,
    /// Media type of all resources with such a URI.
    pub mime_type: Option<String>,
}

/// A part of a resource that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourcePart {
    /// URI: that of the resource, or of a part of it, such as a file in a folder.
    pub uri: String,
    /// Media type.
    pub mime_type: Option<String>,
    /// Data.
    pub data: ResourceData,
}

/// Data of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceData {
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
}

impl McpClient {
    /// Lists the server's resources, over all pages. The list is empty if the server does not offer resources.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`connect`](Self::connect) and of the requests.
    pub async fn list_resources(&self) -> Result<Vec<ResourceInfo>, McpError> {
        if !self.inner.caller.offers(|capabilities| capabilities.resources.is_some()).await? {
            return Ok(Vec::new());
        }
        let page = |peer: Peer<RoleClient>, params| async move {
            let page = peer.list_resources(params).await?;
            Ok((page.resources, page.next_cursor))
        };
        let resources = self.inner.caller.read_pages(page).await?;
        Ok(resources.into_iter().map(ResourceInfo::of).collect())
    }

    /// Lists the templates of the server's resources, over all pages.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`list_resources`](Self::list_resources).
    pub async fn list_resource_templates(&self) -> Result<Vec<ResourceTemplate>, McpError> {
        if !self.inner.caller.offers(|capabilities| capabilities.resources.is_some()).await? {
            return Ok(Vec::new());
        }
        let page = |peer: Peer<RoleClient>, params| async move {
            let page = peer.list_resource_templates(params).await?;
            Ok((page.resource_templates, page.next_cursor))
        };
        let templates = self.inner.caller.read_pages(page).await?;
        Ok(templates.into_iter().map(ResourceTemplate::of).collect())
    }

    /// Reads a resource. It may have several parts.
    ///
    /// ```no_run
    /// use strands::mcp::McpClient;
    /// # async fn example(agent: &mut strands::Agent, client: McpClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let parts = client.read_resource("docs://handbook").await?;
    /// let mut prompt = vec!["Summarize this.".into()];
    /// prompt.extend(parts.into_iter().flat_map(|part| part.into_content()));
    /// let response = agent.prompt(prompt).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`list_resources`](Self::list_resources), [`McpError::Rejected`] for an unknown resource, and
    /// [`McpError::InputRequired`] if the server requests input for which there is no callback.
    pub async fn read_resource(&self, uri: &str) -> Result<Vec<ResourcePart>, McpError> {
        let request = |peer: Peer<RoleClient>, RoundInput { responses, state }| {
            let mut params = ReadResourceRequestParams::new(uri);
            (params.input_responses, params.request_state) = (responses, state);
            async move {
                Ok(match peer.read_resource_once(params).await? {
                    ReadResourceResponse::InputRequired(required) => Round::Input(required),
                    ReadResourceResponse::Complete(result) => Round::Complete(result),
                    _ => return Err(ServiceError::UnexpectedResponse),
                })
            }
        };
        let result = self.inner.caller.read_rounds(uri, request).await?;
        let part = |contents| {
            ResourcePart::of(contents)
                .ok_or_else(|| self.inner.caller.unexpected("the data of a resource is not base64"))
        };
        result.contents.into_iter().map(part).collect()
    }
}

impl ResourcePart {
    /// Returns `None` if the data is not base64, or of a later kind.
    fn of(contents: ResourceContents) -> Option<Self> {
        Some(match contents {
            ResourceContents::TextResourceContents { uri, mime_type, text, .. } => {
                Self { uri, mime_type, data: ResourceData::Text(text) }
            }
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                Self { uri, mime_type, data: ResourceData::Bytes(decoded(&blob)?.into()) }
            }
            _ => return None,
        })
    }

    /// Returns content for a prompt: a text with the URI, and the data as text, image, document or audio. Data that no model
    /// reads becomes a note.
    pub fn into_content(self) -> Vec<ContentBlock> {
        let Self { uri, mime_type, data } = self;
        match data {
            ResourceData::Text(text) => resource_content(&uri, mime_type.as_deref(), Ok(text)),
            ResourceData::Bytes(bytes) => resource_content(&uri, mime_type.as_deref(), Err(bytes.into())),
        }
    }
}

impl ResourceInfo {
    fn of(resource: rmcp::model::Resource) -> Self {
        Self {
            uri: resource.uri,
            name: resource.name,
            title: resource.title.as_deref().map(visible_line),
            description: resource.description.as_deref().map(|text| visible_text(text, MAX_DESCRIPTION)),
            mime_type: resource.mime_type,
            size: resource.size,
        }
    }
}

impl ResourceTemplate {
    fn of(template: rmcp::model::ResourceTemplate) -> Self {
        Self {
            uri_template: template.uri_template,
            name: template.name,
            title: template.title.as_deref().map(visible_line),
            description: template.description.as_deref().map(|text| visible_text(text, MAX_DESCRIPTION)),
            mime_type: template.mime_type,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn part(contents: Value) -> Option<ResourcePart> {
        ResourcePart::of(serde_json::from_value(contents).unwrap())
    }

    #[test]
    fn reads_text_and_bytes() {
        let text = part(json!({"uri": "docs://a", "mimeType": "text/markdown", "text": "# A"})).unwrap();
        assert_eq!(text.data, ResourceData::Text("# A".to_owned()));
        let content = json!([{"text": "[Resource `docs://a` of type `text/markdown`:]\n# A"}]);
        assert_eq!(serde_json::to_value(text.into_content()).unwrap(), content);

        let bytes = part(json!({"uri": "docs://b.pdf", "blob": "JVBERi0="})).unwrap();
        assert_eq!(bytes.data, ResourceData::Bytes(Bytes::from_static(b"%PDF-")));
        let source = json!({"bytes": {"__bytes_encoded__": true, "data": "JVBERi0="}});
        let document = json!({"document": {"format": "pdf", "name": "b.pdf", "source": source}});
        let content = json!([{"text": "[Resource `docs://b.pdf`:]"}, document]);
        assert_eq!(serde_json::to_value(bytes.into_content()).unwrap(), content);
        assert_eq!(part(json!({"uri": "docs://c", "blob": "%"})), None);
    }
}
