//! Any bytes as a response of Ollama's chat.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| strands_models::fuzzing::ollama(input));
