//! Where servers listen: addresses that are taken, given up, or somebody else's by now.

use std::path::Path;
use std::time::Duration;

use trill::{Channel, Error, ErrorKind, Server};
use trill_tests::process::Process;
use trill_tests::{EverythingClient, Log, Obedient, listen, text};

use crate::warnings::Warnings;

const LONG: Duration = Duration::from_secs(20);

struct Socket {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    address: String,
}

impl Socket {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trill.sock");
        Self { _folder: folder, address: format!("unix:{}", path.display()), path }
    }
}

async fn answers(address: &str) -> bool {
    let client = EverythingClient::new(Channel::connect(address).await.unwrap());
    client.unary(text("hello")).await.is_ok()
}

#[tokio::test]
async fn a_server_that_goes_leaves_the_socket_of_its_successor() {
    // Unlinked before the successor binds, or replaced by it at once.
    for replaced in [false, true] {
        let socket = Socket::new();
        let (old, _, _old_log): (_, _, Log) = listen(&socket.address).await;
        let elsewhere = format!("{}.new", socket.address);
        let new = if replaced {
            let new = listen(&elsewhere).await;
            std::fs::rename(elsewhere.strip_prefix("unix:").unwrap(), &socket.path).unwrap();
            new
        } else {
            std::fs::remove_file(&socket.path).unwrap();
            listen(&socket.address).await
        };
        old.shutdown(LONG).await;
        assert!(answers(&socket.address).await, "replaced: {replaced}");
        new.0.shutdown(LONG).await;
        assert_eq!(
            Path::exists(&socket.path),
            replaced,
            "each removes what it has bound, where it has bound it"
        );
    }
}

/// The system holds up whoever connects to a socket with a full queue, unless asked not to.
#[tokio::test]
async fn a_socket_whose_owner_hangs_does_not_hold_up_who_binds_it() {
    let socket = Socket::new();
    let owner = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    owner.bind(&socket2::SockAddr::unix(&socket.path).unwrap()).unwrap();
    owner.listen(0).unwrap();
    let mut queue = Vec::new();
    loop {
        let client =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        if client.connect(&socket2::SockAddr::unix(&socket.path).unwrap()).is_err() {
            break;
        }
        queue.push(client);
    }
    let address = socket.address.clone();
    // On a thread of its own, for it may be that it never comes back.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _ =
            tell.send(runtime.block_on(Server::builder().bind(address)).unwrap_err().to_string());
    });
    let error = told.recv_timeout(LONG).expect("bind comes back");
    assert!(error.contains("accepts no connection"), "{error}");
    assert!(socket.path.exists(), "it is its owner's");
}

#[tokio::test]
async fn a_socket_that_a_dead_process_has_left_is_taken() {
    let socket = Socket::new();
    drop(std::os::unix::net::UnixListener::bind(&socket.path).unwrap());
    let (_handle, address, _log) = listen(&socket.address).await;
    assert!(answers(&address).await);
}

#[tokio::test]
async fn a_program_hears_why_a_spawned_server_accepts_nobody_any_more() {
    let bound = || async {
        Server::builder().service(Obedient::new().0).bind("127.0.0.1:0").await.unwrap()
    };
    // Shut down: when that is complete, and also for those who ask later.
    let server = bound().await;
    let (handle, early) = (server.handle(), server.handle());
    let early = tokio::spawn(async move { early.stopped().await });
    let serving = tokio::spawn(server.serve());
    handle.shutdown(LONG).await;
    for stopped in [early.await.unwrap(), handle.stopped().await, serving.await.unwrap()] {
        stopped.unwrap();
    }
    // Shut down by a program that does not let it serve to the end.
    let server = bound().await;
    let handle = server.handle();
    drop(server);
    handle.shutdown(LONG).await;
    handle.stopped().await.unwrap();
    // Dropped.
    let server = bound().await;
    let (handle, address) = (server.handle(), server.local_addr().to_string());
    let serving = tokio::spawn(server.serve());
    assert!(answers(&address).await);
    serving.abort();
    let error: Error =
        tokio::time::timeout(LONG, handle.stopped()).await.expect("it is told").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains(&address), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_takes_more_connections_than_the_process_has_files_says_so() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let server = || Server::builder().service(Obedient::new().0);
    let _few = server().max_connections(1).bind("127.0.0.1:0").await.unwrap();
    let _default = server().bind("127.0.0.1:0").await.unwrap();
    assert_eq!(warnings.lines(), [""; 0], "there are files enough, or no number was set");
    let _many = server().max_connections(usize::MAX).bind("127.0.0.1:0").await.unwrap();
    let lines = warnings.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("max_connections") && lines[0].contains("RLIMIT_NOFILE"),
        "{lines:?}"
    );
}

/// Where the process that may open few files learns that it is that one.
const FEW_FILES: &str = "TRILL_TEST_FEW_FILES";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_connections_of_one_peer_leave_files_for_the_others() {
    const GREEDY: usize = 150;
    if std::env::var_os(FEW_FILES).is_some() {
        return serve_a_greedy_peer_and_others(GREEDY).await;
    }
    let run = format!("ulimit -n 100 && {FEW_FILES}=1 exec \"$0\" \"$@\"");
    let program = std::env::current_exe().unwrap();
    let test = "listening::the_connections_of_one_peer_leave_files_for_the_others";
    let arguments = ["-c", &run, program.to_str().unwrap(), "--exact", test, "--nocapture"];
    let mut server = Process::start_other("sh", &arguments).await;
    let mut lines = server.lines().unwrap();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("it listens");
        if let Some(address) = line.strip_prefix(LISTENS) {
            break address.to_owned();
        }
    };
    let mut greedy = Vec::new();
    for _ in 0..GREEDY {
        greedy.push(tokio::net::TcpStream::connect(&address).await.unwrap());
    }
    assert!(answers(&address).await, "there are files for another peer");
}

const LISTENS: &str = "the server listens at ";

/// The first connections that come are of one peer. Serves until the process is killed.
async fn serve_a_greedy_peer_and_others(greedy: usize) {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let name = move |_: &_| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("{}", number.saturating_sub(greedy - 1))
    };
    let server = Server::builder().service(Obedient::new().0).peer_key(name);
    let bound = server.bind("127.0.0.1:0").await.unwrap();
    println!("\n{LISTENS}{}", bound.local_addr());
    bound.serve().await.unwrap();
}
