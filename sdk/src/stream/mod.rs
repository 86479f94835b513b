//! ROOM 4: handles. Users read from them and write to them.
//!
//! A handle turns messages into bytes and back, and asks the connection through `transport::Link`.
//! Deliberately absent: methods, deadlines, who called.

mod blocking;
mod closed;
mod compression;
mod core;
mod encode_once;
mod ending;
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
pub(crate) use compression::{UnpackError, wire_encoding};
pub(crate) use encode_once::{EncodeOnce, LARGE_TO_COMPRESS};
pub(crate) use ending::{
    PEER_DRAINS, Subject, TimeLimit, answer_error, ending_error, outcome_of, send_error, timed_out,
};
pub(crate) use json::{FromJson, JSON, LARGE_JSON, ToJson, decode_json, json_steps};
pub(crate) use stepped::{
    Decoding, Effort, STEPPED, decode, decode_granted, decode_on_task, decode_small,
};
pub(crate) use timeout::poll_time;
pub(crate) use unpacking::{Unpacking, pay_for_decoding, unpack, unpack_counted};
