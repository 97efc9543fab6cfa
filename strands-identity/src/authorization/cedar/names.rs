//! Names of entity types.

use std::str::FromStr;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};

use super::CedarError;

/// Entity types of requests.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) user: EntityTypeName,
    pub(super) role: EntityTypeName,
    pub(super) action: EntityTypeName,
    pub(super) agent: EntityTypeName,
}

impl Names {
    /// Creates the names with a prefix, which is empty or ends with `::`.
    pub(super) fn with_prefix(prefix: &str) -> Result<Self, CedarError> {
        let name = |name| {
            let name = format!("{prefix}{name}");
            EntityTypeName::from_str(&name).map_err(|error| CedarError::invalid_name(&name, &error))
        };
        Ok(Self { user: name("User")?, role: name("Role")?, action: name("Action")?, agent: name("Agent")? })
    }
}

/// Creates an id without parsing it: it may have any characters.
pub(super) fn uid(ty: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(ty.clone(), EntityId::new(id))
}
