//! Streams over a path with a delay and a rate, in virtual time.

use std::time::Duration;

use trill::testing::Network;
use trill::{AsyncReader, AsyncWriter, Channel, Context, Limits, Result, Server};
use trill_tests::{Text, now, text};

const MS: Duration = Duration::from_millis(1);

/// The rate of the path in bytes a second, which it has a tenth of on the way.
const RATE: u64 = 10_000_000;
const MESSAGES: usize = 8_000;

/// Messages of 1 KiB in one direction.
#[trill::service(package = "test.path")]
trait Flood {
    async fn up(&self, cx: Context, reader: AsyncReader<Text>) -> Result<Text>;
    async fn down(&self, cx: Context, request: Text, writer: AsyncWriter<Text>) -> Result<()>;
}

struct Flooding;

#[trill::service]
impl Flood for Flooding {
    async fn up(&self, _: Context, mut reader: AsyncReader<Text>) -> Result<Text> {
        let mut count = 0;
        while reader.read().await?.is_some() {
            count += 1;
        }
        Ok(text(count.to_string()))
    }

    async fn down(&self, _: Context, _: Text, mut writer: AsyncWriter<Text>) -> Result<()> {
        let message = text("x".repeat(1024));
        for _ in 0..MESSAGES {
            writer.write(message.clone()).await?;
        }
        Ok(())
    }
}

/// How long the messages take up and down, over a path with 10 ms each way.
async fn flood(limits: Limits) -> [Duration; 2] {
    let server = Server::builder().service(Flooding).limits(limits);
    let host = Network::new(1).serve(server).expect("the settings make sense");
    let (channel, link) = host.connect(Channel::builder().limits(limits)).expect("it is up");
    link.delay(10 * MS..=10 * MS);
    link.throttle(RATE);
    link.capacity(usize::try_from(RATE / 20).expect("a megabyte fits"));
    let client = FloodClient::new(channel);

    let begin = now();
    let (mut writer, reply) = client.up().await.unwrap();
    let message = text("x".repeat(1024));
    for _ in 0..MESSAGES {
        writer.write(message.clone()).await.unwrap();
    }
    writer.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), text(MESSAGES.to_string()));
    let up = begin.elapsed();

    let begin = now();
    let mut reader = client.down(text("")).await.unwrap();
    let mut count = 0;
    while reader.read().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, MESSAGES);
    [up, begin.elapsed()]
}

#[tokio::test(start_paused = true)]
async fn a_stream_over_a_long_path_gets_what_the_path_carries() {
    let bytes = MESSAGES as u64 * (1024 + 3 + 16);
    let ideal = Duration::from_millis(bytes * 1_000 / RATE);
    for took in flood(Limits::default()).await {
        assert!(took < ideal + ideal / 5, "{took:?} for {ideal:?}");
    }
    for took in flood(Limits::default().window(65_535)).await {
        assert!(took > 2 * ideal, "{took:?} with a window that is fixed");
    }
}
