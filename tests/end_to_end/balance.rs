//! Channels to several servers.

use std::collections::BTreeMap;
use std::time::Duration;

use trill::client::{Backoff, Balance};
use trill::{Channel, ErrorKind};
use trill_tests::{EverythingClient, listen, text};

fn soon() -> Backoff {
    Backoff::default().first(Duration::from_millis(5)).max(Duration::from_millis(20))
}

async fn connected(channel: &Channel, count: usize) {
    let all = async {
        while channel.connections() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("all servers are there");
}

#[tokio::test]
async fn calls_take_turns_and_go_on_when_a_server_dies() {
    let (first, second) = (listen("127.0.0.1:0").await, listen("127.0.0.1:0").await);
    let channel =
        Channel::builder().reconnect(soon()).connect_all([&first.1, &second.1]).await.unwrap();
    connected(&channel, 2).await;
    let client = EverythingClient::new(channel.clone());
    let mut logs = [first.2, second.2];
    for number in 0..20 {
        client.unary(text(number.to_string())).await.unwrap();
    }
    for log in &mut logs {
        let mut count = 0;
        while log.try_recv().is_ok() {
            count += 1;
        }
        assert_eq!(count, 10);
    }
    first.0.shutdown(Duration::ZERO).await;
    // A call that is sent before the channel knows of it fails; from then on none does.
    let mut failed = 0;
    for number in 0..50 {
        match client.unary(text(number.to_string())).await {
            Ok(answer) => assert_eq!(answer.text, number.to_string()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Network);
                failed += 1;
            }
        }
    }
    assert!(failed <= 1, "{failed}");
    assert!(channel.state().is_ready());
    // It comes back, and gets its share.
    let (_again, _, mut log) = listen(&first.1).await;
    connected(&channel, 2).await;
    for _ in 0..2 {
        client.unary(text("welcome")).await.unwrap();
    }
    assert!(log.try_recv().is_ok());
}

#[tokio::test]
async fn the_least_loaded_server_gets_the_next_stream() {
    let servers =
        [listen("127.0.0.1:0").await, listen("127.0.0.1:0").await, listen("127.0.0.1:0").await];
    let builder = Channel::builder().balance(Balance::LeastLoaded);
    let channel = builder.connect_all(servers.iter().map(|server| &server.1)).await.unwrap();
    connected(&channel, 3).await;
    let client = EverythingClient::new(channel.clone());
    let mut by_server = BTreeMap::new();
    for _ in 0..12 {
        let mut rw = client.talk().await.unwrap();
        rw.write(text("who")).await.unwrap();
        let _ = rw.read().await.unwrap().unwrap();
        by_server.entry(rw.peer().to_string()).or_insert_with(Vec::new).push(rw);
    }
    let counts: Vec<_> = by_server.values().map(Vec::len).collect();
    assert_eq!(counts, [4, 4, 4]);
    assert_eq!(channel.open_streams(), 12);
    // One of them has nothing to do any more: it gets all that comes.
    let (idle, streams) = by_server.pop_first().unwrap();
    for rw in streams {
        rw.finish().await.unwrap();
    }
    let mut opened = Vec::new();
    for _ in 0..4 {
        let rw = client.talk().await.unwrap();
        assert_eq!(rw.peer().as_str(), idle);
        opened.push(rw);
    }
}

#[tokio::test]
async fn a_pool_spreads_calls_over_its_connections() {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let channel = Channel::builder().connections(4).connect(&address).await.unwrap();
    connected(&channel, 4).await;
    let client = EverythingClient::new(channel);
    let mut from = std::collections::BTreeSet::new();
    for _ in 0..8 {
        from.insert(client.unary(text("who")).await.unwrap().text);
    }
    assert_eq!(from.len(), 4, "{from:?}");
}
