//! HPACK on any blocks, beside the crate httlib-hpack.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut oracle = httlib_hpack::Decoder::with_dynamic_size(4096);
    trill::__fuzz::hpack(input, &mut |block| {
        let (mut block, mut fields) = (block.to_vec(), Vec::new());
        oracle.decode(&mut block, &mut fields).ok()?;
        Some(fields.into_iter().map(|(name, value, _)| (name, value)).collect())
    });
});
