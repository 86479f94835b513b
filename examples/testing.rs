//! Testing without ports: a mock of a service, a handler by itself, and a network that fails on
//! purpose, in virtual time.
//!
//! Each function here could be a `#[tokio::test(start_paused = true)]`; this program runs them one
//! after the other.

use std::time::Duration;

use trill::testing::{Cut, Direction, Network};
use trill::{AsyncReaderWriter, Channel, Context, ErrorKind, Result, Server};
use trill_examples::greeter::{
    Greeter, GreeterClient, HelloReply, HelloRequest, MyGreeter, StreamGreeterClient,
    StreamGreeterServer, reply, request,
};

/// The code that is to be tested: it needs a client, and does not mind what is behind it.
async fn greeting(client: &GreeterClient, name: &str) -> String {
    match client.say_hello(request(name)).timeout(Duration::from_secs(3)).await {
        Ok(reply) => reply.msg,
        Err(error) if error.is_timeout() => format!("{name} is not answered"),
        Err(error) => format!("{name}: {error}"),
    }
}

/// A mock implements the trait of the service.
struct MockGreeter;

#[trill::service]
impl Greeter for MockGreeter {
    async fn say_hello(&self, _cx: Context, req: HelloRequest) -> Result<HelloReply> {
        match req.msg.as_str() {
            "nobody" => std::future::pending().await,
            name => Ok(reply(format!("mock of {name}"))),
        }
    }
}

async fn code_that_calls_is_tested_with_a_mock() {
    let client: GreeterClient = trill::testing::client(MockGreeter);
    assert_eq!(greeting(&client, "ada").await, "mock of ada");
    assert_eq!(greeting(&client, "nobody").await, "nobody is not answered");
}

/// A handler that is to be tested.
async fn shout(_cx: Context, mut rw: AsyncReaderWriter<HelloRequest, HelloReply>) -> Result<()> {
    while let Some(heard) = rw.read().await? {
        rw.write(reply(heard.msg.to_uppercase())).await?;
    }
    Ok(())
}

async fn a_handler_is_tested_by_itself() -> Result<()> {
    let mut rw = trill::testing::bidi(shout).await?;
    rw.write(request("hello")).await?;
    assert_eq!(rw.read().await?, Some(reply("HELLO")));
    rw.finish_writing().await?;
    assert_eq!(rw.read().await?, None);
    Ok(())
}

async fn a_lost_connection_is_an_error_and_never_an_end() -> Result<()> {
    let network = Network::new(42);
    let host = network.serve(Server::builder().service(StreamGreeterServer::new(MyGreeter)))?;
    let (channel, link) = host.connect(Channel::builder())?;
    link.delay(Duration::from_millis(20)..=Duration::from_millis(30));
    let mut rw = StreamGreeterClient::new(channel).bidi_stream_say_hello().await?;

    link.partition(Direction::ToClient);
    rw.write(request("are you there?")).await?;
    assert!(rw.read().timeout(Duration::from_secs(60)).await.unwrap_err().is_timeout());
    link.heal();
    assert!(rw.read().await?.is_some(), "the answer was only held up");

    rw.write(request("and now?")).await?;
    link.cut_after(Direction::ToClient, 10, Cut::Fin);
    assert_eq!(rw.read().await.unwrap_err().kind(), ErrorKind::Network);
    Ok(())
}

// On a paused clock the minute above takes no time, and the same seed gives the same run.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    code_that_calls_is_tested_with_a_mock().await;
    a_handler_is_tested_by_itself().await?;
    a_lost_connection_is_an_error_and_never_an_end().await?;
    println!("a mock, a handler and a lost connection: all as they should be");
    Ok(())
}
