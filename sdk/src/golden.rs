//! The golden files in `tests/vectors/` of the workspace, for the tests of all rooms.

use std::path::Path;

use serde::de::DeserializeOwned;

/// Reads a file of golden cases.
pub(crate) fn vectors<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).expect("a hexadecimal digit");
    text.as_bytes()
        .chunks(2)
        .map(|pair| {
            u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).expect("two digits fit into a byte")
        })
        .collect()
}
