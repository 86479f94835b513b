//! Servers and channels whose connections stay on one thread each.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::task::JoinSet;
use trill::server::ServerHandle;
use trill::{AsyncReaderWriter, Channel, Context, Cores, ErrorKind, Io, Result, Server, Status};

const LONG: Duration = Duration::from_secs(60);

#[trill::service(package = "test.cores")]
trait Places {
    /// The handler's thread, and the port from which the call came.
    async fn place(&self, cx: Context, request: String) -> Result<String>;

    /// Says it for each message, and ends with the first empty one.
    async fn places(&self, cx: Context, rw: AsyncReaderWriter<String, String>) -> Result<()>;
}

struct Here;

fn here(cx: &Context) -> String {
    let thread = thread::current();
    let port = cx.peer().port().map_or(0, u32::from);
    format!("{}:{port}", thread.name().unwrap_or_default())
}

#[trill::service]
impl Places for Here {
    async fn place(&self, cx: Context, request: String) -> Result<String> {
        match &*request {
            "panic" => panic!("as told"),
            "hang" => std::future::pending().await,
            _ => Ok(here(&cx)),
        }
    }

    async fn places(&self, cx: Context, mut rw: AsyncReaderWriter<String, String>) -> Result<()> {
        while let Some(text) = rw.read().await? {
            if text.is_empty() {
                return Err(Status::aborted("as told").into());
            }
            rw.write(here(&cx)).await?;
        }
        Ok(())
    }
}

/// A server on cores, its address and its handle.
async fn serve(cores: &Cores, at: &str) -> (String, ServerHandle) {
    let server = Server::builder().service(Here).per_core(cores).bind(at).await.unwrap();
    let (address, handle) = (server.local_addr().to_string(), server.handle());
    tokio::spawn(server.serve());
    (address, handle)
}

async fn connect(cores: &Cores, address: &str) -> PlacesClient {
    let channel = Channel::builder().per_core(cores).connect(address).await.unwrap();
    let mut changes = channel.watch();
    while channel.connections() < cores.count() {
        let _ = tokio::time::timeout(Duration::from_millis(1), changes.next()).await;
    }
    PlacesClient::new(channel)
}

fn core_of(place: &str) -> &str {
    place.split(':').next().unwrap()
}

