//! Calls and connections that cross a shutdown: none is left in the dark but those whose handler
//! ran.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use trill::prost::Message;
use trill::server::ServerHandle;
use trill::{AsyncReaderWriter, Channel, Context, Error, ErrorKind, Result, Server};
use trill_proto::ResponseProtocol;
use trill_tests::{Absent, AbsentClient, Text, listen, raw, text};

const SHUTDOWNS: usize = 21;
const CALLERS: usize = 50;
const NEWCOMERS: usize = 20;
const GRACE: Duration = Duration::from_secs(3);

/// Remembers which calls it has carried out.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<HashSet<String>>>);

#[trill::service]
impl Absent for Counting {
    async fn unary(&self, _cx: Context, request: Text) -> Result<Text> {
        self.0.lock().unwrap().insert(request.text.clone());
        Ok(request)
    }

    async fn talk(&self, _cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        Ok(())
    }
}

impl Counting {
    async fn serve(&self, address: &str) -> (ServerHandle, String) {
        let bound = Server::builder().service(self.clone()).bind(address).await.unwrap();
        let (handle, address) = (bound.handle(), bound.local_addr().to_string());
        tokio::spawn(bound.serve());
        (handle, address)
    }

    /// Calls until a call fails, and says if nobody can know whether that one was carried out,
    /// although it was not.
    async fn call_until_it_fails(self, client: AbsentClient, name: String) -> Option<Error> {
        for number in 0.. {
            let call = format!("{name}/{number}");
            if let Err(error) = client.unary(text(&call)).await {
                let dark = !error.is_retryable() && !self.0.lock().unwrap().contains(&call);
                return dark.then_some(error);
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..=5))).await;
        }
        unreachable!("one of them fails")
    }

    /// The same, but goes on where calls are refused.
    async fn insist(self, client: AbsentClient, name: String) -> Option<Error> {
        for number in 0.. {
            let call = format!("{name}/{number}");
            match client.unary(text(&call)).await {
                Err(error) if error.is_retryable() && error.kind() == ErrorKind::Status => {}
                Err(error) => {
                    let dark = !error.is_retryable() && !self.0.lock().unwrap().contains(&call);
                    return dark.then_some(error);
                }
                Ok(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..=3))).await;
        }
        unreachable!("the server is gone at last")
    }

    /// Connects and calls. A client that gets no connection knows where it stands.
    async fn come(self, address: String, name: String) -> Option<Error> {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=30))).await;
        match Channel::connect(address).await {
            Ok(channel) => self.call_until_it_fails(AbsentClient::new(channel), name).await,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
                None
            }
        }
    }
}

/// Shuts servers down while others call them and come to them, and says which calls were left in
/// the dark.
async fn cross(addresses: impl Iterator<Item = String>) -> Vec<String> {
    let service = Counting::default();
    let (mut waiting, mut dark) = (JoinSet::new(), Vec::new());
    for (round, address) in addresses.enumerate() {
        let (handle, address) = service.serve(&address).await;
        let shared = AbsentClient::new(Channel::connect(&address).await.unwrap());
        for caller in 0..CALLERS {
            // Half of them share a connection.
            let client = if caller % 2 == 0 {
                shared.clone()
            } else {
                AbsentClient::new(Channel::connect(&address).await.unwrap())
            };
            waiting.spawn(service.clone().call_until_it_fails(client, format!("{round}/{caller}")));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        for newcomer in 0..NEWCOMERS {
            waiting.spawn(service.clone().come(address.clone(), format!("{round}/new {newcomer}")));
        }
        tokio::time::timeout(20 * GRACE, handle.shutdown(GRACE)).await.expect("nobody holds it up");
    }
    while let Some(caller) = waiting.join_next().await {
        dark.extend(caller.unwrap().map(|error| error.to_string()));
    }
    dark
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_cross_a_shutdown_are_refused_or_carried_out() {
    let dark = cross(std::iter::repeat_n("127.0.0.1:0".to_owned(), SHUTDOWNS)).await;
    assert_eq!(dark, [""; 0], "of {SHUTDOWNS} shutdowns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_cross_a_shutdown_of_a_unix_socket_are_refused_or_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("unix:{}", folder.path().join("crossed.sock").display());
    let dark = cross(std::iter::repeat_n(path, SHUTDOWNS)).await;
    assert_eq!(dark, [""; 0], "of {SHUTDOWNS} shutdowns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_pass_refusals_over_are_not_left_in_the_dark() {
    let service = Counting::default();
    let (mut waiting, mut dark) = (JoinSet::new(), Vec::new());
    for round in 0..SHUTDOWNS {
        let (handle, address) = service.serve("127.0.0.1:0").await;
        let shared = AbsentClient::new(Channel::connect(&address).await.unwrap());
        for caller in 0..CALLERS {
            waiting.spawn(service.clone().insist(shared.clone(), format!("{round}/{caller}")));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        tokio::time::timeout(20 * GRACE, handle.shutdown(GRACE)).await.expect("nobody holds it up");
    }
    while let Some(caller) = waiting.join_next().await {
        dark.extend(caller.unwrap().map(|error| error.to_string()));
    }
    assert_eq!(dark, [""; 0], "of {SHUTDOWNS} shutdowns");
}

/// Reads to the end of what a server sends, which is one answer, and gives its code.
async fn answer(mut socket: impl AsyncReadExt + AsyncWriteExt + Unpin) -> i32 {
    let mut received = Vec::new();
    socket.read_to_end(&mut received).await.unwrap();
    let header = usize::from(u16::from_be_bytes(received[8..10].try_into().unwrap()));
    ResponseProtocol::decode(&received[16..16 + header]).unwrap().ret
}

/// One thread: the server cannot accept anything between the connecting and the shutdown.
#[tokio::test]
async fn calls_that_wait_to_be_accepted_when_the_shutdown_begins_are_refused() {
    let call = raw::call(1, "Unary", "hello");
    for grace in [Duration::ZERO, GRACE] {
        for _ in 0..10 {
            let (handle, address, _log) = listen("127.0.0.1:0").await;
            Channel::connect(&address).await.unwrap();
            let mut socket = std::net::TcpStream::connect(&address).unwrap();
            std::io::Write::write_all(&mut socket, &call).unwrap();
            socket.set_nonblocking(true).unwrap();
            let socket = tokio::net::TcpStream::from_std(socket).unwrap();
            let (code, ()) = tokio::join!(answer(socket), handle.shutdown(grace));
            assert_eq!(code, 22, "{grace:?}");
        }
    }
}

#[tokio::test]
async fn calls_that_wait_to_be_accepted_at_a_unix_socket_when_the_shutdown_begins_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crossed.sock");
    let call = raw::call(1, "Unary", "hello");
    for grace in [Duration::ZERO, GRACE] {
        for _ in 0..10 {
            let (handle, address, _log) = listen(&format!("unix:{}", path.display())).await;
            Channel::connect(&address).await.unwrap();
            let mut socket = std::os::unix::net::UnixStream::connect(&path).unwrap();
            std::io::Write::write_all(&mut socket, &call).unwrap();
            socket.set_nonblocking(true).unwrap();
            let socket = tokio::net::UnixStream::from_std(socket).unwrap();
            let (code, ()) = tokio::join!(answer(socket), handle.shutdown(grace));
            assert_eq!(code, 22, "{grace:?}");
        }
    }
}
