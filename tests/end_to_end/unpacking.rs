//! Few bytes that unpack to many: they cost their sender's calls, and neither a thread nor memory
//! that nobody counts. Turns are counted, not time.

use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::task::coop::has_budget_remaining;
use trill::prost::Message;
use trill::server::{Buffered, ServerHandle};
use trill::testing::Network;
use trill::trpc::{self, Codes};
use trill::{
    AsyncReaderWriter, Channel, Code, Compression, Context, ErrorKind, Limits, Result, Server,
};
use trill_proto::{RequestProtocol, ResponseProtocol};
use trill_tests::{Absent, AbsentClient, EverythingClient, Obedient, Text, in_memory, text};

use crate::frames::{frame, read};
use crate::packed::{CODECS, pack};

/// For what must happen some time, on a machine that may be slow.
const LONG: Duration = Duration::from_secs(30);

/// Counts how many messages its handlers get between two turns of another task.
#[derive(Default)]
struct Turns {
    turn: AtomicUsize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    messages: usize,
    /// The turn of the last message, and how many came in it.
    turn: usize,
    run: usize,
    longest: usize,
}

impl Turns {
    fn count(&self) {
        let mut seen = self.seen.lock().unwrap();
        let turn = self.turn.load(Ordering::Relaxed);
        seen.run = if seen.turn == turn { seen.run + 1 } else { 1 };
        (seen.turn, seen.messages, seen.longest) =
            (turn, seen.messages + 1, seen.longest.max(seen.run));
    }

    fn check(&self, messages: usize, longest: usize, codec: &str) {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.messages, messages, "{codec}");
        assert!(seen.longest <= longest, "{codec}: {} in one turn", seen.longest);
    }

    /// A task that is always ready. tokio's `yield_now` would put it behind all that are.
    fn take(self: &Arc<Self>) -> JoinHandle<()> {
        let turns = Arc::clone(self);
        tokio::spawn(async move {
            poll_fn(|cx| {
                turns.turn.fetch_add(1, Ordering::Relaxed);
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            })
            .await;
        })
    }
}

struct Counts(Arc<Turns>);

#[trill::service]
impl Absent for Counts {
    async fn unary(&self, _cx: Context, _request: Text) -> Result<Text> {
        self.0.count();
        Ok(text(""))
    }

    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        while rw.read().await?.is_some() {
            self.0.count();
        }
        Ok(())
    }
}

/// 200 messages that fit into one window, so they are there together.
#[tokio::test]
async fn a_reader_lets_others_go_on_after_so_many_unpacked_bytes() {
    for (codec, compression, _) in CODECS {
        let turns = Arc::new(Turns::default());
        let channel = Server::builder().service(Counts(Arc::clone(&turns))).in_memory().unwrap();
        let mut rw = AbsentClient::new(channel).talk().compression(compression).await.unwrap();
        let other = turns.take();
        // More than 8 KiB would be packed and unpacked elsewhere.
        let message = text("x".repeat(7 * 1024));
        for _ in 0..200 {
            rw.write(message.clone()).await.unwrap();
        }
        rw.finish().await.unwrap();
        other.abort();
        // 9 KiB of work each, 64 KiB a turn, and it may be woken for a second one.
        turns.check(200, 24, codec);
    }
}

/// Calls that come with one write, so that they are one batch.
#[tokio::test]
async fn calls_that_came_together_let_others_go_on_after_so_many_unpacked_bytes() {
    let turns = Arc::new(Turns::default());
    let bound =
        Server::builder().service(Counts(Arc::clone(&turns))).bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    let message = text("x".repeat(7 * 1024)).encode_to_vec();
    // Snappy makes more of them than one read takes.
    for (codec, _, content_encoding) in
        CODECS.into_iter().filter(|codec| !codec.0.contains("Snappy"))
    {
        *turns.seen.lock().unwrap() = Seen::default();
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let body = pack(codec, &message);
        let call = |request_id| {
            let func = "/test.all.Absent/Unary".into();
            frame(
                &RequestProtocol { request_id, func, content_encoding, ..Default::default() },
                &body,
            )
        };
        let calls: Vec<_> = (1..=100).flat_map(call).collect();
        let other = turns.take();
        socket.write_all(&calls).await.unwrap();
        for _ in 0..100 {
            assert_eq!(read::<ResponseProtocol>(&mut socket).await.0.ret, 0);
        }
        other.abort();
        // Nine in a turn of a batch; without a limit by bytes they are 16. They may be two batches
        // or three.
        turns.check(100, 36, codec);
    }
}

