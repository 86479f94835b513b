//! One client's connection without a network: what its writers and its driver hold in memory.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use crate::conn::{
    Buffered, Config, Connection, Consumed, Head, Inbox, Outbox, Outcome, SendError, StreamKey,
    Take,
};
use crate::framing::{Messages, Side, StreamId};
use crate::wires::trpc::{self as wire, Decoder, Frame, InitMeta};

use super::send_buffer::{LARGE_SEND_BUFFER_SIZES, SEND_BUFFER_SIZE, Sender};
use super::{Driver, Link};
use crate::clock::now;
use crate::transport::{Ends, PeerAddr, ReadEnd, WriteEnd};
use crate::wires;

const LARGE: usize = 300 * 1024;

/// A client with open streams, whose ids begin at 100, and its driver.
pub(super) fn client(ends: Ends, window: u32, streams: u32) -> (Link, Driver, Vec<StreamKey>) {
    let mut conn = Connection::client(Config::default());
    let keys = (0..streams)
        .map(|number| {
            let key = conn.open(Head::default(), None, now()).expect("the connection is open");
            let meta = InitMeta { init_window_size: window, ..Default::default() };
            let id = StreamId(100 + u64::from(number));
            conn.handle_input(wires::Input::of(Frame::Init { id, meta }, Side::Client), now())
                .expect("it is in order");
            key
        })
        .collect();
    let written = conn.take_output(Outbox::default()).len();
    conn.handle_written(written);
    let (link, driver) = Driver::client(conn, ends, PeerAddr::memory());
    (link, driver, keys)
}

/// Sends as an `AsyncWriter` does: by the send buffer, or by the connection.
pub(super) fn poll_send(
    link: &Link,
    key: StreamKey,
    len: usize,
    sender: &mut Sender,
    cx: &mut Context<'_>,
    body: impl Fn(&mut Vec<u8>) + Copy,
) -> Poll<Result<(), SendError>> {
    match sender.send(len, body) {
        Ok(sent) => Poll::Ready(sent),
        Err(body) => link.poll_send(key, len, sender, cx, body),
    }
}

/// A peer that has said all it has to say, and reads nothing.
struct Script(Bytes);

impl ReadEnd for Script {
    fn poll_read(&mut self, _cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        let count = self.0.len().min(buf.capacity() - buf.len());
        if count == 0 {
            return Poll::Pending;
        }
        buf.put(self.0.split_to(count));
        Poll::Ready(Ok(count))
    }

    fn is_closed(&self) -> bool {
        false
    }
}

struct Full;

