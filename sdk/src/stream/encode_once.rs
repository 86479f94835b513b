//! A message on its way out.

use bytes::Bytes;

use crate::transport::{Body, Outbox};

use super::compression::Compression;
use super::json::{JsonError, ToJson};
use super::message::Message;

/// A message, or its encoded form, so that a write that waits encodes only once.
pub(crate) enum EncodeOnce<T> {
    Message(T),
    Encoded(Bytes),
}

impl<T: Message> EncodeOnce<T> {
    /// Encodes the message, if it is to be compressed and is not encoded yet.
    pub(crate) fn encode(&mut self, compression: Option<Compression>) {
        if let (Some(compression), Self::Message(message)) = (compression, &*self) {
            *self = Self::Encoded(compression.pack(message));
        }
    }

    /// The same for a unary call, which may be JSON: then it becomes the message's text, compressed if it is to be.
    ///
    /// # Errors
    /// JSON cannot express the message, which stays as it is.
    pub(crate) fn encode_as(
        &mut self,
        to_json: Option<ToJson<T>>,
        compression: Option<Compression>,
    ) -> Result<(), JsonError> {
        let Some(to_json) = to_json else {
            self.encode(compression);
            return Ok(());
        };
        if let Self::Message(message) = &*self {
            let text = to_json(message)?;
            *self = Self::Encoded(match compression {
                Some(compression) => compression.pack_bytes(&text),
                None => text,
            });
        }
        Ok(())
    }

    /// The same message, encoded.
    pub(crate) fn into_encoded(self) -> Self {
        let Self::Message(message) = self else { return self };
        let mut bytes = Vec::with_capacity(message.size());
        message.write_to(&mut bytes);
        Self::Encoded(bytes.into())
    }

    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Message(message) => message.size(),
            Self::Encoded(bytes) => bytes.len(),
        }
    }
}

impl<T: Message> Body for &EncodeOnce<T> {
    #[inline]
    fn write_to(self, out: &mut Vec<u8>) {
        match self {
            EncodeOnce::Message(message) => message.write_to(out),
            EncodeOnce::Encoded(bytes) => out.extend_from_slice(bytes),
        }
    }

    fn write_by_ref(self, out: &mut Outbox) {
        match self {
            EncodeOnce::Message(message) => message.write_to(out),
            EncodeOnce::Encoded(bytes) => out.append_by_ref(bytes.clone()),
        }
    }
}
