//! Channels whose server goes away and comes back, over real sockets. Times are tested with a clock
//! that stands still, in `sdk/src/client/tests`.

use std::time::Duration;
use trill_tests::Ret as _;

use trill::client::{Backoff, State};
use trill::server::ServerHandle;
use trill::{Channel, ErrorKind};
use trill_tests::{EverythingClient, Log, listen, text};

/// For what must happen some time, on a machine that may be slow.
const LONG: Duration = Duration::from_secs(120);

/// Comes back soon, so that tests do not wait.
fn soon() -> Backoff {
    Backoff::default().first(Duration::from_millis(5)).max(Duration::from_millis(20))
}

/// A server that can be stopped, and started again at the same address.
struct Restarting {
    address: String,
    running: Option<(ServerHandle, Log)>,
}

impl Restarting {
    async fn new() -> Self {
        let (handle, address, log) = listen("127.0.0.1:0").await;
        Self { address, running: Some((handle, log)) }
    }

    /// Without any grace: connections end in the middle of calls.
    async fn kill(&mut self) {
        let (handle, _log) = self.running.take().expect("it runs");
        handle.shutdown(Duration::ZERO).await;
    }

    async fn start(&mut self) {
        let (handle, _, log) = listen(&self.address).await;
        self.running = Some((handle, log));
    }
}

fn client(channel: &Channel) -> EverythingClient {
    EverythingClient::new(channel.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlast_restarts_and_only_those_that_were_sent_fail() {
    let mut server = Restarting::new().await;
    let channel = Channel::builder()
        .reconnect(soon())
        .wait_for_ready(true)
        .connect(&server.address)
        .await
        .unwrap();
    let calls = tokio::spawn({
        let (channel, peer) = (channel.clone(), server.address.clone());
        async move {
            let (mut answered, mut failed) = (0, 0);
            for number in 0..u64::MAX {
                match client(&channel).unary(text(number.to_string())).await {
                    Ok(answer) if answer.text == "300" => break,
                    Ok(answer) => assert_eq!(answer.text, number.to_string()),
                    Err(error) => {
                        // The error tells where.
                        assert_eq!(error.peer(), Some(&*peer));
                        assert_eq!(error.method(), Some("/test.all.Everything/Unary"));
                        // It was sent, and nobody knows what became of it; or the server has
                        // refused it, or broken it off.
                        match (error.kind(), error.ret()) {
                            (ErrorKind::Network, _) | (ErrorKind::Timeout, 21) => {
                                assert!(!error.is_retryable(), "{error:?}");
                                failed += 1;
                            }
                            (ErrorKind::Status, 22) => assert!(error.is_retryable(), "{error:?}"),
                            _ => panic!("{error:?}"),
                        }
                    }
                }
                answered += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            (answered, failed)
        }
    });
    const RESTARTS: usize = 5;
    for _ in 0..RESTARTS {
        tokio::time::sleep(Duration::from_millis(30)).await;
        server.kill().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        server.start().await;
    }
    let (answered, failed) = tokio::time::timeout(LONG, calls).await.expect("calls go on").unwrap();
    assert!(answered >= 290, "{answered}");
    assert!(failed <= RESTARTS, "one call at a time was going on, {failed} failed");
}

#[tokio::test]
async fn a_call_that_was_not_sent_waits_for_the_new_connection_without_being_told_to() {
    let mut server = Restarting::new().await;
    let channel = Channel::builder().reconnect(soon()).connect(&server.address).await.unwrap();
    for _ in 0..10 {
        client(&channel).unary(text("before")).await.unwrap();
        // The old connection lasts long enough for the first attempt to be made at once, and there
        // is always somebody to answer.
        tokio::time::sleep(Duration::from_millis(15)).await;
        server.kill().await;
        server.start().await;
        // The channel may not have heard of it; what it has not sent it sends on the new
        // connection.
        let mut watch = channel.watch();
        watch.until(State::is_ready).await.unwrap();
        let answer = loop {
            match client(&channel).unary(text("after")).await {
                Err(error) if error.kind() == ErrorKind::Network && !error.is_retryable() => {}
                answer => break answer.unwrap(),
            }
        };
        assert_eq!(answer, text("after"));
    }
}

#[tokio::test]
async fn streams_end_with_their_connection_and_new_ones_open_on_the_next() {
    let mut server = Restarting::new().await;
    let builder = Channel::builder().reconnect(soon()).wait_for_ready(true);
    let channel = builder.connect(&server.address).await.unwrap();
    let client = client(&channel);
    let mut rw = client.talk().await.unwrap();
    rw.write(text("hello")).await.unwrap();
    rw.read().await.unwrap().unwrap();
    server.kill().await;
    let error = rw.read().await.unwrap_err();
    assert_eq!(
        (error.ret(), error.peer()),
        (21, Some(&*server.address)),
        "the server says so itself"
    );
    assert!(!error.is_retryable());
    let opening = tokio::spawn({
        let client = client.clone();
        async move { client.talk().await }
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!opening.is_finished());
    server.start().await;
    let mut next =
        tokio::time::timeout(LONG, opening).await.expect("there is a server").unwrap().unwrap();
    next.write(text("again")).await.unwrap();
    assert_eq!(next.read().await.unwrap(), Some(text("again")));
    assert_eq!(channel.open_streams(), 1);
    // The old stream is as it was: never opened again behind anybody's back.
    assert_eq!(rw.read().await.unwrap_err().ret(), 21);
    assert_eq!(rw.write(text("more")).await.unwrap_err().ret(), 21);
}

#[tokio::test]
async fn the_server_is_told_of_the_time_that_is_left_after_waiting() {
    const WAITED: Duration = Duration::from_millis(200);
    let mut server = Restarting::new().await;
    server.kill().await;
    let channel =
        Channel::builder().reconnect(soon()).wait_for_ready(true).lazy(&server.address).unwrap();
    let (unary, stream) = (client(&channel), client(&channel));
    let unary = tokio::spawn(unary.unary(text("left")).timeout(LONG).into_future());
    let stream = tokio::spawn(stream.talk().timeout(LONG).into_future());
    // They begin before their wait does.
    tokio::task::yield_now().await;
    tokio::time::sleep(WAITED).await;
    server.start().await;
    let left = |answer: trill_tests::Text| Duration::from_millis(answer.text.parse().unwrap());
    let at_most = LONG - WAITED;
    assert!(left(unary.await.unwrap().unwrap()) <= at_most);
    let mut rw = stream.await.unwrap().unwrap();
    rw.write(text("left")).await.unwrap();
    assert!(left(rw.read().await.unwrap().unwrap()) <= at_most);
}

#[tokio::test]
async fn the_states_of_a_channel_are_told_one_after_the_other() {
    let mut server = Restarting::new().await;
    let address = server.address.clone();
    server.kill().await;
    let channel = Channel::builder().reconnect(soon()).lazy(&address).unwrap();
    let mut watch = channel.watch();
    let watching = tokio::spawn(async move {
        let mut names = Vec::new();
        while let Some(state) = watch.next().await {
            let name = format!("{state:?}").split(' ').next().unwrap_or("").to_owned();
            // How often it is tried is a matter of time.
            let again = ["Connecting", "TransientFailure"].contains(&name.as_str());
            if !(again && names.contains(&name)) {
                names.push(name);
            }
        }
        names
    });
    tokio::task::yield_now().await;
    let error = client(&channel).unary(text("nobody")).await.unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Connect, Some(&*address)));
    assert!(error.is_retryable());
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.start().await;
    tokio::time::timeout(LONG, channel.ready()).await.expect("there is a server").unwrap();
    client(&channel).unary(text("somebody")).await.unwrap();
    tokio::task::yield_now().await;
    drop(channel);
    let names = tokio::time::timeout(LONG, watching).await.expect("it is closed").unwrap();
    assert_eq!(names, ["Idle", "Connecting", "TransientFailure", "Ready", "Closed"]);
}

#[tokio::test]
async fn connecting_where_nobody_is_fails_at_once() {
    let mut server = Restarting::new().await;
    server.kill().await;
    let error = Channel::connect(&server.address).await.unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Connect, Some(&*server.address)));
}

