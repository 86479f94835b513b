//! A message on its way out.

use bytes::Bytes;

use crate::transport::{Body, Outbox};

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

    /// The same for a unary call, which may be JSON: then it becomes the message's text, compressed if it is to be.
    ///
    /// # Errors
    /// JSON cannot express the message, which stays as it is.
    pub(crate) fn pack_as(
        &mut self,
        to_json: Option<ToJson<T>>,
        compression: Option<Compression>,
    ) -> Result<(), JsonError> {
        let Some(to_json) = to_json else {
            self.pack(compression);
            return Ok(());
        };
        if let Self::Message(message) = &*self {
            let text = to_json(message)?;
            *self = Self::Packed(match compression {
                Some(compression) => compression.pack_bytes(&text),
                None => text,
            });
        }
        Ok(())
    }

    /// The same message, written.
    pub(crate) fn into_packed(self) -> Self {
        let Self::Message(message) = self else { return self };
        let mut bytes = Vec::with_capacity(message.size());
        message.write_to(&mut bytes);
        Self::Packed(bytes.into())
    }

    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Message(message) => message.size(),
            Self::Packed(bytes) => bytes.len(),
        }
    }
}

impl<T: Message> Body for &Parcel<T> {
    #[inline]
    fn write_to(self, out: &mut Vec<u8>) {
        match self {
            Parcel::Message(message) => message.write_to(out),
            Parcel::Packed(bytes) => out.extend_from_slice(bytes),
        }
    }

    fn give_to(self, out: &mut Outbox) {
        match self {
            Parcel::Message(message) => message.write_to(out),
            Parcel::Packed(bytes) => out.keep(bytes.clone()),
        }
    }
}
