//! Models of what tasks on several threads do with one connection: loom tries the orders in which
//! they can meet. A task that sleeps with something left to do is a deadlock here, because no timer
//! ever fires.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use loom::future::block_on;
use loom::thread;

use crate::conn::{Consumed, Head, Inbox, StreamKey, Take};
use crate::framing::{Messages, Side, StreamId, UnaryContent};
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::wires::Wire;
use crate::wires::trpc::{self as wire, Decoder, Frame, UnaryHead, data as write_data};

use super::flusher::Flusher;
use super::send_buffer::{SEND_BUFFER_SIZE, SendBuffer, Sender};
use super::{CallTerms, Driver, Link};
use crate::clock::now;
use crate::transport::{Ends, ReadEnd, WriteEnd};

/// A socket with little room, and a peer behind it that answers by what it was sent.
pub(crate) struct Socket {
    /// Somebody is writing.
    busy: AtomicBool,
    state: Mutex<SharedState>,
    capacity: usize,
    /// Which side the peer is.
    side: Side,
    peer: fn(&Frame, &mut Vec<u8>),
}

#[derive(Default)]
struct SharedState {
    /// The bytes that were written and not read by the peer.
    buffer: Vec<u8>,
    /// The bytes that the peer has read of a frame that is not whole.
    part: BytesMut,
    /// The driver, when it waits for room.
    writer: Option<Waker>,
    /// The bytes that the peer sent and the driver has not read.
    input: Vec<u8>,
    /// The driver, when it waits for input.
    reader: Option<Waker>,
    /// All messages that the peer got.
    got: Vec<(u64, Bytes)>,
    /// The wakers of all that wait for something of this to change.
    waiting: Vec<Waker>,
    /// The driver has ended.
    over: bool,
}

impl Socket {
    fn new(capacity: usize, peer: fn(&Frame, &mut Vec<u8>)) -> Arc<Self> {
        let side = Side::Server;
        Arc::new(Self {
            busy: AtomicBool::new(false),
            state: Mutex::default(),
            capacity,
            side,
            peer,
        })
    }

    /// A socket whose peer is a client that has said something, and then only reads. Reads at once.
    pub(crate) fn of_client(says: Vec<u8>) -> (Arc<Self>, Ends) {
        let state = Mutex::new(SharedState { input: says, ..SharedState::default() });
        let socket = Self {
            busy: AtomicBool::new(false),
            state,
            capacity: 1_000,
            side: Side::Client,
            peer: silent,
        };
        let socket = Arc::new(socket);
        let end = || End(Arc::clone(&socket), true);
        let ends = Ends { input: Box::new(end()), output: Arc::new(end()) };
        (socket, ends)
    }

    /// The peer reads what is there, and answers.
    fn read(&self) {
        let mut state = self.state.lock();
        let mut bytes = std::mem::take(&mut state.part);
        bytes.extend_from_slice(&std::mem::take(&mut state.buffer));
        while let Some(frame) =
            Decoder::new(self.side, usize::MAX).decode(&mut bytes).expect("well formed")
        {
            (self.peer)(&frame, &mut state.input);
            match frame {
                Frame::Data { id, messages } => {
                    let messages = messages.singles();
                    state.got.extend(messages.iter().map(|message| (id.0, message.first())));
                }
                Frame::Response { meta, body, .. } => {
                    state.got.push((meta.request_id.into(), body))
                }
                _ => {}
            }
        }
        state.part = bytes;
        let writer = state.writer.take();
        let reader = if state.input.is_empty() { None } else { state.reader.take() };
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        writer.into_iter().chain(reader).chain(waiting).for_each(Waker::wake);
    }

    /// Waits until the peer has got so many messages, with a link in hand: nothing else wakes the
    /// driver meanwhile.
    pub(crate) fn wait_for(&self, count: usize) {
        self.wait(|state| state.got.len() >= count);
    }

    /// Reads whenever there is something, until the driver has ended.
    fn read_all(&self) {
        while self.wait(|state| state.over || !state.buffer.is_empty()) {
            self.read();
        }
    }

