//! The memory that slow readers cost, counted by the allocator. Server and client have threads of
//! their own, and what a thread allocates counts for its side. It is a binary of its own, because
//! everything that runs beside it would be counted as well.

#[path = "counting.rs"]
mod counting;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use tokio::time::{sleep, timeout};
use trill::server::{ServerBuilder, ServerHandle};
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Context, Reply, Result, Server};

use counting::{CLIENT, LIVE, PIECES, SERVER, SIDE};

/// A clone costs nothing, so that what is counted is the library's.
#[derive(Clone, PartialEq, Eq, trill::prost::Message)]
#[prost(prost_path = "::trill::prost")]
struct Blob {
    #[prost(bytes = "bytes", tag = "1")]
    bytes: Bytes,
}

/// Handlers that read one message and then nothing, or write without end, or answer whatever comes.
struct Slow;

#[trill::service(package = "test")]
trait Sloth {
    async fn take_one(&self, cx: Context, reader: AsyncReader<Blob>) -> Result<Blob>;
    async fn give(&self, cx: Context, blob: Blob, writer: AsyncWriter<Blob>) -> Result<()>;
    async fn take_all(&self, cx: Context, reader: AsyncReader<Blob>) -> Result<Blob>;
    async fn echo(&self, cx: Context, rw: AsyncReaderWriter<Blob, Blob>) -> Result<()>;
}

#[trill::service]
impl Sloth for Slow {
    async fn take_one(&self, _cx: Context, mut reader: AsyncReader<Blob>) -> Result<Blob> {
        reader.read().await?;
        std::future::pending().await
    }

    async fn take_all(&self, _cx: Context, mut reader: AsyncReader<Blob>) -> Result<Blob> {
        while reader.read().await?.is_some() {}
        Ok(Blob::default())
    }

    async fn give(&self, _cx: Context, blob: Blob, mut writer: AsyncWriter<Blob>) -> Result<()> {
        loop {
            writer.write(blob.clone()).await?;
        }
    }

