use std::collections::HashSet;
use std::task::Waker;

use trill_proto::RequestProtocol;
use trill_proto::prost::Message;

use crate::conn::StreamId;
use crate::framing::{Largest, Side};
use crate::wires::trpc::{HEADER_LEN, data as write_data};
use crate::wires::{Wire, trpc};

use super::*;

const MIB: usize = 1024 * 1024;

/// Gives 10,000 bytes at once, and counts how often it is offered another buffer than before.
struct Source {
    left: Vec<u8>,
    room: usize,
    grown: usize,
}

impl transport::ReadEnd for Source {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        if self.left.is_empty() {
            return Poll::Pending;
        }
        self.grown += usize::from(buf.capacity() > self.room);
        self.room = buf.capacity();
        let count = self.left.len().min(10_000).min(buf.capacity() - buf.len());
        buf.extend_from_slice(&self.left[..count]);
        self.left.drain(..count);
        Poll::Ready(Ok(count))
    }

    fn is_closed(&self) -> bool {
        false
    }
}

fn frame(size: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    write_data(&mut frame, StreamId(7), size, |out: &mut Vec<u8>| out.resize(out.len() + size, 7))
        .unwrap();
    frame
}

/// Grants whatever is asked for. Says how often the buffer became larger.
fn feed(read_buffer: &mut ReadBuffer, bytes: &[u8]) -> usize {
    let mut source = Source { left: bytes.to_vec(), room: read_buffer.bytes.capacity(), grown: 0 };
    while !source.left.is_empty() {
        if let Some(WantedRoom { bytes: room, .. }) = read_buffer.wants() {
            read_buffer.grant(room);
        }
        let polled = read_buffer.poll_read(&mut source, &mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(1..))));
    }
    source.grown
}

fn of(side: Side, frame: usize) -> ReadBuffer {
    ReadBuffer::new(Wire::Trpc(trpc::Trpc).decoder(side, Largest { frame, header: MAX_HEADER }))
}

fn read_buffer() -> ReadBuffer {
    of(Side::Client, 10 * MIB)
}

#[test]
fn a_peer_that_has_sent_a_large_frame_gets_room_for_the_next_at_once_and_for_no_larger_one() {
    let mut read_buffer = read_buffer();
    assert!(feed(&mut read_buffer, &frame(MIB)) > 3, "its room grows as it comes");
    read_buffer.decode().unwrap();
    assert_eq!(read_buffer.frames.len(), 1);
    assert!(
        read_buffer.bytes.is_empty() && read_buffer.bytes.capacity() < READ_MAX,
        "the frame took its memory along"
    );

    let next = frame(MIB);
    assert_eq!(
        feed(&mut read_buffer, &next[..20_000]),
        2,
        "some for the header, and all that is announced"
    );
    assert_eq!(feed(&mut read_buffer, &next[20_000..]), 0);
    read_buffer.decode().unwrap();

    feed(&mut read_buffer, &frame(8 * MIB)[..20_000]);
    assert!(
        read_buffer.bytes.capacity() < 2 * MIB,
        "an announcement alone gets no more than was sent before"
    );
}

#[test]
fn a_frame_gets_no_more_memory_than_it_says_it_takes() {
    let mut read_buffer = read_buffer();
    let large = frame(9 * MIB);
    feed(&mut read_buffer, &large[..large.len() - 1]);
    let held = (read_buffer.bytes.capacity(), read_buffer.counted());
    assert_eq!(held, (large.len(), large.len()), "not 16 MiB, as by doubling");
    feed(&mut read_buffer, &large[large.len() - 1..]);
    read_buffer.decode().unwrap();
    assert_eq!(
        (read_buffer.frames.len(), read_buffer.counted(), read_buffer.front()),
        (1, 0, Front::default())
    );
}

/// Reads until no more comes. Says how many messages came, and whether what is there of another
/// one counts from then on.
fn read_and_wait(read_buffer: &mut ReadBuffer, bytes: &[u8]) -> (usize, bool) {
    let mut source = Source { left: bytes.to_vec(), room: 0, grown: 0 };
    let mut messages = 0;
    while let Poll::Ready(read) =
        read_buffer.poll_read(&mut source, &mut Context::from_waker(Waker::noop()))
    {
        assert!(read.unwrap() > 0, "there is always room");
        read_buffer.decode().unwrap();
        for frame in read_buffer.frames.drain(..) {
            let Input::Messages { messages: run, .. } = frame else { panic!("{frame:?}") };
            messages += run.count();
        }
    }
    (messages, read_buffer.settle())
}

