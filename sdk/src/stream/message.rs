//! Messages <-> bytes.

use bytes::{Buf, BufMut};

/// A type that can be sent and received: every prost message, and so every message of a `.proto`
/// file.
///
/// Implemented for all `T: prost::Message + Default + 'static`, which includes `String`, `Vec<u8>`,
/// `bytes::Bytes`, `bool`, the numbers and `()` as the protobuf wrapper messages. It cannot be
/// implemented for anything else. The derive macro of the same name is `trill::prost::Message`.
///
/// A message is encoded while its connection is locked. An `encode_raw` or `encoded_len` written by
/// hand must not use a channel, a call or a handle: on the same connection it would wait for
/// itself.
///
/// A message of many parts is decoded twice, because the first time its bytes end after 4,096
/// parts. A `merge_field` written by hand that panics there, because it looks for its bytes before
/// it reads the first of them, is decoded the second time like others; with `panic = "abort"` it
/// must look before each read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message that can be sent",
    label = "expected a protobuf message here",
    note = "derive it: `#[derive(Clone, PartialEq, trill::prost::Message)]` with `#[prost(prost_path = \"trill::prost\")]` on the type and `#[prost(...)]` on each field, or generate it from a `.proto` file with `trill_proto::build::compile`",
    note = "if it is a handle, write `AsyncReader<..>`, `AsyncWriter<..>` or `AsyncReaderWriter<..>` out in the method: an alias is not seen through"
)]
pub trait Message: Send + Sync + Sized + 'static + sealed::Sealed {
    /// How many bytes [`write_to`](Self::write_to) appends.
    #[doc(hidden)]
    fn size(&self) -> usize;

    /// Appends the encoded message.
    #[doc(hidden)]
    fn write_to(&self, out: &mut impl BufMut);

    /// Decodes a message; fields of type `Bytes` share the input's memory where it can be shared.
    ///
    /// # Errors
    /// The bytes are not this message.
    #[doc(hidden)]
    fn read_from(bytes: impl Buf) -> Result<Self, DecodeError>;
}

/// Bytes that are not the expected message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(prost::DecodeError);

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for DecodeError {}

mod sealed {
    pub trait Sealed {}

    #[diagnostic::do_not_recommend]
    impl<T: prost::Message + Default + 'static> Sealed for T {}
}

#[diagnostic::do_not_recommend]
impl<T: prost::Message + Default + 'static> Message for T {
    fn size(&self) -> usize {
        self.encoded_len()
    }

    fn write_to(&self, out: &mut impl BufMut) {
        self.encode_raw(out);
    }

    #[inline]
    fn read_from(bytes: impl Buf) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        match message.merge(bytes) {
            Ok(()) => Ok(message),
            Err(error) => Err(DecodeError(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_message_are_told_in_prosts_words() {
        let error = String::read_from(&b"\x0a\x05x"[..]).unwrap_err();
        assert_eq!(error.to_string(), error.0.to_string());
        assert!(error.to_string().contains("decode"), "{error}");
    }
}
