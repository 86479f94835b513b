//! The memory that peers can make a server hold, counted by the allocator and by the server. The
//! two must agree, or the budgets mean nothing. It is a binary of its own, because everything that
//! runs beside it would be counted as well.

#[path = "counting.rs"]
mod counting;

use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flate2::write::GzEncoder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use trill::prost::Message;
use trill::server::{ServerBuilder, ServerHandle};
use trill::{Limits, Server};
use trill_proto::{RequestProtocol, TransInfoEntry};
use trill_tests::{Obedient, raw, text};

use counting::{CLIENT, LIVE, SERVER};
use keeping::Keeper;

const MIB: usize = 1024 * 1024;

/// For what must happen some time, on a machine that may be slow.
const SOME_TIME: Duration = Duration::from_secs(60);

/// The memory beside what is counted: tasks of handlers, read buffers.
const SLACK: usize = 4 * MIB;

struct Attacked {
    handle: ServerHandle,
    address: String,
    before: usize,
}

fn live() -> usize {
    [CLIENT, SERVER]
        .iter()
        .map(|side| LIVE[*side].load(Ordering::Relaxed))
        .sum::<isize>()
        .max(0)
        .cast_unsigned()
}

/// Gives the allocated bytes when nothing changes any more.
async fn settled() -> usize {
    let mut last = live();
    loop {
        sleep(Duration::from_millis(200)).await;
        let now = live();
        if now.abs_diff(last) < 64 * 1024 {
            return now;
        }
        last = now;
    }
}

impl Attacked {
    async fn start(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::serve(set(Server::builder().service(Obedient::new().0))).await
    }

    async fn serve(server: ServerBuilder) -> Self {
        let bound = server.bind("127.0.0.1:0").await.unwrap();
        let (handle, address) = (bound.handle(), bound.local_addr().to_string());
        tokio::spawn(bound.serve());
        Self { handle, address, before: settled().await }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    fn grown(&self) -> usize {
        live().saturating_sub(self.before)
    }

    fn counted(&self) -> usize {
        let buffered = self.handle.buffered();
        buffered.unread + buffered.unsent
    }

    /// Waits until the server holds so much, then compares with what it counts.
    async fn counts(self, what: &str, most: usize, is_there: impl Fn(&Self) -> bool) {
        let there = async {
            while !is_there(&self) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = timeout(SOME_TIME, there).await.is_ok();
        let (grown, counted) = (self.grown(), self.counted());
        println!("{what}: {grown} bytes are allocated, {counted} counted");
        assert!(in_time, "{what}: {grown} bytes are allocated, {counted} counted");
        assert!(
            grown <= counted + counted / 2 + SLACK && grown <= most,
            "{what}: {grown} for {counted}"
        );
        self.handle.shutdown(Duration::from_millis(10)).await;
    }
}

/// A message that unpacks to so many bytes.
fn packed(size: usize) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&raw::field(1, &vec![0; size])).unwrap();
    packed.finish().unwrap()
}

/// Reads until so many streams have been closed.
async fn read_ends(mut socket: impl AsyncRead + Unpin, mut streams: usize) {
    while streams > 0 {
        let mut head = [0; 16];
        socket.read_exact(&mut head).await.unwrap();
        let size = u32::from_be_bytes(head[4..8].try_into().unwrap()) as usize;
        socket.read_exact(&mut vec![0; size - 16]).await.unwrap();
        streams -= usize::from(head[3] == 4);
    }
}

/// A call with a name of its caller and such metadata, which hangs.
fn hanging(id: u32, entries: usize) -> Vec<u8> {
    let meta = RequestProtocol {
        request_id: id,
        func: "/test.all.Everything/Unary".into(),
        caller: "somebody".into(),
        trans_info: (0..entries).map(|at| TransInfoEntry::new(at.to_string(), "")).collect(),
        ..RequestProtocol::default()
    };
    let (meta, body) = (meta.encode_to_vec(), text("hang").encode_to_vec());
    let mut frame = vec![0x09, 0x30, 0, 0];
    frame.extend(u32::try_from(16 + meta.len() + body.len()).unwrap().to_be_bytes());
    frame.extend(u16::try_from(meta.len()).unwrap().to_be_bytes());
    frame.extend(id.to_be_bytes());
    frame.extend([1, 0]);
    [frame, meta, body].concat()
}

