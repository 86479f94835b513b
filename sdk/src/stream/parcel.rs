//! A message on its way out.

use bytes::Bytes;

use super::compression::Compression;
use super::json::{JsonError, ToJson};
use super::message::Message;

/// A message, or its packed form, so that a write that waits packs only once.
pub(crate) enum Parcel<T> {
    Message(T),
    Packed(Bytes),
}

impl<T: Message> Parcel<T> {
    /// Packs the message, if it is to be packed and is not yet.
    pub(crate) fn pack(&mut self, compression: Option<Compression>) {
        if let (Some(compression), Self::Message(message)) = (compression, &*self) {
            *self = Self::Packed(compression.pack(message));
        }
    }

    /// Makes it the message's JSON, compressed if it is to be.
    ///
    /// # Errors
    /// JSON cannot express the message, which stays as it is.
    pub(crate) fn pack_json(
        &mut self,
        to_json: ToJson<T>,
        compression: Option<Compression>,
    ) -> Result<(), JsonError> {
        if let Self::Message(message) = &*self {
            let text = to_json(message)?;
            *self = Self::Packed(match compression {
                Some(compression) => compression.pack_bytes(&text),
                None => text,
            });
        }
        Ok(())
    }

    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Message(message) => message.size(),
            Self::Packed(bytes) => bytes.len(),
        }
    }

    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Message(message) => message.write_to(out),
            Self::Packed(bytes) => out.extend_from_slice(bytes),
        }
    }
}
