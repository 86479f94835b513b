//! The end of a server.

use std::time::Duration;
use trill_tests::Ret as _;

use trill::server::{ServerBuilder, ServerHandle};
use trill::testing::Network;
use trill::{AsyncReaderWriter, Channel, Context, ErrorKind, Result, Server};
use trill_tests::{Absent, AbsentClient, EverythingClient, Obedient, Text, listen, now, text};

/// For what must happen some time, on a machine that may be slow.
const LONG: Duration = Duration::from_secs(60);

/// A server in memory, for a clock that stands still while something goes on.
fn serve(server: ServerBuilder) -> (ServerHandle, Channel) {
    let host = Network::new(1).serve(server).unwrap();
    let (channel, _) = host.connect(Channel::builder()).unwrap();
    (host.handle(), channel)
}

#[tokio::test]
async fn an_idle_server_shuts_down_at_once_and_closes_its_connections() {
    let (handle, address, _log) = listen("127.0.0.1:0").await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    client.unary(text("hello")).await.unwrap();
    tokio::time::timeout(LONG, handle.shutdown(Duration::from_secs(3600)))
        .await
        .expect("nothing is going on");
    handle.shutdown(Duration::ZERO).await;
    assert!(client.unary(text("hello")).await.is_err());
    assert_eq!(Channel::connect(&address).await.unwrap_err().kind(), ErrorKind::Connect);
}

#[tokio::test]
async fn the_address_is_free_when_the_shutdown_is_ready() {
    let (handle, address, _log) = listen("127.0.0.1:0").await;
    // Without a connection there is nothing else to wait for.
    tokio::task::yield_now().await;
    handle.shutdown(LONG).await;
    assert!(crate::left_over::is_free(&address));
}

#[tokio::test]
async fn a_server_that_is_shut_down_before_it_serves_does_not_serve() {
    let (service, log) = trill_tests::Obedient::new();
    drop(log);
    let bound = Server::builder().service(service).bind("127.0.0.1:0").await.unwrap();
    bound.handle().shutdown(LONG).await;
    tokio::time::timeout(LONG, bound.serve()).await.expect("it ends at once").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_come_during_the_shutdown_end_with_it() {
    for _ in 0..5 {
        let (handle, address, _log) = listen("127.0.0.1:0").await;
        let connecting = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok(channel) = Channel::connect(&address).await {
                open.push(channel);
            }
        });
        tokio::task::yield_now().await;
        tokio::time::timeout(LONG, handle.shutdown(Duration::ZERO))
            .await
            .expect("every connection is closed");
        tokio::time::timeout(LONG, connecting).await.expect("nobody listens").unwrap();
    }
}

#[tokio::test]
async fn running_calls_may_finish_and_new_ones_are_refused() {
    let (handle, address, _log) = listen("127.0.0.1:0").await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let mut rw = client.talk().await.unwrap();
    let shutdown = tokio::spawn(async move { handle.shutdown(LONG).await });
    let refused = loop {
        match client.unary(text("hello")).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.ret(), 22);
    assert!(refused.to_string().contains("shutting down"), "{refused}");
    rw.write(text("last words")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("last words")));
    rw.finish().await.unwrap();
    tokio::time::timeout(LONG, shutdown).await.expect("the last stream has ended").unwrap();
}

#[tokio::test]
async fn calls_that_do_not_finish_in_time_end_with_an_error() {
    let (handle, address, mut log) = listen("127.0.0.1:0").await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let mut reader = client.download(text("count 1;hang")).await.unwrap();
    assert!(reader.read().await.unwrap().is_some());
    tokio::time::timeout(LONG, handle.shutdown(Duration::from_millis(20)))
        .await
        .expect("the grace is over");
    assert_eq!(reader.read().await.unwrap_err().ret(), 21);
    assert_eq!(log.recv().await.unwrap(), "download dropped");
}

