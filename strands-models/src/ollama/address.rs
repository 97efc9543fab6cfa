//! Server address and API key: from the builder, `OLLAMA_HOST` and `OLLAMA_API_KEY`.

use reqwest::Url;
use secrecy::SecretString;

use crate::http::{ApiKey, Exchange, ModelBuildError, Options};

const BASE_URL: &str = "http://localhost:11434";
const CLOUD: &str = "ollama.com";
const HOST_VARIABLE: &str = "OLLAMA_HOST";
const KEY_VARIABLE: &str = "OLLAMA_API_KEY";

/// Opens the exchange with the server's chat endpoint.
pub(super) fn open(
    options: &Options,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Exchange, ModelBuildError> {
    let variable = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
    let base_url = match &options.connection.base_url {
        Some(base_url) => base_url.clone(),
        None => variable(HOST_VARIABLE).map_or_else(|| BASE_URL.to_owned(), |host| base_url_of(&host)),
    };
    // Ollama's documentation gives the base URL with `/api`.
    let base_url = base_url.trim().trim_end_matches('/');
    let base_url = base_url.strip_suffix("/api").unwrap_or(base_url);
    let mut api_key = options.connection.api_key.clone();
    if api_key.is_none() && is_cloud(base_url) {
        // The variable holds the key for Ollama's cloud: no other server may receive it.
        let key = variable(KEY_VARIABLE).ok_or(ModelBuildError::MissingApiKey { variable: KEY_VARIABLE })?;
        api_key = Some(SecretString::from(key.trim().to_owned()));
    }
    options.open(&options.connection, base_url, &["api", "chat"], ApiKey::bearer(api_key.as_ref()))
}

fn is_cloud(base_url: &str) -> bool {
    let Ok(url) = Url::parse(base_url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "https" && (host == CLOUD || host.strip_suffix(CLOUD).is_some_and(|rest| rest.ends_with('.')))
}

/// The base URL of a value of `OLLAMA_HOST`: a host, a host and a port, or a URL. The server listens at this address and
/// clients connect to it, so an unspecified address (`0.0.0.0`, `::`) becomes the loopback address.
fn base_url_of(host: &str) -> String {
    let host = host.trim().trim_matches(['"', '\'']);
    let (scheme, rest, default_port) = match host.split_once("://") {
        Some(("http", rest)) => ("http", rest, "80"),
        Some((scheme, rest)) => (scheme, rest, "443"),
        None if host == CLOUD => ("https", host, "443"),
        None => ("http", host, "11434"),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, given_port) = match authority.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port),
        _ => (authority, ""),
    };
    let name = match name.trim_matches(['[', ']']) {
        "" => "localhost".to_owned(),
        "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        name if name.contains(':') => format!("[{name}]"),
        name => name.to_owned(),
    };
    let port = if given_port.is_empty() { default_port } else { given_port };
    format!("{scheme}://{name}:{port}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_hosts_as_ollama_does() {
        for (host, base_url) in [
            ("1.2.3.4", "http://1.2.3.4:11434/"),
            (":56789", "http://localhost:56789/"),
            ("1.2.3.4:56789", "http://1.2.3.4:56789/"),
            ("http://1.2.3.4", "http://1.2.3.4:80/"),
            ("https://example.com", "https://example.com:443/"),
            ("https://example.com:56789/path", "https://example.com:56789/path"),
            ("example.com/", "http://example.com:11434/"),
            ("\"example.com:56789\"", "http://example.com:56789/"),
            ("ollama.com", "https://ollama.com:443/"),
            ("0.0.0.0", "http://127.0.0.1:11434/"),
            ("[::]:8080", "http://[::1]:8080/"),
            ("0001:002:003:0004::1", "http://[0001:002:003:0004::1]:11434/"),
            ("[0001:002:003:0004::1]/path", "http://[0001:002:003:0004::1]:11434/path"),
            ("https://[::1]:56789", "https://[::1]:56789/"),
        ] {
            assert_eq!(base_url_of(host), base_url, "{host}");
        }
    }

    /// The host, or the text of the error.
    fn host(base_url: Option<&str>, variables: &[(&str, &str)]) -> Result<String, String> {
        let mut options = Options::new("qwen3:8b");
        options.connection.base_url = base_url.map(str::to_owned);
        let environment =
            |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        let exchange = open(&options, environment).map_err(|error| error.to_string())?;
        Ok(exchange.endpoint.host().to_owned())
    }

    #[test]
    fn local_servers_need_no_key() {
        assert_eq!(host(None, &[]).unwrap(), "localhost");
        assert_eq!(host(None, &[("OLLAMA_HOST", "gpu-box:1234")]).unwrap(), "gpu-box");
        assert_eq!(host(Some("http://127.0.0.1:1/api"), &[("OLLAMA_HOST", "gpu-box")]).unwrap(), "127.0.0.1");
        assert!(host(Some("gpu-box:1234"), &[]).is_err(), "a base URL has a scheme");
        assert!(host(None, &[("OLLAMA_HOST", "gpu-box:port")]).is_err());
    }

    #[test]
    fn sends_the_key_of_the_environment_to_the_cloud_only() {
        for base_url in ["https://ollama.com", "https://ollama.com/api/"] {
            let error = host(Some(base_url), &[]).unwrap_err();
            assert!(error.contains("OLLAMA_API_KEY"), "{error}");
            assert_eq!(host(Some(base_url), &[("OLLAMA_API_KEY", "k\n")]).unwrap(), "ollama.com");
        }
        assert!(host(None, &[("OLLAMA_HOST", "ollama.com")]).is_err());
        // A key that no header can hold makes an error wherever it would be sent.
        let unsendable = [("OLLAMA_API_KEY", "a\nb")];
        assert!(host(Some("https://ollama.com"), &unsendable).is_err());
        for other in
            ["http://ollama.com", "https://notollama.com", "http://localhost:11434", "https://ollama.com.evil.example"]
        {
            assert!(host(Some(other), &unsendable).is_ok(), "{other}");
        }
        assert!(host(None, &[("OLLAMA_API_KEY", "a\nb"), ("OLLAMA_HOST", "https://gpu-box")]).is_ok());
    }
}
