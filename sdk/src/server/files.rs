//! How many files the process may have open: each connection is one of them.

use rustix::process::{Resource, getrlimit};

/// Of the files that the process may have open, one in so many is kept for others than connections,
/// and so many at least.
const KEPT_PART: usize = 8;
const KEPT: usize = 16;

/// The files of the process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files {
    /// How many it may have open.
    limit: usize,
    /// How many it has.
    open: usize,
}

impl Files {
    /// The files as the system counts them now; `None` if there is no limit.
    pub(super) fn now() -> Option<Self> {
        let limit = getrlimit(Resource::Nofile).current?;
        // Only to look into the folder takes a file of its own.
        let open = std::fs::read_dir("/dev/fd").map_or(0, |files| files.count().saturating_sub(1));
        Some(Self { limit: usize::try_from(limit).unwrap_or(usize::MAX), open })
    }

    /// How many connections they are enough for: at least one.
    pub(super) fn connections(self) -> usize {
        self.limit.saturating_sub(self.open).saturating_sub(self.kept()).max(1)
    }

    fn kept(self) -> usize {
        (self.limit / KEPT_PART).max(KEPT)
    }

    /// Says in the log that there are fewer files than the server would take connections.
    pub(super) fn warn(self, wanted: usize) {
        tracing::warn!("{}", self.shortage(wanted));
    }

    fn shortage(self, wanted: usize) -> String {
        let Self { limit, open } = self;
        format!(
            "the server takes up to {} connections at once, not {wanted} (max_connections): the process may have only \
             {limit} files open (RLIMIT_NOFILE, `ulimit -n`), has {open}, and {} are kept for other things. Raise that \
             limit, or lower max_connections",
            self.connections(),
            self.kept()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_an_eighth_of_the_files_and_sixteen_at_least() {
        let connections = |limit, open| Files { limit, open }.connections();
        assert_eq!(connections(1_024, 10), 1_024 - 10 - 128);
        assert_eq!(connections(64, 10), 64 - 10 - 16);
        assert_eq!((connections(20, 10), connections(0, 10)), (1, 1));
        let text = Files { limit: 1_024, open: 10 }.shortage(2_000);
        assert!(
            text.contains("up to 886 connections at once, not 2000 (max_connections)"),
            "{text}"
        );
        assert!(
            text.contains("only 1024 files open (RLIMIT_NOFILE, `ulimit -n`), has 10, and 128"),
            "{text}"
        );
    }
}