#[tokio::test(start_paused = true)]
async fn handlers_are_told() {
    struct Patient;
    #[trill::service]
    impl Absent for Patient {
        async fn unary(&self, cx: Context, _request: Text) -> Result<Text> {
            assert!(!cx.is_draining());
            assert_eq!(cx.drain_time_left(), None);
            let told = cx.draining().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            // The clock's steps are milliseconds.
            let left = cx.drain_time_left().map(|left| left.as_millis().div_ceil(1000));
            Ok(text(format!("told {told:?}, now {left:?} s")))
        }

        async fn talk(&self, _cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
            Ok(())
        }
    }
    let (handle, channel) = serve(Server::builder().service(Patient));
    let client = AbsentClient::new(channel);
    let call = tokio::spawn(async move { client.unary(text("")).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    handle.shutdown(Duration::from_secs(20)).await;
    assert_eq!(call.await.unwrap().unwrap(), text("told 20s, now Some(19) s"));
}

/// By the clock of the runtime, which moves only when nothing else does.
#[tokio::test(start_paused = true)]
async fn the_last_end_wakes_the_shutdown_and_nobody_looks_for_it_now_and_then() {
    let (handle, channel) = serve(Server::builder().service(Obedient::new().0));
    let client = EverythingClient::new(channel);
    let mut streams = [client.talk().await.unwrap(), client.talk().await.unwrap()];
    for rw in &mut streams {
        rw.write(text("hello")).await.unwrap();
        rw.read().await.unwrap();
    }
    let call =
        tokio::spawn(client.unary(text("wait")).timeout(Duration::from_secs(3600)).into_future());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let shutdown = tokio::spawn(async move { handle.shutdown(Duration::from_secs(3600)).await });
    tokio::time::sleep(Duration::from_secs(60)).await;
    let ended = now();
    // An order of the stream's ends the call; then the streams end, in both ways.
    streams[0].write(text("resume")).await.unwrap();
    assert_eq!(call.await.unwrap().unwrap(), text("resumed"));
    let [first, second] = streams;
    first.finish().await.unwrap();
    drop(second);
    shutdown.await.unwrap();
    // The connections are read for 100 ms after the last answer.
    assert_eq!(ended.elapsed().as_millis().div_euclid(10), 10);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_can_be_asked_for_many_times_and_the_shortest_grace_counts() {
    let (service, mut log) = Obedient::new();
    let (handle, channel) = serve(Server::builder().service(service));
    let client = EverythingClient::new(channel);
    let mut rw = client.talk().await.unwrap();
    rw.write(text("hang")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = now();
    let others: Vec<_> = [3600, 60, 7, 3600]
        .map(Duration::from_secs)
        .into_iter()
        .map(|grace| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.shutdown(grace).await })
        })
        .collect();
    tokio::time::timeout(LONG, handle.shutdown(Duration::MAX))
        .await
        .expect("another one has a limit");
    for other in others {
        other.await.unwrap();
    }
    assert_eq!(began.elapsed().as_secs(), 7);
    assert_eq!(rw.read().await.unwrap_err().ret(), 21);
    assert_eq!(log.recv().await.unwrap(), "talk dropped");
    handle.shutdown(Duration::from_secs(60)).await;
    assert_eq!(began.elapsed().as_secs(), 7, "it is down already");
}

#[tokio::test]
async fn a_shutdown_that_is_given_up_goes_on_refusing_and_can_be_taken_up_again() {
    let (handle, address, _log) = listen("127.0.0.1:0").await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let other = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let mut rw = client.talk().await.unwrap();
    // The server has heard of it, and is to refuse what comes on it.
    other.unary(text("hello")).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), handle.shutdown(LONG)).await.is_err());
    assert_eq!(client.unary(text("hello")).await.unwrap_err().ret(), 22);
    assert_eq!(other.talk().await.unwrap_err().ret(), 22);
    rw.write(text("still here")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("still here")));
    let shutdown = tokio::spawn(async move { handle.shutdown(LONG).await });
    rw.finish().await.unwrap();
    tokio::time::timeout(LONG, shutdown).await.expect("nothing is going on").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_one_way_call_whose_caller_is_gone_and_its_deadline_counts() {
    let (service, mut log) = Obedient::new();
    let (handle, channel) = serve(Server::builder().service(service));
    let client = EverythingClient::new(channel);
    client.notify(text("sleep 1000")).timeout(Duration::from_secs(9)).await.unwrap();
    client.notify(text("hang")).timeout(Duration::from_secs(5)).await.unwrap();
    assert_eq!(log.recv().await.unwrap(), "notified sleep 1000");
    assert_eq!(log.recv().await.unwrap(), "notified hang");
    drop(client);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = now();
    handle.shutdown(Duration::from_secs(3600)).await;
    // The second one's deadline is the last thing to wait for; part of it has passed.
    assert_eq!(began.elapsed().as_secs(), 4);
}

#[tokio::test]
async fn dropping_the_last_channel_still_sends_what_is_queued() {
    let (_handle, address, mut log) = listen("127.0.0.1:0").await;
    for number in 0..20 {
        let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
        client.notify(text(number.to_string())).await.unwrap();
        drop(client);
        assert_eq!(log.recv().await.unwrap(), format!("notified {number}"));
    }
}

#[tokio::test]
async fn a_one_way_call_does_not_outlive_its_server() {
    let (handle, address, mut log) = listen("127.0.0.1:0").await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    client.notify(text("hang")).await.unwrap();
    assert_eq!(log.recv().await.unwrap(), "notified hang");
    tokio::time::timeout(LONG, handle.shutdown(Duration::from_millis(20)))
        .await
        .expect("the grace is over");
    drop(handle);
    // The service goes with its last handler, and its reports end.
    assert_eq!(
        tokio::time::timeout(LONG, log.recv()).await.expect("the handler was dropped"),
        None
    );
}
