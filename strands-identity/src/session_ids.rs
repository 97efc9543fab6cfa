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

    /// Returns the id of the session of a user that has a name elsewhere, such as the id that a platform gave it. The same name of
    /// two users is two sessions.
    ///
    /// ```
    /// use strands::identity::{Identity, SessionIds};
    ///
    /// let (alice, bob) = (Identity::new("alice"), Identity::new("bob"));
    /// let ids = SessionIds::new();
    /// assert_eq!(ids.named_for(&alice, "chat-1"), ids.named_for(&alice, "chat-1"));
    /// assert!(!ids.owns(&bob, &ids.named_for(&alice, "chat-1")));
    /// ```
    pub fn named_for(self, user: &Identity, name: &str) -> String {
        let mut id = format!("{}__", self.default_for(user));
        id.extend(Fingerprint::of(&json!(name)).as_str().chars().take(DIGITS));
        id
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Both kinds of ids.
    const KINDS: [SessionIds; 2] = [SessionIds { per_issuer: false }, SessionIds { per_issuer: true }];

    fn user(subject: &str, issuer: Option<&str>) -> Identity {
        issuer.map_or_else(|| Identity::new(subject), |issuer| Identity::new(subject).with_issuer(issuer))
    }

    /// The rule of `strands-session`, and the one of file systems that don't distinguish upper and lower case.
    fn is_valid(id: &str) -> bool {
        (1..=128).contains(&id.len())
            && !id.starts_with('.')
            && id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    }

    #[test]
    fn plain_subjects_stay_as_they_are() {
        for subject in
            ["alice", "5f0c2ad4-8b1e-4f8e-9a43-0d7f5f1f2f3a", "10769150350006150715113082367", &"a".repeat(77)]
        {
            for issuer in [None, Some("https://issuer.example.com")] {
                assert_eq!(session_id_for(&user(subject, issuer)), format!("session_for_user_{subject}"));
            }
        }
        assert_eq!(session_id_for(&user("auth0|Ab.c_d", None)), "session_for_user_auth0_7c_41b_2ec_5fd");
    }

    #[test]
    fn long_subjects_are_hashed() {
        let ids: Vec<String> = [78, 79, 1000].map(|length| session_id_for(&user(&"a".repeat(length), None))).into();
        for id in &ids {
            assert!(id.starts_with("session_for_user__h") && id.len() == 83, "{id}");
        }
        assert!(ids[0] != ids[1] && ids[1] != ids[2]);
        // The text of a hash is not the subject with this hash.
        let forged = ids[0].strip_prefix(PREFIX).unwrap();
        assert_ne!(session_id_for(&user(forged, None)), ids[0]);
    }

    #[test]
    fn only_ids_that_are_made_here_are_owned() {
        let alice = user("alice", None);
        for id in [
            "",
            "session_for_user_",
            "session_for_user_alic",
            "session_for_user_alice2",
            "session_for_user_alice_",
            "session_for_user_alice__",
            "session_for_user_alice__0123",
            "session_for_user_alice/../bob",
            "session_for_user_alice__0123456789abcdef0123456789abcdeg",
            "session_for_user_alice__0123456789ABCDEF0123456789ABCDEF",
            "session_for_user_alice__0123456789abcdef0123456789abcdef0",
            "SESSION_FOR_USER_ALICE",
            "session_for_user_bob",
        ] {
            assert!(!owns_session(&alice, id), "{id}");
        }
        assert!(owns_session(&alice, "session_for_user_alice"));
        assert!(owns_session(&alice, "session_for_user_alice__0123456789abcdef0123456789abcdef"));
    }

    #[test]
    fn new_ids_are_different() {
        let mut seen = HashMap::new();
        for _ in 0..1000 {
            *seen.entry(SessionIds::new().new_for(&user("alice", None))).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 1000);
    }

    #[test]
    fn issuers_are_told_apart_by_choice() {
        let users = [None, Some(""), Some("https://a.example.com"), Some("https://b.example.com")];
        let id = |ids: SessionIds, issuer| ids.default_for(&user("alice", issuer));
        assert!(users.iter().all(|issuer| id(SessionIds::new(), *issuer) == "session_for_user_alice"));
        let distinct: HashMap<_, _> = users.iter().map(|issuer| (id(SessionIds::per_issuer(), *issuer), ())).collect();
        assert_eq!(distinct.len(), users.len());
    }

    /// Subjects that look like parts of ids, and any others.
    fn subject() -> impl Strategy<Value = String> {
        prop_oneof![
            "[aAbB_.~%-]{0,6}",
            "[a-c]{0,2}(_|__|_i|_h|_5f|_41)[0-9a-f]{0,3}",
            "(a|A){70,90}",
            "a(__|_i)[0-9a-f]{32}",
            "\\PC{0,20}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// No two users share a session, whatever their names are, and none owns one of another.
        #[test]
        fn users_never_share_sessions(
            (one, two) in (subject(), subject()),
            issuers in (prop::option::of("[ab]{0,2}"), prop::option::of("[ab]{0,2}")),
        ) {
            let (first, second) = (user(&one, issuers.0.as_deref()), user(&two, issuers.1.as_deref()));
            for ids in KINDS {
                let same = one == two && (!ids.per_issuer || issuers.0 == issuers.1);
                let (default, other) = (ids.default_for(&first), ids.default_for(&second));
                let (further, others) = (ids.new_for(&first), ids.new_for(&second));
                for id in [&default, &further] {
                    prop_assert!(is_valid(id), "{id}");
                    prop_assert!(ids.owns(&first, id));
                    prop_assert_eq!(ids.owns(&second, id), same);
                }
                prop_assert_eq!(default == other, same);
                prop_assert!(further != other && further != others && default != others);
            }
        }

        /// Guesses of ids are owned by one user at most.
        #[test]
        fn an_id_has_one_owner(
            (one, two) in (subject(), subject()),
            guess in "session_for_user_([ab_]|_[0-9a-f]{2}|__[0-9a-f]{32}|_h[0-9a-f]{64}){0,4}",
        ) {
            let (first, second) = (user(&one, None), user(&two, None));
            prop_assert!(one == two || !(owns_session(&first, &guess) && owns_session(&second, &guess)));
        }
    }
}
