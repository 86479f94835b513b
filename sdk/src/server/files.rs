//! How many files the process may have open: each connection is one of them.

use rustix::process::{Resource, getrlimit};

/// Says in the log when the process may not open as many files as the server takes connections.
pub(super) fn warn_if_short(connections: usize) {
    if let Some(text) = shortage(connections, getrlimit(Resource::Nofile).current) {
        tracing::warn!("{text}");
    }
}

/// `files` is `None` without a limit.
fn shortage(connections: usize, files: Option<u64>) -> Option<String> {
    let files = files.filter(|files| *files <= connections as u64)?;
    Some(format!(
        "the server takes up to {connections} connections (max_connections), but the process may have only {files} \
         files open (RLIMIT_NOFILE, `ulimit -n`): beyond that connections wait to be accepted. Raise that limit, or \
         lower max_connections"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_files_is_short_if_it_leaves_no_file_beside_the_connections() {
        assert_eq!(shortage(1_000, None), None);
        assert_eq!(shortage(1_000, Some(1_001)), None, "the listener is one");
        let text = shortage(1_000, Some(1_000)).expect("it is short");
        assert!(text.contains("1000 connections (max_connections)"), "{text}");
        assert!(text.contains("only 1000 files") && text.contains("ulimit -n"), "{text}");
    }
}
