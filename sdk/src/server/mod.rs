//! Servers and their settings.
//!
//! Begin with [`Server::builder`]: it takes services and limits ([`ServerBuilder`]), and
//! [`bind`](ServerBuilder::bind) gives a [`Bound`] server whose `serve` accepts connections until
//! the server is shut down. A [`ServerHandle`] shuts it down, and counts what it holds and refuses.
//!
//! ```
//! use std::time::Duration;
//! use trill::{Channel, Context, Result, Server};
//!
//! #[trill::service(package = "demo")]
//! pub trait Prices {
//!     async fn price(&self, cx: Context, order: String) -> Result<u64>;
//! }
//!
//! struct MyPrices;
//!
//! #[trill::service]
//! impl Prices for MyPrices {
//!     async fn price(&self, _cx: Context, order: String) -> Result<u64> {
//!         Ok(order.len() as u64)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let server = Server::builder().service(MyPrices).bind("127.0.0.1:0").await?;
//! let (handle, address) = (server.handle(), server.local_addr().to_string());
//! let serving = tokio::spawn(server.serve());
//!
//! let client = PricesClient::new(Channel::connect(address).await?);
//! assert_eq!(client.price("a-1".into()).await?, 3);
//!
//! handle.shutdown(Duration::from_secs(5)).await;
//! serving.await.expect("it did not panic")
//! # }
//! ```

mod accept;
mod bound;
mod builder;
pub(crate) mod call;
mod connection_set;
mod connections;
mod files;
mod pace;
mod peers;
mod shutdown;
#[cfg(feature = "testing")]
mod unbound;
mod waiting;

pub use bound::{Bound, ServerHandle};
pub use builder::{Server, ServerBuilder};
#[cfg(feature = "testing")]
pub(crate) use unbound::Unbound;

pub use crate::driver::{Buffered, Refused};
pub use crate::transport::Listener;
