//! S3 server for tests: one process, one bucket, conditional writes like Amazon's, and injectable faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::request::percent_decode;
use crate::{Request, Response, Server};

/// Maximum number of keys in one page of a listing, as in Amazon's S3.
const PAGE: usize = 1_000;

/// An S3 service with one bucket, on its own [`Server`].
///
/// It supports GET and HEAD (with `If-None-Match`), PUT (with `If-Match` and `If-None-Match`), DELETE, ListObjectsV2 and DeleteObjects. It
/// requires every request to be signed, but checks no signature.
pub struct S3Server {
    server: Server,
    state: Arc<Mutex<State>>,
}

/// A fault injected into a request.
#[derive(Debug)]
pub enum S3Fault {
    /// The request is not executed; this response is sent.
    Instead(Response),
    /// The request is executed, but this response is sent.
    After(Response),
}

type Interceptor = dyn Fn(&Request) -> Option<S3Fault> + Send;

#[derive(Default)]
struct State {
    bucket: String,
    objects: BTreeMap<String, Bytes>,
    interceptor: Option<Box<Interceptor>>,
}

impl S3Server {
    /// Starts a service with this empty bucket.
    pub async fn start(bucket: &str) -> Self {
        let state = Arc::new(Mutex::new(State { bucket: bucket.to_owned(), ..State::default() }));
        let shared = Arc::clone(&state);
        let server = Server::handler(move |request| lock(&shared).respond(request)).await;
        Self { server, state }
    }

    /// Returns the endpoint, for path-style requests.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Returns the underlying server, with its requests and counts.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the keys in the bucket, in order.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.state).objects.keys().cloned().collect()
    }

    /// Returns an object's content.
    pub fn object(&self, key: &str) -> Option<Bytes> {
        lock(&self.state).objects.get(key).cloned()
    }

    /// Stores an object, unconditionally.
    pub fn put(&self, key: &str, content: impl Into<Bytes>) {
        lock(&self.state).objects.insert(key.to_owned(), content.into());
    }

    /// Calls the interceptor for every request from now on.
    pub fn intercept(&self, interceptor: impl Fn(&Request) -> Option<S3Fault> + Send + 'static) {
        lock(&self.state).interceptor = Some(Box::new(interceptor));
    }

    /// Removes the interceptor.
    pub fn recover(&self) {
        lock(&self.state).interceptor = None;
    }
}

impl std::fmt::Debug for S3Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Server").field("server", &self.server).finish_non_exhaustive()
    }
}

impl State {
    fn respond(&mut self, request: &Request) -> Response {
        match self.interceptor.as_ref().and_then(|interceptor| interceptor(request)) {
            Some(S3Fault::Instead(response)) => response,
            Some(S3Fault::After(response)) => {
                self.carry_out(request);
                response
            }
            None => self.carry_out(request),
        }
    }

    fn carry_out(&mut self, request: &Request) -> Response {
        if request.header("authorization").is_none_or(str::is_empty) {
            return error(403, "AccessDenied", "the request is not signed");
        }
        let path = percent_decode(request.path.trim_start_matches('/'));
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        if bucket != self.bucket {
            return error(404, "NoSuchBucket", "the bucket does not exist");
        }
        match (request.method.as_str(), key) {
            ("GET", "") => self.list(request),
            ("POST", "") if request.parameter("delete").is_some() => self.delete_all(request),
            ("GET" | "HEAD", key) => self.get(request, key),
            ("PUT", key) => self.put(request, key),
            ("DELETE", key) => {
                self.objects.remove(key);
                Response::new(204)
            }
            _ => error(405, "MethodNotAllowed", "this S3 knows no such request"),
        }
    }

