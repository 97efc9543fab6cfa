//! Any bytes as a response of Gemini's generateContent.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| strands_models::fuzzing::gemini(input));
