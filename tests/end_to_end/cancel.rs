//! Giving up, and its consequences for the other side.

use std::time::Duration;
use trill_tests::Ret as _;

use trill::trpc::{Code, Codes};
use trill::{Context, ErrorKind, Origin, Result, Server, Status};
use trill_tests::{
    Absent, AbsentClient, EverythingClient, Log, Text, in_memory, listen, now, over_tcp, text,
};

async fn reported(log: &mut Log, what: &str) {
    let found = async { while log.recv().await.expect("the service lives") != what {} };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .unwrap_or_else(|_| panic!("never reported: {what}"));
}

/// The next report, which has to come.
async fn next(reports: &mut Log) -> String {
    let report = tokio::time::timeout(Duration::from_secs(20), reports.recv()).await;
    report.expect("nothing is reported").expect("the service lives")
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
    assert_eq!(next(&mut reports).await, "done: on my way out");
}

#[tokio::test]
async fn a_truncated_upload_never_looks_complete() {
    let (client, mut log) = in_memory();
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("half of it")).await.unwrap();
    drop(writer);
    let error = reply.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
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

        async fn talk(
            &self,
            cx: Context,
            mut rw: trill::AsyncReaderWriter<Text, Text>,
        ) -> Result<()> {
            let log = self.0.clone();
            tokio::spawn(async move {
                let error = loop {
                    match rw.read().await {
                        Ok(_) => {}
                        Err(error) => break error,
                    }
                };
                cx.cancelled().await;
                let codes = (error.ret(), error.app_code());
                let _ = log.send(format!("{:?} {codes:?} {}", error.kind(), error.message()));
            })
            .await
            .expect("no panic");
            Ok(())
        }
    }
    let (log, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let client = AbsentClient::new(Server::builder().service(Listener(log)).in_memory().unwrap());
    for (status, seen) in [
        (Status::app(42, "changed my mind"), "Status (0, 42) changed my mind"),
        (Codes::new(Code::SERVER_VALIDATE_ERR, 0).status("no good"), "Status (51, 0) no good"),
        (Codes::new(Code(-7), 8).status("both"), "Status (-7, 8) both"),
        // A reset always says something.
        (Codes::default().status("nothing"), "Status (999, 0) nothing"),
        (
            Codes::new(Code::CLIENT_CANCELED_ERR, 0).status(""),
            "Cancelled (161, 0) the client broke the stream off with code CANCELLED",
        ),
    ] {
        let mut rw = client.talk().await.unwrap();
        rw.write(text("first")).await.unwrap();
        rw.fail(status.clone());
        assert_eq!(next(&mut reports).await, seen);

        let rw = client.talk().await.unwrap().shared();
        let (reading, other) = (tokio::spawn(rw.read()), rw.clone());
        tokio::task::yield_now().await;
        other.fail(status);
        assert_eq!(next(&mut reports).await, seen);
        // For the clones on this side the stream was ended here.
        let errors =
            [reading.await.unwrap().unwrap_err(), rw.write(text("late")).await.unwrap_err()];
        for error in errors {
            assert_eq!(
                (error.kind(), error.origin()),
                (ErrorKind::Cancelled, Origin::Caller),
                "{error}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_call_on_both_sides() {
    let (client, mut log) = in_memory();
    let limit = Duration::from_secs(2);
    let error = client.unary(text("hang")).timeout(limit).await.unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 101));
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
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 354));
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
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 334));
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
        async move { client.unary(text("stay")).await }
    });
    let mut reader = client.download(text("count 3;stay")).await.unwrap();
    for _ in 0..3 {
        reader.read().await.unwrap();
    }
    trill_tests::stay(&mut log, 2).await;
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
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 354));
    assert!(error.to_string().contains("within 3s (open_timeout)"), "{error}");
}