    fn get(&self, request: &Request, key: &str) -> Response {
        let Some(content) = self.objects.get(key) else {
            return error(404, "NoSuchKey", "the key does not exist");
        };
        if request.header("if-none-match").is_some_and(|known| known == etag(content)) {
            return Response::new(304).header("etag", &etag(content));
        }
        let response = Response::new(200)
            .header("etag", &etag(content))
            .header("last-modified", "Sun, 22 Nov 2026 12:00:00 GMT")
            .content_type("application/json");
        if request.method == "HEAD" {
            // The server leaves out the length if there is no body.
            return response.header("content-length", &content.len().to_string());
        }
        response.body(content.clone())
    }

    fn put(&mut self, request: &Request, key: &str) -> Response {
        let present = self.objects.get(key).map(etag);
        if request.header("if-none-match") == Some("*") && present.is_some() {
            return error(412, "PreconditionFailed", "the key exists");
        }
        if let Some(wanted) = request.header("if-match") {
            match present {
                None => return error(404, "NoSuchKey", "the key does not exist"),
                Some(present) if present != wanted => {
                    return error(412, "PreconditionFailed", "the object has changed");
                }
                Some(_) => {}
            }
        }
        let response = Response::new(200).header("etag", &etag(&request.body));
        self.objects.insert(key.to_owned(), request.body.clone());
        response
    }

    fn list(&self, request: &Request) -> Response {
        let parameter = |name| request.parameter(name).unwrap_or_default();
        let (prefix, delimiter) = (parameter("prefix"), parameter("delimiter"));
        let after = parameter("continuation-token").max(parameter("start-after"));
        let mut entries = BTreeMap::new();
        let matching = self.objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        let mut truncated = false;
        for (key, content) in matching {
            let rest = key.get(prefix.len()..).unwrap_or_default();
            let folder = rest.find(delimiter).filter(|_| !delimiter.is_empty());
            let (name, entry) = match folder {
                Some(end) => {
                    let folder = key.get(..prefix.len() + end + delimiter.len()).unwrap_or(key);
                    (folder, format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escape(folder)))
                }
                None => (
                    key.as_str(),
                    format!(
                        "<Contents><Key>{}</Key><LastModified>2026-11-22T12:00:00.000Z</LastModified>\
                         <ETag>{}</ETag><Size>{}</Size></Contents>",
                        escape(key),
                        escape(&etag(content)),
                        content.len()
                    ),
                ),
            };
            if !entries.contains_key(name) && entries.len() == PAGE {
                truncated = true;
                break;
            }
            entries.insert(name.to_owned(), entry);
        }
        let mut body = format!("<ListBucketResult><Prefix>{}</Prefix>", escape(prefix));
        body.push_str(&format!("<KeyCount>{}</KeyCount><IsTruncated>{truncated}</IsTruncated>", entries.len()));
        if let Some((last, _)) = entries.last_key_value().filter(|_| truncated) {
            // The content of a folder is not listed again on the next page.
            let token = if delimiter.is_empty() { last.clone() } else { format!("{last}\u{10ffff}") };
            body.push_str(&format!("<NextContinuationToken>{}</NextContinuationToken>", escape(&token)));
        }
        body.extend(entries.into_values());
        xml(200, &(body + "</ListBucketResult>"))
    }

    fn delete_all(&mut self, request: &Request) -> Response {
        let body = String::from_utf8_lossy(&request.body);
        let mut answer = "<DeleteResult>".to_owned();
        for part in body.split("<Key>").skip(1) {
            let key = unescape(part.split("</Key>").next().unwrap_or_default());
            self.objects.remove(&key);
            answer.push_str(&format!("<Deleted><Key>{}</Key></Deleted>", escape(&key)));
        }
        xml(200, &(answer + "</DeleteResult>"))
    }
}

/// Returns the entity tag: as in S3, the same content has the same tag.
fn etag(content: &Bytes) -> String {
    format!("\"{:08x}{:08x}\"", crc32fast::hash(content), content.len())
}

fn error(status: u16, code: &str, message: &str) -> Response {
    xml(status, &format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

fn xml(status: u16, body: &str) -> Response {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
    Response::new(status).content_type("application/xml").body(body)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// Ignores poisoning, so that the panic of another test keeps its message.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
