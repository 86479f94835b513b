//! The bytes that requests count with cover the memory that their messages take, as the allocator
//! counts it. It is a binary of its own, because everything that runs beside it would be counted as
//! well.

#[path = "counting.rs"]
mod counting;
#[path = "end_to_end/frames.rs"]
mod frames;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use trill::prost::Message;
use trill::server::ServerHandle;
use trill::{AsyncReader, AsyncWriter, Channel, Context, Limits, Result, Server};
use trill_proto::{RequestProtocol, ResponseProtocol};

use counting::{LIVE, SERVER, SIDE};
use frames::{frame, read};

/// For what must happen some time, on a machine that may be slow.
const LONG: Duration = Duration::from_secs(30);

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

/// Lists grow to twice what they need when they have one element more than such a number.
const MANY: usize = 128 * KIB + 1;

/// A message of 32 bytes.
#[derive(Clone, PartialEq, Eq, trill::prost::Message)]
#[prost(prost_path = "::trill::prost")]
struct Nested {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(uint64, tag = "2")]
    number: u64,
}

#[derive(Clone, PartialEq, trill::prost::Message)]
#[prost(prost_path = "::trill::prost")]
struct Lists {
    #[prost(message, repeated, tag = "1")]
    nested: Vec<Nested>,
    #[prost(string, repeated, tag = "2")]
    texts: Vec<String>,
    #[prost(uint64, repeated, tag = "3")]
    numbers: Vec<u64>,
    #[prost(map = "uint64, uint64", tag = "4")]
    by_number: HashMap<u64, u64>,
    #[prost(map = "string, string", tag = "5")]
    by_text: HashMap<String, String>,
    #[prost(string, tag = "6")]
    text: String,
}

#[derive(Default)]
struct Holds(Arc<AtomicUsize>);

#[trill::service(package = "test.decoded")]
trait Hold {
    async fn hold(&self, cx: Context, request: Lists) -> Result<()>;
    async fn stream(&self, cx: Context, request: Lists, writer: AsyncWriter<()>) -> Result<()>;
}

#[trill::service]
impl Hold for Holds {
    async fn hold(&self, _cx: Context, request: Lists) -> Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>().await;
        drop(request);
        Ok(())
    }

    async fn stream(&self, cx: Context, request: Lists, _writer: AsyncWriter<()>) -> Result<()> {
        self.hold(cx, request).await
    }
}

/// Bodies that take more memory than bytes, and how often they come.
fn bodies() -> Vec<(&'static str, Vec<u8>, usize)> {
    let texts = || (0..MANY / 2).map(|number| format!("{number:x}"));
    let lists = |change: fn(&mut Lists)| {
        let mut lists = Lists::default();
        change(&mut lists);
        lists.encode_to_vec()
    };
    let by_text =
        Lists { by_text: texts().map(|text| (text, String::new())).collect(), ..Lists::default() };
    let once = [
        ("empty messages", [0x0a, 0].repeat(MANY)),
        ("few empty messages", [0x0a, 0].repeat(KIB * 3)),
        (
            "messages",
            lists(|lists| lists.nested = vec![Nested { text: "x".into(), number: 1 }; MANY]),
        ),
        ("empty texts", [0x12, 0].repeat(MANY)),
        ("texts", lists(|lists| lists.texts = vec!["x".into(); MANY])),
        ("longer texts", lists(|lists| lists.texts = vec!["x".repeat(30); MANY / 8])),
        ("numbers", lists(|lists| lists.numbers = vec![1; MANY * 4])),
        (
            "pairs of numbers",
            lists(|lists| lists.by_number = (1..MANY as u64).map(|n| (n, n)).collect()),
        ),
        ("pairs of texts", by_text.encode_to_vec()),
        ("a text", lists(|lists| lists.text = "x".repeat(MIB))),
        // It keeps the memory of the long one.
        ("two texts", [lists(|lists| lists.text = "x".repeat(MIB)), vec![0x32, 1, b'x']].concat()),
    ];
    let often = [
        ("small empty messages", [0x0a, 0].repeat(1_000), 600),
        ("few small empty messages", [0x0a, 0].repeat(60), 1_000),
        ("small empty texts", [0x12, 0].repeat(1_000), 600),
        ("small numbers", lists(|lists| lists.numbers = vec![1; 1_900]), 600),
        ("small text", lists(|lists| lists.text = "x".repeat(2_000)), 600),
    ];
    once.into_iter().map(|(what, body)| (what, body, 1)).chain(often).collect()
}

