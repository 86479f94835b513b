//! Messages whose payload is kept by reference, among others.

use std::time::Duration;
use trill_tests::Ret as _;

use bytes::Bytes;
use trill::testing::{Cut, Direction, Network};
use trill::{AsyncReader, AsyncReaderWriter, Channel, Context, ErrorKind, Limits, Result, Server};
use trill_tests::now;

/// Around the size from which a payload is kept by reference, around what a read of a socket
/// offers, and beyond.
const SIZES: [usize; 9] = [0, 1, 32_767, 32_768, 65_536, 65_537, 100, 1_048_576, 300_000];

/// `prost` takes `Bytes` for a message with one field.
#[trill::service(package = "test")]
trait Parrot {
    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Bytes, Bytes>) -> Result<()>;
    async fn once(&self, cx: Context, payload: Bytes) -> Result<Bytes>;
    async fn swallow(&self, cx: Context, reader: AsyncReader<Bytes>) -> Result<Bytes>;
}

struct Repeats;

#[trill::service]
impl Parrot for Repeats {
    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<Bytes, Bytes>) -> Result<()> {
        while let Some(payload) = rw.read().await? {
            rw.write(payload).await?;
        }
        Ok(())
    }

    async fn once(&self, _cx: Context, payload: Bytes) -> Result<Bytes> {
        Ok(payload)
    }

    async fn swallow(&self, _cx: Context, mut reader: AsyncReader<Bytes>) -> Result<Bytes> {
        while reader.read().await?.is_some() {}
        Ok(Bytes::new())
    }
}

/// Bytes of which no two pieces of the same length are alike.
fn payload(number: usize) -> Bytes {
    let size = SIZES[number % SIZES.len()];
    (0..size).map(|at| (at * 31 + at / 251 + number * 7) as u8).collect()
}

/// Both directions at once: whoever gets too large a message says so, and everything else on the
/// connection goes on.
#[tokio::test]
async fn one_message_that_is_too_large_costs_one_call_or_stream_and_no_other() {
    let server =
        Server::builder().service(Repeats).limits(Limits::default().max_message_received(100_000));
    let bound = server.bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    let channel = Channel::builder()
        .limits(Limits::default().max_message_received(50_000))
        .connect(address)
        .await
        .unwrap();
    let client = ParrotClient::new(channel);
    let of = |size: usize| Bytes::from(vec![7; size]);
    let mut other = client.talk().await.unwrap();
    for round in 1..=3 {
        let error = client.once(of(5_000_000)).await.unwrap_err();
        assert_eq!((error.kind(), error.ret()), (ErrorKind::Status, 1));
        assert!(
            error.message().contains("at most 100000 are accepted (max_message_received)"),
            "{error}"
        );
        let error = client.once(of(60_000)).await.unwrap_err();
        assert_eq!((error.kind(), error.ret()), (ErrorKind::Limit, 122));
        assert!(
            error.message().contains("at most 50000 are accepted (max_message_received)"),
            "{error}"
        );
        for (size, code) in [(5_000_000, 211), (60_000, 311)] {
            let mut rw = client.talk().await.unwrap();
            rw.write(of(size)).await.unwrap();
            assert_eq!(rw.read().await.unwrap_err().ret(), code);
        }
        other.write(of(round)).await.unwrap();
        assert_eq!(other.read().await.unwrap(), Some(of(round)), "the same connection");
    }
    assert_eq!(client.once(of(40_000)).await.unwrap(), of(40_000));
}

