//! The handlers of the greeter once more, with combinators in place of loops.

use std::ops::ControlFlow::{Break, Continue};

use futures::TryFutureExt;
use trill::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result, Server, do_for, do_for_each,
    do_until, do_with, try_when_all, when_all,
};
use trill_examples::greeter::{
    Greeter, GreeterClient, GreeterServer, Heard, HelloReply, HelloRequest, StreamGreeter,
    StreamGreeterClient, StreamGreeterServer, reply, request,
};

struct Combined;

impl Greeter for Combined {
    async fn say_hello(&self, _cx: Context, req: HelloRequest) -> Result<HelloReply> {
        Ok(reply(format!("Hello, {}", req.msg)))
    }
}

impl StreamGreeter for Combined {
    /// `do_with` hands owned state from one round to the next: here the reader, and what was heard
    /// so far.
    async fn client_stream_say_hello(
        &self,
        _cx: Context,
        reader: AsyncReader<HelloRequest>,
    ) -> Result<HelloReply> {
        do_with((reader, Heard::default()))
            .until(|(mut reader, mut heard)| async move {
                let Some(req) = reader.read().await? else { return Ok(Break(heard.summary())) };
                heard.add(&req);
                Ok(Continue((reader, heard)))
            })
            .await
    }

    /// A shared handle can be used from within a closure.
    async fn server_stream_say_hello(
        &self,
        _cx: Context,
        req: HelloRequest,
        writer: AsyncWriter<HelloReply>,
    ) -> Result<()> {
        let writer = writer.shared();
        do_for(3, |i| writer.write(reply(format!("{} #{i}", req.msg)))).await
    }

    /// Two loops side by side on one stream: one answers, the other has things of its own to say.
    async fn bidi_stream_say_hello(
        &self,
        _cx: Context,
        rw: AsyncReaderWriter<HelloRequest, HelloReply>,
    ) -> Result<()> {
        let (reader, writer) = rw.split();
        let writer = writer.shared();
        let remarks = do_for(2, {
            let writer = writer.clone();
            move |i| writer.write(reply(format!("remark {i}")))
        });
        let answers = do_with((reader, writer)).until(|(mut reader, writer)| async move {
            let Some(req) = reader.read().await? else { return Ok(Break(())) };
            writer.write(reply(format!("you said {}", req.msg))).await?;
            Ok(Continue((reader, writer)))
        });
        try_when_all((answers, remarks)).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let channel = Server::builder()
        .service(GreeterServer::new(Combined))
        .service(StreamGreeterServer::new(Combined))
        .in_memory()?;
    let greeter = GreeterClient::new(channel.clone());
    let streams = StreamGreeterClient::new(channel);

    println!("== when_all: three calls at once, the outcomes in order ==");
    for outcome in when_all(["a", "b", "c"].map(|name| greeter.say_hello(request(name)))).await {
        println!("{}", outcome?.msg);
    }

    println!("== do_for_each: a client stream ==");
    let (writer, answer) = streams.client_stream_say_hello().await?;
    let writer = writer.shared();
    do_for_each(["a", "bc", "def"], |name| writer.write(request(name))).await?;
    writer.finish().await?;
    println!("{}", answer.await?.msg);

    println!("== do_until: a server stream ==");
    let reader = streams.server_stream_say_hello(request("again")).await?.shared();
    do_until(|| {
        reader.read().map_ok(|reply| {
            reply.map_or(Break(()), |reply| {
                println!("{}", reply.msg);
                Continue(())
            })
        })
    })
    .await?;

    println!("== try_when_all: both directions of a bidi stream ==");
    let (reader, writer) = streams.bidi_stream_say_hello().await?.split();
    let writer = writer.shared();
    let asking =
        do_for_each(["x", "y"], |name| writer.write(request(name))).and_then(|()| writer.finish());
    let listening = do_with((reader, 0)).until(|(mut reader, heard)| async move {
        let Some(reply) = reader.read().await? else { return Ok(Break(heard)) };
        println!("{}", reply.msg);
        Ok(Continue((reader, heard + 1)))
    });
    let ((), heard) = try_when_all((asking, listening)).await?;
    println!("{heard} messages");
    Ok(())
}