fn live() -> isize {
    LIVE[SERVER].load(Ordering::Relaxed)
}

/// Waits until it is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, wait).await.expect(what);
}

async fn call(address: &str, body: &[u8], times: usize) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    for request_id in 1..=u32::try_from(times).unwrap() {
        let func = "/test.decoded.Hold/Hold".into();
        let meta = RequestProtocol { request_id, func, ..Default::default() };
        socket.write_all(&frame(&meta, body)).await.unwrap();
    }
    socket
}

/// The same with server streams.
async fn open(address: &str, body: &[u8], times: usize) -> (Channel, Vec<AsyncReader<()>>) {
    let channel = Channel::connect(address).await.unwrap();
    let client = HoldClient::new(channel.clone());
    let request = Lists::decode(body).unwrap();
    let mut streams = Vec::new();
    for _ in 0..times {
        streams.push(client.stream(request.clone()).await.unwrap());
    }
    (channel, streams)
}

/// Waits until so many more requests are held, and until what they take is what they count.
async fn look(
    what: &str,
    handle: &ServerHandle,
    (held, times): (&AtomicUsize, usize),
    before: isize,
) {
    until(what, || held.load(Ordering::Relaxed) == times).await;
    let taken = || usize::try_from(live() - before).unwrap_or(0);
    // A connection takes something, too, and a call more than it counts besides.
    let besides = 192 * KIB + times * KIB;
    until(what, || taken() <= handle.buffered().unread + besides).await;
    println!("{what}: {} bytes are taken, and {} counted", taken(), handle.buffered().unread);
    held.store(0, Ordering::Relaxed);
}

async fn serve(max_unread: usize) -> (ServerHandle, String, Arc<AtomicUsize>) {
    let held = Arc::default();
    let service = Holds(Arc::clone(&held));
    let settings = Server::builder()
        .limits(Limits::default().max_message_received(2 * MIB))
        .max_unread(max_unread)
        .service(service);
    let bound = settings.bind("127.0.0.1:0").await.unwrap();
    let (handle, address) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    (handle, address, held)
}

#[tokio::test]
async fn requests_count_with_what_their_messages_take_in_memory_or_are_refused() {
    let mut servers = tokio::runtime::Builder::new_multi_thread();
    let servers = servers
        .worker_threads(1)
        .enable_all()
        .on_thread_start(|| SIDE.set(SERVER))
        .build()
        .unwrap();
    let (handle, address, held) = servers.spawn(serve(512 * MIB)).await.unwrap();
    for (what, body, times) in bodies() {
        for as_stream in [false, true] {
            until(what, || handle.buffered().unread == 0).await;
            let before = live();
            println!("{} bytes, {times} times, as a stream: {as_stream}", body.len());
            if as_stream {
                let _open = open(&address, &body, times).await;
                look(what, &handle, (&held, times), before).await;
            } else {
                let _call = call(&address, &body, times).await;
                look(what, &handle, (&held, times), before).await;
            }
        }
    }
    let (handle, address, held) = servers.spawn(serve(8 * MIB)).await.unwrap();
    let mut socket = call(&address, &[0x0a, 0].repeat(MANY), 1).await;
    let (answer, _) = read::<ResponseProtocol>(&mut socket).await;
    assert_eq!(answer.ret, 22, "{answer:?}");
    assert_eq!((held.load(Ordering::Relaxed), handle.refused().no_room), (0, 1));
    servers.shutdown_background();
}
