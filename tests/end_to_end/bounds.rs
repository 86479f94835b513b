//! Limits of time and number that end something: connections, streams, single operations, whole
//! servers.

use std::time::Duration;
use trill_tests::Ret as _;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trill::server::ServerBuilder;
use trill::{CallOptions, Channel, ErrorKind, Limits, Origin, Server};
use trill_tests::{EverythingClient, Log, Obedient, full_listener, text};

const SECOND: Duration = Duration::from_secs(1);

/// For what must happen some time, on a machine that may be slow.
const LONG: Duration = Duration::from_secs(20);

/// The same where the clock may be a paused one.
const SOME_TIME: Duration = Duration::from_secs(90);

/// Waits for an operation that must not wait for ever.
async fn soon<F: Future>(operation: F) -> F::Output {
    tokio::time::timeout(SOME_TIME, operation).await.expect("it waits for ever")
}

fn server() -> (ServerBuilder, Log) {
    let (service, log) = Obedient::new();
    (Server::builder().service(service), log)
}

/// A client in memory of a server with these settings.
fn client_of(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> EverythingClient {
    let (builder, log) = server();
    // The reports have no reader.
    std::mem::forget(log);
    EverythingClient::new(set(builder).in_memory().unwrap())
}

/// A server with these settings at a TCP port.
async fn listen(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> String {
    let (builder, log) = server();
    std::mem::forget(log);
    let bound = set(builder).bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    address
}

/// A request for a method that nobody has, which is answered.
fn request() -> Vec<u8> {
    let meta = trill_proto::RequestProtocol {
        request_id: 1,
        func: "/no.Such/Method".into(),
        ..Default::default()
    };
    crate::frames::frame(&meta, b"")
}

async fn is_closed(socket: &mut TcpStream) -> bool {
    let mut byte = [0];
    let read = tokio::time::timeout(LONG, socket.read(&mut byte)).await.expect("it stays open");
    matches!(read, Ok(0) | Err(_))
}

// Connections.

#[tokio::test]
async fn a_host_that_does_not_answer_is_given_up_after_the_connect_timeout() {
    let (_full, address) = full_listener().await;
    let limit = Duration::from_millis(50);
    let error =
        Channel::builder().connect_timeout(limit).connect(address.to_string()).await.unwrap_err();
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Connect, Origin::Peer));
    let told = error.to_string();
    assert!(
        told.contains("50ms (connect_timeout)") && told.contains(&address.to_string()),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_closes_a_connection_that_nobody_uses_for_five_minutes() {
    let client = client_of(|server| server);
    client.unary(text("")).await.unwrap();
    tokio::time::sleep(299 * SECOND).await;
    client.unary(text("still there")).await.unwrap();
    tokio::time::sleep(400 * SECOND).await;
    let error = client.unary(text("")).await.unwrap_err();
    assert!(error.to_string().contains("the peer closed the connection"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_call_of_two_minutes_outlives_an_idle_timeout_of_fifty_seconds() {
    let client = client_of(|server| server.idle_timeout(50 * SECOND));
    let call = client.unary(text("sleep 120000")).timeout(200 * SECOND);
    assert_eq!(call.await.unwrap(), text("slept"));
    let mut rw = client.talk().await.unwrap();
    tokio::time::sleep(120 * SECOND).await;
    rw.write(text("still there")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("still there")));
}

#[tokio::test]
async fn a_channel_closes_its_idle_connection_if_told_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let _channel =
        Channel::builder().idle_timeout(Duration::from_millis(40)).connect(address).await.unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    assert!(is_closed(&mut accepted).await);
}

#[tokio::test]
async fn a_heartbeat_is_an_empty_feedback_on_an_open_stream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let channel =
        Channel::builder().heartbeat(Duration::from_millis(20)).connect(address).await.unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    let opening = tokio::spawn(async move { EverythingClient::new(channel).talk().await });
    let mut init = [0; 16];
    peer.read_exact(&mut init).await.unwrap();
    let mut rest = vec![0; u32::from_be_bytes(init[4..8].try_into().unwrap()) as usize - 16];
    peer.read_exact(&mut rest).await.unwrap();
    // INIT that says yes: without a meta, and so without flow control.
    let mut answer = init;
    answer[4..8].copy_from_slice(&16_u32.to_be_bytes());
    peer.write_all(&answer).await.unwrap();
    let _open = opening.await.unwrap().unwrap();
    let mut beat = [0; 16];
    for _ in 0..3 {
        tokio::time::timeout(LONG, peer.read_exact(&mut beat)).await.expect("it beats").unwrap();
        assert_eq!(beat[..10], [0x09, 0x30, 1, 3, 0, 0, 0, 16, 0, 0]);
        assert_eq!(beat[10..14], init[10..14], "of the open stream");
    }
}

#[tokio::test]
async fn a_first_frame_that_trickles_in_loses_its_connection_and_silence_does_not() {
    let address = listen(|server| server.first_frame_timeout(Duration::from_millis(50))).await;
    let mut silent = TcpStream::connect(&address).await.unwrap();
    let mut slow = TcpStream::connect(&address).await.unwrap();
    let trickle = async {
        for byte in request() {
            if slow.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        is_closed(&mut slow).await
    };
    assert!(trickle.await);
    silent.write_all(&request()).await.unwrap();
    let (answer, _) = crate::frames::read::<trill_proto::ResponseProtocol>(&mut silent).await;
    assert_eq!(answer.ret, 11, "it was idle, not slow");
    // Later frames may take their time.
    let (first, rest) = (&request()[..20], &request()[20..]);
    silent.write_all(first).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    silent.write_all(rest).await.unwrap();
    crate::frames::read::<trill_proto::ResponseProtocol>(&mut silent).await;
}

#[tokio::test]
async fn of_connections_that_have_said_nothing_for_long_the_oldest_makes_room() {
    let grace = Duration::from_millis(100);
    let address = listen(|server| server.max_new_connections(2).new_connection_grace(grace)).await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    client.unary(text("")).await.unwrap();
    let mut oldest = TcpStream::connect(&address).await.unwrap();
    let mut silent = TcpStream::connect(&address).await.unwrap();
    // One that comes when the oldest has been silent for long enough makes it one too many.
    let crowded = async {
        let mut byte = [0];
        while tokio::time::timeout(grace / 10, oldest.read(&mut byte)).await.is_err() {
            drop(TcpStream::connect(&address).await.unwrap());
        }
    };
    tokio::time::timeout(LONG, crowded).await.expect("the oldest is closed");
    silent.write_all(&request()).await.unwrap();
    crate::frames::read::<trill_proto::ResponseProtocol>(&mut silent).await;
    client.unary(text("older, but in use")).await.unwrap();
    let _more = TcpStream::connect(&address).await.unwrap();
    let _and_more = TcpStream::connect(&address).await.unwrap();
    silent.write_all(&request()).await.unwrap();
    crate::frames::read::<trill_proto::ResponseProtocol>(&mut silent).await;
}

/// Waits until a client's socket has got the end of its connection to this server, with the thread
/// blocked. Only the system knows: the client has not looked.
#[cfg(target_os = "linux")]
fn wait_for_end(server: &str) {
    let server: std::net::SocketAddr = server.parse().unwrap();
    let server = format!("0100007F:{:04X}", server.port());
    let mut tries = LONG.as_millis();
    // Columns are local address, remote address and state; 08 is CLOSE_WAIT.
    let is_ended = |line: &str| line.split_whitespace().skip(2).take(2).eq([server.as_str(), "08"]);
    while !std::fs::read_to_string("/proc/net/tcp").unwrap().lines().any(is_ended) {
        tries = tries.checked_sub(1).expect("the server closes a connection");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_begun_on_a_connection_that_was_closed_as_silent_goes_on_to_another_one() {
    let elsewhere =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listening = elsewhere
        .spawn(listen(|server| server.max_new_connections(1).new_connection_grace(Duration::ZERO)));
    let address = listening.await.unwrap();
    for stream in [false, true] {
        let channel = Channel::builder().wait_for_ready(true).connect(&address).await.unwrap();
        let client = EverythingClient::new(channel);
        let other = std::net::TcpStream::connect(&address).unwrap();
        wait_for_end(&address);
        // The task of the connection has not run since, and does not before this is sent.
        if stream {
            soon(client.talk()).await.unwrap();
        } else {
            soon(client.unary(text("now"))).await.unwrap();
        }
        drop(other);
    }
    elsewhere.shutdown_background();
}

#[tokio::test]
async fn connections_beyond_the_servers_number_are_closed_and_a_place_becomes_free() {
    // One host gets no more of them than it leaves.
    let address = listen(|server| server.max_connections(3)).await;
    let first = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let second = EverythingClient::new(Channel::connect(&address).await.unwrap());
    first.unary(text("")).await.unwrap();
    second.unary(text("")).await.unwrap();
    let mut third = TcpStream::connect(&address).await.unwrap();
    assert!(is_closed(&mut third).await);
    drop(first);
    let again = async {
        loop {
            if let Ok(channel) = Channel::connect(&address).await
                && EverythingClient::new(channel).unary(text("")).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, again).await.expect("the place is free");
    second.unary(text("")).await.unwrap();
}

/// The longest queue that the system allows a listener.
fn longest_backlog() -> usize {
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    allowed.trim().parse().unwrap_or(128)
}

#[tokio::test]
async fn connections_that_come_faster_than_they_are_accepted_wait_in_the_backlog() {
    // The server accepts no connection. A queue of 1,024 would not do.
    let bound = server().0.bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    let count = longest_backlog().min(1_100);
    let crowd = futures::future::try_join_all((0..count).map(|_| TcpStream::connect(&address)));
    let crowd = tokio::time::timeout(LONG, crowd).await.expect("all have their places").unwrap();
    assert_eq!(crowd.len(), count);

    let bound = server().0.backlog(1).bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    let crowd = futures::future::try_join_all((0..10).map(|_| TcpStream::connect(&address)));
    assert!(
        tokio::time::timeout(Duration::from_millis(500), crowd).await.is_err(),
        "the queue is full"
    );
}

// Calls and streams.

#[tokio::test]
async fn calls_and_streams_beyond_the_servers_number_are_refused_on_every_connection() {
    // One host gets no more of them than it leaves.
    let address = listen(|server| server.max_calls(3)).await;
    let one = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let two = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let stream = one.talk().await.unwrap();
    let hanging = {
        let two = two.clone();
        tokio::spawn(async move { two.unary(text("sleep 600000")).await })
    };
    let refused = async {
        loop {
            // Not before the hanging call has arrived.
            if let Err(error) = one.unary(text("")).await {
                return error;
            }
        }
    };
    let error = tokio::time::timeout(LONG, refused).await.expect("there are too many");
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Status, 22));
    assert!(
        error.to_string().contains("works on 2 calls and streams")
            && error.to_string().contains("max_calls")
    );
    assert_eq!(two.talk().await.unwrap_err().ret(), 22);
    stream.finish().await.unwrap();
    let free = async { while two.unary(text("")).await.is_err() {} };
    tokio::time::timeout(LONG, free).await.expect("the stream's place is free");
    hanging.abort();
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_messages_ends_on_both_sides_when_the_server_says_so() {
    let client = client_of(|server| server.stream_idle_timeout(60 * SECOND));
    let mut rw = client.talk().await.unwrap();
    for _ in 0..5 {
        tokio::time::sleep(50 * SECOND).await;
        rw.write(text("a sign of life")).await.unwrap();
        rw.read().await.unwrap();
    }
    let error = soon(rw.read()).await.unwrap_err();
    assert_eq!((error.is_timeout(), error.ret()), (true, 255), "{error}");
    assert!(error.to_string().contains("60s (stream_idle_timeout)"), "{error}");
    assert_eq!(rw.write(text("late")).await.unwrap_err().ret(), 255);
    client.unary(text("the connection goes on")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_has_its_own_idle_timeout() {
    let (builder, mut log) = server();
    let client = EverythingClient::new(builder.in_memory().unwrap());
    let options = CallOptions::new().stream_idle_timeout(SECOND);
    for stream in [client.talk().options(options), client.talk().stream_idle_timeout(SECOND)] {
        let mut rw = stream.await.unwrap();
        let error = soon(rw.read()).await.unwrap_err();
        assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 355));
        assert!(error.to_string().contains("1s (stream_idle_timeout)"), "{error}");
        assert_eq!(soon(log.recv()).await.unwrap(), "talk dropped");
    }
}

// Reads and writes.

#[tokio::test(start_paused = true)]
async fn a_servers_reads_and_writes_have_its_limits() {
    let client = client_of(|server| server.read_timeout(3 * SECOND).write_timeout(4 * SECOND));
    let mut silent = client.talk().await.unwrap();
    let error = soon(silent.read()).await.unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 254));
    assert!(error.to_string().contains("3s (read_timeout)"), "{error}");

    let mut unread = client.download(text("fill 100 10000")).await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    let error = loop {
        if let Err(error) = soon(unread.read()).await {
            break error;
        }
    };
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 234));
    let told = error.to_string();
    assert!(told.contains("4s (write_timeout)"), "{told}");
    // Seven messages of 10,003 bytes into a window of 65,535.
    assert!(
        told.contains("has not read 70021 bytes of this stream, its window is 65535"),
        "{told}"
    );
}

/// A client with such settings over TCP, in real time.
async fn with_limits() -> EverythingClient {
    let address = listen(|server| server).await;
    let limit = Duration::from_millis(30);
    let channel = Channel::builder()
        .read_timeout(limit)
        .write_timeout(limit)
        .connect(&address)
        .await
        .unwrap();
    EverythingClient::new(channel)
}

#[tokio::test]
async fn a_channels_limits_are_for_each_operation_and_leave_the_stream_usable() {
    let client = with_limits().await;
    let mut rw = client.talk().await.unwrap();
    for _ in 0..2 {
        let error = soon(rw.read()).await.unwrap_err();
        assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 354));
        assert!(error.to_string().contains("30ms (read_timeout)"), "{error}");
    }
    rw.write(text("sleep 200")).await.unwrap();
    let mut sent = 0;
    let error = loop {
        match soon(rw.write(text("x".repeat(20_000)))).await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 334));
    assert!(error.to_string().contains("30ms (write_timeout)"), "{error}");
    // The operation's own limit counts instead.
    assert_eq!(rw.read().timeout(LONG).await.unwrap(), Some(text("slept")));
    for _ in 0..sent {
        assert!(rw.read().timeout(LONG).await.unwrap().is_some());
    }
    rw.write(text("on it goes")).timeout(LONG).await.unwrap();
    assert_eq!(rw.read().timeout(LONG).await.unwrap(), Some(text("on it goes")));
}