impl WriteEnd for Full {
    fn try_write(&self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn poll_write_ready(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn finish(&self) {}
}

/// A socket that takes everything.
struct Open;

impl WriteEnd for Open {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn poll_write_ready(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn finish(&self) {}
}

fn ends_of(says: impl Into<Bytes>) -> Ends {
    Ends { input: Box::new(Script(says.into())), output: Arc::new(Full) }
}

fn data(out: &mut Vec<u8>, message: &[u8]) {
    wire::data(out, StreamId(100), message.len(), |out: &mut Vec<u8>| {
        out.extend_from_slice(message);
    })
    .expect("its size");
}

#[test]
fn only_so_many_writers_have_a_send_buffer_and_fewer_when_the_socket_is_full() {
    let (link, _driver, keys) = client(ends_of(&b""[..]), 65_535, 300);
    let mut senders: Vec<_> = keys.iter().map(|_| Sender::default()).collect();
    let mut all_send = |len: usize| {
        let mut task = Context::from_waker(Waker::noop());
        for (key, sender) in keys.iter().zip(&mut senders) {
            let sent = poll_send(&link, *key, len, sender, &mut task, |out: &mut Vec<u8>| {
                out.resize(out.len() + len, 7);
            });
            assert!(matches!(sent, Poll::Ready(Ok(()))));
        }
        senders.iter().filter(|sender| sender.held().is_some()).count()
    };
    assert_eq!((all_send(1), all_send(1), all_send(300)), (0, 256, 256));
    // It finds the socket full.
    link.write();
    let unsent = link.buffered().unsent;
    assert_eq!(
        unsent,
        600 * 17 + 284 * 316 + 16 * SEND_BUFFER_SIZE,
        "sixteen are left, and count as if they were full"
    );
    assert_eq!(all_send(1), 16, "and nobody gets another one");
}

#[test]
fn a_few_writers_have_large_send_buffers_and_none_while_the_socket_is_full() {
    let (link, _driver, keys) = client(ends_of(&b""[..]), 1_000_000, 6);
    let mut senders: Vec<_> = keys.iter().map(|_| Sender::default()).collect();
    // Sends until the connection has to be asked, and gives what is in each send buffer then.
    let mut fill = |is_full: bool| -> Vec<usize> {
        let mut task = Context::from_waker(Waker::noop());
        let body = |out: &mut Vec<u8>| out.resize(out.len() + 1_000, 7);
        for (key, sender) in keys.iter().zip(&mut senders) {
            for _ in 0..2 {
                let sent = poll_send(&link, *key, 1_000, sender, &mut task, body);
                assert!(is_full || sent.is_ready());
            }
            while sender.send(1_000, body).is_ok() {}
        }
        senders.iter().map(|sender| sender.held().unwrap_or(0)).collect()
    };
    let filled = |size: usize| size / 1_016 * 1_016;
    let [first, second, third, fourth] = LARGE_SEND_BUFFER_SIZES.map(filled);
    let small = filled(SEND_BUFFER_SIZE);
    assert_eq!(fill(false), [first, second, third, fourth, small, small]);
    // It finds the socket full.
    link.write();
    assert!(fill(true).iter().all(|held| *held <= small));
}

#[test]
fn an_operation_on_a_stream_goes_behind_what_its_send_buffer_holds() {
    let outcome = || Outcome::of_codes(161, 0, "given up");
    type Operation<'a> = &'a dyn Fn(&Link, StreamKey);
    let operations: [(Operation<'_>, usize); 5] = [
        (&|link, key| link.half_close(key), 1),
        (&|link, key| link.reset(key, outcome()), 1),
        (&|link, key| drop(link.close_stream(key, outcome())), 1),
        (&|link, key| link.discard(key, Consumed::default()), 0),
        (&|link, key| link.release(key), 1),
    ];
    for (operation, expected) in operations {
        let (link, _driver, keys) = client(ends_of(&b""[..]), 65_535, 1);
        let mut sender = Sender::default();
        let mut task = Context::from_waker(Waker::noop());
        for message in [b"1", b"2", b"3"] {
            let write = |out: &mut Vec<u8>| out.extend_from_slice(message);
            assert!(poll_send(&link, keys[0], 1, &mut sender, &mut task, write).is_ready());
        }
        assert_eq!(sender.held(), Some(17), "the third message is not queued");
        operation(&link, keys[0]);
        let output = link.shared().with(|state| state.conn.take_output(Outbox::default()));
        let (mut bytes, mut messages, mut ends) = (BytesMut::from(&output.to_vec()[..]), 0, 0);
        while let Some(frame) = Decoder::new(Side::Server, 1_000).decode(&mut bytes).unwrap() {
            match frame {
                Frame::Data { messages: more, .. } if ends == 0 => messages += more.singles().len(),
                Frame::Close { .. } => ends += 1,
                other => panic!("{other:?} behind {messages} messages"),
            }
        }
        assert_eq!((messages, ends), (3, expected));
    }
}

#[tokio::test]
async fn what_comes_behind_a_large_message_does_not_keep_its_memory() {
    let mut says = Vec::new();
    // Its buffer has doubled before it was whole, and much of that is left.
    data(&mut says, &vec![7; LARGE]);
    data(&mut says, b"small");
    // The last frame is not whole, so it stays in the driver's buffer.
    says.truncate(says.len() - 1);
    let (link, driver, keys) = client(ends_of(says), 65_535, 1);
    let (mut driver, mut task) = (pin!(driver), Context::from_waker(Waker::noop()));
    let mut inbox = Inbox::default();
    while link.poll_take(keys[0], Consumed::default(), &mut inbox, &task)
        != Poll::Ready(Take::Messages)
    {
        assert!(driver.as_mut().poll(&mut task).is_pending());
    }
    let message = inbox.front().and_then(Messages::next).expect("it has come").into_bytes();
    drop(inbox);
    assert!(
        message.len() == LARGE && message.is_unique(),
        "the driver has another buffer for what follows"
    );
}

#[tokio::test(start_paused = true)]
async fn memory_in_which_large_messages_came_counts_for_a_moment_and_is_let_go() {
    let mut says = Vec::new();
    (0..10).for_each(|_| data(&mut says, &[7; 60_000]));
    let (link, mut driver, keys) = client(ends_of(says), 65_535, 1);
    let mut task = Context::from_waker(Waker::noop());
    let (mut inbox, mut consumed) = (Inbox::default(), Consumed::default());
    while consumed.messages < 10 {
        assert!(Pin::new(&mut driver).poll(&mut task).is_pending());
        let _ = link.poll_take(keys[0], Consumed::default(), &mut inbox, &task);
        while let Some(message) = inbox.front().and_then(Messages::next) {
            consumed.add(message.len());
        }
    }
    assert!(Pin::new(&mut driver).poll(&mut task).is_pending());
    link.give_credit(keys[0], consumed);
    let Buffered { unread, reserved, .. } = link.buffered();
    assert_eq!(unread, 0);
    // Once it was in use since the last look, and once not.
    for _ in 0..2 {
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(Pin::new(&mut driver).poll(&mut task).is_pending());
    }
    assert!(link.buffered().reserved + 60_000 <= reserved, "of {reserved} bytes");
}

#[tokio::test]
async fn a_turn_of_a_writer_ends_after_a_mib_of_large_messages_if_it_has_neighbours() {
    const MIB: usize = 1024 * 1024;
    for (len, streams, expected) in
        [(MIB / 16, 2, 15), (LARGE, 2, 4), (MIB, 2, 1), (3 * MIB, 2, 1), (MIB, 1, 128)]
    {
        let ends = Ends { input: Box::new(Script(Bytes::new())), output: Arc::new(Open) };
        let (link, _driver, keys) = client(ends, 1 << 30, streams);
        let mut sender = Sender::default();
        let body = |out: &mut Vec<u8>| out.resize(out.len() + len, 7);
        let mut send = |cx: &mut Context<'_>| poll_send(&link, keys[0], len, &mut sender, cx, body);
        for turn in 0..2 {
            let mut sent = 0;
            poll_fn(|cx| {
                while send(cx).is_ready() {
                    sent += 1;
                }
                Poll::Ready(())
            })
            .await;
            assert_eq!(sent, expected, "messages of {len} bytes in turn {turn} of {streams}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_large_message_that_waits_uses_up_no_turn() {
    let (link, _driver, keys) = client(ends_of(&b""[..]), 1_000_000, 2);
    let mut sender = Sender::default();
    let body = |out: &mut Vec<u8>| out.resize(out.len() + LARGE, 7);
    let mut send = |cx: &mut Context<'_>| poll_send(&link, keys[0], LARGE, &mut sender, cx, body);
    poll_fn(|cx| {
        assert!(send(cx).is_ready());
        Poll::Ready(())
    })
    .await;
    tokio::task::yield_now().await;
    poll_fn(|cx| {
        for _ in 0..100 {
            assert!(send(cx).is_pending(), "the socket is full, and so is the outbox");
        }
        assert!(tokio::task::coop::has_budget_remaining());
        Poll::Ready(())
    })
    .await;
}
