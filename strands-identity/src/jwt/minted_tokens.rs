//! Cache of minted tokens, bounded in size.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::SecretString;

use crate::Identity;

/// Tokens by the issuer and the subject of their users.
#[derive(Default)]
pub(super) struct MintedTokens {
    tokens: HashMap<(Option<String>, String), MintedToken>,
}

struct MintedToken {
    /// All that the token was made of.
    identity: Identity,
    token: SecretString,
    /// End of its use, since 1970.
    until: Duration,
}

impl MintedTokens {
    /// Returns the token of a user, unless it is about to expire or the identity has changed.
    pub(super) fn get(&self, identity: &Identity, now: Duration) -> Option<SecretString> {
        let minted = self.tokens.get(&key(identity))?;
        (minted.until > now && minted.identity == *identity).then(|| minted.token.clone())
    }

    /// Adds a token. If there are `capacity` others, expired ones are removed, or else the oldest.
    pub(super) fn insert(
        &mut self,
        identity: &Identity,
        token: SecretString,
        until: Duration,
        now: Duration,
        capacity: usize,
    ) {
        self.tokens.remove(&key(identity));
        if self.tokens.len() >= capacity {
            self.tokens.retain(|_, minted| minted.until > now);
        }
        if self.tokens.len() >= capacity {
            // All live equally long, so the one that ends first is the oldest.
            let oldest = self.tokens.iter().min_by_key(|(_, minted)| minted.until).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.tokens.remove(&oldest);
            }
        }
        if capacity > 0 {
            self.tokens.insert(key(identity), MintedToken { identity: identity.clone(), token, until });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }
}

fn key(identity: &Identity) -> (Option<String>, String) {
    (identity.issuer.clone(), identity.subject.clone())
}
