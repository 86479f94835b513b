//! Messages of one stream that come behind each other.

use bytes::{Bytes, BytesMut};

use crate::framing::{Messages, Side, StreamId};

use super::*;

fn run(buf: &mut BytesMut) -> Option<(u64, Vec<Bytes>)> {
    match Decoder::new(Side::Client, 1_000).decode(buf).unwrap()? {
        Frame::Data { id, messages } => {
            let (count, bytes) = (messages.count(), messages.bytes());
            let payloads: Vec<_> = messages.singles().iter().map(Messages::first).collect();
            assert_eq!((count, bytes), (payloads.len(), payloads.iter().map(Bytes::len).sum()));
            Some((id.0, payloads))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn frames_of_one_stream_behind_each_other_come_together() {
    let mut buf = Vec::new();
    for (id, payload) in [(7, "one"), (7, ""), (7, "three"), (8, "other"), (7, "last")] {
        data(&mut buf, StreamId(id), payload.len(), |out: &mut Vec<u8>| {
            out.extend_from_slice(payload.as_bytes());
        })
        .unwrap();
    }
    let mut buf = BytesMut::from(&buf[..]);
    let half = buf.split_off(buf.len() - 1);
    assert_eq!(run(&mut buf), Some((7, vec!["one".into(), "".into(), "three".into()])));
    assert_eq!(run(&mut buf), Some((8, vec!["other".into()])));
    assert_eq!(run(&mut buf), None, "half a frame waits");
    buf.unsplit(half);
    assert_eq!(run(&mut buf), Some((7, vec!["last".into()])));
}

#[test]
fn a_frame_of_another_kind_or_with_a_fault_ends_the_run() {
    let mut buf = Vec::new();
    let one = |buf: &mut Vec<u8>| {
        data(buf, StreamId(7), 1, |out: &mut Vec<u8>| out.extend_from_slice(b"1")).unwrap();
    };
    one(&mut buf);
    feedback(&mut buf, StreamId(7), 1);
    one(&mut buf);
    let fault = buf.len();
    one(&mut buf);
    buf[fault] = 0;
    let mut buf = BytesMut::from(&buf[..]);
    assert_eq!(run(&mut buf), Some((7, vec!["1".into()])));
    let decoder = Decoder::new(Side::Client, 1_000);
    assert!(matches!(decoder.decode(&mut buf), Ok(Some(Frame::Feedback { .. }))));
    assert_eq!(run(&mut buf), Some((7, vec!["1".into()])));
    assert!(decoder.decode(&mut buf).is_err());
}
