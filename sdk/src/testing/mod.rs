//! For tests: clients of mocks and handlers without a port, and a network whose faults are chosen
//! (feature `testing`).
//!
//! [`client`] gives a client of anything that implements a service's trait, and [`bidi`] runs one
//! handler. Code that takes a `GreeterClient` is tested with a mock that implements `Greeter`:
//!
//! ```
//! # use trill::prost::Message;
//! # use trill::{AsyncReaderWriter, Context, Result};
//! # #[derive(Clone, PartialEq, Message)]
//! # #[prost(prost_path = "trill::prost")]
//! # pub struct Hello { #[prost(string, tag = "1")] pub msg: String }
//! # #[trill::service(package = "demo")]
//! # pub trait Greeter { async fn say_hello(&self, cx: Context, req: Hello) -> Result<Hello>; }
//! /// The code under test.
//! async fn greeting(client: &GreeterClient) -> String {
//!     match client.say_hello(Hello { msg: "world".into() }).await {
//!         Ok(reply) => reply.msg,
//!         Err(_) => "nobody is there".into(),
//!     }
//! }
//!
//! struct MockGreeter;
//!
//! #[trill::service]
//! impl Greeter for MockGreeter {
//!     async fn say_hello(&self, _cx: Context, req: Hello) -> Result<Hello> {
//!         Ok(Hello { msg: format!("mock of {}", req.msg) })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let client: GreeterClient = trill::testing::client(MockGreeter);
//! assert_eq!(greeting(&client).await, "mock of world");
//! # }
//! ```
//!
//! # Faults
//!
//! A [`Network`] serves and connects inside the process. Each connection has a [`Link`], whose
//! knobs can be turned while calls go on: delay, throttled bandwidth, reads in pieces, a partition
//! in one direction or both, a peer that stands still, and the loss of the connection by RST or
//! FIN, at once or at any byte.
//!
//! ```
//! use std::time::Duration;
//! use trill::testing::{Direction, Network};
//! use trill::{Channel, ErrorKind, Server};
//! # use trill::prost::Message;
//! # use trill::{AsyncReaderWriter, Context, Result};
//! # #[derive(Clone, PartialEq, Message)]
//! # #[prost(prost_path = "trill::prost")]
//! # pub struct Hello { #[prost(string, tag = "1")] pub msg: String }
//! # #[trill::service(package = "demo")]
//! # pub trait Echo {
//! #     async fn echo(&self, cx: Context, rw: AsyncReaderWriter<Hello, Hello>) -> Result<()>;
//! # }
//! # struct MyEcho;
//! # #[trill::service]
//! # impl Echo for MyEcho {
//! #     async fn echo(
//! #         &self,
//! #         _cx: Context,
//! #         mut rw: AsyncReaderWriter<Hello, Hello>,
//! #     ) -> Result<()> {
//! #         while let Some(hello) = rw.read().await? { rw.write(hello).await?; }
//! #         Ok(())
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<()> {
//! let network = Network::new(42);
//! let host = network.serve(Server::builder().service(MyEcho))?;
//! let (channel, link) = host.connect(Channel::builder())?;
//! link.delay(Duration::from_millis(20)..=Duration::from_millis(30));
//!
//! let mut rw = EchoClient::new(channel).echo().await?;
//! link.partition(Direction::ToClient);
//! rw.write(Hello { msg: "are you there?".into() }).await?;
//! assert!(rw.read().timeout(Duration::from_secs(5)).await.unwrap_err().is_timeout());
//!
//! link.heal();
//! assert_eq!(rw.read().await?.unwrap().msg, "are you there?");
//!
//! link.cut(trill::testing::Cut::Reset);
//! assert_eq!(rw.read().await.unwrap_err().kind(), ErrorKind::Network);
//! # Ok(())
//! # }
//! ```
//!
//! # Virtual time, and the same run again
//!
//! All waiting is done on tokio's clock. With `#[tokio::test(start_paused = true)]` (tokio's
//! feature `test-util`) five seconds of silence cost none. On a current-thread runtime with a
//! paused clock, the same program with the same seed does the same, step by step, as long as it
//! takes its own decisions the same way: `tokio::select!` needs its `biased;` for that.

mod handler;
mod link;
mod network;
mod pipe;

pub use handler::{bidi, client};
pub use link::{Cut, Direction, Link, Side};
pub use network::{Host, Network};

pub use crate::driver::Census;