    /// Waits for a change. `false`: the driver has ended.
    fn wait(&self, is_there: impl Fn(&SharedState) -> bool) -> bool {
        block_on(poll_fn(|cx| self.poll_change(cx, &is_there)))
    }

    fn poll_change(&self, cx: &Context<'_>, is_there: impl Fn(&SharedState) -> bool) -> Poll<bool> {
        let mut state = self.state.lock();
        if is_there(&state) {
            return Poll::Ready(!state.over);
        }
        state.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    fn end(&self) {
        let mut state = self.state.lock();
        state.over = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn got(&self) -> Vec<(u64, Bytes)> {
        self.state.lock().got.clone()
    }
}

/// The socket whose peer reads at once, or when somebody says so.
struct End(Arc<Socket>, bool);

impl WriteEnd for End {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.0.busy.swap(true, Ordering::Relaxed), "two write at once");
        let mut state = self.0.state.lock();
        let count = bytes.len().min(self.0.capacity - state.buffer.len());
        state.buffer.extend_from_slice(&bytes[..count]);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        if self.1 {
            self.0.read();
        }
        self.0.busy.store(false, Ordering::Relaxed);
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state.lock();
        if state.buffer.len() < self.0.capacity {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn finish(&self) {}
}

impl ReadEnd for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut state = self.0.state.lock();
        if state.input.is_empty() {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let input = std::mem::take(&mut state.input);
        buf.extend_from_slice(&input);
        Poll::Ready(Ok(input.len()))
    }

    fn is_closed(&self) -> bool {
        false
    }
}

/// A client with open streams, and its driver.
fn client(
    socket: &Arc<Socket>,
    eager: bool,
    window: u32,
    streams: u32,
) -> (Link, Driver, Vec<StreamKey>) {
    let end = || End(Arc::clone(socket), eager);
    super::tests::client(Ends { input: Box::new(end()), output: Arc::new(end()) }, window, streams)
}

fn send(link: &Link, key: StreamKey, sender: &mut Sender, message: &[u8]) {
    let sent = block_on(poll_fn(|cx| {
        super::tests::poll_send(link, key, message.len(), sender, cx, |out: &mut Vec<u8>| {
            out.extend_from_slice(message);
        })
    }));
    sent.expect("the stream is open");
}

/// Writes three messages, and holds the link until the peer has got them.
fn writer_of_three(link: Link, key: StreamKey, socket: &Arc<Socket>) -> thread::JoinHandle<()> {
    let socket = Arc::clone(socket);
    thread::spawn(move || {
        let mut sender = Sender::default();
        for message in [&b"1"[..], b"2", b"3"] {
            send(&link, key, &mut sender, message);
        }
        socket.wait_for(3);
    })
}

/// Tries the orders of events in which threads are interrupted up to `preemptions` times: as many
/// as take a few seconds. Timers can be made and never fire.
pub(crate) fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _within = runtime.enter();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(run);
}

fn silent(_: &Frame, _: &mut Vec<u8>) {}

