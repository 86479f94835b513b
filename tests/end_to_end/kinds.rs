//! Every kind of call, over every transport.

use futures::future::join_all;
use trill::Channel;
use trill::Limits;
use trill_tests::{EverythingClient, Log, in_memory, listen, over_tcp, text};

pub(crate) async fn every_kind(client: &EverythingClient, log: &mut Log) {
    assert_eq!(client.unary(text("hello")).await.unwrap(), text("hello"));
    assert_eq!(client.unary(text("")).await.unwrap(), text(""));

    client.notify(text("news")).await.unwrap();
    while log.recv().await.expect("the service lives") != "notified news" {}

    let (mut writer, reply) = client.upload().await.unwrap();
    for word in ["one", "", "three"] {
        writer.write(text(word)).await.unwrap();
    }
    writer.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), text("3 messages, 8 bytes"));

    let mut reader = client.download(text("count 5000")).await.unwrap();
    for number in 0..5000 {
        assert_eq!(reader.read().await.unwrap(), Some(text(number.to_string())));
    }
    assert_eq!(reader.read().await.unwrap(), None);
    assert_eq!(reader.read().await.unwrap(), None, "the end is the same again");

    let mut rw = client.talk().await.unwrap();
    for word in ["ping", "", "pong"] {
        rw.write(text(word)).await.unwrap();
        assert_eq!(rw.read().await.unwrap(), Some(text(word)));
    }
    rw.finish_writing().await.unwrap();
    assert_eq!(rw.read().await.unwrap(), None);
    rw.finish().await.unwrap();
}

#[tokio::test]
async fn in_this_process() {
    let (client, mut log) = in_memory();
    every_kind(&client, &mut log).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_tcp_socket() {
    let (client, mut log) = over_tcp().await;
    every_kind(&client, &mut log).await;
}

#[tokio::test]
async fn over_a_unix_socket_whose_file_goes_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trill.sock");
    let (handle, address, mut log) = listen(&format!("unix:{}", path.display())).await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    every_kind(&client, &mut log).await;
    handle.shutdown(std::time::Duration::ZERO).await;
    while path.exists() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_socket_file_left_by_a_killed_server_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trill.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let (_handle, address, mut log) = listen(&format!("unix:{}", path.display())).await;
    every_kind(&EverythingClient::new(Channel::connect(&address).await.unwrap()), &mut log).await;
}

#[tokio::test]
async fn an_empty_stream_of_each_kind() {
    let (client, _log) = in_memory();
    let (writer, reply) = client.upload().await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), text("0 messages, 0 bytes"));
    let mut reader = client.download(text("count 0")).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), None);
    client.talk().await.unwrap().finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_and_streams_share_one_connection() {
    let (client, _log) = over_tcp().await;
    let talks = (0..500).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let mut rw = client.talk().await.unwrap();
            for round in 0..20 {
                let word = text(format!("{number}/{round}"));
                rw.write(word.clone()).await.unwrap();
                assert_eq!(rw.read().await.unwrap(), Some(word));
                let call = text(format!("call {number}/{round}"));
                assert_eq!(client.unary(call.clone()).await.unwrap(), call);
            }
            rw.finish().await.unwrap();
        })
    });
    for talk in join_all(talks).await {
        talk.unwrap();
    }
}

#[tokio::test]
async fn messages_larger_than_the_window_pass() {
    let (client, _log) = over_tcp().await;
    let large = text("x".repeat(3_000_000));
    let mut rw = client.talk().await.unwrap();
    for _ in 0..3 {
        rw.write(large.clone()).await.unwrap();
        assert_eq!(rw.read().await.unwrap().as_ref(), Some(&large));
    }
    rw.finish().await.unwrap();
    assert_eq!(client.unary(large.clone()).await.unwrap(), large);
}

#[tokio::test]
async fn flow_control_can_be_switched_off() {
    let (service, _log) = trill_tests::Obedient::new();
    let channel = trill::Server::builder()
        .service(service)
        .limits(Limits::default().window(0))
        .in_memory()
        .unwrap();
    let mut reader = EverythingClient::new(channel).download(text("count 20000")).await.unwrap();
    let mut count = 0;
    while reader.read().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 20_000);
}