#[tokio::test]
async fn a_channel_that_is_gone_leaves_no_task_and_no_socket() {
    let server = Restarting::new().await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for close in [false, true] {
        let builder = Channel::builder().reconnect(soon()).connections(4);
        let channel = builder.connect_all([&server.address, &nobody]).await.unwrap();
        for _ in 0..8 {
            client(&channel).unary(text("hello")).await.unwrap();
        }
        assert!(tasks() > before);
        assert!((1..=4).contains(&connections_to(&server.address)));
        if close {
            channel.close();
            assert_eq!(
                client(&channel).unary(text("")).await.unwrap_err().kind(),
                ErrorKind::Closed
            );
        }
        drop(channel);
        let gone = async {
            while tasks() > before || connections_to(&server.address) > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LONG, gone).await.expect("all tasks and sockets end");
    }
}

#[tokio::test]
async fn a_unix_socket_is_connected_to_again_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", directory.path().join("socket").display());
    let mut server = Restarting { address, running: None };
    let channel =
        Channel::builder().reconnect(soon()).wait_for_ready(true).lazy(&server.address).unwrap();
    for number in 0..3 {
        server.start().await;
        let number = text(number.to_string());
        assert_eq!(client(&channel).unary(number.clone()).await.unwrap(), number);
        server.kill().await;
        let heard = channel.watch().until(|state| !state.is_ready()).await;
        heard.expect("the channel hears of it");
    }
}

/// How many TCP connections go to an address.
fn connections_to(address: &str) -> usize {
    const ESTABLISHED: &str = "01";
    let port = address.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("this is Linux");
    let is_to = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        let (to, state) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
        to.ends_with(&format!(":{port:04X}")) && state == ESTABLISHED
    };
    table.lines().filter(is_to).count()
}
