//! Typed streaming RPC over the tRPC wire of trpc-group (tRPC-Go, tRPC-Cpp): streams you cannot
//! misuse.
//!
//! A service is a trait. [`#[trill::service]`](macro@service) makes a server and a typed client of
//! it; a type that implements the trait is served over TCP, a Unix socket, or inside the process.
//!
//! ```
//! use trill::prost::Message;
//! use trill::{AsyncReader, AsyncWriter, Context, Result, Server};
//!
//! #[derive(Clone, PartialEq, Message)]
//! #[prost(prost_path = "trill::prost")]
//! pub struct Number {
//!     #[prost(int64, tag = "1")]
//!     pub value: i64,
//! }
//!
//! #[trill::service(package = "demo")]
//! pub trait Numbers {
//!     async fn sum(&self, cx: Context, reader: AsyncReader<Number>) -> Result<Number>;
//!     async fn count(&self, cx: Context, to: Number, writer: AsyncWriter<Number>) -> Result<()>;
//! }
//!
//! struct MyNumbers;
//!
//! #[trill::service]
//! impl Numbers for MyNumbers {
//!     async fn sum(&self, _cx: Context, mut reader: AsyncReader<Number>) -> Result<Number> {
//!         let mut value = 0;
//!         while let Some(number) = reader.read().await? {
//!             value += number.value;
//!         }
//!         Ok(Number { value })
//!     }
//!
//!     async fn count(
//!         &self,
//!         _cx: Context,
//!         to: Number,
//!         mut writer: AsyncWriter<Number>,
//!     ) -> Result<()> {
//!         for value in 1..=to.value {
//!             writer.write(Number { value }).await?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! // In a test, or in one process; elsewhere `bind(address)`, `serve()` and
//! // `Channel::connect(address)`.
//! let client = NumbersClient::new(Server::builder().service(MyNumbers).in_memory()?);
//!
//! let mut reader = client.count(Number { value: 4 }).await?;
//! let (mut writer, reply) = client.sum().await?;
//! while let Some(number) = reader.read().await? {
//!     writer.write(number).await?;
//! }
//! writer.finish().await?;
//! assert_eq!(reply.await?.value, 10);
//! # Ok(())
//! # }
//! ```
//!
//! # The idea
//!
//! Streams are read and written through handles whose futures borrow them, so that two reads at
//! once, two writes at once, or a write after `finish` do not compile ([`AsyncReader`],
//! [`AsyncWriter`], [`AsyncReaderWriter`]). Every future can be dropped at any time: no message is
//! lost, doubled or torn. A reader's `None` means that the peer ended explicitly and without an
//! error, and nothing else.
//!
//! Operations wait for the peer's credit or the peer's message; `.timeout(limit)` on the operation,
//! or a timeout on the call, bounds it. A handler whose caller is gone is dropped.
//!
//! # Modules
//!
//! | | |
//! |---|---|
//! | the root | what every program uses |
//! | [`stream`] | the handles and their futures |
//! | [`client`] | channels, their settings, calls that are being prepared |
//! | [`server`] | servers and their settings |
//! | [`codec`] | frames as values, for proxies and recorders |
//! | `coming_from_trpc` | a page for those who know tRPC-Go or tRPC-Cpp |
//! | `testing` | for tests: mocks, handlers without a port, a network with faults (feature `testing`) |
//! | [`trpc`] | settings and numbers that only the tRPC wire has |
//! | [`combinators`] | loops and joins over futures, such as [`do_until`](do_until()) and [`when_all`](when_all()) |
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `compression` | yes | compressed messages ([`Compression`]). Without it peers that send some are refused. |
//! | `json` | no | unary calls with JSON bodies, for messages with serde's traits ([`JsonMessage`](stream::JsonMessage)). |
//! | `prost-types` | no | `trill::prost_types`, for messages with a `Timestamp`, a `Duration`, an `Any` and their like. |
//! | `runtime` | yes | everything that needs tokio. Without it only the combinators are public, and the protocol core can be tested. |
//! | `testing` | no | clients of mocks, and a network in memory with faults of choice (`trill::testing`). |
#![warn(clippy::too_many_lines)]
#![cfg_attr(
    not(feature = "runtime"),
    allow(
        dead_code,
        unreachable_pub,
        unused_imports,
        reason = "the core is built to be tested without its users"
    )
)]

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("Trill serves on Linux and compiles for macOS, and this is another system");

