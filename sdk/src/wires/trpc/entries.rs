//! Metadata as it comes: how many entries a header may have, and one of each key.
//!
//! An entry takes two bytes on the wire and a hundred in memory, so they are counted before they
//! are decoded.

use std::collections::HashSet;

use bytes::Bytes;
use trill_proto::TransInfoEntry;
use trill_proto::prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, skip_field,
};

use crate::framing::MAX_ENTRIES;

use super::error::FrameFault;

/// The fewest bytes that an entry takes: its key and its length.
const ENTRY_MIN: usize = 2;

/// Up to so many entries are compared with each other, which needs no memory; more are put in a
/// set.
const FEW: usize = 16;

/// Where the entries stand in each message: the numbers of the fields, from the outside in.
pub(super) const IN_REQUEST: &[u32] = &[9];
pub(super) const IN_RESPONSE: &[u32] = &[8];
pub(super) const IN_INIT: &[u32] = &[1, 5];
pub(super) const IN_CLOSE: &[u32] = &[5];

/// Refuses a message with too many entries before anything is made of it.
// PROTOCOL 37
#[inline]
pub(super) fn check(message: &[u8], path: &[u32]) -> Result<(), FrameFault> {
    if message.len() <= MAX_ENTRIES * ENTRY_MIN {
        return Ok(());
    }
    if count(message, path) > MAX_ENTRIES {
        return Err(FrameFault::TooManyEntries { limit: MAX_ENTRIES });
    }
    Ok(())
}

/// How many entries stand in front of the first fault, where decoding ends as well. Once they are
/// too many the rest is not looked at: a header of 64 KiB may hold 32,000.
fn count(mut message: &[u8], path: &[u32]) -> usize {
    let [field, inner @ ..] = path else { return 1 };
    let mut entries = 0;
    while entries <= MAX_ENTRIES
        && let Ok((number, wire_type)) = decode_key(&mut message)
    {
        if (number, wire_type) == (*field, WireType::LengthDelimited) {
            let Ok(len) = decode_varint(&mut message) else { break };
            let Some((part, rest)) =
                usize::try_from(len).ok().and_then(|len| message.split_at_checked(len))
            else {
                // A part that is cut short is decoded as far as it goes.
                return entries + count(message, inner);
            };
            entries += count(part, inner);
            message = rest;
        } else if skip_field(wire_type, number, &mut message, DecodeContext::default()).is_err() {
            break;
        }
    }
    entries
}

/// Keeps the last of equal keys, and no room for the others.
// PROTOCOL 6
pub(super) fn settle(entries: &mut Vec<TransInfoEntry>) {
    if entries.is_empty() {
        return;
    }
    if entries.len() <= FEW {
        keep_last_of_few(entries);
    } else {
        keep_last_of_many(entries);
    }
    if entries.capacity() > entries.len() + FEW {
        entries.shrink_to_fit();
    }
}

/// Copies the values, so that they do not keep the buffer that they are slices of.
pub(super) fn let_go_of_input(entries: &mut [TransInfoEntry]) {
    for value in entries.iter_mut().filter_map(|entry| entry.value.as_mut()) {
        *value = Bytes::copy_from_slice(value);
    }
}

fn keep_last_of_few(entries: &mut Vec<TransInfoEntry>) {
    let mut at = 0;
    while at < entries.len() {
        let (here, behind) = entries[at..].split_first().expect("it is not the end");
        if behind.iter().any(|entry| entry.key() == here.key()) {
            entries.remove(at);
        } else {
            at += 1;
        }
    }
}

/// In linear time whatever the keys are: the set hashes with a seed that nobody knows.
fn keep_last_of_many(entries: &mut Vec<TransInfoEntry>) {
    let mut seen = HashSet::with_capacity(entries.len());
    let mut is_last = vec![false; entries.len()];
    for (at, entry) in entries.iter().enumerate().rev() {
        is_last[at] = seen.insert(entry.key());
    }
    let mut is_last = is_last.into_iter();
    entries.retain(|_| is_last.next().expect("there is one for each"));
}

#[cfg(test)]
mod tests {
    use trill_proto::prost::Message;
    use trill_proto::{CloseMeta, InitMeta, InitRequestMeta, RequestProtocol, ResponseProtocol};

