//! The messages between the two sides.

use trill::Bytes;
use trill::prost::{Message, Oneof};
use trill::{AsyncReader, AsyncReaderWriter, Context, Result};

/// A push is two streams side by side: on one the client learns what is there already, on the other
/// it sends the rest. Both carry the same [`SESSION`] in their metadata, so that the server can
/// keep two pushes apart.
#[trill::service(package = "trill.example.filesync")]
pub(crate) trait FileSync {
    /// Answers every offer, in order, with what the server holds of that file.
    async fn compare(&self, cx: Context, offers: AsyncReaderWriter<Offer, Standing>) -> Result<()>;

    /// Takes the tree, step by step, and answers with what became of it.
    async fn push(&self, cx: Context, steps: AsyncReader<Step>) -> Result<Summary>;
}

/// The metadata key that tells which push a stream belongs to.
pub(crate) const SESSION: &str = "filesync-session";

/// How much of a file one message carries.
pub(crate) const CHUNK: usize = 128 * 1024;

/// Credit for some chunks under way, so that a long line does not make the sender wait for each
/// one.
pub(crate) const WINDOW: u32 = 1024 * 1024;

/// The application's codes.
pub(crate) mod code {
    /// Another push is running.
    pub(crate) const BUSY: i32 = 1;
    /// The server failed.
    pub(crate) const BROKEN: i32 = 3;
    /// The server cannot store anything more.
    pub(crate) const NO_ROOM: i32 = 2;
}

/// A file the client has. Paths are relative to the tree's root, with `/` between their parts.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct Offer {
    #[prost(bytes = "vec", tag = "1")]
    pub path: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub size: u64,
}

/// The state of an offered file at the server.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct Standing {
    /// The hash of a file of the offered size that stands at the offered path.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub whole: Option<Vec<u8>>,
    /// The part that an interrupted push left behind.
    #[prost(message, optional, tag = "2")]
    pub part: Option<Prefix>,
}

/// The first `len` bytes of a file.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct Prefix {
    #[prost(uint64, tag = "1")]
    pub len: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub sha256: Vec<u8>,
}

/// One step of a push. The steps of a file are `Same`, or `Begin`, any number of `Chunk`s, and
/// `End` or `Abandon`.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct Step {
    #[prost(oneof = "Action", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    pub action: Option<Action>,
}

#[derive(Clone, PartialEq, Oneof)]
#[prost(prost_path = "::trill::prost")]
pub(crate) enum Action {
    /// A directory begins; what is in it follows.
    #[prost(bytes = "vec", tag = "1")]
    Enter(Vec<u8>),
    /// A directory is complete. Its mode comes last, for a read-only directory cannot be filled.
    #[prost(message, tag = "2")]
    Leave(Target),
    #[prost(message, tag = "3")]
    Link(Link),
    /// The server's copy of this file has the right content.
    #[prost(message, tag = "4")]
    Same(Target),
    #[prost(message, tag = "5")]
    Begin(Begin),
    #[prost(bytes = "bytes", tag = "6")]
    Chunk(Bytes),
    /// The SHA-256 of the whole file.
    #[prost(bytes = "vec", tag = "7")]
    End(Vec<u8>),
    /// The client could not read on. The chunks that arrived are kept for the next push.
    #[prost(message, tag = "8")]
    Abandon(()),
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct Target {
    #[prost(bytes = "vec", tag = "1")]
    pub path: Vec<u8>,
    /// The permission bits, as in `chmod`.
    #[prost(uint32, tag = "2")]
    pub mode: u32,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct Link {
    #[prost(bytes = "vec", tag = "1")]
    pub path: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub target: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct Begin {
    #[prost(bytes = "vec", tag = "1")]
    pub path: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub mode: u32,
    #[prost(uint64, tag = "3")]
    pub size: u64,
    /// Where the chunks start: both sides agree on what comes before.
    #[prost(uint64, tag = "4")]
    pub offset: u64,
}

/// The server's summary of a push.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct Summary {
    /// Files that were written.
    #[prost(uint64, tag = "1")]
    pub files: u64,
    /// Files that were there already.
    #[prost(uint64, tag = "2")]
    pub same: u64,
    #[prost(uint64, tag = "3")]
    pub dirs: u64,
    #[prost(uint64, tag = "4")]
    pub links: u64,
    /// How many bytes came in chunks.
    #[prost(uint64, tag = "5")]
    pub bytes: u64,
    #[prost(uint64, tag = "6")]
    pub failed: u64,
    /// The first failures; there may have been more.
    #[prost(message, repeated, tag = "7")]
    pub failures: Vec<Failure>,
    /// Files that the client could not read to their end.
    #[prost(uint64, tag = "8")]
    pub abandoned: u64,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
pub(crate) struct Failure {
    #[prost(bytes = "vec", tag = "1")]
    pub path: Vec<u8>,
    #[prost(string, tag = "2")]
    pub why: String,
}

impl From<Action> for Step {
    fn from(action: Action) -> Self {
        Self { action: Some(action) }
    }
}