#[tokio::test]
async fn a_client_of_a_go_server_can_give_up_with_a_normal_close() {
    let (_handle, address, mut log) = listen("127.0.0.1:0").await;
    let channel = trill::Channel::builder()
        .trpc(trill::trpc::Settings::default().cancel(trill::trpc::Cancel::HalfClose))
        .connect(&address)
        .await
        .unwrap();
    let client = EverythingClient::new(channel.clone());
    drop(client.talk().await.unwrap());
    reported(&mut log, "talk ended").await;
    // The handler of a server stream has all its input already: it ends when it has written all,
    // and nobody reads that.
    drop(client.download(text("count 50000")).await.unwrap());
    reported(&mut log, "download ended").await;
    assert!(client.unary(text("still there")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_handler_learns_at_once_that_its_caller_has_gone() {
    let (client, mut log) = in_memory();
    for kind in ["upload", "download", "talk"] {
        let handles: Box<dyn std::any::Any> = match kind {
            "upload" => Box::new(client.upload().await.unwrap()),
            "download" => Box::new(client.download(text("hang")).await.unwrap()),
            _ => Box::new(client.talk().await.unwrap()),
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
        let gone = now();
        drop(handles);
        reported(&mut log, &format!("{kind} dropped")).await;
        // Nothing but the message's way is between the two: no timer, no polling.
        assert_eq!(gone.elapsed(), Duration::ZERO, "{kind}");
    }
}

/// The wire has no word for giving up a unary call.
#[tokio::test(start_paused = true)]
async fn the_handler_of_a_dropped_unary_call_goes_on_until_its_deadline_or_the_connections_end() {
    let (client, mut log) = in_memory();
    let give_up = async |limit| {
        let call = client.unary(text("hang")).timeout(limit).into_future();
        assert!(tokio::time::timeout(Duration::from_secs(1), call).await.is_err());
    };
    let began = now();
    give_up(Duration::from_secs(5)).await;
    reported(&mut log, "unary dropped").await;
    assert_eq!(began.elapsed().as_secs(), 5);
    give_up(Duration::from_secs(3600)).await;
    drop(client);
    reported(&mut log, "unary dropped").await;
    assert_eq!(began.elapsed().as_secs(), 6);
}

/// Tasks that a handler leaves behind end with the call, however it ends.
#[tokio::test(start_paused = true)]
async fn a_detached_task_that_waits_for_the_end_of_its_call_never_outlives_it() {
    struct Leaving(tokio::sync::mpsc::UnboundedSender<String>);
    impl Leaving {
        async fn obey(&self, cx: Context, order: &str) -> Result<()> {
            assert!(!cx.is_cancelled());
            for number in 0..3 {
                let (cx, log, order) = (cx.clone(), self.0.clone(), order.to_owned());
                tokio::spawn(async move {
                    if number == 2 {
                        // Also for who comes too late.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    cx.cancelled().await;
                    assert!(cx.is_cancelled());
                    let _ = log.send(order);
                });
            }
            drop(cx);
            match order {
                "well" => Ok(()),
                "badly" => Err(Status::app(1, "").into()),
                "panic" => panic!("as told"),
                _ => std::future::pending().await,
            }
        }
    }
    #[trill::service]
    impl Absent for Leaving {
        async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
            self.obey(cx, &request.text).await.map(|()| request)
        }

        async fn talk(
            &self,
            cx: Context,
            mut rw: trill::AsyncReaderWriter<Text, Text>,
        ) -> Result<()> {
            let order = rw.read().await?.unwrap_or_default();
            self.obey(cx, &order.text).await
        }
    }
    let (log, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let client = AbsentClient::new(Server::builder().service(Leaving(log)).in_memory().unwrap());
    let before = crate::left_over::tasks();
    for order in ["well", "badly", "panic", "hang"] {
        let limit = Duration::from_millis(50);
        let _ = client.unary(text(order)).timeout(limit).await;
        let mut rw = client.talk().await.unwrap();
        rw.write(text(order)).await.unwrap();
        let _ = rw.read().timeout(limit).await;
        drop(rw);
        for _ in 0..6 {
            assert_eq!(next(&mut reports).await, order);
        }
    }
    crate::left_over::no_tasks_beyond(before).await;
}

#[tokio::test]
async fn a_servers_error_reaches_a_client_that_is_blocked_in_a_write() {
    for (client, _log) in [in_memory(), over_tcp().await] {
        let mut rw = client.talk().await.unwrap();
        // The handler reads nothing until somebody says so, and then meets the order.
        rw.write(text("wait")).await.unwrap();
        rw.write(text("error 4001 no more of that")).await.unwrap();
        let (mut reader, mut writer) = rw.split();
        let writing = tokio::spawn(async move {
            loop {
                if let Err(error) = writer.write(text("x".repeat(1_000))).await {
                    break error;
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!writing.is_finished(), "it waits for credit");
        client.unary(text("resume")).await.unwrap();
        let error = tokio::time::timeout(Duration::from_secs(20), writing)
            .await
            .expect("it is told")
            .unwrap();
        assert_eq!((error.app_code(), error.message()), (4001, "no more of that"));
        assert_eq!(reader.read().await.unwrap(), Some(text("resumed")));
        assert_eq!(reader.read().await.unwrap_err().app_code(), 4001);
    }
}