#[cfg(feature = "runtime")]
pub mod client;
#[cfg(feature = "runtime")]
mod clock;
#[cfg(feature = "runtime")]
pub mod codec;
pub mod combinators;
mod conn;
#[cfg(feature = "runtime")]
mod cores;
#[cfg(feature = "runtime")]
mod driver;
mod error;
#[cfg(feature = "runtime")]
mod fair_queue;
mod framing;
#[cfg(test)]
mod golden;
mod metadata;
#[cfg(feature = "runtime")]
pub mod server;
#[cfg(feature = "runtime")]
mod service;
#[cfg(feature = "runtime")]
mod settings;
#[cfg(feature = "runtime")]
mod signal;
#[cfg(feature = "runtime")]
pub mod stream;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "runtime")]
mod transport;
#[cfg(feature = "runtime")]
pub mod trpc;
mod wires;

#[cfg(feature = "__bench")]
#[doc(hidden)]
pub mod __bench;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod __fuzz;
#[cfg(feature = "runtime")]
#[doc(hidden)]
pub mod __private;

/// The crate that messages are derived with. Messages name it with
/// `#[prost(prost_path = "trill::prost")]`.
pub use prost;

/// The messages of `google/protobuf/`, such as `Timestamp`, `Duration` and `Any`. Generated code
/// names them here.
#[cfg(feature = "prost-types")]
pub use prost_types;

/// The crate of [`Stream`](futures::Stream) and [`Sink`](futures::Sink), which readers and writers
/// are, and of their combinators.
pub use futures;

/// Bytes that are shared and not copied: values of metadata, attachments, and fields of messages.
pub use bytes::Bytes;

/// Makes a trait with `async fn`s object-safe, and stands on each `impl` of one: of
/// [`Resolve`](client::Resolve).
///
/// The attribute of the crate async-trait. A call allocates its future, which costs nothing that
/// can be measured where calls are few; a service is object-safe in
/// [another way](macro@service#services-behind-dyn).
#[cfg(feature = "runtime")]
pub use async_trait::async_trait;

pub use combinators::{
    do_for, do_for_each, do_until, do_until_stop, do_while, do_with, repeat, try_when_all,
    when_all, when_any, when_any_ok,
};
pub use error::{Code, Error, ErrorKind, Origin, Result, Status, WireCode};
pub use metadata::{Metadata, MetadataError, MetadataIter};

#[cfg(feature = "runtime")]
pub use {
    client::Channel,
    cores::Cores,
    server::Server,
    server::call::Context,
    service::CallOptions,
    settings::Limits,
    stream::{AsyncReader, AsyncReaderWriter, AsyncWriter, Compression, Message, Reply, Response},
    transport::{Credentials, Io, PeerAddr},
};

