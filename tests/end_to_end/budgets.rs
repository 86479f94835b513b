//! How much waits in memory: slow readers, slow handlers, peers that do not read.

use std::time::Duration;
use trill_tests::Ret as _;

use futures::future::join_all;
use tokio::time::{sleep, timeout};
use trill::server::{Buffered, ServerBuilder, ServerHandle};
use trill::testing::Network;
use trill::{AsyncWriter, Channel, Compression, ErrorKind, Limits, Server};
use trill_tests::{EverythingClient, Obedient, Text, text};

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

/// A server with such settings, and its address.
async fn serve(settings: impl FnOnce(ServerBuilder) -> ServerBuilder) -> (ServerHandle, String) {
    let builder = settings(Server::builder().service(Obedient::new().0));
    let bound = builder.bind("127.0.0.1:0").await.unwrap();
    let (handle, address) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    (handle, address)
}

/// Connections from one address are strangers to each other.
fn each_a_peer(builder: ServerBuilder) -> ServerBuilder {
    builder.peer_key(ToString::to_string)
}

async fn client_of(address: &str) -> (Channel, EverythingClient) {
    let channel = Channel::connect(address).await.unwrap();
    (channel.clone(), EverythingClient::new(channel))
}

/// Writes until the reader's slowness stops it, and tells how much that was.
async fn flood(writer: &mut AsyncWriter<Text>, message: &Text) -> usize {
    let (mut count, mut failed) = (0, 0);
    // Several times, because time may pass without the other tasks' having had their turn.
    while failed < 3 {
        match timeout(Duration::from_millis(100), writer.write(message.clone())).await {
            Ok(written) => {
                written.unwrap();
                (count, failed) = (count + 1, 0);
            }
            Err(_) => failed += 1,
        }
    }
    count
}

/// Waits until nothing changes any more.
async fn settled(buffered: impl Fn() -> Buffered) -> Buffered {
    let mut last = buffered();
    loop {
        sleep(Duration::from_millis(300)).await;
        let now = buffered();
        if now == last {
            return now;
        }
        last = now;
    }
}

/// Waits until it is so, then until nothing changes any more.
async fn until(buffered: impl Fn() -> Buffered, is_so: impl Fn(Buffered) -> bool) -> Buffered {
    while !is_so(buffered()) {
        sleep(Duration::from_millis(20)).await;
    }
    settled(buffered).await
}