    use super::*;

    fn numbered(count: usize) -> Vec<TransInfoEntry> {
        (0..count)
            .map(|at| TransInfoEntry::new(format!("key {}", at % 700), at.to_string()))
            .collect()
    }

    #[test]
    fn the_last_of_equal_keys_counts_among_few_and_among_many() {
        for (count, kept) in [(1, 1), (16, 16), (17, 17), (800, 700)] {
            let mut entries = numbered(count);
            settle(&mut entries);
            assert_eq!(entries.len(), kept, "{count}");
            assert!(entries.capacity() <= kept + FEW, "{count}: room for {}", entries.capacity());
            assert_eq!(entries[kept - 1].value(), (count - 1).to_string().as_bytes());
        }
        let mut one = vec![
            TransInfoEntry::new("a", "1"),
            TransInfoEntry::new("b", "2"),
            TransInfoEntry::new("a", "3"),
        ];
        let mut many = [numbered(20), one.clone()].concat();
        settle(&mut one);
        settle(&mut many);
        let expected = [TransInfoEntry::new("b", "2"), TransInfoEntry::new("a", "3")];
        assert_eq!((&one[..], &many[20..]), (&expected[..], &expected[..]));
    }

    #[test]
    fn values_do_not_keep_the_buffer_that_they_came_in() {
        let entries = vec![TransInfoEntry::new("key", "value")];
        let came = Bytes::from(
            RequestProtocol { trans_info: entries, ..Default::default() }.encode_to_vec(),
        );
        let mut decoded = RequestProtocol::decode(came.clone()).unwrap();
        assert!(!came.is_unique(), "prost makes slices");
        let_go_of_input(&mut decoded.trans_info);
        assert!(came.is_unique());
        assert_eq!(decoded.trans_info[0].value(), b"value");
    }

    #[test]
    fn entries_are_counted_wherever_they_stand_and_as_far_as_they_would_be_decoded() {
        for count in [MAX_ENTRIES, MAX_ENTRIES + 1] {
            let trans_info = vec![TransInfoEntry::default(); count];
            let request_meta =
                Some(InitRequestMeta { trans_info: trans_info.clone(), ..Default::default() });
            let messages = [
                (
                    RequestProtocol {
                        trans_info: trans_info.clone(),
                        func: "name".into(),
                        ..Default::default()
                    }
                    .encode_to_vec(),
                    IN_REQUEST,
                ),
                (
                    ResponseProtocol {
                        trans_info: trans_info.clone(),
                        ret: -1,
                        ..Default::default()
                    }
                    .encode_to_vec(),
                    IN_RESPONSE,
                ),
                (
                    InitMeta { request_meta, init_window_size: 7, ..Default::default() }
                        .encode_to_vec(),
                    IN_INIT,
                ),
                (
                    CloseMeta { trans_info, ret: 3, func_ret: 7, ..Default::default() }
                        .encode_to_vec(),
                    IN_CLOSE,
                ),
            ];
            for (bytes, path) in messages {
                let too_many = FrameFault::TooManyEntries { limit: MAX_ENTRIES };
                let expected = if count > MAX_ENTRIES { Err(too_many) } else { Ok(()) };
                assert_eq!(check(&bytes, path), expected, "{path:?}");
                assert!(super::count(&bytes[..bytes.len() - 1], path) >= count - 1, "{path:?}");
            }
        }
        let cut_short = [0x4a, 0, 0x4a, 0, 0x4a, 5, 0];
        assert_eq!(
            super::count(&cut_short, IN_REQUEST),
            3,
            "the last one is decoded as far as it goes"
        );
        // One request_meta behind the other: decoding puts them together.
        let half = InitRequestMeta {
            trans_info: vec![TransInfoEntry::default(); 600],
            ..Default::default()
        };
        let half = InitMeta { request_meta: Some(half), ..Default::default() }.encode_to_vec();
        let too_many = FrameFault::TooManyEntries { limit: MAX_ENTRIES };
        assert_eq!(check(&[half.clone(), half].concat(), IN_INIT), Err(too_many));
    }
}
