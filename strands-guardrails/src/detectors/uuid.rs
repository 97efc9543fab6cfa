//! UUIDs, whose digits are no personal data: one in a few thousand has a part that is a valid card number.

use super::reading::{Candidate, follows_alphanumeric, is_alphanumeric};

const LENGTH: usize = 36;
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// Relation of a position to a UUID.
#[derive(PartialEq, Eq)]
enum InUuid {
    Yes,
    No,
    /// The text ends before the UUID does.
    Open,
    /// The text ends with the UUID.
    AtEnd,
}

/// Returns a finding of digits at a position, unless they are of a UUID.
pub(super) fn outside_uuid(bytes: &[u8], start: usize, candidate: Candidate) -> Candidate {
    if candidate.end.is_none() {
        return candidate;
    }
    match in_uuid(bytes, start) {
        InUuid::Yes => Candidate::NONE,
        InUuid::No => candidate,
        InUuid::Open => Candidate { is_open: true, ..candidate },
        InUuid::AtEnd => Candidate::OPEN,
    }
}

fn in_uuid(bytes: &[u8], at: usize) -> InUuid {
    let starts = at.saturating_sub(LENGTH - 1)..=at;
    let states = starts.filter(|start| !follows_alphanumeric(bytes, *start)).map(|start| uuid_at(bytes, start));
    states.fold(InUuid::No, |known, state| if known == InUuid::No { state } else { known })
}

fn uuid_at(bytes: &[u8], start: usize) -> InUuid {
    for index in 0..LENGTH {
        let is_expected = match bytes.get(start + index) {
            None => return InUuid::Open,
            Some(byte) if HYPHENS.contains(&index) => *byte == b'-',
            Some(byte) => byte.is_ascii_hexdigit(),
        };
        if !is_expected {
            return InUuid::No;
        }
    }
    match start + LENGTH {
        end if end >= bytes.len() => InUuid::AtEnd,
        end if is_alphanumeric(bytes, end) => InUuid::No,
        _ => InUuid::Yes,
    }
}