#[tokio::test]
async fn what_peers_make_a_server_hold_is_what_it_counts() {
    // Frames that are begun.
    let attacked = Attacked::start(|server| server).await;
    let frame = raw::call(1, "Unary", &"x".repeat(4_000_000));
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut socket = attacked.connect().await;
        socket.write_all(&raw::call(1, "Unary", "hello")).await.unwrap();
        socket.write_all(&frame[..frame.len() - 1]).await.unwrap();
        held.push(socket);
    }
    attacked.counts("frames that are begun", 80 * MIB, |now| now.counted() > 38_000_000).await;
    drop((held, frame));

    // Frames that are begun, each of which one read takes.
    let attacked = Attacked::start(|server| server).await;
    let (greeting, frame) = (raw::call(1, "Unary", "hello"), raw::data(99, &"x".repeat(60_000)));
    let begun = [&greeting[..], &frame, &frame, &frame[..frame.len() - 1]].concat();
    let mut held = Vec::new();
    for _ in 0..200 {
        let mut socket = attacked.connect().await;
        socket.write_all(&begun).await.unwrap();
        held.push(socket);
    }
    attacked
        .counts("small frames that are begun", 24 * MIB, |now| now.counted() >= 200 * 60_000)
        .await;
    drop((held, frame));

    // Metadata.
    let attacked = Attacked::start(|server| server).await;
    let mut socket = attacked.connect().await;
    for id in 1..=300 {
        socket.write_all(&hanging(id, 1_000)).await.unwrap();
    }
    attacked.counts("metadata", 60 * MIB, |now| now.counted() > 27_000_000).await;
    drop(socket);

    // Answers that nobody reads.
    let attacked = Attacked::start(|server| server.max_unsent(64 * MIB)).await;
    let mut socket = attacked.connect().await;
    for id in 1..=150 {
        socket.write_all(&raw::call(id, "Unary", "large 1000000")).await.unwrap();
    }
    attacked.counts("answers", 64 * MIB, |now| now.counted() > 24_000_000).await;
    drop(socket);

    // Little that is kept among much that is not, which fills the read buffers.
    let attacked = Attacked::start(|server| server).await;
    let mut socket = attacked.connect().await;
    let filler = raw::call(1_000_000, "None", &"x".repeat(60_000));
    for id in 1..=300 {
        socket.write_all(&hanging(id, 1)).await.unwrap();
        socket.write_all(&filler).await.unwrap();
    }
    attacked
        .counts("calls that hang", 4 * MIB, |now| now.handle.buffered().unread >= 300 * 6)
        .await;
    drop(socket);

    // Streams of whose read buffers one small message is not read.
    let attacked = Attacked::start(|server| server).await;
    let mut socket = attacked.connect().await;
    for id in 1..=300 {
        socket
            .write_all(&[raw::init(id, "Talk", 65_535), raw::data(id, "hang")].concat())
            .await
            .unwrap();
    }
    let filler = raw::data(1_000, &"x".repeat(62_000));
    for id in 1..=300 {
        socket.write_all(&[raw::data(id, "x"), filler.clone()].concat()).await.unwrap();
    }
    let held = 300 * (raw::data(1, "hang").len() + raw::data(1, "x").len());
    attacked.counts("messages", 4 * MIB, |now| now.handle.buffered().unread >= held).await;
    drop(socket);

    keep_large().await;
    keep_requests_of_streams().await;
    unpack_many().await;
}

/// Methods whose messages are bytes, which a handler keeps for ever.
mod keeping {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use trill::{AsyncReader, AsyncWriter, Context, Result};

    #[trill::service(package = "test.all")]
    pub(crate) trait Everything {
        async fn unary(&self, cx: Context, request: Bytes) -> Result<Bytes>;
        async fn upload(&self, cx: Context, reader: AsyncReader<Bytes>) -> Result<Bytes>;
        async fn download(
            &self,
            cx: Context,
            request: Bytes,
            writer: AsyncWriter<Bytes>,
        ) -> Result<()>;
    }

    /// Counts the requests that its handlers have.
    #[derive(Clone, Default)]
    pub(crate) struct Keeper(pub(crate) Arc<AtomicUsize>);

