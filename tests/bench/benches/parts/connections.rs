//! One operation on a stream of a connection in memory. The two sides have runtimes of their own,
//! which run only between the measurements, so that the operation is measured alone.

use bytes::Bytes;
use divan::Bencher;
use tokio::runtime::{Builder, Runtime};
use trill::__bench::in_memory_between;
use trill::prost::Message;
use trill::{AsyncReader, AsyncWriter, Channel, Context, Result, Server};

use crate::{PAYLOAD, ready};

/// A write on a connection where nothing goes on: the message is queued, and the connection's task
/// is woken, from outside of its runtime. Each write of a sample has a connection of its own.
#[divan::bench(sample_count = 1_000, sample_size = CONNECTIONS)]
fn write_on_idle(bencher: Bencher<'_, '_>) {
    let sides = Sides::new();
    let mut writers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let client = sides.client();
            sides.wait_for(async move { client.take().await.expect("the stream opens").0 })
        })
        .collect();
    let mut inputs = (0..CONNECTIONS as usize).cycle();
    let input = || {
        let number = inputs.next().expect("it has no end");
        if number == 0 {
            sides.settle();
        }
        (number, Word::new())
    };
    bencher.with_inputs(input).bench_local_values(|(number, word)| {
        ready(writers[number].write(word)).expect("the stream is open");
    });
}

/// A read whose message has come. Now and then it takes a batch from the connection, and gives
/// credit back.
#[divan::bench(sample_count = 1_000, sample_size = READS)]
fn read_ready(bencher: Bencher<'_, '_>) {
    let sides = Sides::new();
    let client = sides.client();
    let mut reader =
        sides.wait_for(async move { client.give(Word::new()).await.expect("the stream opens") });
    let mut inputs = (0..READS).cycle();
    let input = || {
        let number = inputs.next().expect("it has no end");
        if number == 0 {
            sides.settle();
        }
        number
    };
    bencher.with_inputs(input).bench_local_values(|_| {
        ready(reader.read()).expect("the stream is open").expect("it has no end")
    });
}

/// The message, as that of the workloads.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "trill::prost")]
struct Word {
    #[prost(bytes = "bytes", tag = "1")]
    payload: Bytes,
    #[prost(uint64, tag = "2")]
    seq: u64,
}

impl Word {
    fn new() -> Self {
        Self { payload: Bytes::from_static(&PAYLOAD), seq: 1 }
    }
}

#[trill::service]
trait Words {
    /// Gives words without end.
    async fn give(&self, cx: Context, like: Word, writer: AsyncWriter<Word>) -> Result<()>;
    /// Takes words until there are no more.
    async fn take(&self, cx: Context, reader: AsyncReader<Word>) -> Result<()>;
}

struct MyWords;

#[trill::service]
impl Words for MyWords {
    async fn give(&self, _cx: Context, like: Word, mut writer: AsyncWriter<Word>) -> Result<()> {
        loop {
            writer.write(like.clone()).await?;
        }
    }

    async fn take(&self, _cx: Context, mut reader: AsyncReader<Word>) -> Result<()> {
        while reader.read().await?.is_some() {}
        Ok(())
    }
}

/// A server's runtime and a client's. Neither runs by itself.
struct Sides {
    server: Runtime,
    client: Runtime,
}

impl Sides {
    fn new() -> Self {
        let runtime =
            || Builder::new_current_thread().enable_time().build().expect("a runtime starts");
        Self { server: runtime(), client: runtime() }
    }

    /// A client with a connection of its own.
    fn client(&self) -> WordsClient {
        let server = Server::builder().service(MyWords);
        let channel = in_memory_between(
            server,
            self.server.handle(),
            Channel::builder(),
            self.client.handle(),
        );
        WordsClient::new(channel.expect("the settings are the default"))
    }

    /// Lets both sides go on until neither has anything to do.
    fn settle(&self) {
        for _ in 0..ROUNDS {
            for runtime in [&self.server, &self.client] {
                runtime.block_on(tokio::task::yield_now());
            }
        }
    }

    fn wait_for<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let work = self.client.spawn(work);
        while !work.is_finished() {
            self.settle();
        }
        self.client.block_on(work).expect("it does not panic")
    }
}

/// How many writes a sample has: so many that the clock's steps do not matter.
const CONNECTIONS: u32 = 32;

/// How many reads a sample has: fewer than the messages that fit in a window.
const READS: u32 = 256;

/// There, back with credit, and there again; a task in the middle of much work comes back for the
/// rest.
const ROUNDS: usize = 8;