async fn empty(who: &str, buffered: impl Fn() -> Buffered) {
    let nothing = Buffered::default();
    let waiting = async {
        while buffered() != nothing {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        timeout(Duration::from_secs(10), waiting).await.is_ok(),
        "{who} holds {:?}",
        buffered()
    );
}

const SIZES: [usize; 3] = [30, 1_000, 60_000];

/// At most the window, one message beyond it, and their headers, with the stream's state.
fn is_one_window(unread: usize, size: usize) -> bool {
    let most = (65_535 + size) + (65_535 / size + 1) * 20 + KIB;
    (60_000..=most.min(256 * KIB)).contains(&unread)
}

#[tokio::test]
async fn a_handler_that_reads_slowly_holds_one_window_of_a_client_that_writes_fast() {
    let (handle, address) = serve(|builder| builder).await;
    let (channel, client) = client_of(&address).await;
    for size in SIZES {
        let message = text("x".repeat(size - 3));
        let (mut upload, reply) = client.upload().await.unwrap();
        upload.write(text("wait")).await.unwrap();
        let count = flood(&mut upload, &message).await;
        let unread = until(|| handle.buffered(), |now| now.unread > 60_000).await.unread;
        assert!(is_one_window(unread, size), "{unread} bytes of messages of {size}");
        assert!(channel.buffered().unsent < 256 * KIB);
        client.unary(text("resume")).await.unwrap();
        upload.finish().await.unwrap();
        let all = format!("{} messages, {} bytes", count + 1, count * (size - 3) + "wait".len());
        assert_eq!(reply.await.unwrap(), text(all), "nothing was lost");

        let (mut reader, mut writer) = client.talk().await.unwrap().split();
        writer.write(text("wait")).await.unwrap();
        let count = flood(&mut writer, &message).await;
        let unread = until(|| handle.buffered(), |now| now.unread > 60_000).await.unread;
        assert!(is_one_window(unread, size), "{unread} bytes of messages of {size}");
        client.unary(text("resume")).await.unwrap();
        assert_eq!(reader.read().await.unwrap(), Some(text("resumed")));
        for _ in 0..count {
            assert_eq!(reader.read().await.unwrap().as_ref(), Some(&message));
        }
        writer.finish().await.unwrap();
        assert_eq!(reader.read().await.unwrap(), None);
    }
    empty("the server", || handle.buffered()).await;
    empty("the client", || channel.buffered()).await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_holds_one_window_of_a_handler_that_writes_fast() {
    let (handle, address) = serve(|builder| builder).await;
    let (channel, client) = client_of(&address).await;
    for size in SIZES {
        let order = format!("fill {} {}", 1_000_000 / size, size - 3);
        let order_size = order.len() + 2;
        let mut reader = client.download(text(order)).await.unwrap();
        let unread = until(|| channel.buffered(), |now| now.unread > 60_000).await.unread;
        assert!(is_one_window(unread, size), "{unread} bytes of messages of {size}");
        let server = handle.buffered();
        // The stream's state, its request and the name of its caller.
        assert!(server.unread <= KIB + order_size + 64 && server.unsent < 256 * KIB, "{server:?}");
        let mut count = 0;
        while reader.read().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 1_000_000 / size);
    }
    empty("the server", || handle.buffered()).await;
    empty("the client", || channel.buffered()).await;
}

#[tokio::test]
async fn streams_that_are_read_go_on_beside_as_many_that_are_flooded_and_never_read() {
    let (handle, address) = serve(|builder| {
        builder
            .limits(Limits::default().max_message_received(MIB).max_unread_per_connection(2 * MIB))
            .max_unread(3 * MIB)
    })
    .await;
    let (_channel, client) = client_of(&address).await;
    let message = text("x".repeat(20_000));
    let mut flooded = Vec::new();
    for _ in 0..60 {
        let (mut writer, reply) = client.upload().await.unwrap();
        writer.write(text("hang")).await.unwrap();
        flooded.push((writer, reply));
    }
    let mut talks = Vec::new();
    for _ in 0..60 {
        talks.push(client.talk().await.unwrap());
    }
    let mut floods: Vec<_> =
        flooded.iter_mut().map(|(writer, _)| Box::pin(flood(writer, &message))).collect();
    join_all(&mut floods).await;
    drop(floods);
    let before = settled(|| handle.buffered()).await;
    assert!(before.unread > MIB && before.reserved < 5 * MIB / 2, "{before:?}");
    let rounds = talks.iter_mut().map(|rw| async {
        for round in 0..50 {
            let message = text(format!("{round} {}", "y".repeat(2_000)));
            rw.write(message.clone()).await.unwrap();
            assert_eq!(rw.read().await.unwrap(), Some(message));
        }
    });
    timeout(Duration::from_secs(60), join_all(rounds)).await.expect("those who are read go on");
    let after = handle.buffered();
    assert!(after.unread >= before.unread, "nobody has read them: {after:?}");
}

#[tokio::test]
async fn a_flood_of_large_requests_is_refused_with_code_22_and_the_settings_name() {
    let (handle, address) = serve(|builder| each_a_peer(builder.max_unread(32 * MIB))).await;
    let large = text(format!("wait {}", "x".repeat(9_900_000)));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (_, client) = client_of(&address).await;
        for _ in 0..3 {
            let (client, large) = (client.clone(), large.clone());
            calls.spawn(async move { client.unary(large).timeout(Duration::from_secs(100)).await });
        }
    }
    for _ in 0..9 {
        let error = calls.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!((error.kind(), error.ret()), (ErrorKind::Status, 22));
        assert!(error.message().contains("of 33554432 bytes"), "{error}");
        assert!(error.message().contains("(max_unread)"), "{error}");
    }
    let full = handle.buffered();
    assert_eq!(full.unread / 9_900_000, 3, "{full:?}");
    let (_, client) = client_of(&address).await;
    assert_eq!(
        client.unary(text("small")).await.unwrap(),
        text("small"),
        "there is room for little ones"
    );
    // A handler that does not wait yet does not hear it, so it is said again.
    let resuming = tokio::spawn(async move {
        while client.unary(text("resume")).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().unwrap(), text("resumed"));
    }
    resuming.abort();
    empty("the server", || handle.buffered()).await;
}