    #[trill::service]
    impl Everything for Keeper {
        async fn unary(&self, _cx: Context, request: Bytes) -> Result<Bytes> {
            self.0.fetch_add(1, Ordering::Relaxed);
            pending::<()>().await;
            Ok(request)
        }

        async fn upload(&self, _cx: Context, mut reader: AsyncReader<Bytes>) -> Result<Bytes> {
            pending::<()>().await;
            Ok(reader.read().await?.unwrap_or_default())
        }

        async fn download(
            &self,
            _cx: Context,
            request: Bytes,
            mut writer: AsyncWriter<Bytes>,
        ) -> Result<()> {
            self.0.fetch_add(1, Ordering::Relaxed);
            pending::<()>().await;
            writer.write(request).await
        }
    }
}

/// Bodies that are more than half of a read buffer, and no more than that, beside what is not kept.
async fn keep_large() {
    const CALLS: u32 = 500;
    const SIZE: usize = 33_000;
    let body = raw::field(1, &[7; SIZE]);
    let counted = CALLS as usize * SIZE;
    for filler in [31_000, 65_000] {
        let filler = raw::data(1_000_000, &"x".repeat(filler));

        let attacked = Attacked::serve(Server::builder().service(Keeper::default())).await;
        let mut socket = attacked.connect().await;
        for id in 1..=CALLS {
            let call =
                raw::Request { id, method: "Unary", body: body.clone(), ..Default::default() };
            socket.write_all(&[call.frame(), filler.clone()].concat()).await.unwrap();
        }
        attacked
            .counts("large bodies", 29 * MIB, |now| now.handle.buffered().unread >= counted)
            .await;
        drop(socket);

        let attacked = Attacked::serve(Server::builder().service(Keeper::default())).await;
        let mut socket = attacked.connect().await;
        for id in 1..=CALLS {
            socket.write_all(&raw::init(id, "Upload", 65_535)).await.unwrap();
        }
        for id in 1..=CALLS {
            socket.write_all(&[raw::raw_data(id, &body), filler.clone()].concat()).await.unwrap();
        }
        attacked
            .counts("large messages", 29 * MIB, |now| now.handle.buffered().unread >= counted)
            .await;
    }
}

/// Requests of server streams, each of which is little among what is not kept.
async fn keep_requests_of_streams() {
    const STREAMS: u32 = 500;
    let keeper = Keeper::default();
    let attacked = Attacked::serve(Server::builder().service(keeper.clone())).await;
    let mut socket = attacked.connect().await;
    for id in 1..=STREAMS {
        socket.write_all(&raw::init(id, "Download", 65_535)).await.unwrap();
    }
    let filler = raw::data(1_000_000, &"x".repeat(62_000));
    for id in 1..=STREAMS {
        socket.write_all(&[raw::data(id, "0123456789"), filler.clone()].concat()).await.unwrap();
    }
    let all = |_: &Attacked| keeper.0.load(Ordering::Relaxed) == STREAMS as usize;
    attacked.counts("requests of streams", 6 * MIB, all).await;
}

/// Messages that unpack to much, on many streams whose handlers read.
async fn unpack_many() {
    let attacked = Attacked::start(|server| {
        server.limits(
            Limits::default().max_message_received(2_100_000).max_unread_per_connection(8 * MIB),
        )
    })
    .await;
    let (input, mut output) = attacked.connect().await.into_split();
    let message = packed(2_000_000);
    for id in 1..=60 {
        let open = raw::open(id, "Upload", 65_535, 1, b"");
        output
            .write_all(&[open, raw::raw_data(id, &message), raw::close(id)].concat())
            .await
            .unwrap();
    }
    let ends = tokio::spawn(read_ends(input, 60));
    let (mut grown, mut counted) = (0, 0);
    let all_are_read = async {
        while !ends.is_finished() {
            (grown, counted) = (grown.max(attacked.grown()), counted.max(attacked.counted()));
            yield_now().await;
        }
    };
    let in_time = timeout(SOME_TIME, all_are_read).await.is_ok();
    println!("messages that unpack to much: {grown} bytes were allocated, {counted} counted");
    // They have half of the connection's room, and one goes on without.
    assert!(in_time && (4_000_000..=10 * MIB).contains(&counted), "{counted} are counted");
    assert!(grown <= 24 * MIB, "{grown} for {counted}");
    ends.await.unwrap();
}
