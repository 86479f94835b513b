//! How many files the process may have open: each connection is one of them.

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
    /// The files as the system counts them now; `None` if there is no limit, or if the system is
    /// not Linux, which alone tells it in a file.
    pub(super) fn now() -> Option<Self> {
        let limit = soft_limit(&std::fs::read_to_string("/proc/self/limits").ok()?)?;
        // Only to look into the folder takes a file of its own.
        let open = std::fs::read_dir("/dev/fd").map_or(0, |files| files.count().saturating_sub(1));
        Some(Self { limit, open })
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

/// How many files the process may open, by the text of `/proc/self/limits`.
fn soft_limit(limits: &str) -> Option<usize> {
    let numbers = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    numbers.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_read_from_the_text_of_the_system() {
        let text = |soft| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max processes             7                    8                    processes \n\
                 Max open files            {soft:<20} 524288               files     \n"
            )
        };
        assert_eq!(soft_limit(&text("1024")), Some(1_024));
        assert_eq!((soft_limit(&text("unlimited")), soft_limit("")), (None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_files_of_this_process_are_counted() {
        let shell = std::process::Command::new("sh").args(["-c", "ulimit -n"]).output().unwrap();
        let limit = String::from_utf8(shell.stdout).unwrap();
        let files = Files::now();
        assert_eq!(files.map(|files| files.limit), limit.trim().parse().ok());
        assert!(files.is_none_or(|files| files.open >= 3), "the three of each process");
    }

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