#[tokio::test]
async fn a_peer_whose_calls_have_its_share_hears_that_more_are_refused_when_another_takes_the_rest()
{
    let (handle, address) = serve(|builder| each_a_peer(builder.max_unread(32 * MIB))).await;
    let (_first, greedy) = client_of(&address).await;
    let (_second, modest) = client_of(&address).await;
    let large = text(format!("wait {}", "x".repeat(9_900_000)));
    let mut calls = tokio::task::JoinSet::new();
    for (held, client) in [(1, &greedy), (2, &greedy), (3, &modest)] {
        let (client, large) = (client.clone(), large.clone());
        calls.spawn(async move { client.unary(large).await });
        until(|| handle.buffered(), |now| now.unread >= held * 9_900_000).await;
    }
    let refused = timeout(Duration::from_secs(60), greedy.unary(large)).await;
    let error = refused.expect("it hears that it is refused").unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Status, 22));
    assert!(error.message().contains("of 33554432 bytes"), "{error}");
    assert!(
        timeout(Duration::from_secs(60), greedy.unary(text("small"))).await.is_ok(),
        "nor is it deaf"
    );
}

#[tokio::test]
async fn nothing_stays_counted_after_drop_cancel_deadline_error_and_loss() {
    let (handle, address) = serve(|builder| builder).await;
    let (channel, client) = client_of(&address).await;
    let message = text("x".repeat(1_000));

    // The client drops its stream, at the server unread messages wait.
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("hang")).await.unwrap();
    flood(&mut writer, &message).await;
    until(|| handle.buffered(), |now| now.unread > 60_000).await;
    drop((writer, reply));
    empty("the server, after the client has dropped its stream", || handle.buffered()).await;

    // The other way round.
    let reader = client.download(text("fill 1000 1000;hang")).await.unwrap();
    until(|| channel.buffered(), |now| now.unread > 60_000).await;
    drop(reader);
    empty("the client, after it has dropped its stream", || channel.buffered()).await;

    // A handler that fails without reading.
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("wait")).await.unwrap();
    writer.write(text("error 7 enough")).await.unwrap();
    flood(&mut writer, &message).await;
    client.unary(text("resume")).await.unwrap();
    assert_eq!(reply.await.unwrap_err().app_code(), 7);
    drop(writer);
    empty("the server, after an error", || handle.buffered()).await;

    // The connection is lost; what was received is there until it is read or dropped.
    let mut reader = client.download(text("fill 1000 1000;hang")).await.unwrap();
    until(|| channel.buffered(), |now| now.unread > 60_000).await;
    channel.close();
    let mut count = 0;
    while let Ok(Some(_)) = reader.read().await {
        count += 1;
    }
    assert!(count > 60);
    drop(reader);
    empty("the client, after the connection was lost", || channel.buffered()).await;
    empty("the server, after the connection was lost", || handle.buffered()).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_stays_counted_after_a_deadline() {
    let host = Network::new(1).serve(Server::builder().service(Obedient::new().0)).unwrap();
    let (channel, _) = host.connect(Channel::builder()).unwrap();
    let client = EverythingClient::new(channel);
    let (mut writer, reply) = client.upload().timeout(Duration::from_secs(10)).await.unwrap();
    writer.write(text("hang")).await.unwrap();
    flood(&mut writer, &text("x".repeat(1_000))).await;
    assert!(host.handle().buffered().unread > 60_000);
    assert!(reply.await.unwrap_err().is_timeout());
    drop(writer);
    empty("the server", || host.handle().buffered()).await;
}