fn messages(id: u64, messages: &[&'static str]) -> Vec<(u64, Bytes)> {
    messages.iter().map(|message| (id, Bytes::from_static(message.as_bytes()))).collect()
}

#[test]
fn loom_what_a_writer_leaves_is_written() {
    model(3, || {
        let socket = Socket::new(1_000, silent);
        let (link, driver, keys) = client(&socket, true, 65_535, 1);
        let writer = writer_of_three(link, keys[0], &socket);
        // The driver is told only by those who leave it something to do.
        block_on(driver);
        writer.join().expect("it wrote");
        assert_eq!(socket.got(), messages(100, &["1", "2", "3"]));
    });
}

#[test]
fn loom_two_writers_lose_and_mix_nothing() {
    model(1, || {
        let socket = Socket::new(1_000, silent);
        let (link, driver, keys) = client(&socket, true, 65_535, 2);
        let writers = [0, 1].map(|which| {
            let (link, key, its) = (link.clone(), keys[which], Arc::clone(&socket));
            thread::spawn(move || {
                let mut sender = Sender::default();
                send(&link, key, &mut sender, b"1");
                send(&link, key, &mut sender, b"2");
                its.wait_for(4);
            })
        });
        drop(link);
        block_on(driver);
        writers.into_iter().for_each(|writer| writer.join().expect("it wrote"));
        for id in [100, 101] {
            let got: Vec<_> = socket.got().into_iter().filter(|(its, _)| *its == id).collect();
            assert_eq!(got, messages(id, &["1", "2"]));
        }
    });
}

#[test]
fn loom_what_several_leave_is_written_by_the_flusher_beside_the_driver() {
    model(2, || {
        let socket = Socket::new(1_000, silent);
        let (link, driver, keys) = client(&socket, true, 65_535, 2);
        let mut flusher = Flusher::new(Arc::clone(link.shared()));
        let its = Arc::clone(&socket);
        let flusher = thread::spawn(move || {
            block_on(poll_fn(|cx| {
                if its.poll_change(cx, |state| state.over).is_ready() {
                    return Poll::Ready(());
                }
                Pin::new(&mut flusher).poll(cx)
            }));
        });
        let its = Arc::clone(&socket);
        let writer = thread::spawn(move || {
            for key in keys {
                send(&link, key, &mut Sender::default(), b"1");
            }
            its.wait_for(2);
        });
        block_on(driver);
        socket.end();
        for thread in [flusher, writer] {
            thread.join().expect("it ended");
        }
        assert_eq!(socket.got(), [messages(100, &["1"]), messages(101, &["1"])].concat());
    });
}

#[test]
fn loom_a_full_socket_is_waited_for_whoever_filled_it() {
    model(1, || {
        // Room for a header and a half. The peer answers the second message.
        let socket = Socket::new(24, |frame, out| {
            if let Frame::Data { id, messages } = frame
                && messages.clone().singles().iter().any(|message| message.first() == "2")
            {
                wire::data(out, *id, 0, |_: &mut Vec<u8>| {}).expect("the right size");
            }
        });
        let (link, driver, keys) = client(&socket, false, 65_535, 1);
        let writer = thread::spawn(move || {
            let mut sender = Sender::default();
            send(&link, keys[0], &mut sender, b"1");
            send(&link, keys[0], &mut sender, b"2");
            // Now it waits, and so writes by itself what the driver has not.
            let mut inbox = Inbox::default();
            let taken = block_on(poll_fn(|cx| {
                link.poll_take(keys[0], Consumed::default(), &mut inbox, cx)
            }));
            assert_eq!(taken, Take::Messages);
        });
        let peer = Arc::clone(&socket);
        let reader = thread::spawn(move || peer.read_all());
        block_on(driver);
        socket.end();
        reader.join().expect("it read");
        writer.join().expect("it wrote");
        assert_eq!(socket.got(), messages(100, &["1", "2"]));
    });
}

#[test]
fn loom_a_writer_without_credit_goes_on_with_the_peers() {
    model(2, || {
        // As much credit as a message has bytes, which comes back when the peer has read it.
        let socket = Socket::new(1_000, |frame, out| {
            if let Frame::Data { id, messages } = frame {
                wire::feedback(out, *id, u32::try_from(messages.bytes()).expect("small"));
            }
        });
        let (link, driver, keys) = client(&socket, true, 1, 1);
        let writer = writer_of_three(link, keys[0], &socket);
        block_on(driver);
        writer.join().expect("it wrote");
        assert_eq!(socket.got(), messages(100, &["1", "2", "3"]));
    });
}

#[test]
fn loom_callers_get_their_answers() {
    model(1, || {
        let socket = Socket::new(1_000, |frame, out| {
            if let Frame::Request { meta, .. } = frame {
                let answer = trill_proto::ResponseProtocol {
                    request_id: meta.request_id,
                    ..Default::default()
                };
                let head = UnaryHead { id: meta.request_id, version: 1, reserved: 0 };
                wire::unary(out, head, &answer, wire::ANY, 0, |_: &mut Vec<u8>| {}, &[])
                    .expect("it is small");
            }
        });
        let (link, driver, _) = client(&socket, true, 65_535, 0);
        let callers = [(); 2].map(|()| {
            let link = link.clone();
            thread::spawn(move || {
                let (mut head, mut ticket) = (Some(Head::default()), None);
                let call = block_on(poll_fn(|cx| {
                    link.poll_call(
                        &mut head,
                        CallTerms { one_way: false, deadline: None, now: now() },
                        UnaryContent::new(0, |_: &mut Vec<u8>| {}),
                        &mut ticket,
                        cx,
                    )
                }));
                let key = call.expect("it was sent").expect("it is answered");
                let answer = block_on(poll_fn(|cx| link.poll_answer(key, cx)));
                assert!(answer.expect("an answer").outcome.is_ok());
            })
        });
        drop(link);
        block_on(driver);
        callers.into_iter().for_each(|caller| caller.join().expect("it was answered"));
    });
}

#[test]
fn loom_a_send_buffer_keeps_order_and_credit_while_it_is_collected() {
    model(3, || {
        let send_buffer = SendBuffer::new(Wire::Trpc(wire::Trpc).prefix(StreamId(7)), 1_000);
        send_buffer.grant(10, Vec::new(), SEND_BUFFER_SIZE);
        let its = send_buffer.clone();
        // The connection: takes back what is there, and later grants what is left.
        let connection = thread::spawn(move || {
            let (mut frames, credit) = its.collect().expect("it was granted");
            its.grant(credit, Vec::new(), SEND_BUFFER_SIZE);
            let (more, credit) = its.collect().expect("it was granted again");
            frames.extend(more);
            (frames, credit)
        });
        let mut asked = Vec::new();
        for message in [&b"1"[..], b"22"] {
            if send_buffer
                .send(message.len(), |out: &mut Vec<u8>| out.extend_from_slice(message))
                .is_err()
            {
                write_data(&mut asked, StreamId(7), message.len(), |out: &mut Vec<u8>| {
                    out.extend_from_slice(message);
                })
                .unwrap();
            }
        }
        let (frames, credit) = connection.join().expect("it took all");
        assert!(send_buffer.collect().is_none());
        let through = payloads(&frames);
        let sent: usize = through.iter().map(Bytes::len).sum();
        assert_eq!(credit, 10 - i64::try_from(sent).expect("small"), "what is left of the credit");
        let mut all = [through, payloads(&asked)].concat();
        all.sort_unstable();
        assert_eq!(all, ["1", "22"], "each message once");
    });
}

fn payloads(frames: &[u8]) -> Vec<Bytes> {
    let (mut bytes, mut all) = (BytesMut::from(frames), Vec::new());
    while let Some(Frame::Data { messages, .. }) =
        Decoder::new(Side::Client, 1_000).decode(&mut bytes).expect("whole frames")
    {
        all.extend(messages.singles().iter().map(Messages::first));
    }
    all
}

#[test]
fn loom_a_pipe_of_this_process_forgets_nobody() {
    model(3, || {
        let (near, far) = crate::transport::memory_pair();
        let more_than_fits = vec![7; 64 * 1024 + 1];
        let writer = thread::spawn(move || {
            let mut left = &more_than_fits[..];
            while !left.is_empty() {
                match near.output.try_write(left) {
                    Ok(count) => left = &left[count..],
                    Err(_) => block_on(poll_fn(|cx| near.output.poll_write_ready(cx)))
                        .expect("it is open"),
                }
            }
        });
        let (mut input, mut count, mut buf) = (far.input, 0, BytesMut::with_capacity(128 * 1024));
        loop {
            match block_on(poll_fn(|cx| input.poll_read(cx, &mut buf))).expect("it is open") {
                0 => break,
                read => count += read,
            }
        }
        assert_eq!(count, 64 * 1024 + 1);
        writer.join().expect("it wrote");
    });
}