#[tokio::test]
async fn shared_handles_streams_and_sinks_have_the_limits_too() {
    let client = with_limits().await;
    let shared = client.talk().await.unwrap().shared();
    let (first, second) = soon(futures::future::join(shared.read(), shared.read())).await;
    assert!(first.unwrap_err().is_timeout() && second.unwrap_err().is_timeout());
    shared.write(text("wait")).await.unwrap();
    let error = loop {
        if let Err(error) = soon(shared.write(text("x".repeat(20_000)))).await {
            break error;
        }
    };
    assert!(error.to_string().contains("(write_timeout)"), "{error}");

    let (mut items, mut sink) = client.talk().await.unwrap().split();
    for _ in 0..2 {
        assert!(
            soon(items.next()).await.unwrap().unwrap_err().is_timeout(),
            "the stream of items goes on"
        );
    }
    sink.send(text("echo")).await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), text("echo"));
    sink.send(text("sleep 200")).await.unwrap();
    let error = loop {
        if let Err(error) = soon(sink.send(text("x".repeat(20_000)))).await {
            break error;
        }
    };
    assert!(error.to_string().contains("(write_timeout)"), "{error}");
    assert_eq!(
        futures::future::poll_fn(|cx| items.poll_next_unpin(cx)).await.map(|item| item.is_err()),
        Some(true)
    );
}

