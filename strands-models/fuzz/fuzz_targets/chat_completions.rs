//! Any bytes as a response of Chat Completions.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| strands_models::fuzzing::chat_completions(input));