/// Waits until the process has so many threads whose names begin like this. A thread gets its name
/// when it begins to run.
async fn threads(count: usize, name: &str) {
    let there = async {
        loop {
            let tasks = fs::read_dir("/proc/self/task").unwrap();
            let name_of = |task: io::Result<fs::DirEntry>| {
                fs::read_to_string(task.ok()?.path().join("comm")).ok()
            };
            if tasks.filter_map(name_of).filter(|found| found.starts_with(name)).count() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LONG, there).await.expect("the threads begin or end");
}

#[tokio::test]
async fn connections_are_spread_over_the_cores_and_stay_on_theirs() {
    let cores = Cores::new(3).unwrap();
    let (address, handle) = serve(&cores, "127.0.0.1:0").await;
    let mut seen = BTreeMap::new();
    let mut channels = Vec::new();
    for _ in 0..9 {
        let client = PlacesClient::new(Channel::connect(&address).await.unwrap());
        let first = client.place(String::new()).await.unwrap();
        *seen.entry(core_of(&first).to_owned()).or_insert(0) += 1;
        let mut rw = client.places().await.unwrap();
        for _ in 0..20 {
            assert_eq!(client.place(String::new()).await.unwrap(), first);
            rw.write("where".to_owned()).await.unwrap();
            assert_eq!(rw.read().await.unwrap().as_ref(), Some(&first));
        }
        channels.push((client, rw));
    }
    let expected = ["trill-core-0", "trill-core-1", "trill-core-2"];
    assert_eq!(seen, expected.map(|core| (core.to_owned(), 3)).into());

    handle.shutdown(Duration::ZERO).await;
    cores.shutdown().await;
}

#[tokio::test]
async fn a_call_from_a_core_takes_that_cores_connection() {
    let cores = Cores::new(2).unwrap();
    let (address, _server) = serve(&cores, "127.0.0.1:0").await;
    let client = connect(&cores, &address).await;
    let mut ports = Vec::new();
    for _ in 0..2 {
        let client = client.clone();
        let task = cores.spawn(async move {
            let first = client.place(String::new()).await.unwrap();
            for _ in 0..20 {
                assert_eq!(client.place(String::new()).await.unwrap(), first);
                let mut rw = client.places().await.unwrap();
                rw.write("where".to_owned()).await.unwrap();
                assert_eq!(rw.read().await.unwrap().as_ref(), Some(&first));
            }
            first
        });
        ports.push(task.await.unwrap());
    }
    assert_ne!(ports[0], ports[1], "each core has its connection");
    // Calls from elsewhere take turns.
    let mut elsewhere = Vec::new();
    for _ in 0..4 {
        elsewhere.push(client.place(String::new()).await.unwrap());
    }
    assert_eq!(elsewhere[..2], elsewhere[2..]);
    assert_ne!(elsewhere[0], elsewhere[1]);
}

#[tokio::test]
async fn a_panic_and_an_error_of_a_handler_end_nothing_else_on_its_core() {
    let cores = Cores::new(1).unwrap();
    let (address, _server) = serve(&cores, "127.0.0.1:0").await;
    let client = connect(&cores, &address).await;
    let mut rw = client.places().await.unwrap();
    let error = client.place("panic".to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Status);
    let mut failing = client.places().await.unwrap();
    failing.write(String::new()).await.unwrap();
    failing.read().await.unwrap_err();
    rw.write("where".to_owned()).await.unwrap();
    assert_eq!(rw.read().await.unwrap().as_deref().map(core_of), Some("trill-core-0"));
}

#[tokio::test]
async fn a_shutdown_lets_calls_on_all_cores_end() {
    let cores = Cores::new(2).unwrap();
    let (address, handle) = serve(&cores, "127.0.0.1:0").await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let client = PlacesClient::new(Channel::connect(&address).await.unwrap());
        let mut rw = client.places().await.unwrap();
        rw.write("where".to_owned()).await.unwrap();
        rw.read().await.unwrap();
        streams.push((client, rw));
    }
    let shutdown = tokio::spawn(async move { handle.shutdown(LONG).await });
    for (client, rw) in &mut streams {
        while client.place(String::new()).await.is_ok() {}
        rw.write("where".to_owned()).await.unwrap();
        assert!(rw.read().await.unwrap().is_some());
        rw.finish_writing().await.unwrap();
        assert_eq!(rw.read().await.unwrap(), None);
    }
    tokio::time::timeout(LONG, shutdown).await.expect("the last has ended").unwrap();
}

#[tokio::test]
async fn when_the_cores_are_gone_calls_end_and_nothing_waits_for_them() {
    let serving = Cores::new(2).unwrap();
    let (address, handle) = serve(&serving, "127.0.0.1:0").await;
    let calling = Cores::new(2).unwrap();
    let client = connect(&calling, &address).await;
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let client = client.clone();
        calls.spawn(async move { client.place("hang".to_owned()).timeout(LONG).await });
    }
    let mut rw = client.places().await.unwrap();
    rw.write("where".to_owned()).await.unwrap();
    rw.read().await.unwrap();
    calling.shutdown().await;
    while let Some(call) = calls.join_next().await {
        let error = call.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
    assert_eq!(rw.read().await.unwrap_err().kind(), ErrorKind::Closed);
    for patient in [false, true] {
        let error = client.place(String::new()).wait_for_ready(patient).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        assert!(error.to_string().contains("`Cores` (per_core)"), "{error}");
    }

    // The server's connections are gone with its cores, and it serves no more.
    let other = PlacesClient::new(Channel::connect(&address).await.unwrap());
    other.place(String::new()).await.unwrap();
    serving.shutdown().await;
    other.place(String::new()).await.unwrap_err();
    let error = handle.stopped().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("`Cores` that per_core was given"), "{error}");
    assert_eq!(other.place(String::new()).await.unwrap_err().kind(), ErrorKind::Connect);
    assert_eq!(handle.buffered().unread, 0);
    tokio::time::timeout(LONG, handle.shutdown(LONG)).await.expect("there is nothing to wait for");
}

