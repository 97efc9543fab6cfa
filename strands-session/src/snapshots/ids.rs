//! Snapshot ids: UUIDs of version 7, which sort in the order of their creation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{Builder, Uuid};

/// Number of bits of the counter within one millisecond.
const COUNTER_BITS: u32 = 12;
const COUNTER_MASK: u64 = (1 << COUNTER_BITS) - 1;
/// A counter starts at a random value in its lower half, so that processes rarely create equal prefixes.
const SEED_MASK: u64 = COUNTER_MASK >> 1;

/// The newest time and count that this process has used.
static NEWEST: AtomicU64 = AtomicU64::new(0);

/// Returns an id that sorts after all ids of this process, and after ids of other processes from earlier milliseconds.
pub(crate) fn next() -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    let fresh = (milliseconds << COUNTER_BITS) | (fastrand::u64(..) & SEED_MASK);
    // A full counter carries into the next millisecond.
    let after = |newest: u64| {
        let same_millisecond = fresh >> COUNTER_BITS <= newest >> COUNTER_BITS;
        if same_millisecond { newest + 1 } else { fresh }
    };
    let before = NEWEST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |newest| Some(after(newest)));
    let ticks = before.map_or(fresh, after);
    id(ticks, fastrand::u64(..)).hyphenated().to_string()
}

fn id(ticks: u64, random: u64) -> Uuid {
    let mut bytes = [0; 10];
    let (counter, rest) = bytes.split_at_mut(2);
    let [.., high, low] = (ticks & COUNTER_MASK).to_be_bytes();
    counter.copy_from_slice(&[high, low]);
    rest.copy_from_slice(&random.to_be_bytes());
    Builder::from_unix_timestamp_millis(ticks >> COUNTER_BITS, &bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creates_ascending_ids_on_concurrent_threads() {
        let made: Vec<_> =
            (0..4).map(|_| std::thread::spawn(|| (0..5_000).map(|_| next()).collect::<Vec<_>>())).collect();
        let mut all: Vec<String> = Vec::new();
        for ids in made {
            let ids = ids.join().unwrap();
            assert!(ids.is_sorted_by(|a, b| a < b));
            all.extend(ids);
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(next() > *all.last().unwrap());
    }

    #[test]
    fn carries_a_full_counter_into_the_next_millisecond() {
        let last = id((1_000 << COUNTER_BITS) | COUNTER_MASK, u64::MAX).hyphenated().to_string();
        let next = id((1_000 << COUNTER_BITS) + COUNTER_MASK + 1, 0).hyphenated().to_string();
        assert_eq!(last, "00000000-03e8-7fff-bfff-ffffffffffff");
        assert_eq!(next, "00000000-03e9-7000-8000-000000000000");
    }
}