/// Turns a trait into a service: a server and a typed client. On an `impl` of such a trait it makes
/// the type servable.
///
/// ```
/// use trill::prost::Message;
/// use trill::{AsyncReaderWriter, Context, Result};
///
/// #[derive(Clone, PartialEq, Message)]
/// #[prost(prost_path = "trill::prost")]
/// pub struct Note {
///     #[prost(string, tag = "1")]
///     pub text: String,
/// }
///
/// #[trill::service(package = "demo", name = "NoteService")]
/// pub trait Notes {
///     /// Unary: one request, one answer. `/demo.NoteService/Put` on the wire.
///     async fn put(&self, cx: Context, note: Note) -> Result<Note>;
///
///     /// One-way: nobody answers. `/demo.NoteService/Hint` on the wire.
///     #[rpc(oneway, name = "Hint")]
///     async fn give_a_hint(&self, cx: Context, note: Note) -> Result<()>;
///
///     /// Bidirectional. An alias is a second name under which it can be called.
///     #[rpc(alias = "/old.Notes/Live")]
///     async fn live(&self, cx: Context, rw: AsyncReaderWriter<Note, Note>) -> Result<()>;
/// }
/// ```
///
/// The kind of a method follows from its arguments behind the [`Context`]:
///
/// | arguments | answer | kind | awaiting the client's method gives |
/// |---|---|---|---|
/// | `req: A` | `Result<B>` | unary | `B` |
/// | `req: A`, with `#[rpc(oneway)]` | `Result<()>` | one-way | `()` |
/// | `reader: AsyncReader<A>` | `Result<B>` | client stream | `(AsyncWriter<A>, Reply<B>)` |
/// | `req: A, writer: AsyncWriter<B>` | `Result<()>` | server stream | `AsyncReader<B>` |
/// | `rw: AsyncReaderWriter<A, B>` | `Result<()>` | bidirectional | `AsyncReaderWriter<B, A>` |
///
/// On a trait `Notes` it makes `NotesServer<T>` and `NotesClient`, and adds `Send + Sync + 'static`
/// to the trait, whose methods return `Send` futures. On an `impl Notes for MyNotes` it makes
/// `MyNotes` something that [`ServerBuilder::service`](server::ServerBuilder::service) takes as it
/// stands. A type that implements several services is wrapped for each:
/// `NotesServer::new(my_notes)`.
///
/// Arguments on the trait: `package` (a protobuf package; without it the service's name stands
/// alone), `name` (the service's name on the wire instead of the trait's), `json` (unary methods
/// take JSON as well, which needs the feature `json`), `dyn` (see
/// [below](#services-behind-dyn)), `crate` (the path of this crate, if it is
/// renamed). On methods: `#[rpc(name = "..", alias = "..", oneway, json)]`; without a name,
/// `say_hello` is `SayHello` on the wire. An alias is a whole path, byte for byte. A method may
/// have a body, which serves where an `impl` has none, and a `#[cfg]`. Docs and `#[deprecated]` are
/// repeated on the client's method.
///
/// # Services behind `dyn`
///
/// With the argument `dyn`, a trait `Notes` gets an object-safe companion `DynNotes`, for a service
/// that is chosen when the program runs: a plugin, a mock, one of several backends. Each type that
/// implements `Notes` is a `DynNotes`, written as ever. An `Arc<dyn DynNotes>` and a
/// `Box<dyn DynNotes>` are `Notes` themselves: their methods can be called, and they can be served.
/// A call through one of them allocates its future; a service that is served as it stands costs
/// what it costs without `dyn`.
///
/// ```
/// use std::sync::Arc;
/// use trill::{Context, Result, Server};
///
/// #[trill::service(package = "demo", dyn)]
/// pub trait Clock {
///     async fn now(&self, cx: Context, zone: String) -> Result<u64>;
/// }
///
/// struct Fixed(u64);
///
/// #[trill::service]
/// impl Clock for Fixed {
///     async fn now(&self, _cx: Context, _zone: String) -> Result<u64> {
///         Ok(self.0)
///     }
/// }
///
/// struct Zones(Vec<(String, u64)>);
///
/// #[trill::service]
/// impl Clock for Zones {
///     async fn now(&self, _cx: Context, zone: String) -> Result<u64> {
///         Ok(self.0.iter().find(|(name, _)| *name == zone).map_or(0, |(_, time)| *time))
///     }
/// }
///
/// fn chosen(name: &str) -> Arc<dyn DynClock> {
///     match name {
///         "fixed" => Arc::new(Fixed(7)),
///         _ => Arc::new(Zones(vec![("UTC".to_owned(), 12)])),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let client = ClockClient::new(Server::builder().service(chosen("fixed")).in_memory()?);
/// assert_eq!(client.now("UTC".to_owned()).await?, 7);
///
/// let client = ClockClient::new(Server::builder().service(chosen("zones")).in_memory()?);
/// assert_eq!(client.now("UTC".to_owned()).await?, 12);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "runtime")]
pub use trill_macros::service;

#[doc = include_str!("../docs/coming_from_trpc.md")]
#[cfg(all(any(doc, doctest), feature = "runtime"))]
pub mod coming_from_trpc {}

/// The README's programs run.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../../README.md")]
struct Readme;