    async fn echo(&self, _cx: Context, mut rw: AsyncReaderWriter<Blob, Blob>) -> Result<()> {
        while let Some(blob) = rw.read().await? {
            rw.write(blob).await?;
        }
        Ok(())
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

/// Gives the allocated bytes of each side when nothing changes any more.
async fn settled() -> [usize; 2] {
    let live = || LIVE.each_ref().map(|bytes| bytes.load(Ordering::Relaxed).max(0).cast_unsigned());
    let mut last = live();
    loop {
        sleep(Duration::from_millis(400)).await;
        let now = live();
        if now.iter().zip(last).all(|(now, last)| now.abs_diff(last) < 64 * KIB) {
            return now;
        }
        last = now;
    }
}

/// How much more each side has than before.
async fn grown(before: [usize; 2]) -> [usize; 2] {
    let now = settled().await;
    [CLIENT, SERVER].map(|side| now[side].saturating_sub(before[side]))
}

/// The threads of the servers.
fn servers() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().on_thread_start(|| SIDE.set(SERVER)).build().unwrap()
}

async fn serve(
    servers: &tokio::runtime::Runtime,
    settings: impl FnOnce(ServerBuilder) -> ServerBuilder + Send + 'static,
) -> (ServerHandle, String) {
    let serving = servers.spawn(async {
        let bound = settings(Server::builder().service(Slow)).bind("127.0.0.1:0").await.unwrap();
        let (handle, address) = (bound.handle(), bound.local_addr().to_string());
        tokio::spawn(bound.serve());
        (handle, address)
    });
    serving.await.unwrap()
}

async fn client_of(address: &str) -> SlothClient {
    SlothClient::new(Channel::connect(address).await.unwrap())
}

/// A message of that many bytes on the wire.
fn blob(size: usize) -> Blob {
    let length_takes = if size > 16_000 {
        3
    } else if size > 128 {
        2
    } else {
        1
    };
    Blob { bytes: vec![b'x'; size - 1 - length_takes].into() }
}

type Upload = (AsyncWriter<Blob>, Reply<Blob>);

/// Opens streams whose handlers read one message.
async fn open(address: &str, (connections, streams): (usize, usize)) -> Vec<Upload> {
    let mut uploads = Vec::new();
    for _ in 0..connections {
        let client = client_of(address).await;
        for _ in 0..streams {
            let (mut writer, reply) = client.take_one().await.unwrap();
            writer.write(Blob::default()).await.unwrap();
            uploads.push((writer, reply));
        }
    }
    uploads
}

/// Writes to all streams until none takes more.
async fn flood(uploads: &mut [Upload], size: usize) {
    let blob = blob(size);
    let write = async |writer: &mut AsyncWriter<Blob>| {
        while let Ok(written) = timeout(Duration::from_secs(2), writer.write(blob.clone())).await {
            written.unwrap();
        }
    };
    join_all(uploads.iter_mut().map(|(writer, _)| write(writer))).await;
}

/// Streams of which the client reads one message, and that are flooded.
async fn flooded_readers(
    address: &str,
    (connections, streams): (usize, usize),
    size: usize,
) -> Vec<AsyncReader<Blob>> {
    let mut readers = Vec::new();
    for _ in 0..connections {
        let client = client_of(address).await;
        for _ in 0..streams {
            let mut reader = client.give(blob(size)).await.unwrap();
            assert!(reader.read().await.unwrap().is_some());
            readers.push(reader);
        }
    }
    readers
}

/// One test, because the allocator counts for all.
#[tokio::test]
async fn slow_readers_hold_at_most_256_kib_each_and_ten_thousand_stay_inside_the_servers_budget() {
    let servers = servers();
    let at_first = settled().await.iter().sum::<usize>().cast_signed();
    for shape in [(1, 50), (50, 1)] {
        for size in [32, 1_024, 60_000] {
            a_few(&servers, shape, size).await;
        }
    }
    beside_a_fast_one(&servers).await;
    given_out(&servers).await;
    idle(&servers).await;
    for size in [32, 60_000] {
        ten_thousand(&servers, size).await;
    }
    // Clients may take a while to write what nobody reads. Both sides together, because a shutdown
    // frees the server's memory from here.
    let left = || LIVE.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum::<isize>() - at_first;
    for _ in 0..20 {
        if left() < 2 * MIB.cast_signed() {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    println!("left behind: {} bytes", left());
    assert!(left() < 2 * MIB.cast_signed(), "{} bytes", left());
    servers.shutdown_background();
}

/// Fifty slow readers with default settings, on each side.
async fn a_few(servers: &tokio::runtime::Runtime, shape: (usize, usize), size: usize) {
    let (handle, address) = serve(servers, |builder| builder).await;
    let before = settled().await;
    let mut uploads = open(&address, shape).await;
    flood(&mut uploads, size).await;
    let [client, server] = grown(before).await.map(|bytes| bytes / 50);
    println!(
        "{shape:?}, messages of {size}, unread at the server: it holds {server} bytes a stream, the client {client}"
    );
    assert!(handle.buffered().unread / 50 > 60_000, "the windows are full");
    assert!(
        server > 60_000 && server.max(client) <= 256 * KIB,
        "{server} and {client} bytes a stream"
    );
    drop(uploads);

    let before = settled().await;
    let readers = flooded_readers(&address, shape, size).await;
    let [client, server] = grown(before).await.map(|bytes| bytes / 50);
    println!(
        "{shape:?}, messages of {size}, unread at the client: it holds {client} bytes a stream, the server {server}"
    );
    assert!(
        client > 60_000 && client.max(server) <= 256 * KIB,
        "{client} and {server} bytes a stream"
    );
    drop(readers);
    handle.shutdown(Duration::from_millis(10)).await;
}

/// Little that is not read, scattered among much that is: it must not keep the read buffers in
/// which it came.
async fn beside_a_fast_one(servers: &tokio::runtime::Runtime) {
    let (handle, address) = serve(servers, |builder| builder).await;
    let client = client_of(&address).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let (mut writer, reply) = client.take_one().await.unwrap();
        writer.write(Blob::default()).await.unwrap();
        slow.push((writer, reply));
    }
    let (mut fast, reply) = client.take_all().await.unwrap();
    let (small, medium, large) = (blob(32), blob(30_000), blob(2_000_000));
    let before = settled().await;
    for round in 0..400 {
        // Once in a while behind a frame that has a buffer of its own.
        fast.write(if round % 100 == 0 { large.clone() } else { medium.clone() }).await.unwrap();
        for (writer, _) in &mut slow {
            writer.write(small.clone()).await.unwrap();
        }
    }
    fast.finish().await.unwrap();
    reply.await.unwrap();
    let [_, server] = grown(before).await;
    let unread = handle.buffered().unread;
    println!(
        "{unread} bytes that are not read, among 20 MB that are: the server holds {server} bytes more"
    );
    assert!(unread > 4 * 400 * 40 && server < unread + MIB, "{server} bytes for {unread}");
    drop(slow);
    handle.shutdown(Duration::from_millis(10)).await;
}

/// Large messages that were given out and are gone: their readers wait for no other, because the
/// application does something else.
async fn given_out(servers: &tokio::runtime::Runtime) {
    const STREAMS: usize = 20;
    let (handle, address) = serve(servers, |builder| builder).await;
    let client = client_of(&address).await;
    let before = settled().await;
    let (mut echoes, mut uploads) = (Vec::new(), Vec::new());
    for _ in 0..STREAMS {
        let mut echo = client.echo().await.unwrap();
        echo.write(blob(MIB)).await.unwrap();
        assert!(echo.read().await.unwrap().is_some());
        echoes.push(echo);
        let (mut upload, reply) = client.take_one().await.unwrap();
        upload.write(blob(MIB)).await.unwrap();
        uploads.push((upload, reply));
    }
    let [client, server] = grown(before).await;
    let unread = handle.buffered().unread;
    println!(
        "{STREAMS} readers at each side that have given out a MiB: the client holds {client} bytes, the server {server} and counts {unread}"
    );
    assert!(client.max(server) < MIB, "{client} and {server} bytes");
    drop((echoes, uploads));
    handle.shutdown(Duration::from_millis(10)).await;
}

/// Streams that have done something and are then left alone.
async fn idle(servers: &tokio::runtime::Runtime) {
    const STREAMS: usize = 10_000;
    let (handle, address) = serve(servers, |builder| builder).await;
    let client = client_of(&address).await;
    let (before, pieces) = (settled().await, PIECES[SERVER].load(Ordering::Relaxed));
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut rw = client.echo().await.unwrap();
        rw.write(blob(32)).await.unwrap();
        assert!(rw.read().await.unwrap().is_some());
        streams.push(rw);
    }
    let [_, server] = grown(before).await.map(|bytes| bytes / STREAMS);
    let pieces = PIECES[SERVER].load(Ordering::Relaxed) - pieces;
    let counted = handle.buffered().unread / STREAMS;
    println!(
        "{STREAMS} idle streams: the server holds {server} bytes a stream, in {pieces} pieces, and counts {counted}"
    );
    assert!(server <= 1_000, "{server} bytes a stream");
    assert!(
        (server..server + server / 4).contains(&counted),
        "{counted} of {server} bytes a stream count"
    );
    drop(streams);
    handle.shutdown(Duration::from_millis(10)).await;
}

/// With whole windows these would hold 1 GB and more. All are of one peer, which gets half of the
/// server's room.
async fn ten_thousand(servers: &tokio::runtime::Runtime, size: usize) {
    const BUDGET: usize = 192 * MIB;
    let (handle, address) = serve(servers, |builder| builder.max_unread(2 * BUDGET)).await;
    let mut uploads = open(&address, (10, 1_000)).await;
    let idle = settled().await;
    flood(&mut uploads, size).await;
    let [_, server] = grown(idle).await;
    let buffered = handle.buffered();
    println!(
        "10,000 streams, messages of {size}, unread at the server: it holds {server} bytes more, {buffered:?}"
    );
    assert!(buffered.unread > BUDGET / 3, "{buffered:?}");
    // A peer at its half is read for an eighth and one message more, so that it hears of refusals.
    assert!(buffered.unread <= BUDGET + BUDGET / 8 + 10 * MIB, "{buffered:?}");
    // Buffers are not always full to the last byte.
    assert!(server <= buffered.unread + buffered.unread / 2, "{server} bytes, {buffered:?}");
    drop(uploads);
    handle.shutdown(Duration::from_millis(10)).await;
}
