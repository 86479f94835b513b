//! A driver that is polled by hand.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::time::Duration;

use bytes::BytesMut;
use trill_proto::{InitMeta, InitRequestMeta, InitResponseMeta, RequestProtocol, TransInfoEntry};

use crate::conn::{Admitted, Config, Head, Pools, Shape};
use crate::driver::CallTerms;
use crate::driver::read_buffer::FRAMES_PER_LOCK;
use crate::framing::{StreamId, UnaryContent};
use crate::transport::{ReadEnd, WriteEnd, memory_pair};
use crate::wires::Begun;
use crate::wires::trpc::{self as wire, Decoder, HEADER_LEN, UnaryHead};

use super::input::FRAMES_PER_POLL;
use super::*;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_flusher_hears_of_bytes_when_a_deadline_passes_in_the_same_poll() {
    let (near, _far) = memory_pair();
    let (_link, mut driver) =
        Driver::client(Connection::client(Config::default()), near, PeerAddr::memory());
    let mut cx = Context::from_waker(Waker::noop());
    let open = |state: &mut SharedState| {
        state.conn.open(Head::default(), None, now()).expect("it is open")
    };
    driver.run(open);
    assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
    assert!(driver.timer.is_some(), "the peer has so long to accept the stream");

    let wakes = Arc::new(Wakes::default());
    driver.shared.set_flusher(&Context::from_waker(&Waker::from(Arc::clone(&wakes))));
    tokio::time::advance(Duration::from_secs(60)).await;
    // In the driver's part, whose bytes nobody is told of.
    driver.run(open);
    assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
}

struct Nothing;

impl Dispatch for Nothing {
    fn call(&self, _: &Link, _: IncomingCall) {}
    fn calls(self: Arc<Self>, _: &Link, _: Vec<IncomingCall>) {}
    fn stream(&self, _: &Link, _: Box<IncomingStream>) {}
}

#[tokio::test]
async fn a_server_that_is_shut_down_says_so_and_reads_until_its_client_has_ended() {
    let refuse = |_: &Head, _: Option<Shape>| Err(crate::conn::Outcome::default());
    let (near, mut far) = memory_pair();
    let conn = Connection::server(Config::default(), Arc::new(refuse));
    let (link, mut driver) = Driver::server(conn, near, PeerAddr::memory(), Arc::new(Nothing));
    let mut cx = Context::from_waker(Waker::noop());
    link.shut_down();
    assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
    let mut read = BytesMut::new();
    assert!(matches!(far.input.poll_read(&mut cx, &mut read), Poll::Ready(Ok(0))), "its end");
    // More than a connection would read of a peer that leaves its answers unread; nothing of it is
    // looked at.
    for _ in 0..100 {
        assert_eq!(far.output.try_write(&[0; 64 * 1024]).unwrap(), 64 * 1024);
        assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
    }
    drop(far);
    assert!(matches!(Pin::new(&mut driver).poll(&mut cx), Poll::Ready(ConnError::PeerClosed)));
}

/// FEEDBACK for a stream that is not there.
const NOTHING: [u8; 18] = *b"\x09\x30\x01\x03\0\0\0\x12\0\0\0\0\0\x64\0\0\x08\x01";

