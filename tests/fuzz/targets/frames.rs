//! The frames of HTTP/2 in any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trill::__fuzz::frames(input));
