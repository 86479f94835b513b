//! Servers at listening sockets that the user's program has made.

use std::os::unix::net::UnixListener as StdUnixListener;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use trill::server::{Bound, Listener};
use trill::{Channel, ErrorKind, Io, Server};
use trill_tests::{EverythingClient, Log, Obedient, text};

use crate::kinds::every_kind;

const LONG: Duration = Duration::from_secs(60);

fn bound(listener: impl Into<Listener>) -> (Bound, Log) {
    let (service, log) = Obedient::new();
    (Server::builder().service(service).bind_listener(listener).unwrap(), log)
}

/// Serves there until it is shut down, and checks every kind of call.
async fn serves((server, mut log): (Bound, Log), address: &str) {
    assert_eq!(server.local_addr().as_str(), address);
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let channel = Channel::connect(address).await.unwrap();
    every_kind(&EverythingClient::new(channel), &mut log).await;
    handle.shutdown(LONG).await;
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn listeners_of_std_and_tokio_can_be_served() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    serves(bound(listener), &address).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    serves(bound(listener), &address).await;

    let folder = tempfile::tempdir().unwrap();
    for of_tokio in [false, true] {
        let path = folder.path().join(format!("{of_tokio}.sock"));
        let address = format!("unix:{}", path.display());
        let server = if of_tokio {
            bound(UnixListener::bind(&path).unwrap())
        } else {
            bound(StdUnixListener::bind(&path).unwrap())
        };
        serves(server, &address).await;
        assert!(path.exists(), "the file is its maker's");
    }
}

/// As systemd does, which keeps the socket for the next start of the service.
#[tokio::test]
async fn a_socket_that_is_shared_serves_its_next_owner() {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    for _ in 0..2 {
        serves(bound(tcp.try_clone().unwrap()), &address).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.sock");
    let unix = StdUnixListener::bind(&path).unwrap();
    for _ in 0..2 {
        serves(bound(unix.try_clone().unwrap()), &format!("unix:{}", path.display())).await;
    }
}

#[tokio::test]
async fn a_server_without_a_runtime_with_sockets_is_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let without = std::thread::spawn(|| Server::builder().bind_listener(listener).unwrap_err());
    assert_eq!(without.join().unwrap().kind(), ErrorKind::Config);
}

/// Accepts by hand, as a program does that looks at connections first.
#[tokio::test]
async fn sockets_that_the_program_accepts_are_as_good_as_the_servers_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (service, mut log) = Obedient::new();
    let accepted = futures::stream::unfold(listener, |listener| async {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    });
    let server = Server::builder().service(service).bind_incoming(accepted).unwrap();
    assert_eq!(server.local_addr().as_str(), "incoming");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let connector =
        |address: String| async move { Ok(Io::new(TcpStream::connect(address).await?)) };
    let builder = Channel::builder().connector(connector);
    let client = EverythingClient::new(builder.connect(address.to_string()).await.unwrap());
    every_kind(&client, &mut log).await;
    let who = client.unary(text("who")).await.unwrap().text;
    assert!(who.contains("from 127.0.0.1:"), "{who}");
    handle.shutdown(LONG).await;
    serving.await.unwrap().unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn handlers_see_which_process_calls_over_a_unix_socket() {
    use trill::{Context, Credentials, Result};
    use trill_tests::Text;

    #[trill::service(package = "test.io")]
    trait Porter {
        async fn who(&self, cx: Context, request: Text) -> Result<Text>;
    }

    struct MyPorter;

    #[trill::service]
    impl Porter for MyPorter {
        async fn who(&self, cx: Context, _request: Text) -> Result<Text> {
            Ok(text(format!("{:?}", cx.credentials())))
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let (one, other) = UnixStream::pair().unwrap();
    let own: Credentials = one.peer_cred().unwrap().into();
    assert_eq!(own.pid, Some(std::process::id()));
    let expected = format!("{:?}", Some(own));

    let address = format!("unix:{}", folder.path().join("trill.sock").display());
    let server = Server::builder().service(MyPorter).bind(&address).await.unwrap();
    tokio::spawn(server.serve());
    let client = PorterClient::new(Channel::connect(&address).await.unwrap());
    assert_eq!(client.who(text("")).await.unwrap().text, expected);

    let incoming = futures::stream::iter([Ok(one)]);
    let server = Server::builder().service(MyPorter).bind_incoming(incoming).unwrap();
    tokio::spawn(server.serve());
    let other = std::sync::Mutex::new(Some(other));
    let connector = move |_| {
        let other = other.lock().unwrap().take();
        async { other.ok_or(std::io::ErrorKind::ConnectionRefused.into()) }
    };
    let channel = Channel::builder().connector(connector).connect("a pair").await.unwrap();
    assert_eq!(PorterClient::new(channel).who(text("")).await.unwrap().text, expected);
}
