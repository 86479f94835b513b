//! Decoding that counts its steps.
//!
//! A step is a key, a length, a number or a piece of bytes, at whatever depth the message has it.
//! Steps tell what bytes do not: two bytes may be an element of a list, which takes 32 in memory
//! and more.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;

use bytes::{Buf, Bytes};

use super::blocking::elsewhere;
use super::message::{DecodeError, Message};
use super::unpacking::pay_for_decoding;

/// How many steps a task does on its own thread: 0.05 to 0.2 ms of work.
const ON_TASK: usize = 4 * 1024;

/// The most that a step leaves in memory: an empty element of 32 bytes is two steps, and lists grow
/// to twice what they need.
const STEP: usize = 32;

/// The sizes in bytes of steps that are numbers, or very small texts. The memory that they leave
/// counts by the step, half as much: 8 bytes, in a list of twice its size.
const NUMBER: std::ops::RangeInclusive<usize> = 4..=10;

/// The effort that decoding a message took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    pub(crate) steps: usize,
    /// Those of them that are long numbers.
    numbers: usize,
    /// Bytes of fields that were taken over.
    pub(crate) copied: usize,
}

impl Effort {
    pub(crate) fn new(steps: usize) -> Self {
        Self { steps, ..Self::default() }
    }

    /// The memory that the message takes, beside the bytes of its fields.
    pub(crate) fn extra(self) -> usize {
        self.steps.saturating_mul(STEP) - self.numbers * (STEP / 2)
    }

    /// The same of a message that takes `written` bytes when it is written. Anything that has left
    /// memory takes one at least.
    pub(crate) fn extra_of(self, written: usize) -> usize {
        self.extra().min(written.saturating_mul(STEP))
    }
}

/// A smaller message is half the steps that a task may do in a turn at most, whatever is in it.
pub(crate) const STEPPED: usize = 2 * 1024;

/// A message that is being decoded elsewhere.
pub(crate) type Decoding<T, E = DecodeError> =
    Pin<Box<dyn Future<Output = Result<T, E>> + Send + Sync>>;

/// Decodes a message here, or begins to do so where that keeps no task from its turn.
pub(crate) fn decode<T: Message>(
    peer: usize,
    bytes: Bytes,
) -> Result<Result<T, DecodeError>, Decoding<T>> {
    let (decoded, steps) = match decode_on_task(bytes.clone(), true) {
        Some((message, effort)) => (Some(message), effort.steps),
        None => (None, ON_TASK),
    };
    pay_for_decoding(bytes.len(), steps);
    decoded.ok_or_else(|| -> Decoding<T> {
        let whole = move || decode_granted(bytes, true, &mut |_| true).expect("it may go on").0;
        Box::pin(elsewhere(peer, whole))
    })
}

/// Decodes a small message, of whose fields each is a copy: a slice would keep the buffer into
/// which it was read.
#[inline]
pub(crate) fn decode_small<T: Message>(bytes: &[u8]) -> (Result<T, DecodeError>, Effort) {
    debug_assert!(bytes.len() < STEPPED, "it would keep a task for too long");
    let mut small = Small { bytes, effort: Effort::default() };
    let message = T::read_from(&mut small);
    (message, small.effort)
}

/// Decodes a message as far as that is no more than a task may do in a turn. `None`: it is more.
pub(crate) fn decode_on_task<T: Message>(
    bytes: Bytes,
    shares: bool,
) -> Option<(Result<T, DecodeError>, Effort)> {
    decode_granted(bytes, shares, &mut |_| false)
}

/// Decodes a message while it may go on, which is asked each time with what it will have taken
/// next. `None`: it might not.
///
/// Its fields share the memory of `bytes` if it `shares`, as far as their types can.
pub(crate) fn decode_granted<T: Message>(
    bytes: Bytes,
    shares: bool,
    may_go_on: &mut dyn FnMut(Effort) -> bool,
) -> Option<(Result<T, DecodeError>, Effort)> {
    let mut stepped = Stepped {
        bytes,
        shares,
        steps_left: ON_TASK,
        effort: Effort::new(ON_TASK),
        looked_at: Cell::new(false),
        may_go_on,
        is_cut: false,
    };
    // A message that is written by hand may have looked for bytes that are gone when it reads them.
    let message = catch_unwind(AssertUnwindSafe(|| T::read_from(&mut stepped)));
    if stepped.is_cut {
        return None;
    }
    let message = message.unwrap_or_else(|panic| resume_unwind(panic));
    let effort = Effort { steps: stepped.effort.steps - stepped.steps_left, ..stepped.effort };
    Some((message, effort))
}

/// A small message's bytes, which count how they are read.
struct Small<'a> {
    bytes: &'a [u8],
    effort: Effort,
}

impl Buf for Small<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.bytes
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.bytes = &self.bytes[count..];
        self.effort.steps += 1;
    }

    /// A slice alone would do, but it copies by way of a buffer that can grow.
    #[inline]
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        let (field, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        self.effort.steps += 1;
        Bytes::copy_from_slice(field)
    }
}

