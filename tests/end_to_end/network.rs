//! The network in memory: each of its faults does what it says, in virtual time.

use std::future::IntoFuture;
use std::time::Duration;

use trill::testing::{Cut, Direction, Host, Link, Network, Side};
use trill::{Channel, ErrorKind, Limits, Server};
use trill_tests::{EverythingClient, Log, Obedient, now, text};

const MS: Duration = Duration::from_millis(1);

fn serve(seed: u64) -> (Host, Log) {
    let (service, log) = Obedient::new();
    (
        Network::new(seed)
            .serve(Server::builder().service(service))
            .expect("the settings are the defaults"),
        log,
    )
}

fn network(seed: u64) -> (EverythingClient, Link, Log) {
    let (host, log) = serve(seed);
    let (channel, link) = host.connect(Channel::builder()).expect("the server is up");
    (EverythingClient::new(channel), link, log)
}

#[tokio::test(start_paused = true)]
async fn bytes_take_as_long_as_the_delay_says_each_way() {
    let (client, link, _log) = network(1);
    link.delay(20 * MS..=30 * MS);
    for _ in 0..50 {
        let started = now();
        client.unary(text("hello")).await.unwrap();
        let took = started.elapsed();
        assert!(
            (40 * MS..=62 * MS).contains(&took),
            "{took:?}: twice 20 to 30 ms, each rounded up to 1 ms"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_link_carries_so_many_bytes_a_second() {
    let (client, link, _log) = network(1);
    link.throttle(10_000);
    let started = now();
    assert_eq!(client.unary(text("x".repeat(30_000))).await.unwrap().text.len(), 30_000);
    let took = started.elapsed();
    assert!((6000 * MS..6100 * MS).contains(&took), "30 kB each way at 10 kB/s took {took:?}");
    link.throttle(None);
    let started = now();
    client.unary(text("x".repeat(30_000))).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn reads_in_pieces_change_nothing() {
    let (client, link, _log) = network(3);
    link.split_reads(1..=3);
    let mut rw = client.talk().await.unwrap();
    for size in [0, 1, 15, 16, 17, 1_000] {
        let message = text("x".repeat(size));
        rw.write(message.clone()).await.unwrap();
        assert_eq!(rw.read().await.unwrap(), Some(message));
    }
    link.split_reads(None);
    assert!(client.unary(text("whole again")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_partition_holds_back_one_direction_and_loses_nothing() {
    let (client, link, _log) = network(4);
    let mut rw = client.talk().await.unwrap();
    link.partition(Direction::ToClient);
    let before = link.carried(Direction::ToServer);
    rw.write(text("there")).await.unwrap();
    assert!(rw.read().timeout(100 * MS).await.unwrap_err().is_timeout());
    assert!(link.carried(Direction::ToServer) > before, "the other direction goes on");
    link.heal();
    assert_eq!(rw.read().await.unwrap(), Some(text("there")));

    link.partition(Direction::ToServer);
    let before = link.carried(Direction::Both);
    rw.write(text("and back")).await.unwrap();
    assert!(rw.read().timeout(100 * MS).await.unwrap_err().is_timeout());
    assert_eq!(link.carried(Direction::Both), before);
    link.heal();
    assert_eq!(rw.read().await.unwrap(), Some(text("and back")));
}

#[tokio::test(start_paused = true)]
async fn a_frozen_peer_takes_what_the_buffers_hold_and_no_more() {
    let (client, link, _log) = network(5);
    let (mut writer, reply) = client.upload().await.unwrap();
    link.freeze(Side::Server);
    let mut sent = 0;
    let error = loop {
        match writer.write(text("x".repeat(10_000))).timeout(50 * MS).await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_timeout());
    assert_eq!(sent, 7, "that is where the window ends");
    link.heal();
    writer.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), text("7 messages, 70000 bytes"));
}

#[tokio::test(start_paused = true)]
async fn a_frozen_client_hears_nothing_and_says_nothing() {
    let (client, link, mut log) = network(6);
    link.freeze(Side::Client);
    let call = client.unary(text("hello")).timeout(200 * MS);
    assert!(call.await.unwrap_err().is_timeout());
    assert!(log.try_recv().is_err(), "the request has not left");
    link.heal();
    assert_eq!(client.unary(text("hello")).await.unwrap(), text("hello"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_cut_anywhere_is_an_error_and_never_an_end() {
    for how in [Cut::Reset, Cut::Fin] {
        for bytes in 0..400 {
            let (host, mut log) = serve(bytes);
            let (channel, link) = host.connect(Channel::builder()).unwrap();
            let client = EverythingClient::new(channel);
            let mut reader = client.download(text("count 10;hang")).await.unwrap();
            link.cut_after(Direction::ToClient, bytes, how);
            let mut numbers = 0;
            let error = loop {
                match reader.read().timeout(10 * MS).await {
                    Ok(Some(number)) => assert_eq!(number, text(numbers.to_string())),
                    Ok(None) => panic!("an end, {bytes} bytes in"),
                    // Everything is there, and the cut is still to come.
                    Err(error) if error.is_timeout() => link.cut(how),
                    Err(error) => break error,
                }
                numbers += 1;
            };
            assert_eq!(error.kind(), ErrorKind::Network, "{error}");
            let expected = if how == Cut::Reset {
                "connection reset"
            } else {
                "the peer closed the connection"
            };
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!link.is_open());
            while log.recv().await.unwrap() != "download dropped" {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_arrived_before_a_cut_is_read() {
    let (client, link, _log) = network(8);
    let mut reader = client.download(text("count 3;hang")).await.unwrap();
    tokio::time::sleep(MS).await;
    link.cut(Cut::Reset);
    for number in 0..3 {
        assert_eq!(reader.read().await.unwrap(), Some(text(number.to_string())));
    }
    assert_eq!(reader.read().await.unwrap_err().kind(), ErrorKind::Network);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_connection_that_is_over() {
    let (host, _log) = serve(9);
    let (channel, link) = host.connect(Channel::builder()).unwrap();
    let client = EverythingClient::new(channel);
    let rw = client.talk().await.unwrap();
    let mut reader = client.download(text("count 3;hang")).await.unwrap();
    tokio::time::sleep(MS).await;
    let (near, far) = (link.census(Side::Client).unwrap(), link.census(Side::Server).unwrap());
    assert_eq!((near.streams, far.streams), (2, 2));
    assert_eq!(near.unread, 9, "three messages of three bytes");
    assert_eq!(far.waiting, 3, "each handler's task waits for the end, and one for a message");
    reader.read().await.unwrap();
    drop((reader, rw, client));
    tokio::time::sleep(MS).await;
    assert_eq!((link.census(Side::Client), link.census(Side::Server)), (None, None));
    assert!(!link.is_open());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_gave_up_waiting_for_room_is_not_remembered() {
    let (service, _log) = Obedient::new();
    let server = Server::builder().service(service).limits(Limits::default().window(1_000_000));
    let (channel, link) =
        Network::new(13).serve(server).unwrap().connect(Channel::builder()).unwrap();
    let client = EverythingClient::new(channel);
    let (mut writer, _reply) = client.upload().await.unwrap();
    link.freeze(Side::Server);
    let error = loop {
        if let Err(error) = writer.write(text("x".repeat(50_000))).timeout(50 * MS).await {
            break error;
        }
    };
    assert!(error.to_string().contains("had no room"), "{error}");
    assert_eq!(link.census(Side::Client).unwrap().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_shut_down_is_not_connected_to() {
    let (host, _log) = serve(10);
    let (channel, _link) = host.connect(Channel::builder()).unwrap();
    let client = EverythingClient::new(channel);
    let call = tokio::spawn(client.unary(text("sleep 50")).into_future());
    tokio::time::sleep(MS).await;
    host.handle().shutdown(Duration::from_secs(1)).await;
    assert_eq!(call.await.unwrap().unwrap(), text("slept"));
    assert_eq!(host.connect(Channel::builder()).unwrap_err().kind(), ErrorKind::Connect);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_run() {
    let mut runs = Vec::new();
    for seed in [11, 11, 12] {
        let (client, link, _log) = network(seed);
        link.delay(Duration::ZERO..=50 * MS);
        let mut times = Vec::new();
        for _ in 0..20 {
            let started = now();
            client.unary(text("hello")).await.unwrap();
            times.push(started.elapsed());
        }
        runs.push(times);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn a_mock_is_a_client_in_one_line_and_a_handler_runs_alone() {
    let client: EverythingClient = trill::testing::client(Obedient::new().0);
    assert_eq!(client.unary(text("mock")).await.unwrap(), text("mock"));

    let mut rw = trill::testing::bidi(|_cx, mut rw: trill::AsyncReaderWriter<_, _>| async move {
        while let Some(message) = rw.read().await? {
            rw.write(text(format!("{message:?}"))).await?;
        }
        Err(trill::Status::app(7, "as told").into())
    })
    .await
    .unwrap();
    rw.write(text("one")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text(format!("{:?}", text("one")))));
    rw.finish_writing().await.unwrap();
    assert_eq!(rw.read().await.unwrap_err().app_code(), 7);
}
