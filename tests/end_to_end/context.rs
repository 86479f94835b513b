//! The data that travels beside messages.

use std::time::Duration;
use trill_tests::Ret as _;

use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, ErrorKind, Result, Server};
use trill_tests::{Everything, EverythingClient, Obedient, Text, in_memory, over_tcp, text};

#[tokio::test]
async fn metadata_goes_both_ways_with_unary_calls() {
    let (client, _log) = in_memory();
    let response = client
        .unary(text("meta back there"))
        .metadata("tenant", "blue")
        .metadata("binary", vec![0, 255])
        .response()
        .await
        .unwrap();
    assert_eq!(response.message, text("tenant=blue,binary=\\x00\\xff"));
    assert_eq!(response.metadata.get_str("back"), Some("there"));
    assert_eq!(response.metadata.len(), 1, "the request's metadata is not sent back");
}

#[tokio::test]
async fn metadata_goes_there_with_the_opening_and_back_with_the_end_of_a_stream() {
    let (client, _log) = in_memory();
    let mut reader =
        client.download(text("meta back there")).metadata("tenant", "blue").await.unwrap();
    assert!(reader.metadata().is_none(), "not before the end");
    assert_eq!(reader.read().await.unwrap(), Some(text("tenant=blue")));
    assert_eq!(reader.read().await.unwrap(), None);
    assert_eq!(reader.metadata().unwrap().get_str("back"), Some("there"));

    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("meta back again")).await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(reply.response().await.unwrap().metadata.get_str("back"), Some("again"));

    let mut rw = client.talk().metadata("tenant", "red").await.unwrap();
    rw.write(text("meta back once")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("tenant=red")));
    assert!(rw.metadata().is_none(), "not before the end");
    rw.finish_writing().await.unwrap();
    assert_eq!(rw.read().await.unwrap(), None);
    assert_eq!(rw.metadata().unwrap().get_str("back"), Some("once"));

    let rw = client.talk().metadata("tenant", "black").await.unwrap().shared();
    rw.write(text("meta back shared")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("tenant=black")));
    assert_eq!(rw.finish().await.unwrap().get_str("back"), Some("shared"));

    let mut rw = client.talk().metadata("tenant", "green").await.unwrap();
    rw.write(text("meta back twice")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("tenant=green")));
    assert_eq!(rw.finish().await.unwrap().get_str("back"), Some("twice"));
}

#[tokio::test]
async fn metadata_comes_with_an_error_too() {
    let (client, _log) = in_memory();
    let mut reader = client.download(text("meta why because;error 7 no")).await.unwrap();
    assert!(reader.read().await.unwrap().is_some());
    assert_eq!(reader.read().await.unwrap_err().app_code(), 7);
    assert_eq!(reader.metadata().unwrap().get_str("why"), Some("because"));
}

#[tokio::test]
async fn attachments_go_both_ways() {
    let (client, _log) = in_memory();
    let bytes = vec![7; 100_000];
    let response = client.unary(text("attach")).attachment(bytes.clone()).response().await.unwrap();
    assert_eq!((response.message, &response.attachment[..]), (text("100000 bytes"), &bytes[..]));
    let response = client.unary(text("attach")).response().await.unwrap();
    assert!(response.attachment.is_empty());
}

#[tokio::test]
async fn the_handler_knows_who_calls() {
    let (client, _log) = over_tcp().await;
    let who = client.unary(text("who")).await.unwrap().text;
    assert!(
        who.starts_with(
            "trpc.trill.client.service calls /test.all.Everything/Unary from 127.0.0.1:"
        ),
        "{who}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_handler_knows_how_long_the_caller_waits() {
    let (client, _log) = in_memory();
    assert_eq!(
        client.unary(text("left")).timeout(Duration::from_secs(3)).await.unwrap(),
        text("3000")
    );
    assert_eq!(client.unary(text("left")).await.unwrap(), text("10000"), "the channel's default");
    let mut reader = client.download(text("left")).timeout(Duration::from_secs(4)).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Some(text("4000")));
    let mut reader = client.download(text("left")).await.unwrap();
    assert_eq!(
        reader.read().await.unwrap(),
        Some(text("for ever")),
        "streams have no limit of their own"
    );
}

/// Calls the next service on behalf of its caller.
struct Relay(EverythingClient);

#[trill::service]
impl Everything for Relay {
    async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.0.unary(request).options(cx.child()).await
    }

    async fn notify(&self, cx: Context, request: Text) -> Result<()> {
        self.0.notify(request).options(cx.child()).await
    }

    async fn upload(&self, cx: Context, _reader: AsyncReader<Text>) -> Result<Text> {
        self.0.unary(text("who")).options(cx.child()).await
    }

    async fn download(
        &self,
        cx: Context,
        request: Text,
        mut writer: AsyncWriter<Text>,
    ) -> Result<()> {
        let mut upstream = self.0.download(request).options(cx.child()).await?;
        while let Some(message) = upstream.read().await? {
            writer.write(message).await?;
        }
        Ok(())
    }

    async fn talk(&self, _cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        Ok(())
    }
}

