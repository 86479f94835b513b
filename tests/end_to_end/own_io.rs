//! Connections over ios that the user's program makes.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use trill::client::ChannelBuilder;
use trill::server::{ServerBuilder, ServerHandle};
use trill::{Channel, Context, Error, ErrorKind, Io, PeerAddr, Result, Server};
use trill_tests::{EverythingClient, Log, Obedient, Text, stay, text};

use crate::kinds::every_kind;

const LONG: Duration = Duration::from_secs(60);

/// The bytes that a pipe holds in each direction.
const ROOM: usize = 4 * 1024;

type Serving = JoinHandle<Result<()>>;

/// A server of what is sent to it, and where to send it.
fn serve(server: ServerBuilder) -> (mpsc::UnboundedSender<io::Result<Io>>, ServerHandle, Serving) {
    let (sender, incoming) = incoming();
    let bound = server.bind_incoming(incoming).unwrap();
    let handle = bound.handle();
    (sender, handle, tokio::spawn(bound.serve()))
}

fn incoming() -> (mpsc::UnboundedSender<io::Result<Io>>, impl Stream<Item = io::Result<Io>> + Send)
{
    let (sender, mut receiver) = mpsc::unbounded_channel();
    (sender, futures::stream::poll_fn(move |cx| receiver.poll_recv(cx)))
}

/// Connects by pipes whose both ends are wrapped.
fn by_pipes<T>(
    server: mpsc::UnboundedSender<io::Result<Io>>,
    wrap: impl Fn(DuplexStream) -> T + Send + Sync + 'static,
) -> ChannelBuilder
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    Channel::builder().timeout(None).connector(move |_| {
        let (near, far) = duplex(ROOM);
        let (near, far) = (Io::new(wrap(near)), Io::new(wrap(far)));
        let sent = server.send(Ok(far)).map_err(|_| io::ErrorKind::ConnectionRefused.into());
        async move { sent.map(|()| near) }
    })
}

/// Every kind of call, a large answer, and a flood of messages in both directions at once.
async fn everything_over<T>(size: usize, wrap: impl Fn(DuplexStream) -> T + Send + Sync + 'static)
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    let (service, mut log) = Obedient::new();
    let (sender, handle, serving) = serve(Server::builder().service(service));
    let channel = by_pipes(sender, wrap).connect("a pipe").await.unwrap();
    let client = EverythingClient::new(channel);
    every_kind(&client, &mut log).await;
    let large = client.unary(text(format!("large {}", 100 * size))).await.unwrap();
    assert_eq!(large.text.len(), 100 * size);
    let (mut reader, mut writer) = client.talk().await.unwrap().split();
    let message = text("m".repeat(size));
    let write = async {
        for _ in 0..100 {
            writer.write(message.clone()).await.unwrap();
        }
        writer.finish().await.unwrap();
    };
    let read = async {
        let mut count = 0;
        while let Some(echo) = reader.read().await.unwrap() {
            assert_eq!(echo, message);
            count += 1;
        }
        count
    };
    let ((), count) = futures::join!(write, read);
    assert_eq!(count, 100);
    handle.shutdown(LONG).await;
    serving.await.unwrap().unwrap();
    handle.stopped().await.unwrap();
}

