//! A 16-byte header before each message; many messages a system call in both directions.
//!
//! ```text
//!  0        4      5          8        12        16
//!  | length | kind | 0  0  0  | stream | 0 0 0 0 | message ...
//! ```

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use trill::prost::Message as _;
use trill::prost::encoding::{WireType, encode_key, encode_varint};

use crate::message::Echo;

/// The meaning of a message to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To be sent back, or sent back.
    Echo,
    /// Asks for many messages.
    Download,
    /// One of many that are counted.
    Upload,
    /// The last of its stream; the message is empty.
    End,
    /// The last of those that are counted; the message is empty.
    UploadEnd,
}

/// A message as it came.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) stream: u32,
    pub(super) echo: Echo,
}

/// Takes frames from a socket. Payloads share the memory of the read.
#[derive(Debug)]
pub(crate) struct FrameReader {
    socket: OwnedReadHalf,
    buffer: BytesMut,
}

impl FrameReader {
    pub(super) fn new(socket: OwnedReadHalf) -> Self {
        Self { socket, buffer: BytesMut::new() }
    }

    /// The next frame; `None` if the peer closed between two frames.
    pub(super) async fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.ready()? {
                return Ok(Some(frame));
            }
            if self.fill().await? == 0 {
                ensure!(self.buffer.is_empty(), "the connection ended within a frame");
                return Ok(None);
            }
        }
    }

    /// The next frame that was read already.
    #[inline]
    pub(super) fn ready(&mut self) -> Result<Option<Frame>> {
        if self.buffer.len() < HEADER {
            return Ok(None);
        }
        let mut header = &self.buffer[..HEADER];
        let length = header.get_u32() as usize;
        if self.buffer.len() < HEADER + length {
            return Ok(None);
        }
        let kind = kind(header.get_u8())?;
        header.advance(3);
        let stream = header.get_u32();
        self.buffer.advance(HEADER);
        let echo = Echo::decode(self.buffer.split_to(length).freeze())?;
        Ok(Some(Frame { kind, stream, echo }))
    }

    async fn fill(&mut self) -> Result<usize> {
        let missing = match self.buffer.first_chunk() {
            Some(length) => {
                (HEADER + u32::from_be_bytes(*length) as usize).saturating_sub(self.buffer.len())
            }
            None => HEADER,
        };
        self.buffer.reserve(missing.max(CHUNK));
        // Of a large frame no more than its end: what follows would have to be moved, because its
        // memory is given away.
        let most = if missing > CHUNK { missing } else { usize::MAX };
        self.socket.read_buf(&mut (&mut self.buffer).limit(most)).await.context("reading")
    }
}

/// Gathers frames for a socket. A large payload is not copied; it is the last of what is gathered.
#[derive(Debug)]
pub(crate) struct FrameWriter {
    socket: OwnedWriteHalf,
    buffer: BytesMut,
    large: Option<Large>,
}

#[derive(Debug)]
struct Large {
    payload: Bytes,
    /// The bytes that follow the payload in its message.
    rest: Vec<u8>,
}

impl FrameWriter {
    pub(super) fn new(socket: OwnedWriteHalf) -> Self {
        Self { socket, buffer: BytesMut::with_capacity(2 * CHUNK), large: None }
    }

    /// Must not be called while [`is_full`](Self::is_full).
    #[inline]
    pub(super) fn push(&mut self, kind: Kind, stream: u32, echo: &Echo) -> Result<()> {
        let start = self.buffer.len();
        self.buffer.put_u32(0);
        self.buffer.put_u32((kind as u32) << 24);
        self.buffer.put_u32(stream);
        self.buffer.put_u32(0);
        if echo.payload.len() >= CHUNK {
            self.push_large(start, echo)?;
        } else {
            echo.encode(&mut self.buffer)?;
            let length = u32::try_from(self.buffer.len() - start - HEADER)?;
            self.buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    #[cold]
    fn push_large(&mut self, start: usize, echo: &Echo) -> Result<()> {
        encode_key(1, WireType::LengthDelimited, &mut self.buffer);
        encode_varint(echo.payload.len() as u64, &mut self.buffer);
        let rest = Echo { payload: Bytes::new(), seq: echo.seq }.encode_to_vec();
        let length = u32::try_from(echo.encoded_len())?;
        self.buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
        self.large = Some(Large { payload: echo.payload.clone(), rest });
        Ok(())
    }

    /// Tells whether there is enough for a system call.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= CHUNK || self.large.is_some()
    }

    pub(super) async fn flush(&mut self) -> Result<()> {
        match self.large.take() {
            None => self.socket.write_all(&self.buffer).await,
            Some(Large { payload, rest }) => {
                let mut all = Buf::chain(&self.buffer[..], payload).chain(&rest[..]);
                self.socket.write_all_buf(&mut all).await
            }
        }
        .context("writing")?;
        self.buffer.clear();
        Ok(())
    }
}

#[inline]
fn kind(byte: u8) -> Result<Kind> {
    const KINDS: [Kind; 5] = [Kind::Echo, Kind::Download, Kind::Upload, Kind::End, Kind::UploadEnd];
    match KINDS.get(usize::from(byte)) {
        Some(kind) => Ok(*kind),
        None => bail!("{byte} is not a kind of frame"),
    }
}

const HEADER: usize = 16;

/// How much is read or written at once.
const CHUNK: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_number() {
        for expected in [Kind::Echo, Kind::Download, Kind::Upload, Kind::End, Kind::UploadEnd] {
            assert_eq!(kind(expected as u8).expect("it is one"), expected);
        }
        kind(5).expect_err("there are five");
    }
}