/// An unpacked message belongs to the handle, wherever it is unpacked.
#[tokio::test]
async fn a_read_that_is_dropped_while_it_unpacks_loses_nothing() {
    for (codec, compression, _) in CODECS {
        let (client, _log) = in_memory();
        let mut rw = client.talk().compression(compression).await.unwrap();
        for letter in ["a", "b", "c"] {
            let message = text(letter.repeat(3_000_000));
            rw.write(message.clone()).await.unwrap();
            let mut drops = 0;
            let read = async {
                loop {
                    match rw.read().now_or_never() {
                        Some(read) => break read.unwrap(),
                        None => drops += 1,
                    }
                    tokio::task::yield_now().await;
                }
            };
            let read = tokio::time::timeout(LONG, read).await.expect("it comes");
            assert!(read == Some(message), "{codec}");
            assert!(drops > 0);
        }
        rw.finish_writing().await.unwrap();
        assert_eq!(rw.read().await.unwrap(), None);
    }
}

/// A message that is half unpacked, and that nobody reads on, keeps others waiting for a minute.
#[tokio::test(start_paused = true)]
async fn a_message_that_finds_no_room_to_unpack_for_a_minute_says_so_and_the_next_is_read() {
    let host = Network::new(1).serve(Server::builder().service(Obedient::new().0)).unwrap();
    let settings = Channel::builder().compression(Compression::Gzip);
    let settings = settings.limits(
        Limits::default().max_message_received(1_000_000).max_unread_per_connection(1_000_000),
    );
    let (channel, _link) = host.connect(settings).unwrap();
    let client = EverythingClient::new(channel.clone());
    let (mut held, mut waits) = (client.talk().await.unwrap(), client.talk().await.unwrap());
    let message = text("x".repeat(900_000));
    for rw in [&mut held, &mut waits] {
        rw.write(message.clone()).await.unwrap();
    }
    // It gets more than half of the room, as one message may. Its last round is not waited for:
    // that may follow in the turn in which the room is full.
    while channel.buffered().unread < 600_000 {
        assert!(held.read().now_or_never().is_none(), "it is not unpacked in one turn");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // A read that is dropped does not begin the minute anew.
    let read = tokio::time::timeout(Duration::from_secs(50), waits.read()).await;
    assert!(read.is_err(), "it waits for a minute");
    let read = tokio::time::timeout(Duration::from_secs(50), waits.read()).await;
    let error = read.expect("it is refused after a minute").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    for words in ["Talk", "of 1000000 bytes", "(max_unread_per_connection)"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(held.read().await.unwrap() == Some(message));
    waits.write(text("next")).await.unwrap();
    assert_eq!(waits.read().await.unwrap(), Some(text("next")));
    drop((held, waits));
    assert_eq!(channel.buffered().unread, 0);
}

/// A service whose handler leaves a call behind that has what is left of its own time.
struct LeavesBehind(EverythingClient, mpsc::UnboundedSender<JoinHandle<Result<Text>>>);

#[trill::service]
impl Absent for LeavesBehind {
    async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
        let call = self.0.unary(request).options(cx.child());
        self.1.send(tokio::spawn(call)).expect("the test waits for it");
        Ok(text(""))
    }

    async fn talk(&self, _cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        Ok(())
    }
}

/// One limit is the call's own, one the channel's, and one is inherited. Each comes before the
/// minute.
#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_room_to_unpack_for_no_longer_than_its_call_may_take() {
    let host = Network::new(1).serve(Server::builder().service(Obedient::new().0)).unwrap();
    let settings =
        Channel::builder().compression(Compression::Gzip).timeout(Duration::from_secs(20));
    let settings = settings.limits(
        Limits::default().max_message_received(1_000_000).max_unread_per_connection(1_000_000),
    );
    let (channel, _link) = host.connect(settings).unwrap();
    let client = EverythingClient::new(channel.clone());
    let (calls, mut left_behind) = mpsc::unbounded_channel();
    let relay = Server::builder().service(LeavesBehind(client.clone(), calls)).in_memory().unwrap();
    let mut held = client.talk().await.unwrap();
    let message = text("x".repeat(900_000));
    held.write(message.clone()).await.unwrap();
    while channel.buffered().unread < 900_000 {
        assert!(held.read().now_or_never().is_none(), "it is not unpacked in one turn");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let unread = channel.buffered().unread;
    let call = || client.unary(message.clone());
    let own = tokio::spawn(call().timeout(Duration::from_secs(10)));
    let default = tokio::spawn(call());
    AbsentClient::new(relay).unary(message.clone()).timeout(Duration::from_secs(15)).await.unwrap();
    let inherited = left_behind.recv().await.unwrap();
    let codes = [trpc::Code::CLIENT_INVOKE_TIMEOUT_ERR, trpc::Code::CLIENT_FULL_LINK_TIMEOUT_ERR];
    for (call, code, words) in [
        (own, codes[0], "within 10s"),
        (inherited, codes[1], "of the caller's deadline"),
        (default, codes[0], "within 20s"),
    ] {
        let answer = tokio::time::timeout(Duration::from_secs(25), call)
            .await
            .expect("it has a limit")
            .unwrap();
        let error = answer.map(|answer| answer.text.len()).unwrap_err();
        assert_eq!((error.kind(), Codes::of(&error).ret), (ErrorKind::Timeout, code), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(channel.buffered().unread, unread, "nothing is unpacked any more");
    assert!(held.read().await.unwrap() == Some(message));
}

async fn serve(max_unread: usize) -> (ServerHandle, String) {
    let builder = Server::builder()
        .service(Obedient::new().0)
        .limits(Limits::default().max_message_received(2_000_000));
    let bound = builder.max_unread(max_unread).bind("127.0.0.1:0").await.unwrap();
    let (handle, address) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    (handle, address)
}

#[tokio::test]
async fn requests_count_with_what_they_unpack_to_while_their_handlers_run() {
    let (handle, address) = serve(20_000_000).await;
    let client = EverythingClient::new(Channel::connect(address).await.unwrap());
    let request = text(format!("hang {}", "x".repeat(1_000_000)));
    let mut calls = Vec::new();
    let error = loop {
        assert!(calls.len() < 100, "{:?} are counted", handle.buffered());
        let mut call =
            Box::pin(client.unary(request.clone()).compression(Compression::Gzip).into_future());
        let told = async {
            // More counts while it is unpacked.
            let whole = (calls.len() + 1) * 1_000_000;
            while !(whole..whole + 100_000).contains(&handle.buffered().unread) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            answer = &mut call => break answer.unwrap_err(),
            () = told => calls.push(call),
        }
    };
    // One connection gets no more than half.
    assert!((7..=10).contains(&calls.len()), "{} calls", calls.len());
    assert_eq!(error.code(), Code::ResourceExhausted);
    for words in ["of 20000000 bytes are in use", "(max_unread)"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    // A request that is being unpacked takes a fifth more, for a moment.
    assert!(handle.buffered().unread <= 10_300_000, "{:?}", handle.buffered());
}

#[tokio::test]
async fn requests_of_server_streams_count_while_their_handlers_have_them() {
    for compression in [None, Some(Compression::Gzip)] {
        let (service, mut log) = Obedient::new();
        let builder = Server::builder()
            .service(service)
            .limits(Limits::default().max_message_received(2_000_000));
        let bound = builder.max_unread(20_500_000).bind("127.0.0.1:0").await.unwrap();
        let (handle, address) = (bound.handle(), bound.local_addr().to_string());
        tokio::spawn(bound.serve());
        let client = EverythingClient::new(Channel::connect(address).await.unwrap());
        let request = text(format!("stay {}", "x".repeat(1_900_000)));
        let mut streams = Vec::new();
        let error = loop {
            assert!(streams.len() < 100, "{:?} are counted", handle.buffered());
            let mut opening = client.download(request.clone());
            if let Some(compression) = compression {
                opening = opening.compression(compression);
            }
            let mut reader = opening.await.unwrap();
            let begun = tokio::time::timeout(LONG, async {
                tokio::select! {
                    read = reader.read() => Err(read.unwrap_err()),
                    report = log.recv() => Ok(report),
                }
            });
            match begun.await.expect("it begins or is refused") {
                Err(error) => break error,
                Ok(report) => assert_eq!(report.as_deref(), Some("stays")),
            }
            streams.push(reader);
            let counted = handle.buffered().unread;
            assert!(counted >= streams.len() * 1_900_000, "{counted} of {} streams", streams.len());
        };
        // A peer's bytes count twice: a sixth request is too much, and one more stream is not.
        assert_eq!(streams.len(), 5);
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Status, Code::ResourceExhausted),
            "{error}"
        );
        for words in
            ["Download", "the request takes 1900", "of 20500000 bytes are in use", "(max_unread)"]
        {
            assert!(error.to_string().contains(words), "{error}");
        }
        assert_eq!(handle.refused().no_room, 1);
        assert!(log.try_recv().is_err(), "no handler begins with a request that is refused");
        drop(streams);
        let nothing = async {
            while handle.buffered() != Buffered::default() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LONG, nothing)
            .await
            .unwrap_or_else(|_| panic!("{:?}", handle.buffered()));
    }
}

#[tokio::test]
async fn a_request_that_is_decoded_counts_with_what_its_message_keeps() {
    let (handle, address) = serve(20_000_000).await;
    // A field that the handler's message does not have.
    let body =
        [&text("hang").encode_to_vec()[..], &[0x7a, 0xa0, 0x8d, 0x06], &[0; 100_000]].concat();
    for encoding in [0, 1] {
        let packed = if encoding == 0 { body.clone() } else { pack("gzip", &body) };
        let func = "/test.all.Everything/Unary".into();
        let meta = RequestProtocol { func, content_encoding: encoding, ..Default::default() };
        let mut socket = TcpStream::connect(&address).await.unwrap();
        socket.write_all(&frame(&meta, &packed)).await.unwrap();
        let decoded = async {
            // The six bytes of the text are what is left, with what a call's head and state cost.
            while !(6..2_000).contains(&handle.buffered().unread) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LONG, decoded)
            .await
            .unwrap_or_else(|_| panic!("{:?}", handle.buffered()));
        drop(socket);
        let gone = async {
            while handle.buffered().unread > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LONG, gone).await.expect("the call is over with its connection");
    }
}

/// Calls whose answers get large, each waited for by a thread for blocking work, until there is
/// none left for the unpacking.
#[test]
fn answers_are_unpacked_while_all_threads_for_blocking_work_wait_for_them() {
    let small =
        Builder::new_multi_thread().worker_threads(1).max_blocking_threads(2).enable_all().build();
    let (small, other) = (small.unwrap(), Runtime::new().unwrap());
    let (_server, address) = other.block_on(serve(20_000_000));
    let client = EverythingClient::new(small.block_on(Channel::connect(&address)).unwrap());
    let calls = [(); 2].map(|()| {
        let (handle, client) = (small.handle().clone(), client.clone());
        small.spawn_blocking(move || {
            handle.block_on(async move {
                let call = client.unary(text("large 1900000")).compression(Compression::Gzip);
                tokio::time::timeout(LONG, call.timeout(LONG))
                    .await
                    .expect("no thread is needed")
                    .unwrap()
            })
        })
    });
    for answer in calls {
        assert_eq!(small.block_on(answer).unwrap().text.len(), 1_900_000);
    }
}

/// Says whether its task may go on in the same turn once its message is decoded.
struct Remaining;

#[trill::service]
impl Absent for Remaining {
    async fn unary(&self, _cx: Context, _request: Text) -> Result<Text> {
        Ok(text(has_budget_remaining().to_string()))
    }

    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        while rw.read().await?.is_some() {
            rw.write(text(has_budget_remaining().to_string())).await?;
        }
        Ok(())
    }
}

/// Polls it until it is ready, and says whether its task may go on in the same turn then.
async fn remains_after<F: Future + Unpin>(mut future: F) -> (F::Output, bool) {
    poll_fn(|cx| Pin::new(&mut future).poll(cx).map(|output| (output, has_budget_remaining())))
        .await
}

#[tokio::test]
async fn large_messages_pay_for_their_decoding_and_small_ones_do_not() {
    let channel = Server::builder().service(Remaining).in_memory().unwrap();
    let client = AbsentClient::new(channel);
    let (echo, _log) = in_memory();
    for (size, remains) in [(10, true), (10_000, true), (300_000, false)] {
        let message = text("x".repeat(size));
        let expected = text(remains.to_string());
        assert_eq!(client.unary(message.clone()).await.unwrap(), expected, "a request of {size}");
        let mut rw = client.talk().await.unwrap();
        rw.write(message.clone()).await.unwrap();
        assert_eq!(rw.read().await.unwrap(), Some(expected), "a message of {size}");
        let (answer, after) = remains_after(echo.unary(message.clone())).await;
        assert!(answer.unwrap() == message && after == remains, "an answer of {size}");
    }
}

/// Calls a server in a runtime of one thread, and gives how many threads for blocking work that
/// took.
fn threads_for(request: Text, compression: Option<Compression>) -> usize {
    let threads = Arc::new(AtomicUsize::new(0));
    let started = Arc::clone(&threads);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .on_thread_start(move || {
            started.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, _log) = in_memory();
        let mut call = client.unary(request);
        if let Some(compression) = compression {
            call = call.compression(compression);
        }
        call.await.unwrap();
    });
    threads.load(Ordering::Relaxed)
}

