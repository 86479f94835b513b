//! The frames of a wire as values, for programs that are no clients and no servers: proxies,
//! recorders, and tests that say something byte by byte.
//!
//! A codec goes into a `Framed` of tokio-util (0.7) around any `AsyncRead` and `AsyncWrite`, which
//! is then a stream and a sink of frames. The codec is the code that Trill's own connections use,
//! and judges frames as they do. It knows nothing of calls and streams: which ids are in use, and
//! what may follow what, is for those who read the frames.
//!
//! There is a module for each wire. Begin with [`trpc::Codec`] and [`trpc::Frame`].
//!
//! ```
//! use tokio_util::codec::Framed;
//! use trill::Bytes;
//! use trill::codec::trpc::{Codec, Content, Frame, Kind, Request};
//! use trill::futures::{SinkExt, StreamExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (one, other) = tokio::io::duplex(1024);
//! let mut client = Framed::new(one, Codec::client());
//! let mut server = Framed::new(other, Codec::server().max_frame(1_000));
//!
//! let mut request = Request::default();
//! request.request_id = 7;
//! request.func = Bytes::from("/demo.Notes/Put");
//! client.send(Frame::request(&request, b"note", b"")?).await?;
//!
//! let frame = server.next().await.ok_or("the client is there")??;
//! assert_eq!((frame.kind(), frame.id()), (Kind::Request, 7));
//! assert_eq!(frame.to_string(), "request 7 of /demo.Notes/Put, 4 bytes");
//! let Content::Request { header, body, .. } = frame.content()? else { panic!("{frame:?}") };
//! assert_eq!((header, &body[..]), (request, &b"note"[..]));
//!
//! client.send(Frame::data(100, &[0; 1_000])?).await?;
//! let error = server.next().await.ok_or("the client is there")?.unwrap_err();
//! assert_eq!(error.to_string(), "a frame of 1016 bytes is over the limit of 1000");
//! # Ok(())
//! # }
//! ```

/// Frames of tRPC.
pub mod trpc {
    pub use crate::wires::trpc::codec::{
        Close, Codec, CodecError, Content, Frame, FrameError, Init, InitRequest, InitResponse,
        Kind, Request, Response,
    };
}
