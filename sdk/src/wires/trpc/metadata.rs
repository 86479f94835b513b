//! Metadata as the entries of `trans_info`, a map: each key once, and as it is spelled.

use std::collections::HashSet;

use trill_proto::TransInfoEntry;

use crate::metadata::{Metadata, Pair};

/// Up to so many keys are compared with each other, which needs no memory; more are put in a set.
const FEW: usize = 16;

/// The metadata of entries, which the decoder gives with each key once. The pairs are made where
/// the entries are.
#[inline]
pub(crate) fn read(entries: Vec<TransInfoEntry>) -> Metadata {
    // Most heads have none.
    if entries.is_empty() {
        return Metadata::new();
    }
    let pair = |TransInfoEntry { key, value }| Pair {
        key: key.unwrap_or_default(),
        value: value.unwrap_or_default(),
    };
    Metadata::from_pairs(entries.into_iter().map(pair).collect())
}

/// The entries of metadata, made where the pairs are.
#[inline]
pub(crate) fn entries(metadata: Metadata) -> Vec<TransInfoEntry> {
    if metadata.is_empty() {
        return Vec::new();
    }
    // PROTOCOL 6
    let entry = |Pair { key, value }| TransInfoEntry { key: Some(key), value: Some(value) };
    metadata.into_pairs().into_iter().map(entry).collect()
}

/// A key that has more than one value. Keys that differ in case are two keys of the map: a peer may
/// have sent both, and they can be passed on.
pub(crate) fn repeated_key(metadata: &Metadata) -> Option<&str> {
    // PROTOCOL 6
    if metadata.len() <= FEW {
        let mut keys = metadata.iter().map(|(key, _)| key).enumerate();
        return keys.find_map(|(at, key)| {
            metadata.iter().take(at).any(|(before, _)| before == key).then_some(key)
        });
    }
    let mut seen = HashSet::with_capacity(metadata.len());
    metadata.iter().map(|(key, _)| key).find(|key| !seen.insert(*key))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn pairs_and_entries_are_made_of_each_other_without_a_copy() {
        let value = Bytes::from(vec![7; 100]);
        let came = vec![TransInfoEntry::new("key", value.clone()), TransInfoEntry::default()];
        let (place, key, bytes) =
            (came.as_ptr().addr(), came[0].key().as_ptr(), came[0].value().as_ptr());
        let metadata = read(came.clone());
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("key", &value[..]), ("", &[])]);
        let metadata = {
            drop(metadata);
            read(came)
        };
        let (same_key, same_bytes) = metadata.iter().next().unwrap();
        assert_eq!((same_key.as_ptr(), same_bytes.as_ptr()), (key, bytes));
        let sent = entries(metadata);
        assert_eq!((sent.as_ptr().addr(), sent[0].key().as_ptr()), (place, key));
        assert_eq!(sent[1], TransInfoEntry::new("", ""), "both parts are written");
        assert!(entries(Metadata::new()).is_empty());
    }

    #[test]
    fn a_key_with_two_values_is_found_among_few_and_among_many() {
        for count in [1, 2, 16, 17, 1_000] {
            let mut metadata =
                Metadata::try_from_iter((0..count).map(|at| (format!("key-{at}"), ""))).unwrap();
            metadata.append("KEY-0", "another spelling").unwrap();
            assert_eq!(repeated_key(&metadata), None, "{count}");
            metadata.append("key-0", "again").unwrap();
            assert_eq!(repeated_key(&metadata), Some("key-0"), "{count}");
        }
        assert_eq!(repeated_key(&Metadata::new()), None);
    }
}