#[tokio::test]
async fn a_peer_that_floods_keeps_the_thread_for_a_few_frames_at_a_time() {
    let (near, far) = memory_pair();
    let (_link, mut driver) =
        Driver::client(Connection::client(Config::default()), near, PeerAddr::memory());
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let sent = 3_000;
    assert_eq!(far.output.try_write(&NOTHING.repeat(sent)).unwrap(), sent * NOTHING.len());

    let (mut handled, mut polls) = (0, 0);
    while handled < sent {
        let before = wakes.0.load(Ordering::Relaxed);
        assert!(Pin::new(&mut driver).poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(driver.handled < FRAMES_PER_POLL + FRAMES_PER_LOCK, "{} frames", driver.handled);
        handled += driver.handled;
        polls += 1;
        if handled < sent {
            assert!(wakes.0.load(Ordering::Relaxed) > before, "nobody would handle the rest");
        }
    }
    assert_eq!(handled, sent);
    assert!(polls > sent / (FRAMES_PER_POLL + FRAMES_PER_LOCK), "{polls} polls");
}

/// A call with so many entries of metadata, for which there is no method.
fn with_metadata(entries: usize) -> Vec<u8> {
    let trans_info =
        (0..entries).map(|at| TransInfoEntry::new(format!("key {at}"), vec![b'x'; 40])).collect();
    let meta =
        RequestProtocol { request_id: 7, func: "/a/b".into(), trans_info, ..Default::default() };
    let mut frame = Vec::new();
    let body = |_: &mut Vec<u8>| {};
    wire::unary(&mut frame, UnaryHead::default(), &meta, wire::ANY, 0, body, &[]).expect("it fits");
    frame
}

/// As many bytes as are wanted at any time.
struct Flood(Vec<u8>);

impl ReadEnd for Flood {
    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        buf: &mut BytesMut,
    ) -> Poll<std::io::Result<usize>> {
        let count = self.0.len().min(buf.capacity() - buf.len());
        buf.extend_from_slice(&self.0[..count]);
        self.0.drain(..count);
        if count > 0 { Poll::Ready(Ok(count)) } else { Poll::Pending }
    }

    fn is_closed(&self) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_floods_with_large_headers_gives_way_after_each_and_waits_if_they_are_refused()
{
    let refuse = |_: &Head, _: Option<Shape>| Err(crate::conn::Outcome::default());
    for (entries, refused) in [(10, false), (900, false), (1_100, true)] {
        let (mut near, _far) = memory_pair();
        let frame = with_metadata(entries);
        let sent = 500_000 / frame.len();
        near.input = Box::new(Flood(frame.repeat(sent)));
        let conn = Connection::server(Config::default(), Arc::new(refuse));
        let (_link, mut driver) = Driver::server(conn, near, PeerAddr::memory(), Arc::new(Nothing));

        let began = now();
        let (mut handled, mut gave_way) = (0, 0);
        let flooded = poll_fn(|cx| {
            let driven = Pin::new(&mut driver).poll(cx);
            handled += driver.handled;
            if handled == sent {
                return Poll::Ready(());
            }
            gave_way += u64::from(driver.handled > 0 && driver.gives_way.is_some());
            driven.map(drop)
        });
        flooded.await;
        assert_eq!(handled, sent);
        assert!(
            if entries > 10 { gave_way >= 2 } else { gave_way == 0 },
            "{entries} entries: {gave_way} times"
        );
        let waited = now() - began;
        assert!(
            !refused || waited >= Duration::from_millis(gave_way),
            "{waited:?}, {gave_way} times"
        );
    }
}

#[tokio::test]
async fn a_frame_goes_on_behind_the_byte_that_was_written_ahead() {
    let (near, mut far) = memory_pair();
    let (link, mut driver) =
        Driver::client(Connection::client(Config::default()), near, PeerAddr::memory());
    let mut cx = Context::from_waker(Waker::noop());
    driver.run(SharedState::probe).unwrap();
    driver.run(SharedState::probe).unwrap();
    driver.run(|state| state.conn.open(Head::default(), None, now()).expect("it is open"));
    driver.run(|state| state.conn.open(Head::default(), None, now()).expect("it is open"));
    for _ in 0..2 {
        assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
    }
    let mut read = BytesMut::with_capacity(10_000);
    assert!(far.input.poll_read(&mut cx, &mut read).is_ready());
    let decoder = Decoder::new(crate::framing::Side::Server, 10_000);
    for _ in 0..2 {
        assert!(decoder.decode(&mut read).unwrap().is_some(), "both frames are whole");
    }
    assert!(read.is_empty());
    assert_eq!(link.buffered().unsent, 0);
    drop(far.input);
    assert!(driver.run(SharedState::probe).is_err(), "nobody reads");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_waits_for_room_hears_of_its_peers_end() {
    const LARGE: usize = 250 * 1024;
    /// The first stream of a connection.
    const ID: StreamId = StreamId(100);
    let config =
        Config { max_received: LARGE + HEADER_LEN, unread: 64 * 1024, ..Config::default() };
    let (near, far) = memory_pair();
    let (link, mut driver) = Driver::client(Connection::client(config), near, PeerAddr::memory());
    let mut cx = Context::from_waker(Waker::noop());
    driver.run(|state| state.conn.open(Head::default(), None, now()).expect("it is open"));
    let (mut accepted, mut message) = (Vec::new(), Vec::new());
    let meta = InitMeta {
        response_meta: Some(InitResponseMeta::default()),
        init_window_size: 65_535,
        ..InitMeta::default()
    };
    wire::init(&mut accepted, ID, &meta);
    let body = |out: &mut Vec<u8>| out.resize(out.len() + LARGE, 0);
    wire::data(&mut message, ID, LARGE, body).unwrap();
    far.output.try_write(&accepted).unwrap();
    // Somebody waits for an answer, so the connection is read whatever is unread.
    let none = |_: &mut Vec<u8>| {};
    let call = link.poll_call(
        &mut Some(Head::default()),
        CallTerms { one_way: false, deadline: None, now: now() },
        UnaryContent::new(0, none),
        &mut None,
        &cx,
    );
    assert!(call.is_ready(), "it is sent");

    for piece in message.chunks(32 * 1024) {
        assert_eq!(far.output.try_write(piece).unwrap(), piece.len());
        assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
    }
    assert!(link.buffered().unread >= LARGE, "nobody reads it");
    for piece in message.chunks(64 * 1024).take(2) {
        assert_eq!(far.output.try_write(piece).unwrap(), piece.len());
        assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
        tokio::time::advance(Duration::from_millis(20)).await;
    }
    assert!(far.output.try_write(&[0]).is_err(), "there is no room, so it is not read");
    drop(far);
    tokio::time::advance(Duration::from_millis(20)).await;
    assert!(matches!(Pin::new(&mut driver).poll(&mut cx), Poll::Ready(ConnError::PeerClosed)));
}

/// A socket that is full, and counts how often it was looked into.
#[derive(Default)]
struct Looks(AtomicUsize);

impl WriteEnd for Looks {
    fn try_write(&self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::WouldBlock.into())
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }

    fn finish(&self) {}

    fn is_ended(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        false
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_looked_into_before_the_first_call_and_then_only_when_it_has_been_quiet() {
    let (near, far) = memory_pair();
    let looks = Arc::new(Looks::default());
    let ends = Ends { input: near.input, output: Arc::<Looks>::clone(&looks) };
    let (link, mut driver) =
        Driver::client(Connection::client(Config::default()), ends, PeerAddr::memory());
    let mut cx = Context::from_waker(Waker::noop());
    let looks_of_calls = || {
        let before = looks.0.load(Ordering::Relaxed);
        let none = |_: &mut Vec<u8>| {};
        let cx = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            let terms = CallTerms { one_way: true, deadline: None, now: now() };
            let content = UnaryContent::new(0, none);
            assert!(
                link.poll_call(&mut Some(Head::default()), terms, content, &mut None, &cx)
                    .is_ready()
            );
        }
        looks.0.load(Ordering::Relaxed) - before
    };
    assert_eq!((looks_of_calls(), looks_of_calls()), (1, 0));
    tokio::time::advance(Duration::from_millis(900)).await;
    far.output.try_write(&NOTHING).expect("there is room in the pipe");
    assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
    tokio::time::advance(Duration::from_millis(900)).await;
    assert_eq!(looks_of_calls(), 0, "something has come within a second");
    tokio::time::advance(Duration::from_millis(200)).await;
    assert_eq!((looks_of_calls(), looks_of_calls()), (1, 0));
}

/// A message of a stream.
fn message(len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::data(&mut bytes, StreamId(100), len, |out: &mut Vec<u8>| out.resize(out.len() + len, 7))
        .expect("it fits");
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_waits_for_others_to_leave_room_looks_ever_more_rarely_and_goes_on_soon()
{
    let pools = Pools::new(100_000, 100_000, 10);
    let peer = pools.peer();
    let server = |admit: bool| {
        let config = Config {
            peer: Some(Arc::clone(&peer)),
            max_received: 80_000,
            window: 0,
            ..Config::default()
        };
        let admission = move |_: &Head, _: Option<Shape>| {
            let admitted = Admitted { method: 0, shape: Shape::Stream };
            if admit { Ok(admitted) } else { Err(crate::conn::Outcome::default()) }
        };
        Connection::server(config, Arc::new(admission))
    };
    let mut other = server(false);
    other.hold_input(29_000, Begun::Message(StreamId(100))).expect("there is room");

    let (near, far) = memory_pair();
    let (link, mut driver) =
        Driver::server(server(true), near, PeerAddr::memory(), Arc::new(Nothing));
    let polls = Cell::new(0);
    let mut drive_for = async |limit: Duration| {
        polls.set(0);
        let counted = poll_fn(|cx| {
            polls.set(polls.get() + 1);
            Pin::new(&mut driver).poll(cx)
        });
        assert!(tokio::time::timeout(limit, counted).await.is_err(), "the connection goes on");
        polls.get()
    };
    let mut open = Vec::new();
    let request_meta = Some(InitRequestMeta { func: "/a/b".into(), ..Default::default() });
    wire::init(&mut open, StreamId(100), &InitMeta { request_meta, ..Default::default() });
    for bytes in [open, message(35_000), message(35_000)] {
        far.output.try_write(&bytes).expect("there is room in the pipe");
        drive_for(Duration::from_millis(1)).await;
    }
    let held = link.buffered().unread;
    assert!(held >= 70_000, "{held}");
    far.output.try_write(&message(5_000)).expect("there is room in the pipe");

    let polls = drive_for(Duration::from_secs(60)).await;
    assert_eq!(link.buffered().unread, held, "it is not read");
    assert!(polls < 100, "{polls} looks within a minute");

    drop(other);
    drive_for(Duration::from_secs(2)).await;
    assert!(link.buffered().unread >= held + 5_000, "there is room, and nobody has told");
}