#[tokio::test]
async fn a_server_and_a_channel_whose_cores_are_gone_before_say_so() {
    let server = Server::builder().service(Here).per_core(&Cores::new(1).unwrap());
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let error = server.serve().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("keep them until"), "{error}");

    let channel = Channel::builder().per_core(&Cores::new(1).unwrap()).wait_for_ready(true);
    let error = channel.clone().connect("127.0.0.1:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    let channel = channel.lazy("127.0.0.1:1").unwrap();
    let client = PlacesClient::new(channel.clone());
    for error in [
        channel.ready().await.unwrap_err(),
        client.place(String::new()).await.unwrap_err(),
        client.places().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
    assert!(channel.state().is_closed());
}

#[tokio::test]
async fn unix_sockets_and_other_ios_are_served_on_cores() {
    let cores = Cores::new(2).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = format!("unix:{}", folder.path().join("socket").display());
    let (address, _server) = serve(&cores, &path).await;
    for core in ["trill-core-0:0", "trill-core-1:0"] {
        let channel = Channel::connect(&address).await.unwrap();
        let client = PlacesClient::new(channel.clone());
        assert_eq!(client.place(String::new()).await.unwrap(), core);
        std::mem::forget(channel);
    }

    let (near, far) = tokio::io::duplex(64 * 1024);
    let incoming = stream::iter([Ok(Io::new(far))]).chain(stream::pending());
    let server = Server::builder().service(Here).per_core(&cores).bind_incoming(incoming).unwrap();
    tokio::spawn(server.serve());
    let near = std::sync::Mutex::new(Some(near));
    let connector = move |_| {
        let near = near.lock().unwrap().take();
        async { near.ok_or_else(|| io::ErrorKind::ConnectionRefused.into()) }
    };
    let channel = Channel::builder().connector(connector).connect("a pipe").await.unwrap();
    let place = PlacesClient::new(channel).place(String::new()).await.unwrap();
    assert!(place.starts_with("trill-core-"), "{place}");
}

#[tokio::test]
async fn a_number_of_cores_or_connections_that_makes_no_sense_is_refused() {
    for count in [0, 1_025, usize::MAX] {
        let error = Cores::new(count).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(&count.to_string()), "{error}");
    }
    let cores = Cores::new(3).unwrap();
    let channel = Channel::builder().per_core(&cores).connections(342);
    let error = channel.lazy("127.0.0.1:1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("342 for each core"), "{error}");
}

#[tokio::test]
async fn threads_end_with_the_cores_also_from_one_of_their_own_tasks() {
    // Other tests of this process have cores as well, but not so many.
    let cores = Cores::new(40).unwrap();
    threads(1, "trill-core-39").await;
    let held = cores.spawn(std::future::pending::<()>());
    cores.shutdown().await;
    assert!(held.await.unwrap_err().is_cancelled(), "its task was dropped before");

    let cores = Cores::new(41).unwrap();
    let ended = cores.spawn(std::future::pending::<()>());
    let (send, receive) = tokio::sync::oneshot::channel::<Cores>();
    let dropping = cores.spawn(async { drop(receive.await) });
    send.send(cores).unwrap();
    // The task that drops them may end, or be dropped with them.
    let _ = dropping.await;
    assert!(ended.await.unwrap_err().is_cancelled());
    threads(0, "trill-core-39").await;
    threads(0, "trill-core-40").await;
}
