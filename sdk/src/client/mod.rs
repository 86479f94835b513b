//! Channels to servers, their settings, and calls that are being prepared.
//!
//! Begin with [`Channel`], which connects and reconnects by itself and is cheap to clone;
//! [`Channel::builder`] sets limits, balancing and waits ([`ChannelBuilder`]). A generated client
//! is made of a channel, and each of its methods gives a call: [`Unary`], [`OneWay`],
//! [`ClientStream`], [`ServerStream`] or [`Bidi`]. Set the options of a call, then `.await` it.
//! Addresses come from a list, from [`Dns`], or from anything that implements [`Resolve`].
//!
//! ```
//! use std::time::Duration;
//! use trill::{Channel, Context, Result, Server};
//!
//! #[trill::service(package = "demo")]
//! pub trait Prices {
//!     async fn price(&self, cx: Context, order: String) -> Result<u64>;
//! }
//! # struct MyPrices;
//! # #[trill::service]
//! # impl Prices for MyPrices {
//! #     async fn price(&self, _cx: Context, order: String) -> Result<u64> {
//! #         Ok(order.len() as u64)
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let server = Server::builder().service(MyPrices).bind("127.0.0.1:0").await?;
//! # let address = server.local_addr().to_string();
//! # tokio::spawn(server.serve());
//! let channel = Channel::builder().timeout(Duration::from_secs(2)).connect(address).await?;
//! let client = PricesClient::new(channel);
//! let price = client.price("a-1".into()).metadata("tenant", "blue").await?;
//! assert_eq!(price, 3);
//! # Ok(())
//! # }
//! ```

// `subchannels` decides which connections there are to be, as a value; `keeper` has the tasks that
// make, drive and replace them, and `runtime` what they run in; `pool` is where calls find them.

mod backoff;
mod balance;
mod builder;
pub(crate) mod call;
mod channel;
mod connect;
mod flush;
mod keeper;
mod per_core;
mod pool;
mod resolve;
mod runtime;
mod share;
mod state;
mod subchannels;
#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use balance::Balance;
pub use builder::ChannelBuilder;
pub use call::{Bidi, ClientStream, OneWay, ResponseFuture, ServerStream, Unary};
pub use channel::Channel;
pub use resolve::{Dns, Resolve};
pub use state::{State, StateWatch};
