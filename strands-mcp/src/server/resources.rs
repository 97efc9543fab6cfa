//! Resources: functions behind URIs. Variables of a URI template are the function's arguments.

use std::sync::Arc;

use rmcp::model::{ErrorData, ReadResourceResult, Resource, ResourceTemplate};
use serde_json::{Map, Value};
use strands_core::message::ToolResult;
use strands_core::{Tool, ToolSet, ToolSetError};

use super::{content, prompts};

/// Resources of a server.
#[derive(Default)]
pub(super) struct Resources {
    templates: Vec<(Template, Arc<dyn Tool>)>,
}

/// A URI with variables such as `{id}`.
struct Template {
    uri: String,
    parts: Vec<Part>,
}

enum Part {
    Text(String),
    /// At least one character, none of them `/`.
    Variable(String),
}

impl Resources {
    /// Adds a resource.
    pub(super) fn add(&mut self, uri: String, tool: Arc<dyn Tool>) -> Result<(), ToolSetError> {
        ToolSet::new(self.tools().chain([Arc::clone(&tool)]))?;
        self.templates.push((Template::new(uri), tool));
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// Returns the functions.
    pub(super) fn tools(&self) -> impl Iterator<Item = Arc<dyn Tool>> {
        self.templates.iter().map(|(_, tool)| Arc::clone(tool))
    }

    /// Returns the resources without variables, as the protocol lists them.
    pub(super) fn list(&self) -> Vec<Resource> {
        let fixed = self.templates.iter().filter(|(template, _)| !template.has_variables());
        fixed
            .map(|(template, tool)| {
                let spec = tool.spec();
                Resource::new(&template.uri, &spec.name).with_description(&spec.description)
            })
            .collect()
    }

    /// Returns the templates, as the protocol lists them.
    pub(super) fn list_templates(&self) -> Vec<ResourceTemplate> {
        let variable = self.templates.iter().filter(|(template, _)| template.has_variables());
        variable
            .map(|(template, tool)| {
                let spec = tool.spec();
                ResourceTemplate::new(&template.uri, &spec.name).with_description(&spec.description)
            })
            .collect()
    }

    /// Returns the name of the function for a URI, and its arguments.
    pub(super) fn find(&self, uri: &str) -> Option<(String, Map<String, Value>)> {
        self.templates.iter().find_map(|(template, tool)| Some((tool.spec().name.clone(), template.arguments(uri)?)))
    }
}

impl Template {
    fn new(uri: String) -> Self {
        let mut parts = Vec::new();
        let mut rest = uri.as_str();
        while let Some((text, variable, after)) = next_variable(rest) {
            parts.push(Part::Text(text.to_owned()));
            parts.push(Part::Variable(variable.to_owned()));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Self { uri, parts }
    }

    fn has_variables(&self) -> bool {
        self.parts.len() > 1
    }

    /// Returns the variables in a URI, or `None` if it is not one of the template.
    fn arguments(&self, uri: &str) -> Option<Map<String, Value>> {
        let mut arguments = Map::new();
        let mut rest = uri;
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Part::Variable(name) => {
                    let end = match parts.peek() {
                        Some(Part::Text(text)) if !text.is_empty() => rest.find(text.as_str())?,
                        _ => rest.len(),
                    };
                    let (value, after) = rest.split_at_checked(end)?;
                    if value.is_empty() || value.contains('/') {
                        return None;
                    }
                    arguments.insert(name.clone(), decoded(value)?.into());
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(arguments)
    }
}

/// Splits a template before and after its first variable.
fn next_variable(template: &str) -> Option<(&str, &str, &str)> {
    let (text, rest) = template.split_once('{')?;
    let (variable, after) = rest.split_once('}')?;
    Some((text, variable, after))
}

/// Decodes the percent-encoding of a variable.
fn decoded(value: &str) -> Option<String> {
    // A form decodes `+` as a space, a URI does not.
    let form = format!("v={}", value.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned())
}

/// Converts the result of a resource's function.
pub(super) fn contents(uri: &str, result: &ToolResult) -> Result<ReadResourceResult, ErrorData> {
    if result.is_error() {
        return Err(ErrorData::internal_error(prompts::error_text(result), None));
    }
    Ok(ReadResourceResult::new(content::resource_contents(uri, result)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Template;

    #[test]
    fn variables_are_parts_of_a_path() {
        let arguments =
            |template: &str, uri: &str| Template::new(template.to_owned()).arguments(uri).map(Value::Object);
        let template = "trips://{user}/trip-{id}.json";
        assert_eq!(arguments(template, "trips://ann/trip-7.json"), Some(json!({"user": "ann", "id": "7"})));
        assert_eq!(arguments(template, "trips://a%20n%2Bn/trip-7+8.json"), Some(json!({"user": "a n+n", "id": "7+8"})));
        for other in
            ["trips:///trip-7.json", "trips://ann/b/trip-7.json", "trips://ann/trip-7.jsonl", "trips://ann/trip-.json"]
        {
            assert_eq!(arguments(template, other), None, "{other}");
        }
        assert_eq!(arguments("note://a", "note://a"), Some(json!({})));
        assert_eq!(arguments("note://a", "note://ab"), None);
        assert_eq!(arguments("note://{open", "note://{open"), Some(json!({})));
    }
}