/// Bytes that count how they are read. Without steps they are at their end.
struct Stepped<'a> {
    bytes: Bytes,
    shares: bool,
    /// Of those in `effort`.
    steps_left: usize,
    effort: Effort,
    /// The next bytes were looked at. Those of an unknown field are not, and leave nothing.
    looked_at: Cell<bool>,
    may_go_on: &'a mut dyn FnMut(Effort) -> bool,
    is_cut: bool,
}

impl Stepped<'_> {
    #[inline]
    fn step(&mut self) {
        self.steps_left -= 1;
        if self.steps_left == 0 {
            self.ask();
        }
    }

    #[cold]
    fn ask(&mut self) {
        let next = Effort { steps: self.effort.steps + ON_TASK, ..self.effort };
        if !self.is_cut && (self.may_go_on)(next) {
            self.effort = next;
        } else {
            self.is_cut = true;
            self.bytes = Bytes::new();
        }
        self.steps_left = ON_TASK;
    }
}

impl Buf for Stepped<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.looked_at.set(true);
        &self.bytes
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        if self.looked_at.replace(false) && count >= *NUMBER.start() {
            if NUMBER.contains(&count) {
                self.effort.numbers += 1;
            } else {
                self.effort.copied += count;
            }
        }
        self.bytes.advance(count);
        self.step();
    }

    #[inline]
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        self.looked_at.set(false);
        self.effort.copied += len;
        let field = self.bytes.split_to(len);
        self.step();
        if self.shares { field } else { Bytes::copy_from_slice(&field) }
    }

    /// A number at the end is read by the byte, and it is not looked again whether there is one.
    #[inline]
    fn get_u8(&mut self) -> u8 {
        let Some(&byte) = self.bytes.first() else { return 0 };
        self.advance(1);
        byte
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use prost::Message as _;

    use super::*;

    #[derive(Clone, PartialEq, prost::Message)]
    struct All {
        #[prost(message, repeated, tag = "1")]
        nested: Vec<Self>,
        #[prost(string, repeated, tag = "2")]
        texts: Vec<String>,
        #[prost(uint64, repeated, tag = "3")]
        numbers: Vec<u64>,
        #[prost(double, repeated, tag = "4")]
        doubles: Vec<f64>,
        #[prost(bytes = "bytes", tag = "5")]
        shared: Bytes,
        #[prost(map = "string, int32", tag = "6")]
        map: HashMap<String, i32>,
    }

    fn some() -> All {
        All {
            texts: vec![String::new(), "twenty and more letters".into()],
            numbers: vec![1, 300, u64::MAX],
            doubles: vec![1.5, 2.5],
            shared: Bytes::from_static(b"a dozen bytes"),
            map: HashMap::from([("key".into(), 7)]),
            ..All::default()
        }
    }

    /// Decodes with so many steps beyond the first.
    fn decode(bytes: &[u8], more: usize) -> Option<(Result<All, DecodeError>, Effort)> {
        let bytes = Bytes::copy_from_slice(bytes);
        decode_granted(bytes, true, &mut |effort| effort.steps <= ON_TASK + more)
    }

    #[test]
    fn what_is_decoded_is_the_message_and_every_part_of_it_is_a_step() {
        let message = All { nested: vec![some(), All::default()], ..some() };
        let (decoded, effort) = decode(&message.encode_to_vec(), 0).unwrap();
        assert_eq!(decoded.unwrap(), message);
        // Two texts of which one is empty, numbers, doubles, bytes, and an element of the map.
        let once = 2 + 3 + 5 + 4 + 3 + 7;
        assert_eq!(effort, Effort { steps: 2 * once + 4, numbers: 2 * 3, copied: 2 * (23 + 13) });
        assert_eq!(effort.extra(), 32 * (2 * once + 4 - 6) + 16 * 6);
    }

    #[test]
    fn an_unknown_field_is_a_step_and_leaves_nothing() {
        let unknown = [&[0x7a, 100][..], &[0; 100]].concat();
        let (decoded, effort) = decode(&unknown, 0).unwrap();
        assert_eq!((decoded.unwrap(), effort), (All::default(), Effort::new(3)));
    }

    #[test]
    fn what_leaves_nothing_counts_with_what_is_left() {
        let effort = Effort::new(1_000);
        assert_eq!([0, 10, 2_000].map(|written| effort.extra_of(written)), [0, 320, 32_000]);
    }

    #[test]
    fn a_message_of_more_steps_than_it_may_take_is_cut_wherever_that_is() {
        let tail = All { nested: vec![some()], ..some() }.encode_to_vec();
        let (_, Effort { steps, .. }) = decode(&tail, 0).unwrap();
        for before in ON_TASK / 2 - steps..ON_TASK / 2 + 2 {
            for odd in [&[][..], &[0x18, 1, 0x7a, 0], &[0x18]] {
                let bytes = [&[0x0a, 0].repeat(before)[..], &tail, odd].concat();
                let whole = decode(&bytes, ON_TASK);
                let (decoded, effort) = whole.expect("it may take so many");
                assert_eq!(
                    decoded,
                    All::decode(&bytes[..]).map_err(|_| decoded.clone().unwrap_err())
                );
                let cut = decode(&bytes, 0);
                assert_eq!(cut.is_none(), effort.steps >= ON_TASK, "{before}, {odd:?}: {effort:?}");
            }
        }
    }

    #[test]
    fn a_number_without_an_end_is_an_error_also_where_it_is_cut() {
        for before in ON_TASK / 2 - 8..ON_TASK / 2 + 1 {
            let bytes = [&[0x0a, 0].repeat(before)[..], &[0x18, 0xff, 0xff, 0xff]].concat();
            assert!(decode(&bytes, 0).is_none_or(|(decoded, _)| decoded.is_err()), "{before}");
            assert!(decode(&bytes, ON_TASK).unwrap().0.is_err());
        }
    }

    #[test]
    fn a_small_message_has_as_many_steps_as_if_it_were_not() {
        let message = All { nested: vec![some()], ..some() };
        let bytes = message.encode_to_vec();
        let (_, Effort { steps, .. }) = decode(&bytes, 0).unwrap();
        let (decoded, effort) = decode_small::<All>(&bytes);
        assert_eq!((decoded.unwrap(), effort), (message, Effort::new(steps)));
    }

    #[test]
    fn a_number_is_read_whole_before_a_last_byte_that_ends_none() {
        // prost reads numbers by the byte near such an end.
        let message =
            All { numbers: vec![300], shared: Bytes::from_static(&[0xff]), ..All::default() };
        let (decoded, effort) = decode(&message.encode_to_vec(), 0).unwrap();
        assert_eq!((decoded.unwrap(), effort.numbers), (message, 0));
    }

    #[test]
    fn a_message_that_is_much_work_asks_again_and_again() {
        let bytes = Bytes::from([0x0a, 0].repeat(100_000));
        let mut asked = Vec::new();
        let mut may_go_on = |effort: Effort| {
            asked.push(effort.steps);
            true
        };
        let (decoded, effort) = decode_granted::<All>(bytes, false, &mut may_go_on).unwrap();
        assert_eq!((decoded.unwrap().nested.len(), effort.steps), (100_000, 200_000));
        assert_eq!(asked, (2..=49).map(|times| times * ON_TASK).collect::<Vec<_>>());
    }

    /// Numbers one behind the other, written by hand: it looks once whether they are all there.
    #[derive(Default, Debug, PartialEq)]
    struct ByHand(Vec<u64>);

    impl prost::Message for ByHand {
        fn encode_raw(&self, out: &mut impl bytes::BufMut) {
            prost::encoding::encode_key(1, prost::encoding::WireType::LengthDelimited, out);
            prost::encoding::encode_varint(self.0.len() as u64 * 8, out);
            self.0.iter().for_each(|number| out.put_u64_le(*number));
        }

        fn merge_field(
            &mut self,
            _tag: u32,
            _wire_type: prost::encoding::WireType,
            buf: &mut impl Buf,
            _ctx: prost::encoding::DecodeContext,
        ) -> Result<(), prost::DecodeError> {
            let size = prost::encoding::decode_varint(buf)? as usize;
            assert!(size <= buf.remaining(), "some are missing");
            self.0.extend((0..size / 8).map(|_| buf.get_u64_le()));
            Ok(())
        }

        fn encoded_len(&self) -> usize {
            1 + prost::encoding::encoded_len_varint(self.0.len() as u64 * 8) + self.0.len() * 8
        }

        fn clear(&mut self) {
            self.0.clear();
        }
    }

    #[test]
    fn a_message_written_by_hand_is_cut_as_others_are_and_its_own_panic_stays_one() {
        let message = ByHand((0..2 * ON_TASK as u64).collect());
        let bytes = Bytes::from(message.encode_to_vec());
        assert!(
            decode_on_task::<ByHand>(bytes.clone(), true).is_none(),
            "it is more than a task may do"
        );
        let (decoded, _) = decode_granted::<ByHand>(bytes, true, &mut |_| true).unwrap();
        assert_eq!(decoded.unwrap(), message);
        let broken = Bytes::from(vec![0x0a, 0x7f]);
        assert!(catch_unwind(|| decode_on_task::<ByHand>(broken, true).is_some()).is_err());
    }

    #[test]
    fn fields_share_the_bytes_only_where_they_may() {
        let bytes = Bytes::from(some().encode_to_vec());
        for shares in [true, false] {
            let (decoded, _) =
                decode_granted::<All>(bytes.clone(), shares, &mut |_| false).unwrap();
            assert_eq!(bytes.is_unique(), !shares);
            drop(decoded);
        }
    }
}
