//! Looks for what is left of a server or a client: tasks, sockets, the address.

use std::time::Duration;

/// Waits until the runtime of this test has no more tasks than it had.
pub(crate) async fn no_tasks_beyond(before: usize) {
    let metrics = tokio::runtime::Handle::current().metrics();
    let counted = async {
        while metrics.num_alive_tasks() > before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), counted).await;
    assert!(ended.is_ok(), "{} tasks, there were {before}", metrics.num_alive_tasks());
}

pub(crate) fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// The TCP sockets of this process that have to do with `address`: its listener, and both ends of
/// its connections.
#[cfg(target_os = "linux")]
pub(crate) fn sockets_at(address: &str) -> Vec<String> {
    let port: u16 = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let port = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let mine: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        // One that another test closes meanwhile is none of ours.
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    table
        .lines()
        .skip(1)
        .filter(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            (fields[1].ends_with(&port) || fields[2].ends_with(&port))
                && mine.contains(&fields[9].to_owned())
        })
        .map(str::to_owned)
        .collect()
}

/// Elsewhere nobody counts them.
#[cfg(not(target_os = "linux"))]
pub(crate) fn sockets_at(_address: &str) -> Vec<String> {
    Vec::new()
}

/// Tells whether somebody else could listen there now. A test beside this one that starts a process
/// holds a copy of the listening socket until that process has become another program, so it is
/// tried for a while: with the thread asleep, because tasks of this test must not free the address
/// meanwhile.
pub(crate) fn is_free(address: &str) -> bool {
    (0..500).any(|_| {
        let bound = std::net::TcpListener::bind(address).is_ok();
        if !bound {
            std::thread::sleep(Duration::from_millis(10));
        }
        bound
    })
}
