//! Two connections that talk, and a model of what must arrive.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trill::__fuzz::operations(input));
