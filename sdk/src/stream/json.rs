//! Messages as JSON: the other format of unary calls.

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;

use super::blocking::elsewhere;
use super::message::Message;
use super::stepped::Decoding;
use super::unpacking::pay_for_decoding;

/// The `content_type` of JSON (`TrpcContentEncodeType.TRPC_JSON_ENCODE` in `trpc.proto`); protobuf
/// has 0.
pub(crate) const JSON: u32 = 2;

/// A message that can travel as JSON (`content_type` 2) as well.
///
/// Implemented for every message that has serde's `Serialize` and `DeserializeOwned`; it cannot be
/// implemented for anything else. Needs the feature `json`, which is off by default; without it no
/// type has it.
///
/// Peers of the protocol write protobuf's JSON: the names of the `.proto` file, fields that are not
/// set written as their defaults or left out, `bytes` in base64. For messages of strings, `bool`,
/// 32-bit and floating numbers, and such messages, serde's derive with `#[serde(default)]` on the
/// type does just that, but for NaN and the infinities: serde_json writes `null` for them, where
/// the mapping has `"NaN"` and `"Infinity"`, and a peer refuses that `null`. tRPC-Go refuses fields
/// it does not know. For 64-bit numbers, `bytes`, enums and `oneof` take the crate `pbjson-build`,
/// whose code follows the whole mapping.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as JSON",
    label = "expected a message with serde's `Serialize` and `Deserialize`",
    note = "switch on trill's feature `json`, and derive both: `#[derive(serde::Serialize, serde::Deserialize)]` with `#[serde(default)]` on the message"
)]
pub trait JsonMessage: Message + sealed::Sealed {
    /// The message as JSON.
    #[doc(hidden)]
    fn to_json(&self) -> Result<Bytes, JsonError>;

    /// The message that this JSON is.
    #[doc(hidden)]
    fn from_json(bytes: &[u8]) -> Result<Self, JsonError>;
}

/// A message that JSON cannot express, or JSON that is not the expected message.
pub struct JsonError(Box<dyn StdError + Send + Sync>);

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for JsonError {}

/// [`JsonMessage::to_json`], for code that does not know that its message has it.
pub(crate) type ToJson<T> = fn(&T) -> Result<Bytes, JsonError>;

/// [`JsonMessage::from_json`], for code that does not know that its message has it.
pub(crate) type FromJson<T> = fn(&[u8]) -> Result<T, JsonError>;

/// JSON from this size on is read elsewhere: that takes 0.05 to 0.2 ms.
pub(crate) const LARGE_JSON: usize = 8 * 1024;

/// Reads the JSON of a message that is not small here, or begins to do so where that keeps no task
/// from its turn.
pub(crate) fn decode_json<T: Message>(
    peer: usize,
    from_json: FromJson<T>,
    json: Bytes,
) -> Result<Result<T, JsonError>, Decoding<T, JsonError>> {
    if json.len() >= LARGE_JSON {
        return Err(Box::pin(elsewhere(peer, move || from_json(&json))));
    }
    pay_for_decoding(json.len(), json_steps(&json));
    Ok(from_json(&json))
}

/// The numbers, texts, lists and objects of a JSON text, and some more.
pub(crate) fn json_steps(json: &[u8]) -> usize {
    let (mut steps, mut in_text, mut escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' => escaped = in_text,
            b'"' => {
                in_text = !in_text;
                steps += usize::from(in_text);
            }
            b',' | b':' | b'[' | b'{' if !in_text => steps += 1,
            _ => {}
        }
    }
    steps
}

mod sealed {
    pub trait Sealed {}

    #[cfg(feature = "json")]
    #[diagnostic::do_not_recommend]
    impl<T: crate::stream::Message + serde::Serialize + serde::de::DeserializeOwned> Sealed for T {}
}

#[cfg(feature = "json")]
#[diagnostic::do_not_recommend]
impl<T: Message + serde::Serialize + serde::de::DeserializeOwned> JsonMessage for T {
    fn to_json(&self) -> Result<Bytes, JsonError> {
        if is_unit::<T>() {
            return Ok(Bytes::from_static(b"{}"));
        }
        serde_json::to_vec(self).map(Bytes::from).map_err(|error| JsonError(error.into()))
    }

    fn from_json(bytes: &[u8]) -> Result<Self, JsonError> {
        let text = if is_unit::<T>() && bytes.trim_ascii() == b"{}" { b"null" } else { bytes };
        serde_json::from_slice(text).map_err(|error| JsonError(error.into()))
    }
}

/// Tells whether `T` is `()`: the message without fields, which is `{}` for protobuf and `null` for
/// serde.
#[cfg(feature = "json")]
fn is_unit<T: 'static>() -> bool {
    std::any::TypeId::of::<T>() == std::any::TypeId::of::<()>()
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use super::*;

    #[test]
    fn the_message_without_fields_is_an_empty_object() {
        assert_eq!(().to_json().unwrap(), "{}");
        assert!(<()>::from_json(b" {} ").is_ok());
        assert!(<()>::from_json(b"{\"a\": 1}").is_err());
    }

    #[test]
    fn wrappers_are_their_values() {
        assert_eq!("a".to_owned().to_json().unwrap(), "\"a\"");
        assert_eq!(i32::from_json(b"7").unwrap(), 7);
    }

    #[test]
    fn what_is_not_the_message_is_an_error_that_says_where() {
        let error = i32::from_json(b"{\n\"a\": 1}").unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
        assert!(format!("{error:?}").contains("line: 1"), "{error:?}");
        assert!(i32::from_json(b"").is_err());
        assert!(i32::from_json(b"7 8").is_err());
        let deep = "[".repeat(1_000_000);
        assert!(Vec::<u8>::from_json(deep.as_bytes()).is_err());
    }
}
