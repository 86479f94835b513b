//! Turns users' `.proto` files into Rust, from their `build.rs` and without protoc (feature
//! `build`).
//!
//! Messages become [prost] types. Each `service` becomes the trait that one would write by hand for
//! `#[trill::service]`, so there is one way to serve and to call, wherever the service was written
//! down:
//!
//! ```proto
//! // Says hello.
//! service Greeter {
//!   rpc SayHello(HelloRequest) returns (HelloReply);
//!   rpc Chat(stream HelloRequest) returns (stream HelloReply);
//! }
//! ```
//!
//! ```text
//! /// Says hello.
//! #[::trill::service(package = "trpc.test.helloworld")]
//! pub trait Greeter {
//!     async fn say_hello(
//!         &self,
//!         cx: ::trill::Context,
//!         req: HelloRequest,
//!     ) -> ::trill::Result<HelloReply>;
//!     async fn chat(
//!         &self,
//!         cx: ::trill::Context,
//!         rw: ::trill::AsyncReaderWriter<HelloRequest, HelloReply>,
//!     ) -> ::trill::Result<()>;
//! }
//! ```
//!
//! In `Cargo.toml`, `trill` is a dependency and `trill-proto` with the feature `build` is a build
//! dependency. In `build.rs`:
//!
//! ```no_run
//! fn main() -> Result<(), trill_proto::build::Error> {
//!     trill_proto::build::compile(&["proto/greeter.proto"], &["proto"])
//! }
//! ```
//!
//! And where the code is wanted, for the package `trpc.test.helloworld`:
//!
//! ```text
//! mod helloworld {
//!     include!(concat!(env!("OUT_DIR"), "/trpc.test.helloworld.rs"));
//! }
//! ```
//!
//! The generated code names nothing but `trill`. Messages that use `Timestamp`, `Any` and
//! their like from `google/protobuf/` need its feature `prost-types`. `Empty` is `()`.
//!
//! Names become Rust's: `rpc SayHello` is `say_hello`, `service snake_service` is `SnakeService`.
//! Two that are the same then are refused, with both; [`Config::rust_name`] gives a service or a
//! method another name and leaves the one on the wire. Comments become documentation, in which code
//! is marked as `text`, so that it is no doctest. `option deprecated = true` becomes
//! `#[deprecated]`, on the server and the client, too. A file with an edition in place of a syntax
//! is refused.
//!
//! The option `trpc.alias` of a method is carried over; `trpc/proto/trpc_options.proto` need not be
//! in the include path.

mod comments;
mod config;
mod error;
mod names;
mod options;
mod service;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;

/// The code generator under this one, for [`Config::prost`].
pub use prost_build;

pub use config::Config;
pub use error::Error;

/// Compiles `.proto` files into `OUT_DIR`, one Rust file for each package, with the default
/// [`Config`].
///
/// Paths are relative to the package's folder. Each file lies in one of `includes`, where imports
/// are looked for too.
///
/// # Errors
///
/// When a file is missing or wrong, or when the output cannot be written. An [`Error`] prints file,
/// line and column, so a `build.rs` can return it from `main`.
pub fn compile(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
    Config::new().compile(protos, includes)
}
