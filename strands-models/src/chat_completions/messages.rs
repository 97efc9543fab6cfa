//! The conversation at the end of a request's body. Each message is written once: a request that goes on from an earlier
//! one begins with its bytes.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use strands_core::message::{Message, Role};
use strands_core::model::{MessageWriter, ModelRequest, WrittenMessages};

use super::content::system_text;
use super::dialect::Dialect;
use super::request::{Said, assistant, user};

/// Puts the conversation behind the other fields of a body.
pub(super) fn append(
    body: &mut Vec<u8>,
    request: &ModelRequest<'_>,
    dialect: &Dialect,
    writer: MessageWriter,
) -> Result<(), serde_json::Error> {
    // The object is opened again.
    body.pop();
    body.extend_from_slice(br#","messages":["#);
    let begins = body.len();
    if let Some(system) = system_text(request.system) {
        serde_json::to_writer(&mut *body, &Said { role: "system", content: &*system })?;
    }
    let write = |bytes: &mut Vec<u8>, message: &Message| {
        let from = bytes.len();
        serde_json::to_writer(&mut *bytes, &Sent(message, dialect))?;
        // A list without its brackets, behind a comma; or nothing, where nothing of the message is sent.
        bytes.pop();
        if bytes.len() == from + 1 {
            bytes.truncate(from);
        } else if let Some(bracket) = bytes.get_mut(from) {
            *bracket = b',';
        }
        Ok(())
    };
    let unkept = WrittenMessages::default();
    request.written.unwrap_or(&unkept).read(writer, request.messages, write, |messages| {
        let first = usize::from(body.len() == begins);
        body.reserve_exact(messages.len() + 2);
        body.extend_from_slice(messages.get(first..).unwrap_or_default());
    })?;
    body.extend_from_slice(b"]}");
    Ok(())
}

/// What a message is sent as: mostly one, and one for each tool's result.
struct Sent<'a>(&'a Message, &'a Dialect);

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(message, dialect) = self;
        let mut messages = serializer.serialize_seq(None)?;
        match message.role {
            Role::User => user(&mut messages, message, dialect)?,
            Role::Assistant => assistant(&mut messages, message, dialect)?,
        }
        messages.end()
    }
}
