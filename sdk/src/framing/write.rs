//! The limits of what is written, and why something was not.

/// The largest frame to write, and the largest header in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Largest {
    pub(crate) frame: usize,
    pub(crate) header: usize,
}

/// Why something was not written. Nothing of it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum WriteError {
    TooLarge {
        size: usize,
        limit: usize,
    },
    HeaderTooLarge {
        size: usize,
        limit: usize,
    },
    TooManyEntries {
        count: usize,
        limit: usize,
    },
    /// A key of metadata has several values, and this wire carries one.
    SeveralValues {
        key: String,
        wire: &'static str,
    },
    /// The message did not write as many bytes as it had announced.
    WrongSize {
        announced: usize,
        written: usize,
    },
}