async fn echoes_all(client: ParrotClient, count: usize) {
    let (mut reader, mut writer) = client.talk().await.unwrap().split();
    let writing = tokio::spawn(async move {
        for number in 0..count {
            writer.write(payload(number)).await.unwrap();
        }
        writer.finish().await.unwrap();
    });
    for number in 0..count {
        let got = reader.read().await.unwrap().expect("there are more");
        assert!(
            got == payload(number),
            "message {number} of {} bytes came as {}",
            payload(number).len(),
            got.len()
        );
    }
    assert_eq!(reader.read().await.unwrap(), None);
    writing.await.unwrap();
    for number in 0..SIZES.len() {
        assert!(client.once(payload(number)).await.unwrap() == payload(number), "answer {number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_and_large_messages_keep_their_order_and_their_bytes() {
    let bound = Server::builder().service(Repeats).bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    let client = ParrotClient::new(Channel::connect(address).await.unwrap());
    // Several streams, so that what is written at once belongs to several.
    let talks = (0..4).map(|_| tokio::spawn(echoes_all(client.clone(), 60)));
    for talk in futures::future::join_all(talks).await {
        talk.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn they_do_so_on_a_link_that_takes_and_gives_what_it_likes() {
    for seed in 0..4 {
        let host = Network::new(seed).serve(Server::builder().service(Repeats)).unwrap();
        let (channel, link) = host.connect(Channel::builder()).unwrap();
        link.split_reads(1..=70_000);
        echoes_all(ParrotClient::new(channel), 2 * SIZES.len()).await;
    }
}

/// A sender of messages as large as the window stands still until it has credit again.
#[tokio::test(start_paused = true)]
async fn the_credit_for_a_large_message_is_written_before_its_reader_gets_to_work() {
    let host = Network::new(1).serve(Server::builder().service(Repeats)).unwrap();
    let (channel, link) = host.connect(Channel::builder()).unwrap();
    let mut rw = ParrotClient::new(channel).talk().await.unwrap();
    let opened = link.carried(Direction::ToServer);
    let large = Bytes::from(vec![7; 1024 * 1024]);
    rw.write(large.clone()).await.unwrap();
    assert!(rw.read().await.unwrap() == Some(large.clone()));
    // No other task has run since then. The field's key and length are 4 bytes, the frame's header
    // 16, and the credit 4.
    let (message, credit) = (16 + 4 + large.len() as u64, 16 + 4);
    assert_eq!(link.carried(Direction::ToServer) - opened, message + credit);
}

#[tokio::test(start_paused = true)]
async fn large_messages_that_are_waited_for_follow_each_other_without_a_round_trip_between() {
    let host = Network::new(4).serve(Server::builder().service(Repeats)).unwrap();
    let (channel, link) = host.connect(Channel::builder()).unwrap();
    let (mut writer, reply) = ParrotClient::new(channel).swallow().await.unwrap();
    let delay = Duration::from_millis(50);
    link.delay(delay..=delay);
    link.throttle(1_000_000);
    let started = now();
    for _ in 0..5 {
        writer.write(Bytes::from(vec![7; 1_000_000])).await.unwrap();
    }
    writer.finish().await.unwrap();
    reply.await.unwrap();
    let took = started.elapsed();
    let limit = Duration::from_secs(5) + 2 * 2 * delay;
    assert!(took < limit, "5 MB at 1 MB a second, and one round trip of 0.1 s, not five: {took:?}");
}

/// Memory whose owner looks at the connection when it is let go, from another thread.
struct Curious {
    memory: Vec<u8>,
    channel: Channel,
    saw: std::sync::mpsc::Sender<bool>,
}

impl AsRef<[u8]> for Curious {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl Drop for Curious {
    fn drop(&mut self) {
        let (channel, (looked, look)) = (self.channel.clone(), std::sync::mpsc::channel());
        std::thread::spawn(move || looked.send(channel.buffered()));
        self.saw.send(look.recv_timeout(Duration::from_secs(60)).is_ok()).unwrap();
    }
}

#[tokio::test]
async fn payloads_that_were_not_sent_are_let_go_without_the_lock() {
    let host = Network::new(3).serve(Server::builder().service(Repeats)).unwrap();
    let (channel, link) = host.connect(Channel::builder()).unwrap();
    let client = ParrotClient::new(channel.clone());
    let (mut one, mut two) = (client.talk().await.unwrap(), client.talk().await.unwrap());
    for rw in [&mut one, &mut two] {
        rw.write(Bytes::from_static(b"the stream is open")).await.unwrap();
        rw.read().await.unwrap();
    }
    link.partition(Direction::ToServer);
    let (saw, seen) = std::sync::mpsc::channel();
    // The first is stuck in the socket, the second waits behind it.
    for (rw, size) in [(&mut one, 200_000), (&mut two, 1_048_576)] {
        let owner = Curious { memory: vec![7; size], channel: channel.clone(), saw: saw.clone() };
        rw.write(Bytes::from_owner(owner)).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(channel.buffered().unsent > 1_048_576, "{:?}", channel.buffered());
    link.cut(Cut::Reset);
    assert!(one.read().await.is_err());
    drop((one, two, channel, client));
    for _ in 0..2 {
        assert!(seen.recv_timeout(Duration::from_secs(10)).unwrap(), "the connection was locked");
    }
}
