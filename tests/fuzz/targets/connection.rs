//! A whole connection against a peer that sends anything, with an application that does anything it
//! may.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trill::__fuzz::connection(input));
