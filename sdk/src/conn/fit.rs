//! Outcomes that do not fit into a frame. A caller is told of an error in any case, with as much of
//! its text as fits.

use bytes::Bytes;

use crate::framing::{MESSAGE_COST, Outcome};

use super::Connection;
use super::streaming::SendError;

/// How much of an outcome fitted into its frame.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Fit {
    Whole,
    /// Codes and text; metadata, details and attachment were left out for this reason.
    WithoutMetadata(SendError),
    /// The codes and the beginning of the text.
    Cut,
    /// Nothing of it, and nothing was sent.
    Not(SendError),
    /// The stream was over before, and nothing was sent.
    Over,
}

/// The bytes that the frame of an outcome holds beside its text, at most: two codes, ids,
/// lengths, and the keys that a failure always has.
const BESIDE: usize = 128;

impl Outcome {
    /// The codes and the text, without metadata and details.
    pub(super) fn without_metadata(&self) -> Self {
        let failure = self.failure.clone().map(|mut failure| {
            failure.details = Bytes::new();
            failure
        });
        Self { failure, message: self.message.clone(), ..Self::default() }
    }
}

impl Connection {
    /// The codes and the beginning of the text, which fit into any frame.
    pub(super) fn cut(&self, outcome: &Outcome) -> Outcome {
        // PROTOCOL 37
        let (header, frame) = (self.config.max_header, self.config.max_sent - MESSAGE_COST);
        let setting = if header <= frame { "max_metadata" } else { "max_message_sent" };
        let mark = format!("... (cut: {setting})");
        let end = floor_char(&outcome.message, header.min(frame) - BESIDE - mark.len());
        let message = Bytes::from([&outcome.message[..end], mark.as_bytes()].concat());
        Outcome { message, ..outcome.without_metadata() }
    }
}

/// The end of the last character that ends at `at` or before.
fn floor_char(text: &[u8], at: usize) -> usize {
    let mut at = at.min(text.len());
    while at > 0 && text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Config;
    use crate::error::{At, Reason};

    #[test]
    fn a_text_that_is_cut_takes_the_room_that_its_frame_has_beside_the_rest() {
        let text = Outcome::failed(Reason::Decode.at(At::ServerCall), vec![b'x'; 5_000]);
        for (max_header, max_sent, room, setting) in [
            (1_000, 10_000, 1_000, "max_metadata"),
            (10_000, 1_000, 1_000 - MESSAGE_COST, "max_message_sent"),
        ] {
            let conn = Connection::client(Config { max_header, max_sent, ..Config::default() });
            let cut = conn.cut(&text);
            assert_eq!((cut.reason(), cut.message.len()), (Some(Reason::Decode), room - BESIDE));
            assert!(cut.message.ends_with(format!("x... (cut: {setting})").as_bytes()));
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        for (at, end) in [(0, 0), (1, 0), (2, 2), (3, 2), (4, 2), (5, 5), (6, 6), (100, 6)] {
            assert_eq!(floor_char("\u{e4}\u{20ac}x".as_bytes(), at), end, "at {at}");
        }
        assert_eq!(floor_char(&[0x80; 9], 5), 0, "of what is no text nothing is left");
    }
}