#[test]
fn what_is_there_of_a_frame_keeps_no_read_buffer_while_no_more_comes_and_counts_if_it_is_much() {
    let (large, other) = (frame(60_000), [frame(30_000), frame(30_000)].concat());
    for there in [1, UNCOUNTED, UNCOUNTED + 1, large.len() - 1] {
        let (mut read_buffer, counts) = (read_buffer(), there > UNCOUNTED);
        assert_eq!(
            read_and_wait(&mut read_buffer, &[&other, &large[..there]].concat()),
            (2, counts)
        );
        let (held, counted) = if counts { (large.len(), large.len()) } else { (there, 0) };
        assert_eq!((read_buffer.bytes.capacity(), read_buffer.counted()), (held, counted));
        assert_eq!(read_and_wait(&mut read_buffer, &[]), (0, false), "it is told once");

        assert_eq!(
            read_and_wait(&mut read_buffer, &[&large[there..], &other].concat()),
            (3, false)
        );
        assert_eq!((read_buffer.counted(), read_buffer.front().came), (0, 0));
    }
}

/// Reads it and gives the messages' sizes and what they keep in memory.
fn kept(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut read_buffer, mut kept) = (read_buffer(), Vec::new());
    read_buffer.read_size = READ_MAX;
    let mut source = Source { left: bytes.to_vec(), room: 0, grown: 0 };
    while !source.left.is_empty() {
        if let Some(WantedRoom { bytes: room, .. }) = read_buffer.wants() {
            read_buffer.grant(room);
        }
        let polled = read_buffer.poll_read(&mut source, &mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(1..))));
        read_buffer.decode().unwrap();
        for frame in read_buffer.frames.drain(..) {
            let Input::Messages { messages, .. } = frame else { panic!("{frame:?}") };
            kept.push((messages.size(), messages.memory()));
        }
    }
    kept
}

#[test]
fn a_large_message_is_most_of_the_memory_in_which_it_comes() {
    for size in [50_000, 64 * 1024, 80_000, 100_000, 150_000, MIB] {
        let frame = frame(size);
        let kept = kept(&[&frame[..], &frame, &frame, &frame].concat());
        assert_eq!(kept.len(), 4);
        for (size, memory) in kept {
            assert!(
                size == frame.len() && memory >= size && memory <= size + size / 2,
                "{memory} for {size}"
            );
        }
    }
}

#[test]
fn a_message_knows_what_it_keeps_in_memory_beside_itself() {
    let kept = kept(&[&frame(33_000)[..], &frame(100), &frame(10_000)].concat());
    assert!(kept.iter().all(|(size, memory)| memory >= size), "{kept:?}");
    assert!(kept.iter().any(|(size, memory)| *memory > 3 * size), "{kept:?}");
}

#[test]
fn the_end_of_a_large_frame_that_comes_byte_by_byte_is_awaited_in_the_same_memory() {
    let (mut read_buffer, large) = (read_buffer(), frame(40_000));
    feed(&mut read_buffer, &large[..large.len() - 1_000]);
    for byte in large[large.len() - 1_000..].chunks(1) {
        assert_eq!(feed(&mut read_buffer, byte), 0);
        assert!(read_buffer.memory <= large.len() * 3 / 2, "{}", read_buffer.memory);
    }
    read_buffer.decode().unwrap();
    assert_eq!(read_buffer.frames.len(), 1);
}

#[test]
fn a_body_that_came_with_much_else_keeps_no_read_buffer() {
    let mut read_buffer = of(Side::Server, 10 * MIB);
    let meta = RequestProtocol { request_id: 1, func: "/a/b".into(), ..RequestProtocol::default() };
    let meta = meta.encode_to_vec();
    let size = u32::try_from(HEADER_LEN + meta.len() + 33_000).unwrap();
    let mut request = vec![0x09, 0x30, 0, 0];
    request.extend(size.to_be_bytes());
    request.extend([0, u8::try_from(meta.len()).unwrap(), 0, 0, 0, 1, 1, 0]);
    request.extend(meta);
    request.resize(size as usize, 7);
    read_buffer.read_size = READ_MAX;
    feed(&mut read_buffer, &[&request[..], &frame(30_000)].concat());
    read_buffer.decode().unwrap();
    let body = read_buffer.frames.iter().find_map(|frame| match frame {
        Input::Call { body, .. } => Some(body),
        _ => None,
    });
    let body = body.expect("it has come");
    assert!(body.len() == 33_000 && body.is_unique(), "it is a slice of {}", read_buffer.memory);
}

#[test]
fn headers_that_no_read_has_brought_whole_get_no_more_room_than_a_read_takes() {
    // Requests of 5 MB, and of more than may be, of whose headers there is half.
    for size in [0x00, 0x7f] {
        let mut read_buffer = read_buffer();
        let mut begun =
            vec![0x09, 0x30, 0, 0, size, 0x4c, 0x4b, 0x40, 0xff, 0xff, 0, 0, 0, 1, 1, 0];
        begun.resize(30_000, 0);
        assert_eq!(read_and_wait(&mut read_buffer, &begun), (0, true));
        assert_eq!(read_buffer.counted(), begun.len() + READ_MAX);
    }
}

