//! Heads and ends of gRPC calls in any header blocks.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trill::__fuzz::heads(input));