#[tokio::test]
async fn peers_that_do_not_read_share_the_servers_room_for_what_is_unsent() {
    let (handle, address) = serve(|builder| each_a_peer(builder.max_unsent(MIB))).await;
    let mut held = Vec::new();
    for _ in 0..12 {
        // Without flow control only the connection's room is in the way.
        let channel =
            Channel::builder().limits(Limits::default().window(0)).connect(&address).await.unwrap();
        let client = EverythingClient::new(channel);
        held.push(client.download(text("fill 40000 1000")).await.unwrap());
    }
    let unsent = until(|| handle.buffered(), |now| now.unsent > 12 * 16 * KIB).await.unsent;
    // Sixteen KiB is what each may queue always, and as much is in a send buffer.
    assert!((12 * 16 * KIB..MIB + 12 * 40 * KIB).contains(&unsent), "{unsent}");
    let mut read = held.pop().unwrap();
    let mut count = 0;
    while timeout(Duration::from_secs(20), read.read())
        .await
        .expect("who reads goes on")
        .unwrap()
        .is_some()
    {
        count += 1;
    }
    assert_eq!(count, 40_000);
    drop((held, read));
    empty("the server", || handle.buffered()).await;
}

#[tokio::test]
async fn clients_that_have_gone_are_noticed_while_their_connections_are_not_read() {
    let (handle, address) = serve(|builder| {
        each_a_peer(
            builder
                .limits(
                    Limits::default().max_message_received(MIB).max_unread_per_connection(3 * MIB),
                )
                .max_unread(9 * MIB),
        )
    })
    .await;
    let mut sides = Vec::new();
    for _ in 0..2 {
        let (_, client) = client_of(&address).await;
        let mut uploads = Vec::new();
        for _ in 0..4 {
            let (mut writer, reply) = client.upload().await.unwrap();
            writer.write(text("hang")).await.unwrap();
            uploads.push((writer, reply));
        }
        sides.push(uploads);
    }
    settled(|| handle.buffered()).await;
    let large = text("x".repeat(1_000_000));
    for (writer, _) in sides.iter_mut().flatten() {
        flood(writer, &large).await;
    }
    let full = until(|| handle.buffered(), |now| now.unread > 7 * MIB).await.unread;
    assert!(
        (7 * MIB..8 * MIB).contains(&full),
        "{full} bytes: each connection is read until it is over its limit"
    );
    // The server waits for nothing on these connections. Their end is noticed all the same.
    drop(sides);
    let (_, client) = client_of(&address).await;
    let resumed = async {
        while client.unary(text("small")).await.is_err() || handle.buffered().reserved > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), resumed).await.expect("room is given back");
}

#[tokio::test]
async fn a_budget_without_room_for_one_message_is_refused() {
    type Set = fn(ServerBuilder) -> ServerBuilder;
    let settings: [(&str, Set); 3] = [
        ("max_unread is 1048576", |builder| builder.max_unread(MIB)),
        ("max_unread_per_connection is 1048576", |builder| {
            builder.limits(Limits::default().max_unread_per_connection(MIB))
        }),
        ("max_unsent_per_connection is 0", |builder| {
            builder.limits(Limits::default().max_unsent_per_connection(0))
        }),
    ];
    for (text, set) in settings {
        let error = set(Server::builder()).bind("127.0.0.1:0").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().starts_with(text), "{error}");
    }
}

#[tokio::test]
async fn a_request_that_finds_no_room_when_it_is_unpacked_is_counted_as_refused() {
    let set = |builder: ServerBuilder| {
        builder
            .limits(Limits::default().max_message_received(100_000).window(65_535))
            .max_unread(100_000)
    };
    let (handle, address) = serve(set).await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let packed = client.unary(text("x".repeat(90_000))).compression(Compression::Gzip);
    assert_eq!(packed.await.unwrap_err().ret(), 22);
    assert_eq!(handle.refused().no_room, 1);
}
