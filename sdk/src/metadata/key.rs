//! The keys that a user may set, and why not another one.

use std::fmt;

/// The beginnings of keys that are not the user's, and whose they are.
const RESERVED_PREFIXES: [(&str, &str); 4] =
    [(":", "HTTP/2"), ("grpc-", "gRPC"), ("trill-", "Trill"), ("trpc-", "tRPC")];

/// The headers with which gRPC and HTTP/2 themselves describe a request or an answer.
const RESERVED_KEYS: [&str; 11] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Why [`Metadata`](crate::Metadata) does not take a key: it is empty, it has a character that is
/// not visible ASCII, or it belongs to a protocol.
///
/// As an [`Error`](crate::Error), which `?` makes of it, it is of the kind
/// [`Encode`](crate::ErrorKind::Encode).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataError {
    key: Box<str>,
    why: Why,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Why {
    Empty,
    Character(char),
    /// Keys that begin like this belong to that protocol.
    Prefix(&'static str, &'static str),
    Reserved,
}

impl MetadataError {
    /// The key that was refused.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Checks that a user may set the key.
pub(super) fn check(key: &str) -> Result<(), MetadataError> {
    let why = if key.is_empty() {
        Why::Empty
    } else if let Some(other) = key.chars().find(|letter| !letter.is_ascii_graphic()) {
        Why::Character(other)
    } else if let Some((prefix, owner)) =
        RESERVED_PREFIXES.into_iter().find(|(prefix, _)| begins_with(key, prefix))
    {
        Why::Prefix(prefix, owner)
    } else if RESERVED_KEYS.into_iter().any(|reserved| key.eq_ignore_ascii_case(reserved)) {
        Why::Reserved
    } else {
        return Ok(());
    };
    Err(MetadataError { key: key.into(), why })
}

fn begins_with(key: &str, prefix: &str) -> bool {
    key.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, why } = self;
        match why {
            Why::Empty => write!(f, "a metadata key is empty"),
            Why::Character(other) => write!(
                f,
                "the metadata key {key:?} has the character {other:?}; a key is visible ASCII"
            ),
            Why::Prefix(prefix, owner) => write!(
                f,
                "the metadata key {key:?} is reserved: keys that begin with {prefix:?} belong to {owner}"
            ),
            Why::Reserved => write!(
                f,
                "the metadata key {key:?} is reserved: it is a header of HTTP/2 and gRPC themselves"
            ),
        }
    }
}

impl std::error::Error for MetadataError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_protocols_and_what_is_not_visible_ascii_are_refused_with_the_reason() {
        let cases = [
            ("", "a metadata key is empty"),
            ("a b", r#"the metadata key "a b" has the character ' '; a key is visible ASCII"#),
            ("a\nb", r#"the metadata key "a\nb" has the character '\n'; a key is visible ASCII"#),
            ("größe", r#"the metadata key "größe" has the character 'ö'; a key is visible ASCII"#),
            (":path", "keys that begin with \":\" belong to HTTP/2"),
            ("grpc-status", "keys that begin with \"grpc-\" belong to gRPC"),
            ("Trill-Code", "keys that begin with \"trill-\" belong to Trill"),
            ("TRPC-env", "keys that begin with \"trpc-\" belong to tRPC"),
            ("Content-Type", "it is a header of HTTP/2 and gRPC themselves"),
            ("te", "it is a header of HTTP/2 and gRPC themselves"),
        ];
        for (key, text) in cases {
            let error = check(key).expect_err(key);
            assert!(error.to_string().ends_with(text), "{error}");
            assert_eq!(error.key(), key);
        }
    }

    #[test]
    fn keys_that_are_like_reserved_ones_are_the_users() {
        for key in ["tenant", "Trace-Bin", "trpc", "grpc", "grpcs-x", "ten", "x:y", "a/b", "host2"]
        {
            assert_eq!(check(key), Ok(()), "{key}");
        }
        let reserved = RESERVED_KEYS.into_iter().chain(RESERVED_PREFIXES.map(|(prefix, _)| prefix));
        for key in reserved {
            assert!(check(key).is_err(), "{key}");
        }
    }
}
