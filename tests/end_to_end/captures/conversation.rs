//! The recorded conversations.

use serde::Deserialize;

use super::frame::{Content, Frame, Side};

/// All that two programs said to each other on one connection.
pub(super) struct Conversation {
    pub(super) name: String,
    pub(super) frames: Vec<Recorded>,
}

/// A frame, and who sent it.
pub(super) struct Recorded {
    pub(super) from: Side,
    pub(super) bytes: Vec<u8>,
}

impl Conversation {
    /// All recorded conversations.
    pub(super) fn all() -> Vec<Self> {
        #[derive(Deserialize)]
        struct Line {
            conversation: String,
            direction: String,
            hex: String,
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/trpc_cpp_captures.json");
        let lines: Vec<Line> =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut all: Vec<Self> = Vec::new();
        for line in lines {
            if all.last().is_none_or(|last| last.name != line.conversation) {
                all.push(Self { name: line.conversation, frames: Vec::new() });
            }
            // Nothing in it: the end of the connection.
            if !line.hex.is_empty() {
                let from = if line.direction == "c2s" { Side::Client } else { Side::Server };
                let frames = &mut all.last_mut().expect("just pushed").frames;
                frames.push(Recorded { from, bytes: unhex(&line.hex) });
            }
        }
        all
    }

    /// The frames that one side sent.
    pub(super) fn sent(&self, side: Side) -> impl Iterator<Item = Frame> {
        self.frames.iter().filter(move |frame| frame.from == side).map(Recorded::parse)
    }

    /// Which method is called: `/package.Service/Method`.
    pub(super) fn method(&self) -> String {
        let first = self.sent(Side::Client).next().expect("the client speaks first");
        let func = match first.content {
            Content::Request { meta, .. } => meta.func,
            Content::Init(meta) => meta.request_meta.expect("it is always there").func,
            other => panic!("{}: nothing starts with {other:?}", self.name),
        };
        String::from_utf8(func.into()).unwrap()
    }

    /// Their asynchronous server: another program than the others, with texts of its own and flow
    /// control off.
    pub(super) fn has_merge_server(&self) -> bool {
        self.name.contains("(merge server)")
    }

    /// Their asynchronous client, which switches flow control off.
    pub(super) fn has_merge_client(&self) -> bool {
        self.name.contains("merge (async) client")
    }
}

impl Recorded {
    pub(super) fn parse(&self) -> Frame {
        Frame::parse(self.from, &self.bytes)
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
