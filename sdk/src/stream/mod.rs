//! Handles of streams: read from them, write to them, end them.
//!
//! | handle | gives and takes | comes from |
//! |---|---|---|
//! | [`AsyncReader`] | reads messages | a handler's argument; a call of a server stream |
//! | [`AsyncWriter`] | writes messages | a handler's argument; a call of a client stream |
//! | [`AsyncReaderWriter`] | both, in one task, or [split](AsyncReaderWriter::split) in two | a handler's argument; a call of a bidirectional stream |
//! | [`Reply`] | the one answer of a client stream, a future | a call of a client stream |
//! | [`SharedReader`], [`SharedWriter`], [`SharedReaderWriter`] | the same for several tasks, whose operations queue | `shared()` of a handle |
//!
//! Begin with [`AsyncReader::read`], [`AsyncWriter::write`] and [`AsyncWriter::finish`], whose
//! pages say how a stream ends. A message is anything that implements [`Message`]: a struct that
//! derives `prost::Message`, a number, a text, bytes.
//!
//! ```
//! use trill::{AsyncReaderWriter, Context, Result, Server};
//!
//! #[trill::service(package = "demo")]
//! pub trait Doubler {
//!     async fn double(&self, cx: Context, rw: AsyncReaderWriter<u64, u64>) -> Result<()>;
//! }
//!
//! struct MyDoubler;
//!
//! #[trill::service]
//! impl Doubler for MyDoubler {
//!     async fn double(&self, _cx: Context, mut rw: AsyncReaderWriter<u64, u64>) -> Result<()> {
//!         while let Some(number) = rw.read().await? {
//!             rw.write(2 * number).await?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let client = DoublerClient::new(Server::builder().service(MyDoubler).in_memory()?);
//! let (mut reader, mut writer) = client.double().await?.split();
//! writer.write(21).await?;
//! assert_eq!(reader.read().await?, Some(42));
//! writer.finish().await?;
//! assert_eq!(reader.read().await?, None);
//! # Ok(())
//! # }
//! ```

// Handles turn messages into bytes and back, and ask the connection through `driver::Link`.
// Deliberately absent: methods, deadlines, who called.

mod blocking;
mod call_end;
mod closed;
mod compression;
mod core;
mod encode_once;
mod errors;
mod json;
mod message;
mod reader;
mod reader_writer;
mod reply;
mod shared;
mod stepped;
mod timeout;
mod turn;
#[cfg(feature = "compression")]
mod unpack;
mod unpacking;
mod writer;

pub use closed::Closed;
pub use compression::Compression;
pub use json::{JsonError, JsonMessage};
pub use message::{DecodeError, Message};
pub use reader::{AsyncReader, Read};
pub use reader_writer::AsyncReaderWriter;
pub use reply::{Reply, Response};
pub use shared::{SharedRead, SharedReader, SharedReaderWriter, SharedWrite, SharedWriter};
pub use timeout::Timeout;
pub use writer::{AsyncWriter, Write};

pub(crate) use self::core::StreamRef;
pub(crate) use blocking::elsewhere;
pub(crate) use call_end::CallEnd;
pub(crate) use compression::{UnpackError, wire_encoding};
pub(crate) use encode_once::{EncodeOnce, LARGE_TO_COMPRESS};
pub(crate) use errors::{
    OwnWriter, PEER_DRAINS, Subject, TimeLimit, answer_error, ending_error, metadata_error,
    outcome_of, send_error, timed_out,
};
pub(crate) use json::{FromJson, JSON, LARGE_JSON, ToJson, decode_json, json_steps};
pub(crate) use stepped::{
    Decoding, Effort, STEPPED, decode, decode_granted, decode_on_task, decode_small,
};
pub(crate) use timeout::poll_time;
pub(crate) use unpacking::{Unpacking, pay_for_decoding, unpack, unpack_counted};