#[test]
fn what_takes_long_to_decode_or_to_write_keeps_no_task_from_its_turn() {
    for (request, compression, expected) in [
        ("large 900000".to_owned(), None, false),
        ("large 2000000".to_owned(), None, true),
        ("x".repeat(900_000), None, false),
        ("x".repeat(2_000_000), None, true),
        ("large 5000".to_owned(), Some(Compression::Gzip), false),
        ("large 20000".to_owned(), Some(Compression::Gzip), true),
    ] {
        let case = format!("{} bytes, {compression:?}", request.len());
        assert_eq!(threads_for(text(request), compression) > 0, expected, "{case}");
    }
}

#[tokio::test]
async fn an_answer_counts_while_it_is_written_elsewhere() {
    let (service, _log) = Obedient::new();
    let bound =
        Server::builder().max_unsent(3_000_000).service(service).bind("127.0.0.1:0").await.unwrap();
    let client =
        EverythingClient::new(Channel::connect(bound.local_addr().to_string()).await.unwrap());
    tokio::spawn(bound.serve());
    let calls = (0..20)
        .map(|_| client.unary(text("large 2000000")).compression(Compression::Gzip).into_future());
    let (mut served, mut refused) = (0, 0);
    for called in futures::future::join_all(calls).await {
        match called {
            Ok(answer) => served += usize::from(answer.text.len() == 2_000_000),
            Err(error) => {
                assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
                assert!(error.to_string().contains("max_unsent"), "{error}");
                assert!(!error.is_retryable(), "its handler has run");
                refused += 1;
            }
        }
    }
    assert!(served >= 2 && refused >= 1, "{served} served, {refused} refused");
}
