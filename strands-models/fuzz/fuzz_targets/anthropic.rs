//! Any bytes as a response of Anthropic's Messages.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| strands_models::fuzzing::anthropic(input));
