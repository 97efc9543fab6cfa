//! Numbers that states give to persons.

pub(super) mod de;
pub(super) mod es;
pub(super) mod fr;
pub(super) mod uk;
pub(super) mod us;