#[tokio::test]
async fn every_kind_over_a_pipe_of_tokios() {
    everything_over(3_000, |pipe| pipe).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_over_a_pipe_of_tokios_on_several_threads() {
    everything_over(3_000, |pipe| pipe).await;
}

/// Reads and writes a byte at a time.
struct Sips(DuplexStream);

impl AsyncRead for Sips {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut byte))?;
        buf.put_slice(byte.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sips {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &bytes[..bytes.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_over_an_io_that_gives_and_takes_a_byte_at_a_time() {
    everything_over(300, Sips).await;
}

/// Keeps all that it is given until it is flushed, and has an end of its own: one that is dropped
/// without a shutdown is a failure for the other side.
struct Polite {
    pipe: DuplexStream,
    /// The bytes that wait, and how many of them have gone.
    kept: Vec<u8>,
    sent: usize,
    /// This side, and the other one, has said its end.
    said: Arc<AtomicBool>,
    heard: Arc<AtomicBool>,
}

/// Keeps no more than this.
const KEEPS: usize = 50_000;

fn polite(room: usize) -> (Polite, Polite) {
    let (near, far) = duplex(room);
    let (one, other) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let end = |pipe, said: &Arc<AtomicBool>, heard: &Arc<AtomicBool>| Polite {
        pipe,
        kept: Vec::new(),
        sent: 0,
        said: Arc::clone(said),
        heard: Arc::clone(heard),
    };
    (end(near, &one, &other), end(far, &other, &one))
}

impl AsyncRead for Polite {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let there = buf.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, buf))?;
        if buf.filled().len() == there && !self.heard.load(Ordering::Relaxed) {
            let text = "cut off without a word";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Polite {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.kept.len() >= KEEPS {
            ready!(self.as_mut().poll_flush(cx))?;
        }
        self.kept.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.sent < this.kept.len() {
            let rest = &this.kept[this.sent..];
            this.sent += ready!(Pin::new(&mut this.pipe).poll_write(cx, rest))?;
        }
        (this.kept, this.sent) = (Vec::new(), 0);
        Pin::new(&mut this.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.said.store(true, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// A client and a server of [`Obedient`] over one polite io, whose flags are those of the client's
/// end.
async fn politely(room: usize) -> (Channel, Log, ServerHandle, Serving, [Arc<AtomicBool>; 2]) {
    let (service, log) = Obedient::new();
    let (near, far) = polite(room);
    let flags = [Arc::clone(&near.said), Arc::clone(&near.heard)];
    let (sender, handle, serving) = serve(Server::builder().service(service));
    sender.send(Ok(Io::new(far))).unwrap();
    let near = Mutex::new(Some(near));
    let connector = move |_| {
        let near = near.lock().unwrap().take();
        async { near.map(Io::new).ok_or(io::ErrorKind::ConnectionRefused.into()) }
    };
    let builder = Channel::builder().timeout(None).connector(connector);
    (builder.connect("polite").await.unwrap(), log, handle, serving, flags)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_over_an_io_that_keeps_bytes_until_it_is_flushed() {
    let (channel, mut log, handle, serving, [said, heard]) = politely(100).await;
    let client = EverythingClient::new(channel);
    every_kind(&client, &mut log).await;
    let large = client.unary(text("large 300000")).await.unwrap();
    assert_eq!(large.text.len(), 300_000);
    handle.shutdown(LONG).await;
    serving.await.unwrap().unwrap();
    assert!(said.load(Ordering::Relaxed) && heard.load(Ordering::Relaxed), "each has said its end");
}

#[tokio::test]
async fn an_orderly_end_loses_nothing_and_is_said() {
    // The pipe holds a few bytes, so all of it waits in the io when the channel is dropped.
    let (channel, mut log, _handle, _serving, [said, heard]) = politely(7).await;
    let client = EverythingClient::new(channel);
    for number in 0..20 {
        client.notify(text(format!("news {number} {}", "x".repeat(1_000)))).await.unwrap();
    }
    drop(client);
    let mut count = 0;
    while count < 20 {
        let report = tokio::time::timeout(LONG, log.recv()).await.expect("all arrive").unwrap();
        count += usize::from(report.starts_with("notified news"));
    }
    while !(said.load(Ordering::Relaxed) && heard.load(Ordering::Relaxed)) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_flushed_channel_has_left_the_io() {
    let (channel, mut log, ..) = politely(7).await;
    let client = EverythingClient::new(channel.clone());
    client.notify(text("x".repeat(10_000))).await.unwrap();
    channel.flush().await.unwrap();
    // All but what the pipe holds is with the peer, so this end is needed for nothing any more.
    let report = tokio::time::timeout(LONG, log.recv()).await.expect("it arrives").unwrap();
    assert!(report.starts_with("notified"), "{report}");
}

#[tokio::test]
async fn an_end_that_the_io_calls_a_cut_is_one_with_its_words() {
    let (near, far) = polite(ROOM);
    let (sender, _handle, _serving) = serve(Server::builder().service(Obedient::new().0));
    // The server's end goes through a middle that can drop it without a word.
    let (middle, served) = polite(ROOM);
    sender.send(Ok(Io::new(served))).unwrap();
    let mut ends = (far, middle);
    let relay = tokio::spawn(async move {
        tokio::io::copy_bidirectional(&mut ends.0, &mut ends.1).await.map(drop)
    });
    let near = Mutex::new(Some(near));
    let connector = move |_| {
        let near = near.lock().unwrap().take();
        async { near.map(Io::new).ok_or(io::ErrorKind::ConnectionRefused.into()) }
    };
    let channel = Channel::builder().connector(connector).connect("polite").await.unwrap();
    let client = EverythingClient::new(channel);
    let mut rw = client.talk().await.unwrap();
    rw.write(text("hello")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("hello")));
    relay.abort();
    let error = rw.read().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("cut off without a word"), "{error}");
}

/// Says who calls.
#[trill::service(package = "test.io")]
trait Doorman {
    async fn who(&self, cx: Context, request: Text) -> Result<Text>;
}

/// A name that a handshake has found out.
struct Name(&'static str);

struct MyDoorman;

#[trill::service]
impl Doorman for MyDoorman {
    async fn who(&self, cx: Context, _request: Text) -> Result<Text> {
        let name = cx.identity::<Name>().map(|name| name.0);
        let number = cx.identity::<u64>();
        let user = cx.credentials().map(|process| process.uid);
        Ok(text(format!("{name:?} {number:?} {user:?} at {}", cx.peer())))
    }
}

/// A channel over one pipe to a server.
async fn over_one(
    server: &mpsc::UnboundedSender<io::Result<Io>>,
    dress: impl FnOnce(Io) -> Io,
) -> Result<Channel, Error> {
    let (near, far) = duplex(ROOM);
    server.send(Ok(dress(Io::new(far)))).unwrap();
    let near = Mutex::new(Some(near));
    let connector = move |_| {
        let near = near.lock().unwrap().take();
        async { near.ok_or(io::ErrorKind::ConnectionRefused.into()) }
    };
    Channel::builder().connector(connector).connect("pipe").await
}

async fn who(channel: Channel) -> Result<String> {
    DoormanClient::new(channel).who(text("")).await.map(|who| who.text)
}

#[tokio::test]
async fn handlers_see_the_identity_and_the_address_that_the_io_was_given() {
    let (sender, _handle, _serving) = serve(Server::builder().service(MyDoorman));
    let stranger = over_one(&sender, |io| io).await.unwrap();
    assert_eq!(who(stranger).await.unwrap(), "None None None at io");
    let address: std::net::SocketAddr = "10.0.0.7:99".parse().unwrap();
    let credentials = trill::Credentials::new(17, 18, None);
    let known = over_one(&sender, |io| {
        let io = io.with_identity(Name("ann")).with_identity(7_u64).with_identity(Name("bob"));
        io.with_credentials(credentials).with_peer(address)
    });
    let known = known.await.unwrap();
    assert_eq!(who(known).await.unwrap(), "Some(\"bob\") Some(7) Some(17) at 10.0.0.7:99");
}

#[tokio::test]
async fn limits_on_accepting_count_and_peers_are_told_apart_by_who_they_are() {
    let name = |peer: &PeerAddr| peer.identity::<Name>().map_or("", |name| name.0).to_owned();
    let server = Server::builder().service(MyDoorman).max_connections(4).peer_key(name);
    let (sender, handle, _serving) = serve(server);
    let mut held = Vec::new();
    for _ in 0..2 {
        let channel = over_one(&sender, |io| io.with_identity(Name("ann"))).await.unwrap();
        who(channel.clone()).await.unwrap();
        held.push(channel);
    }
    // The end of the third may come before the channel is handed out.
    if let Ok(third) = over_one(&sender, |io| io.with_identity(Name("ann"))).await {
        assert!(who(third).await.is_err(), "she leaves as much to others as she has");
    }
    assert_eq!(handle.refused().too_many_connections, 1);
    let other = over_one(&sender, |io| io.with_identity(Name("bob"))).await.unwrap();
    who(other).await.unwrap();
}

#[tokio::test]
async fn an_error_in_the_stream_costs_only_its_connection() {
    let (sender, _handle, _serving) = serve(Server::builder().service(MyDoorman));
    for _ in 0..100 {
        sender.send(Err(io::Error::other("no certificate"))).unwrap();
    }
    let channel = over_one(&sender, |io| io).await.unwrap();
    who(channel).await.unwrap();
}

#[tokio::test]
async fn a_server_whose_stream_ends_goes_on_until_its_last_connection_has_ended() {
    let (sender, handle, serving) = serve(Server::builder().service(MyDoorman));
    let channel = over_one(&sender, |io| io).await.unwrap();
    drop(sender);
    for _ in 0..10 {
        who(channel.clone()).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(!serving.is_finished());
    drop(channel);
    tokio::time::timeout(LONG, serving).await.expect("it has ended").unwrap().unwrap();
    handle.stopped().await.unwrap();
}

#[tokio::test]
async fn a_shutdown_lets_calls_end_and_refuses_new_ones() {
    let (service, mut log) = Obedient::new();
    let (sender, handle, serving) = serve(Server::builder().service(service));
    let channel = by_pipes(sender, |pipe| pipe).connect("a pipe").await.unwrap();
    let client = EverythingClient::new(channel);
    let staying = tokio::spawn(client.unary(text("stay")));
    stay(&mut log, 1).await;
    let shutdown = tokio::spawn({
        let handle = handle.clone();
        async move { handle.shutdown(Duration::from_millis(300)).await }
    });
    let refused = loop {
        match client.unary(text("hello")).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(refused.is_retryable(), "{refused}");
    tokio::time::timeout(LONG, shutdown).await.expect("it ends").unwrap();
    serving.await.unwrap().unwrap();
    assert!(staying.await.unwrap().is_err());
}

#[tokio::test]
async fn a_connector_that_fails_says_so_in_its_own_words_and_names_the_address() {
    let refuses = |address: String| async move {
        Err::<DuplexStream, _>(io::Error::other(format!("no route to planet {address}")))
    };
    let builder = Channel::builder().connector(refuses);
    let error = builder.connect("vsock:3:1024").await.unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Connect, Some("vsock:3:1024")));
    assert!(error.to_string().contains("no route to planet vsock:3:1024"), "{error}");
    assert!(error.is_retryable());

    let panics = |_| async { panic!("as told") };
    let builder = Channel::builder().connector::<_, DuplexStream>(panics);
    let error = builder.connect("here").await.unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Internal, Some("here")));

    let lazy = Channel::builder().connector(refuses).lazy("");
    assert_eq!(lazy.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_hangs_is_given_up_after_the_connect_timeout() {
    let hangs = |_| async {
        pending::<()>().await;
        Ok(duplex(1).0)
    };
    let builder = Channel::builder().connector(hangs).connect_timeout(Duration::from_secs(3));
    let start = trill_tests::now();
    let error = builder.connect("nowhere").await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Connect, Some("nowhere")));
    assert!(error.to_string().contains("connect_timeout"), "{error}");
}

#[tokio::test]
async fn a_lost_connection_is_replaced_by_the_connector() {
    let (service, _log) = Obedient::new();
    let (sender, _handle, _serving) = serve(Server::builder().service(service));
    let relays = Arc::new(Mutex::new(Vec::new()));
    let channel = by_relays(sender, Arc::clone(&relays)).connect("far away").await.unwrap();
    let client = EverythingClient::new(channel.clone());
    let mut rw = client.talk().await.unwrap();
    assert_eq!(rw.peer().as_str(), "far away");
    relays.lock().unwrap().pop().expect("there is a connection").abort();
    assert!(rw.read().await.is_err());
    channel.ready().await.unwrap();
    assert_eq!(client.unary(text("hello")).await.unwrap(), text("hello"));
}

/// Connects by pipes that go through tasks, which tests can abort.
fn by_relays(
    server: mpsc::UnboundedSender<io::Result<Io>>,
    relays: Arc<Mutex<Vec<JoinHandle<()>>>>,
) -> ChannelBuilder {
    Channel::builder().connector(move |_| {
        let ((near, mut far), (mut middle, served)) = (duplex(ROOM), duplex(ROOM));
        server.send(Ok(served.into())).unwrap();
        relays.lock().unwrap().push(tokio::spawn(async move {
            drop(tokio::io::copy_bidirectional(&mut far, &mut middle).await);
        }));
        async { Ok(near) }
    })
}

/// An io that panics when it is written to.
struct Panics(DuplexStream);

impl AsyncRead for Panics {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Panics {
    fn poll_write(self: Pin<&mut Self>, _: &mut Task<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        panic!("as told")
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_panic_of_an_io_ends_its_connection_and_no_other() {
    let (sender, handle, serving) = serve(Server::builder().service(MyDoorman));
    let (near, far) = duplex(ROOM);
    sender.send(Ok(Io::new(Panics(far)))).unwrap();
    let near = Mutex::new(Some(near));
    let connector = move |_| {
        let near = near.lock().unwrap().take();
        async { near.ok_or(io::ErrorKind::ConnectionRefused.into()) }
    };
    let channel = Channel::builder().connector(connector).connect("pipe").await.unwrap();
    assert!(who(channel).await.is_err());
    let channel = over_one(&sender, |io| io).await.unwrap();
    who(channel).await.unwrap();
    handle.shutdown(LONG).await;
    serving.await.unwrap().unwrap();
}
