//! What Trill asks of a tRPC-Go server.

use std::future::Future;
use std::time::Duration;

use futures::future::try_join_all;
use trill::client::Cancel;
use trill::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Compression, Context, ErrorKind, Result, Server,
};
use trill_tests::{AbsentClient, Everything, EverythingClient, Text, text};

use crate::peers::{ServerProcess, go_client};

const LIMIT: Duration = Duration::from_secs(20);

pub(crate) type Outcome = std::result::Result<(), String>;

/// Runs one cell with its limit of time, and prints its line. Gives 1 if it failed.
pub(crate) async fn cell(pair: &str, name: &str, run: impl Future<Output = Outcome>) -> usize {
    let outcome =
        tokio::time::timeout(LIMIT, run).await.unwrap_or_else(|_| Err(format!("not done within {LIMIT:?}")));
    match &outcome {
        Ok(()) => println!("ok    {pair} | {name}"),
        Err(why) => println!("FAIL  {pair} | {name}: {why}"),
    }
    usize::from(outcome.is_err())
}

#[expect(clippy::needless_pass_by_value, reason = "it compares values that are made for it")]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(got: T, want: T) -> Outcome {
    if got == want { Ok(()) } else { Err(format!("got {got:?}, want {want:?}")) }
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err")]
pub(crate) fn broken(error: trill::Error) -> String {
    error.to_string()
}

/// The codes and the text of what must be an error.
fn codes<T>(result: Result<T>) -> (i32, i32, String) {
    match result {
        Ok(_) => (0, 0, "no error".to_owned()),
        Err(error) => (error.code().0, error.func_ret(), error.message().to_owned()),
    }
}

pub(crate) async fn trill_calls_go(program: &str) -> usize {
    let mut server = ServerProcess::start(program).await;
    let channel = Channel::connect(&server.address).await.expect("the Go server listens");
    let client = EverythingClient::new(channel.clone());
    let mut failed = each_kind("Trill client -> Go server", &client).await;
    failed += only_with_go(&client, &channel, &server.address).await;
    failed += cell("Trill client -> Go server", "the Go process lives on", async {
        same(server.has_died(), false)
    })
    .await;
    failed +=
        cell("Trill client -> Go server", "kill -9 with streams open, and a new server", killed(program))
            .await;
    failed
}

