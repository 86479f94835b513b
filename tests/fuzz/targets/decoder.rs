//! The decoder on any bytes in any pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trill::__fuzz::decoder(input));
