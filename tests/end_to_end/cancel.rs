//! Giving up, and its consequences for the other side.

use std::time::Duration;

use trill::testing::{Cut, Network};
use trill::{Context, ErrorKind, Result, Server};
use trill_tests::{Absent, AbsentClient, EverythingClient, Log, Text, in_memory, listen, over_tcp, text};

async fn reported(log: &mut Log, what: &str) {
    let found = async { while log.recv().await.expect("the service lives") != what {} };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .unwrap_or_else(|_| panic!("never reported: {what}"));
}

#[tokio::test]
async fn dropping_any_handle_of_a_client_drops_the_handler() {
    for (client, mut log) in [in_memory(), over_tcp().await] {
        drop(client.download(text("hang")).await.unwrap());
        reported(&mut log, "download dropped").await;

        let (mut writer, reply) = client.upload().await.unwrap();
        writer.write(text("hang")).await.unwrap();
        drop(writer);
        reported(&mut log, "upload dropped").await;
        assert!(reply.await.is_err());

        let mut rw = client.talk().await.unwrap();
        rw.write(text("hang")).await.unwrap();
        drop(rw);
        reported(&mut log, "talk dropped").await;

        let (reader, mut writer) = client.talk().await.unwrap().split();
        drop(reader);
        writer.write(text("hang")).await.unwrap();
        drop(writer);
        reported(&mut log, "talk dropped").await;
    }
}

#[tokio::test]
async fn a_one_way_call_is_carried_out_although_its_caller_is_gone() {
    struct Slow(tokio::sync::mpsc::UnboundedSender<String>);
    #[trill::service]
    impl trill_tests::Hints for Slow {
        async fn hint(&self, _cx: Context, request: Text) -> Result<()> {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let _ = self.0.send(format!("done: {}", request.text));
            Ok(())
        }
    }
    let (log, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let bound = Server::builder().service(Slow(log)).bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    let client = trill_tests::HintsClient::new(trill::Channel::connect(address).await.unwrap());
    client.hint(text("on my way out")).await.unwrap();
    drop(client);
    assert_eq!(reports.recv().await.unwrap(), "done: on my way out");
}

#[tokio::test(start_paused = true)]
async fn a_one_way_call_without_its_connection_ends_at_its_deadline_or_at_the_shutdown() {
    struct Endless(tokio::sync::mpsc::UnboundedSender<()>);
    struct Guard(tokio::sync::mpsc::UnboundedSender<()>);
    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    #[trill::service]
    impl trill_tests::Hints for Endless {
        async fn hint(&self, _cx: Context, _request: Text) -> Result<()> {
            let _guard = Guard(self.0.clone());
            std::future::pending().await
        }
    }
    for limit in [Some(Duration::from_secs(2)), None] {
        let (log, mut dropped) = tokio::sync::mpsc::unbounded_channel();
        let host = Network::new(1).serve(Server::builder().service(Endless(log))).unwrap();
        let (channel, link) = host.connect(trill::Channel::builder()).unwrap();
        let call = trill_tests::HintsClient::new(channel).hint(text("for ever"));
        match limit {
            Some(limit) => call.timeout(limit).await.unwrap(),
            None => call.await.unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        link.cut(Cut::Reset);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(dropped.try_recv().is_err(), "its work is still wanted");
        if limit.is_none() {
            host.handle().shutdown(Duration::ZERO).await;
        }
        let ended = tokio::time::timeout(Duration::from_secs(2), dropped.recv()).await;
        assert_eq!(ended, Ok(Some(())), "with a limit of {limit:?}");
    }
}

#[tokio::test]
async fn a_truncated_upload_never_looks_complete() {
    let (client, mut log) = in_memory();
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("half of it")).await.unwrap();
    drop(writer);
    let error = reply.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Canceled);
    reported(&mut log, "upload dropped").await;
}

#[tokio::test]
async fn dropping_one_half_leaves_the_other_usable() {
    let (client, _log) = in_memory();
    let (reader, mut writer) = client.talk().await.unwrap().split();
    drop(reader);
    for _ in 0..200 {
        // More than the window: what nobody reads must not hold the writer up.
        writer.write(text("x".repeat(1_000))).await.unwrap();
    }
    writer.finish().await.unwrap();
}

