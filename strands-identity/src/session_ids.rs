//! Ids of the sessions of users.

use serde_json::json;
use strands_core::uuid;

use crate::{Fingerprint, Identity};

const PREFIX: &str = "session_for_user_";
/// Longest part of an id for the subject, with the issuer if there is one. The whole id has at most 128 bytes.
const MAX_USER: usize = 77;
/// Hexadecimal digits of an issuer, and of the part for a further session.
const DIGITS: usize = 32;

/// Returns the id of the user's default session: `session_for_user_<subject>`.
///
/// Characters other than `a-z`, `0-9` and `-` are escaped, and long subjects are replaced by a hash, so that the id is valid in each
/// store and no two users share a session, even in a file system that does not distinguish `A` and `a`.
///
/// It is for programs with one issuer: the same subject of two issuers is the same user. See [`SessionIds::per_issuer`].
///
/// ```
/// use strands::identity::{Identity, session_id_for};
///
/// let id = session_id_for(&Identity::new("5f0c2ad4-8b1e-4f8e-9a43-0d7f5f1f2f3a"));
/// assert_eq!(id, "session_for_user_5f0c2ad4-8b1e-4f8e-9a43-0d7f5f1f2f3a");
/// assert_eq!(session_id_for(&Identity::new("a@b.c")), "session_for_user_a_40b_2ec");
/// ```
pub fn session_id_for(user: &Identity) -> String {
    SessionIds::new().default_for(user)
}

/// Returns true if a session is the user's: the default session, or one with an id of [`SessionIds::new_for`]. Check ids that come
/// from users.
///
/// It is for programs with one issuer. See [`SessionIds::per_issuer`].
pub fn owns_session(user: &Identity, session_id: &str) -> bool {
    SessionIds::new().owns(user, session_id)
}

/// Ids of the sessions of users.
///
/// A user has a default session, and any number of others, whose ids end with a part that the program makes. A user can't name the
/// session of another: [`owns`](Self::owns) tells them apart by the id alone.
///
/// ```
/// use strands::identity::{Identity, SessionIds};
///
/// let (alice, bob) = (Identity::new("alice"), Identity::new("bob"));
/// let ids = SessionIds::new();
/// let second = ids.new_for(&alice);
/// assert!(second.starts_with("session_for_user_alice__"));
/// assert!(ids.owns(&alice, &second) && !ids.owns(&bob, &second));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionIds {
    per_issuer: bool,
}

impl SessionIds {
    /// Creates ids for a program with one issuer: they have the subject alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates ids for a program that accepts identities of several issuers, one of which could give a subject of another: they have a
    /// hash of the issuer, too.
    pub fn per_issuer() -> Self {
        Self { per_issuer: true }
    }

    /// Returns the id of the user's default session.
    pub fn default_for(self, user: &Identity) -> String {
        format!("{PREFIX}{}", self.user_part(user))
    }

    /// Makes the id of a further session of the user.
    pub fn new_for(self, user: &Identity) -> String {
        let random = uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
        format!("{}__{}", self.default_for(user), random.simple())
    }

    /// Returns true if a session is the user's.
    pub fn owns(self, user: &Identity, session_id: &str) -> bool {
        let Some(rest) = session_id.strip_prefix(&self.default_for(user)) else { return false };
        rest.is_empty() || rest.strip_prefix("__").is_some_and(is_made_here)
    }

    /// Returns the part of an id that is different for each user. It never has `__`, with which the part of a further session begins.
    fn user_part(self, user: &Identity) -> String {
        let mut part = escaped(&user.subject);
        if self.per_issuer {
            // No subject has `_i` or `_h` in its escaped form.
            part.push_str("_i");
            part.extend(Fingerprint::of(&json!(user.issuer)).as_str().chars().take(DIGITS));
        }
        if part.len() > MAX_USER {
            let issuer = self.per_issuer.then_some(&user.issuer);
            part = format!("_h{}", Fingerprint::of(&json!([issuer, user.subject])));
        }
        part
    }
}

/// Escapes all but lower-case letters, digits and `-` as `_` with two hexadecimal digits.
fn escaped(subject: &str) -> String {
    let mut escaped = String::with_capacity(subject.len());
    for byte in subject.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("_{byte:02x}")),
        }
    }
    escaped
}

fn is_made_here(part: &str) -> bool {
    part.len() == DIGITS && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