#[test]
fn a_frame_that_is_too_large_is_told_once_its_headers_are_there_and_its_bytes_are_not_kept() {
    let mut read_buffer = of(Side::Client, MIB);
    let (large, small) = (frame(3 * MIB), frame(100));
    feed(&mut read_buffer, &large[..HEADER_LEN - 1]);
    read_buffer.decode().unwrap();
    assert!(read_buffer.frames.is_empty() && !read_buffer.has_come());
    feed(&mut read_buffer, &large[HEADER_LEN - 1..20_000]);
    read_buffer.decode().unwrap();
    let told =
        Input::Skipped { of: Begun::Message(StreamId(7)), size: large.len(), why: Skip::TooLarge };
    assert_eq!(read_buffer.frames, [told]);
    assert_eq!(
        (read_buffer.front(), read_buffer.has_come()),
        (Front { came: 1, skipped: true }, false)
    );
    read_buffer.frames.clear();

    feed(&mut read_buffer, &large[20_000..]);
    read_buffer.decode().unwrap();
    assert!(read_buffer.frames.is_empty() && read_buffer.has_come(), "nothing more is said of it");
    assert!(read_buffer.bytes.capacity() <= 2 * READ_MAX, "{}", read_buffer.bytes.capacity());
    feed(&mut read_buffer, &small);
    read_buffer.decode().unwrap();
    assert!(
        matches!(read_buffer.frames[..], [Input::Messages { .. }]),
        "what comes behind it does"
    );
}

#[test]
fn a_meta_message_that_would_not_be_looked_into_need_not_come() {
    let mut read_buffer = read_buffer();
    // INIT of 5 MB.
    feed(&mut read_buffer, &[0x09, 0x30, 1, 1, 0, 0x4c, 0x4b, 0x40, 0, 0, 0, 0, 0, 100, 0, 0]);
    read_buffer.decode().unwrap();
    let of = Begun::Control(StreamId(100));
    assert_eq!(read_buffer.frames, [Input::Skipped { of, size: 5_000_000, why: Skip::TooLarge }]);
    assert_eq!(read_buffer.granted, 0);
}

/// Reads a frame and gives where its bytes are, and them.
fn read_frame(read_buffer: &mut ReadBuffer, frame: &[u8]) -> (*const u8, Input) {
    feed(read_buffer, frame);
    read_buffer.decode().unwrap();
    let frame = read_buffer.frames.pop().expect("it has come whole");
    let at = match &frame {
        Input::Messages { messages, .. } => messages.first().as_ptr(),
        Input::Call { body, .. } => body.as_ptr(),
        other => panic!("{other:?}"),
    };
    (at, frame)
}

#[test]
fn memory_that_was_read_is_read_into_again_and_counted_until_it_is_not_used() {
    for size in [60_000, 64 * 1024, MIB] {
        let (mut read_buffer, frame) = (read_buffer(), frame(size));
        read_buffer.limit_spares(usize::MAX);
        let mut places = HashSet::new();
        // Each is read while the one before it is not.
        let mut before = None;
        for _ in 0..100 {
            let (at, messages) = read_frame(&mut read_buffer, &frame);
            places.insert(at);
            before = Some(messages);
        }
        drop(before);
        assert!(places.len() < 20, "{size}: in {} places", places.len());
        assert!(read_buffer.untold_spares().is_some_and(|bytes| bytes >= SPARE_FROM));
        read_buffer.drop_unused();
        assert!(read_buffer.has_spares(), "they were in use a moment ago");
        read_buffer.drop_unused();
        assert!(!read_buffer.has_spares());
        assert_eq!(read_buffer.untold_spares(), Some(0), "the account is told");
    }
}

#[test]
fn memory_of_messages_that_are_kept_is_not_read_into() {
    let (mut read_buffer, frame) = (read_buffer(), frame(60_000));
    read_buffer.limit_spares(usize::MAX);
    let kept: Vec<Input> = (0..40).map(|_| read_frame(&mut read_buffer, &frame).1).collect();
    for messages in kept {
        let Input::Messages { messages, .. } = messages else { panic!("{messages:?}") };
        assert_eq!(messages.first(), frame[HEADER_LEN..]);
    }
}

#[test]
fn no_more_spare_memory_is_kept_than_there_is_room_for() {
    for limit in [0, 70_000, 200_000] {
        let (mut read_buffer, frame) = (read_buffer(), frame(60_000));
        read_buffer.limit_spares(limit);
        let mut before = None;
        for _ in 0..100 {
            before = Some(read_frame(&mut read_buffer, &frame));
            assert!(read_buffer.spares().unwrap_or(0) <= limit);
        }
        drop(before);
        assert_eq!(read_buffer.has_spares(), limit > 0);
        read_buffer.limit_spares(0);
        assert!(!read_buffer.has_spares());
    }
}