#[tokio::test]
async fn the_answer_of_a_client_stream_is_not_a_read() {
    let client = with_limits().await;
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("sleep 200")).await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), text("1 messages, 9 bytes"));
}

// Headers.

#[tokio::test]
async fn metadata_over_the_limit_is_refused_by_who_sends_it() {
    let address = listen(|server| server).await;
    let channel = Channel::builder()
        .limits(Limits::default().max_metadata(2_000))
        .connect(&address)
        .await
        .unwrap();
    let client = EverythingClient::new(channel);
    let large = vec![b'x'; 2_000];
    let error = client.unary(text("")).metadata("key", large.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Limit, Origin::Caller));
    assert!(error.to_string().contains("at most 2000 may be sent (max_metadata)"), "{error}");
    let error = client.talk().metadata("key", large).await.unwrap_err();
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Limit, Origin::Caller));
    assert!(error.to_string().contains("at most 2000 may be sent (max_metadata)"), "{error}");
    client.unary(text("")).metadata("key", vec![b'x'; 1_000]).await.unwrap();
}

#[tokio::test]
async fn metadata_over_the_limit_is_refused_by_who_gets_it() {
    let client = client_of(|server| server.limits(Limits::default().max_metadata(2_000)));
    let large = vec![b'x'; 2_000];
    for error in [
        client.unary(text("")).metadata("key", large.clone()).await.unwrap_err(),
        client.talk().metadata("key", large).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Status, Origin::Peer));
        assert!(error.to_string().contains("at most 2000 are accepted (max_metadata)"), "{error}");
    }
    client.unary(text("the connection goes on")).await.unwrap();

    let address = listen(|server| server).await;
    let channel = Channel::builder()
        .limits(Limits::default().max_metadata(2_000))
        .connect(&address)
        .await
        .unwrap();
    let client = EverythingClient::new(channel);
    let order = format!("meta key {}", "x".repeat(2_000));
    let error = client.unary(text(&order)).await.unwrap_err();
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Decode, Origin::Peer));
    assert!(error.to_string().contains("at most 2000 are accepted (max_metadata)"), "{error}");
    let mut reader = client.download(text(order)).await.unwrap();
    let error = loop {
        if let Err(error) = reader.read().await {
            break error;
        }
    };
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Protocol, Origin::Peer));
    assert!(error.to_string().contains("at most 2000 are accepted (max_metadata)"), "{error}");
    client.unary(text("the connection goes on")).await.unwrap();
}

#[tokio::test]
async fn limits_that_cannot_work_are_refused_at_once() {
    for (name, builder) in [
        ("max_connections is 0", server().0.max_connections(0)),
        ("backlog is 0", server().0.backlog(0)),
        ("max_new_connections is 0", server().0.max_new_connections(0)),
        ("max_accepts_per_second is 0", server().0.max_accepts_per_second(0)),
        ("max_calls is 0", server().0.max_calls(0)),
        ("max_unsent is 0", server().0.max_unsent(0)),
        ("first_frame_timeout is 0", server().0.first_frame_timeout(Duration::ZERO)),
        ("max_metadata is 70000", server().0.limits(Limits::default().max_metadata(70_000))),
        ("idle_timeout is 0ns", server().0.idle_timeout(Duration::ZERO)),
        ("dead_peer_timeout is 1ms", server().0.dead_peer_timeout(Duration::from_millis(1))),
    ] {
        let error = builder.in_memory().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(name), "{error}");
    }
}