/// The cells that must hold with or without a router in between.
async fn each_kind(pair: &str, client: &EverythingClient) -> usize {
    let mut failed = 0;
    failed += cell(pair, "unary: ok, empty and large", async {
        for size in [5, 0, 3_000_000] {
            let message = text("x".repeat(size));
            same(client.unary(message.clone()).await.map_err(broken)?, message)?;
        }
        Ok(())
    })
    .await;
    failed += cell(pair, "one-way", async { client.notify(text("news")).await.map_err(broken) }).await;
    failed += cell(pair, "unary: application and framework error", async {
        same(codes(client.unary(text("error 4001 the reason")).await), (0, 4001, "the reason".into()))?;
        same(codes(client.unary(text("fail 51 the reason")).await), (51, 0, "the reason".into()))
    })
    .await;
    failed += cell(pair, "unary: metadata both ways", async {
        let call = client.unary(text("meta back there")).metadata("tenant", "blue");
        let response = call.response().await.map_err(broken)?;
        same(response.message, text("tenant=blue"))?;
        same(response.metadata.get_str("back"), Some("there"))
    })
    .await;
    failed += cell(pair, "client stream: ok, none, and around the window", async {
        same(upload(client, &[]).await?, text("0 messages, 0 bytes"))?;
        same(upload(client, &[3, 0, 5]).await?, text("3 messages, 8 bytes"))?;
        for size in [65_530, 65_531, 65_532, 200_000] {
            same(upload(client, &[size, 1]).await?, text(format!("2 messages, {} bytes", size + 1)))?;
        }
        same(upload(client, &[10; 10_000]).await?, text("10000 messages, 100000 bytes"))
    })
    .await;
    failed += cell(pair, "client stream: error, and an answer before the half-close", async {
        let (mut writer, reply) = client.upload().await.map_err(broken)?;
        writer.write(text("error 4001 the reason")).await.map_err(broken)?;
        let (code, func_ret, message) = codes(reply.await);
        // tRPC-Go puts the application's code of a stream into `ret`.
        same((code + func_ret, message.as_str()), (4001, "the reason"))?;
        let (mut writer, reply) = client.upload().await.map_err(broken)?;
        writer.write(text("one")).await.map_err(broken)?;
        writer.write(text("done")).await.map_err(broken)?;
        same(reply.await.map_err(broken)?, text("1 messages, 3 bytes"))
    })
    .await;
    failed += cell(pair, "server stream: 30,000 messages, a slow reader, none", async {
        for (count, slow) in [(30_000, false), (5_000, true), (0, false)] {
            let mut reader = client.download(text(format!("count {count}"))).await.map_err(broken)?;
            for number in 0..count {
                same(reader.read().await.map_err(broken)?, Some(text(number.to_string())))?;
                if slow && number % 100 == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            same(reader.read().await.map_err(broken)?, None)?;
        }
        Ok(())
    })
    .await;
    failed += cell(pair, "server stream: error after messages, with metadata", async {
        let order = text("meta back there;count 10;error 4001 the reason");
        let mut reader = client.download(order).metadata("tenant", "blue").await.map_err(broken)?;
        same(reader.read().await.map_err(broken)?, Some(text("tenant=blue")))?;
        for number in 0..10 {
            same(reader.read().await.map_err(broken)?, Some(text(number.to_string())))?;
        }
        let (code, func_ret, message) = codes(reader.read().await);
        same((code + func_ret, message.as_str()), (4001, "the reason"))?;
        same(reader.metadata().and_then(|metadata| metadata.get_str("back")), Some("there"))
    })
    .await;
    failed += cell(pair, "bidi stream: ping-pong, and both directions at once", async {
        let mut rw = client.talk().await.map_err(broken)?;
        for size in [4, 0, 300_000, 4] {
            let message = text("x".repeat(size));
            rw.write(message.clone()).await.map_err(broken)?;
            same(rw.read().await.map_err(broken)?, Some(message))?;
        }
        rw.finish().await.map_err(broken)?;
        let (mut reader, mut writer) = client.talk().await.map_err(broken)?.split();
        let write = async {
            for number in 0..20_000 {
                writer.write(text(number.to_string())).await.map_err(broken)?;
            }
            writer.finish().await.map_err(broken)
        };
        let read = async {
            for number in 0..20_000 {
                same(reader.read().await.map_err(broken)?, Some(text(number.to_string())))?;
            }
            same(reader.read().await.map_err(broken)?, None)
        };
        futures::try_join!(write, read).map(drop)
    })
    .await;
    failed += cell(pair, "bidi stream: ended by the server", async {
        let mut rw = client.talk().await.map_err(broken)?;
        rw.write(text("done")).await.map_err(broken)?;
        same(rw.read().await.map_err(broken)?, None)
    })
    .await;
    failed += cell(pair, "1,000 streams at once with unary calls in between", async {
        try_join_all((0..1_000).map(|number| async move {
            let mut rw = client.talk().await.map_err(broken)?;
            for round in 0..3 {
                let message = text(format!("{number}/{round}"));
                rw.write(message.clone()).await.map_err(broken)?;
                same(rw.read().await.map_err(broken)?, Some(message))?;
            }
            if number % 10 == 0 {
                same(client.unary(text("in between")).await.map_err(broken)?, text("in between"))?;
            }
            rw.finish().await.map(drop).map_err(broken)
        }))
        .await
        .map(drop)
    })
    .await;
    failed
}

async fn upload(client: &EverythingClient, sizes: &[usize]) -> std::result::Result<Text, String> {
    let (mut writer, reply) = client.upload().await.map_err(broken)?;
    for size in sizes {
        writer.write(text("x".repeat(*size))).await.map_err(broken)?;
    }
    writer.finish().await.map_err(broken)?;
    reply.await.map_err(broken)
}

async fn only_with_go(client: &EverythingClient, channel: &Channel, address: &str) -> usize {
    let pair = "Trill client -> Go server";
    let mut failed = 0;
    failed += cell(pair, "unknown service and method", async {
        let absent = AbsentClient::new(channel.clone());
        same(codes(absent.unary(text("")).await).0, 12)?;
        same(codes(absent.talk().await).0, 12)
    })
    .await;
    failed += cell(pair, "unary: gzip, zlib, snappy block, lz4 frame", async {
        for compression in [Compression::Gzip, Compression::Zlib, Compression::Snappy, Compression::Lz4] {
            for size in [5_000, 0] {
                let message = text("x".repeat(size));
                let call = client.unary(message.clone()).compression(compression);
                same(call.await.map_err(broken)?, message)?;
            }
        }
        Ok(())
    })
    .await;
    failed += cell(pair, "bidi stream: gzip, zlib, snappy block, lz4 frame", async {
        for compression in [Compression::Gzip, Compression::Zlib, Compression::Snappy, Compression::Lz4] {
            let mut rw = client.talk().compression(compression).await.map_err(broken)?;
            for size in [5_000, 0, 200_000, 5] {
                let message = text("x".repeat(size));
                rw.write(message.clone()).await.map_err(broken)?;
                same(rw.read().await.map_err(broken)?, Some(message))?;
            }
            rw.finish().await.map_err(broken)?;
        }
        Ok(())
    })
    .await;
    failed += cell(pair, "unary: attachment both ways", async {
        let response = client.unary(text("attach")).attachment("beside").response().await.map_err(broken)?;
        same((response.message, &response.attachment[..]), (text("6 bytes"), &b"beside"[..]))
    })
    .await;
    failed += cell(pair, "unary: timeout", async {
        let error = client.unary(text("sleep 1000")).timeout(Duration::from_millis(200)).await.unwrap_err();
        same(error.kind(), ErrorKind::Timeout)?;
        same(client.unary(text("on")).await.map_err(broken)?, text("on"))
    })
    .await;
    failed += cell(
        pair,
        "streams given up by RESET: early, in the middle, while the writer is blocked",
        given_up(client),
    )
    .await;
    let polite =
        Channel::builder().cancel(Cancel::HalfClose).connect(address).await.expect("the Go server listens");
    let polite = EverythingClient::new(polite);
    failed += cell(
        pair,
        "streams given up by half-close: early, in the middle, while the writer is blocked",
        given_up(&polite),
    )
    .await;
    failed += cell(pair, "streams without flow control", async {
        let channel = Channel::builder().window(0).connect(address).await.map_err(broken)?;
        let client = EverythingClient::new(channel);
        let mut reader = client.download(text("count 30000")).await.map_err(broken)?;
        for number in 0..30_000 {
            same(reader.read().await.map_err(broken)?, Some(text(number.to_string())))?;
        }
        same(upload(&client, &[10_000; 100]).await?, text("100 messages, 1000000 bytes"))
    })
    .await;
    failed
}

/// The connection must go on whatever the server makes of it.
async fn given_up(client: &EverythingClient) -> Outcome {
    drop(client.talk().await.map_err(broken)?);
    let mut reader = client.download(text("count 100000")).await.map_err(broken)?;
    reader.read().await.map_err(broken)?;
    drop(reader);
    let (mut writer, reply) = client.upload().await.map_err(broken)?;
    writer.write(text("sleep 500")).await.map_err(broken)?;
    let filler = text("x".repeat(30_000));
    while writer.write(filler.clone()).timeout(Duration::from_millis(50)).await.is_ok() {}
    drop((writer, reply));
    same(client.unary(text("on")).await.map_err(broken)?, text("on"))?;
    same(upload(client, &[1, 2]).await?, text("2 messages, 3 bytes"))
}

async fn killed(program: &str) -> Outcome {
    let mut server = ServerProcess::start(program).await;
    let channel = Channel::connect(&server.address).await.map_err(broken)?;
    let client = EverythingClient::new(channel);
    let mut rw = client.talk().await.map_err(broken)?;
    rw.write(text("hello")).await.map_err(broken)?;
    same(rw.read().await.map_err(broken)?, Some(text("hello")))?;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.unary(text("hang")).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.kill().await;
    same(rw.read().await.map_err(|error| error.kind()), Err(ErrorKind::Network))?;
    same(call.await.expect("no panic").map_err(|error| error.kind()), Err(ErrorKind::Network))?;
    let next = ServerProcess::start(program).await;
    let client = EverythingClient::new(Channel::connect(&next.address).await.map_err(broken)?);
    same(client.unary(text("hello")).await.map_err(broken)?, text("hello"))
}

/// Passes every call on to a server behind it.
struct Router(EverythingClient);

#[trill::service]
impl Everything for Router {
    async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
        let response =
            self.0.unary(request).options(cx.child()).attachment(cx.attachment().clone()).response().await?;
        for (key, value) in response.metadata.iter() {
            cx.set_metadata(key, value.to_vec());
        }
        cx.set_attachment(response.attachment);
        Ok(response.message)
    }

    async fn notify(&self, cx: Context, request: Text) -> Result<()> {
        self.0.notify(request).options(cx.child()).await
    }

    async fn upload(&self, cx: Context, mut reader: AsyncReader<Text>) -> Result<Text> {
        let (mut writer, mut reply) = self.0.upload().options(cx.child()).await?;
        let pass = async {
            while let Some(message) = reader.read().await? {
                writer.write(message).await?;
            }
            writer.finish().await
        };
        // The server may answer before the client has said all.
        tokio::select! {
            answer = &mut reply => return answer,
            passed = pass => passed?,
        }
        reply.await
    }

    async fn download(&self, cx: Context, request: Text, mut writer: AsyncWriter<Text>) -> Result<()> {
        let mut reader = self.0.download(request).options(cx.child()).await?;
        let passed = async {
            while let Some(message) = reader.read().await? {
                writer.write(message).await?;
            }
            Ok(())
        }
        .await;
        for (key, value) in reader.metadata().into_iter().flat_map(trill::Metadata::iter) {
            cx.set_metadata(key, value.to_vec());
        }
        passed
    }

    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        let (mut from_client, mut to_client) = rw.split();
        let (mut from_server, mut to_server) = self.0.talk().options(cx.child()).await?.split();
        let there = async {
            while let Some(message) = from_client.read().await? {
                to_server.write(message).await?;
            }
            to_server.finish().await
        };
        let back = async {
            while let Some(message) = from_server.read().await? {
                to_client.write(message).await?;
            }
            Ok(())
        };
        tokio::pin!(there, back);
        tokio::select! {
            ended = &mut back => ended,
            passed = &mut there => match passed {
                Ok(()) => back.await,
                Err(error) => Err(error),
            },
        }
    }
}

pub(crate) async fn through_a_router(program: &str) -> usize {
    let server = ServerProcess::start(program).await;
    let upstream =
        EverythingClient::new(Channel::connect(&server.address).await.expect("the Go server listens"));
    let bound = Server::builder().service(Router(upstream)).bind("127.0.0.1:0").await.expect("a free port");
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    let client = EverythingClient::new(Channel::connect(&address).await.expect("the router listens"));
    let failed = each_kind("Trill client -> Trill router -> Go server", &client).await;
    failed + go_client(program, &address, "Go client -> Trill router -> Go server").await
}
