//! Size of the long suites.

/// Returns true if long suites run with their full counts: if `STRANDS_COUNTS` is `full`, as `.ci/full` sets it.
pub fn is_thorough() -> bool {
    std::env::var_os("STRANDS_COUNTS").is_some_and(|counts| counts == "full")
}
