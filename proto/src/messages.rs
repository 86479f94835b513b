//! The messages of `proto/trpc.proto`, which `trpc.rs` has as prost makes them.

use bytes::Bytes;

include!("trpc.rs");

impl TransInfoEntry {
    /// Makes an entry that is written with both its parts, as the other implementations do, even if
    /// one is empty.
    #[must_use]
    pub fn new(key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self { key: Some(key.into()), value: Some(value.into()) }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn an_empty_metadata_value_is_written() {
        let request = RequestProtocol {
            trans_info: vec![TransInfoEntry::new("k", "")],
            ..Default::default()
        };
        assert_eq!(request.encode_to_vec(), [0x4a, 5, 0x0a, 1, b'k', 0x12, 0]);
    }

    #[test]
    fn a_missing_part_of_an_entry_reads_as_empty() {
        let entry = TransInfoEntry::decode(&[0x0a, 1, b'k'][..]).expect("a key alone is an entry");
        assert_eq!((entry.key(), entry.value()), ("k", &[][..]));
    }

    #[test]
    fn an_unknown_close_type_reads_as_close() {
        let close = CloseMeta::decode(&[0x08, 2][..]).expect("enums are open");
        assert_eq!(close.close_type(), CloseType::Close);
    }

    #[test]
    fn byte_fields_are_slices_of_the_input() {
        let request = RequestProtocol {
            func: Bytes::from_static(b"/pkg.Service/Method"),
            ..Default::default()
        };
        let input = Bytes::from(request.encode_to_vec());
        let decoded = RequestProtocol::decode(input.clone()).expect("just encoded");
        assert!(input.as_ptr_range().contains(&decoded.func.as_ptr()));
    }
}