fn relayed() -> EverythingClient {
    let (service, log) = Obedient::new();
    std::mem::forget(log);
    let next = Server::builder().service(service).in_memory().unwrap();
    EverythingClient::new(
        Server::builder().service(Relay(EverythingClient::new(next))).in_memory().unwrap(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_child_call_inherits_metadata_and_the_time_that_is_left() {
    let client = relayed();
    let limit = Duration::from_secs(5);
    let answer = client.unary(text("left")).timeout(limit).await.unwrap();
    assert_eq!(answer, text("4000"), "one second was spent on the way");
    assert_eq!(
        client.unary(text("meta")).metadata("tenant", "blue").await.unwrap(),
        text("tenant=blue")
    );
    let mut reader =
        client.download(text("left;meta")).timeout(limit).metadata("tenant", "red").await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Some(text("5000")));
    assert_eq!(reader.read().await.unwrap(), Some(text("tenant=red")));
}

#[tokio::test(start_paused = true)]
async fn a_streams_deadline_shrinks_hop_by_hop_and_its_end_is_a_timeout_wherever_it_is_noticed() {
    /// Waits a second, and asks the next service how much is left.
    struct Slow(EverythingClient);
    #[trill::service]
    impl trill_tests::Absent for Slow {
        async fn unary(&self, _cx: Context, request: Text) -> Result<Text> {
            Ok(request)
        }

        async fn talk(&self, cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let mut next = self.0.talk().options(cx.child()).await?;
            while let Some(message) = rw.read().await? {
                next.write(message).await?;
                rw.write(next.read().await?.expect("the next service goes on")).await?;
            }
            Ok(())
        }
    }
    let (far, _log) = in_memory();
    let near = Server::builder().service(Slow(far)).in_memory().unwrap();
    let client = trill_tests::AbsentClient::new(near);
    let mut rw = client.talk().timeout(Duration::from_secs(5)).await.unwrap();
    rw.write(text("left")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("4000")), "one second was spent on the way");
    rw.write(text("hang")).await.unwrap();
    let error = rw.read().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

#[tokio::test]
async fn a_peer_that_answers_that_the_time_is_up_means_a_timeout_and_keeps_its_codes() {
    let (client, _log) = in_memory();
    for code in [21, 24, 101, 102, 255, 354] {
        let error = client.unary(text(format!("fail {code} late"))).await.unwrap_err();
        assert_eq!((error.kind(), error.is_timeout()), (ErrorKind::Timeout, true), "{error}");
        let status = error.status().expect("the peer has answered");
        assert_eq!((status.ret(), status.message()), (code, "late"));
        let mut reader = client.download(text(format!("fail {code} late"))).await.unwrap();
        assert!(reader.read().await.unwrap_err().is_timeout());
    }
    let error = client.unary(text("error 24 of the application's own")).await.unwrap_err();
    assert_eq!((error.kind(), error.app_code()), (ErrorKind::Status, 24));
}

#[tokio::test(start_paused = true)]
async fn a_child_call_names_the_service_in_between_as_its_caller() {
    let client = relayed();
    let (writer, reply) = client.upload().await.unwrap();
    writer.finish().await.unwrap();
    let who = reply.await.unwrap().text;
    assert!(who.starts_with("test.all.Everything calls /test.all.Everything/Unary"), "{who}");
}

#[tokio::test(start_paused = true)]
async fn a_child_call_that_runs_out_of_inherited_time_says_so() {
    struct Late;
    #[trill::service]
    impl trill_tests::Absent for Late {
        async fn unary(&self, cx: Context, _request: Text) -> Result<Text> {
            let (next, _log) = in_memory();
            // Spawned, because this handler is dropped when its caller's time is over.
            let child = cx.child();
            let call = tokio::spawn(async move { next.unary(text("hang")).options(child).await });
            let error = call.await.expect("no panic").unwrap_err();
            Ok(text(format!("{:?} {}", error.kind(), error.ret())))
        }

        async fn talk(&self, _cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
            Ok(())
        }
    }
    let channel = Server::builder().service(Late).in_memory().unwrap();
    let client = trill_tests::AbsentClient::new(channel);
    let error = client.unary(text("")).timeout(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 101));

    let (next, _log) = in_memory();
    let options = trill::CallOptions::new().timeout(Duration::ZERO);
    let error = next.unary(text("")).options(options).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.ret()),
        (ErrorKind::Timeout, 101),
        "no time at all is refused before anything is sent"
    );
}
