//! Frames that were read, written again. For tests.

use crate::framing::Largest;
#[cfg(test)]
use crate::framing::{Messages, StreamId};

use super::error::WireError;
use super::frame::Frame;
use super::{close, data, feedback, init, unary};

/// No limit but that of the size fields.
pub(crate) const ANY: Largest = Largest { frame: usize::MAX, header: usize::MAX };

impl Frame {
    /// Writes a frame as it was read.
    ///
    /// # Errors
    ///
    /// When its header is too long as we write it.
    pub(crate) fn rewrite(&self) -> Result<Vec<u8>, WireError> {
        let mut out = Vec::new();
        match self {
            Self::Request { head, meta, body, attachment } => {
                let write = |out: &mut Vec<u8>| out.extend_from_slice(body);
                unary(&mut out, *head, meta, ANY, body.len(), write, attachment)?;
            }
            Self::Response { head, meta, body, attachment } => {
                let write = |out: &mut Vec<u8>| out.extend_from_slice(body);
                unary(&mut out, *head, meta, ANY, body.len(), write, attachment)?;
            }
            Self::Init { id, meta } => init(&mut out, *id, meta),
            Self::Data { id, messages } => {
                let payload = messages.first();
                data(&mut out, *id, payload.len(), |out: &mut Vec<u8>| {
                    out.extend_from_slice(&payload);
                })?;
            }
            Self::Feedback { id, increment } => feedback(&mut out, *id, *increment),
            Self::Close { id, meta } => close(&mut out, *id, meta),
            Self::BadUnary { .. } | Self::BadStream { .. } => {
                panic!("nobody writes {self:?}")
            }
        }
        Ok(out)
    }
}

/// A message in a frame of its own.
#[cfg(test)]
pub(crate) fn single(id: StreamId, payload: &[u8]) -> Messages {
    let mut out = Vec::new();
    let write = |out: &mut Vec<u8>| out.extend_from_slice(payload);
    data(&mut out, id, payload.len(), write).expect("the right size");
    Messages::new(out.into(), 1, super::header::FRAMING)
}
