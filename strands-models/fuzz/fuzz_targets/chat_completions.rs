//! Any bytes as a response of Chat Completions, as OpenAI, Mistral, llama.cpp and many others speak it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| strands_models::fuzzing::chat_completions(input));
