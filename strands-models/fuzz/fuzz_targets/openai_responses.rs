//! Any bytes as a response of OpenAI's Responses.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| strands_models::fuzzing::openai_responses(input));
