//! Users of the issuer. Their passwords are public.

use std::{iter, time::Instant};

use ring::hmac;

use super::throttle::Throttle;
use crate::access::Role;

/// A user for development.
#[derive(Clone, Debug)]
pub struct DevelopmentUser {
    /// The user name.
    pub username: String,
    /// The full name.
    pub name: String,
    /// The role at work.
    pub role: Role,
}

impl DevelopmentUser {
    fn new(username: impl Into<String>, name: impl Into<String>, role: Role) -> Self {
        Self { username: username.into(), name: name.into(), role }
    }

    /// Returns the subject of tokens. It differs from the user name, as with real identity providers.
    pub fn subject(&self) -> String {
        format!("employee-{}", self.username)
    }

    /// Returns the password.
    pub fn password(&self) -> String {
        format!("{}-dev", self.username)
    }
}

/// The directory of users.
#[derive(Debug)]
pub struct Users {
    users: Vec<DevelopmentUser>,
    throttle: Throttle,
}

/// The outcome of a sign-in with a password.
pub(super) enum SignIn<'a> {
    User(&'a DevelopmentUser),
    Wrong,
    /// Too many wrong passwords: wait as many seconds.
    Throttled(u64),
}

/// Number of users that are shown on the sign-in page.
const SHOWN: usize = 3;

impl Users {
    /// Creates the directory of Alice, Bob and Carol, with as many more travelers and managers.
    pub fn with_load_test(each: u16) -> Self {
        let numbered = |letter: &str, title: &str, role| {
            (1..=each)
                .map(move |number| DevelopmentUser::new(format!("{letter}{number}"), format!("{title} {number}"), role))
                .collect::<Vec<_>>()
        };
        let named = [
            DevelopmentUser::new("alice", "Alice Novak", Role::Traveler),
            DevelopmentUser::new("bob", "Bob Martin", Role::Manager),
            DevelopmentUser::new("carol", "Carol Diaz", Role::Auditor),
        ];
        let users = iter::empty().chain(named).chain(numbered("alice", "Alice", Role::Traveler)).chain(numbered(
            "bob",
            "Bob",
            Role::Manager,
        ));
        Self { users: users.collect(), throttle: Throttle::default() }
    }

    /// Returns the users that the sign-in page names.
    pub fn shown(&self) -> &[DevelopmentUser] {
        self.users.get(..SHOWN).unwrap_or_default()
    }

    /// Returns the user with a name.
    pub(super) fn find(&self, username: &str) -> Option<&DevelopmentUser> {
        self.users.iter().find(|user| user.username == username)
    }

    /// Checks a password. It takes as long for unknown users.
    pub(super) fn sign_in(&self, key: &hmac::Key, username: &str, password: &str) -> SignIn<'_> {
        let user = self.find(&username.trim().to_ascii_lowercase());
        let (name, now) = (user.map(|user| user.username.as_str()), Instant::now());
        if let Some(wait) = self.throttle.wait(name, now) {
            return SignIn::Throttled(wait.as_secs() + 1);
        }
        let expected = user.map_or_else(String::new, DevelopmentUser::password);
        let expected = hmac::sign(key, expected.as_bytes());
        let is_right = hmac::verify(key, password.as_bytes(), expected.as_ref()).is_ok();
        match user {
            Some(user) if is_right => SignIn::User(user),
            _ => {
                self.throttle.failed(name, now);
                SignIn::Wrong
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_in_with_the_right_password_alone() {
        let users = Users::with_load_test(50);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        for (username, password, expected) in [
            ("alice", "alice-dev", Some("alice")),
            (" Alice ", "alice-dev", Some("alice")),
            ("bob50", "bob50-dev", Some("bob50")),
            ("alice", "bob-dev", None),
            ("alice", "", None),
            ("", "", None),
            ("bob51", "bob51-dev", None),
        ] {
            let outcome = users.sign_in(&key, username, password);
            let signed_in = if let SignIn::User(user) = outcome { Some(user.username.as_str()) } else { None };
            assert_eq!(signed_in, expected, "{username}");
        }
    }
}