#[tokio::test]
async fn a_client_can_fail_its_stream_with_a_code() {
    struct Listener(tokio::sync::mpsc::UnboundedSender<String>);
    #[trill::service]
    impl Absent for Listener {
        async fn unary(&self, _cx: Context, request: Text) -> Result<Text> {
            Ok(request)
        }

        async fn talk(&self, cx: Context, mut rw: trill::AsyncReaderWriter<Text, Text>) -> Result<()> {
            let log = self.0.clone();
            tokio::spawn(async move {
                let error = loop {
                    match rw.read().await {
                        Ok(_) => {}
                        Err(error) => break error,
                    }
                };
                cx.cancelled().await;
                let _ = log.send(format!("{:?}: {}", error.kind(), error.message()));
            })
            .await
            .expect("no panic");
            Ok(())
        }
    }
    let (log, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let client = AbsentClient::new(Server::builder().service(Listener(log)).in_memory().unwrap());
    let mut rw = client.talk().await.unwrap();
    rw.write(text("first")).await.unwrap();
    rw.abort(42, "changed my mind");
    assert_eq!(reports.recv().await.unwrap(), "Canceled: the client broke the stream off: changed my mind");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_call_on_both_sides() {
    let (client, mut log) = in_memory();
    let limit = Duration::from_secs(2);
    let error = client.unary(text("hang")).timeout(limit).await.unwrap_err();
    assert_eq!((error.kind(), error.code().0), (ErrorKind::Timeout, 101));
    assert!(error.to_string().contains("within 2s (timeout)"), "{error}");
    reported(&mut log, "unary dropped").await;

    let mut reader = client.download(text("hang")).timeout(limit).await.unwrap();
    assert!(reader.read().await.unwrap_err().is_timeout());
    reported(&mut log, "download dropped").await;

    let (mut writer, reply) = client.upload().timeout(limit).await.unwrap();
    writer.write(text("hang")).await.unwrap();
    assert!(reply.await.unwrap_err().is_timeout());
    reported(&mut log, "upload dropped").await;
}

#[tokio::test(start_paused = true)]
async fn a_unary_call_has_a_limit_by_default() {
    let (client, _log) = in_memory();
    let error = client.unary(text("hang")).await.unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains("10s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_times_out_leaves_the_stream_usable_and_loses_nothing() {
    let (client, _log) = in_memory();
    let mut rw = client.talk().await.unwrap();
    let error = rw.read().timeout(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!((error.kind(), error.code().0), (ErrorKind::Timeout, 354));
    rw.write(text("sleep 100")).await.unwrap();
    assert!(rw.read().timeout(Duration::from_millis(50)).await.is_err());
    assert_eq!(rw.read().timeout(Duration::from_secs(1)).await.unwrap(), Some(text("slept")));
    assert!(rw.read().timeout(Duration::ZERO).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_write_that_times_out_was_not_sent_and_leaves_the_stream_usable() {
    let (client, _log) = in_memory();
    let mut rw = client.talk().await.unwrap();
    rw.write(text("sleep 1000")).await.unwrap();
    let filler = text("x".repeat(20_000));
    let mut sent = 0;
    let error = loop {
        match rw.write(filler.clone()).timeout(Duration::from_millis(50)).await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.code().0), (ErrorKind::Timeout, 334));
    assert!(error.to_string().contains("no credit"), "{error}");
    assert_eq!(rw.read().await.unwrap(), Some(text("slept")));
    for _ in 0..sent {
        assert_eq!(rw.read().await.unwrap().as_ref(), Some(&filler));
    }
    rw.write(text("on it goes")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("on it goes")));
}

#[tokio::test]
async fn a_lost_connection_ends_everything_on_both_sides() {
    let (_handle, address, mut log) = listen("127.0.0.1:0").await;
    let channel = trill::Channel::connect(&address).await.unwrap();
    let client = EverythingClient::new(channel.clone());
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.unary(text("hang")).await }
    });
    let mut reader = client.download(text("count 3;hang")).await.unwrap();
    for _ in 0..3 {
        reader.read().await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    channel.close();
    assert_eq!(reader.read().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(call.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    let mut ends = [String::new(), String::new()];
    for end in &mut ends {
        *end = log.recv().await.unwrap();
    }
    ends.sort();
    assert_eq!(ends, ["download dropped", "unary dropped"]);
    let error = client.unary(text("again")).await.unwrap_err();
    assert!(error.to_string().contains("was not sent"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_accepts_is_given_up() {
    // A listener that accepts nothing and answers nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let channel = trill::Channel::builder()
        .open_timeout(Duration::from_secs(3))
        .connect(listener.local_addr().unwrap().to_string())
        .await
        .unwrap();
    let client = EverythingClient::new(channel);
    let error = client.talk().await.unwrap_err();
    assert_eq!((error.kind(), error.code().0), (ErrorKind::Timeout, 354));
    assert!(error.to_string().contains("within 3s (open_timeout)"), "{error}");
}

#[tokio::test]
async fn a_client_of_a_go_server_can_give_up_with_a_normal_close() {
    let (_handle, address, mut log) = listen("127.0.0.1:0").await;
    let channel =
        trill::Channel::builder().cancel(trill::client::Cancel::HalfClose).connect(&address).await.unwrap();
    let client = EverythingClient::new(channel.clone());
    drop(client.talk().await.unwrap());
    reported(&mut log, "talk ended").await;
    // The handler of a server stream has all its input already: it ends when it has written all, and nobody reads that.
    drop(client.download(text("count 50000")).await.unwrap());
    reported(&mut log, "download ended").await;
    assert!(client.unary(text("still there")).await.is_ok());
}
