//! How errors travel.

use trill::trpc::AppErrors;
use trill::{
    AsyncReaderWriter, Channel, Code, Context, ErrorKind, Limits, Origin, Result, Server, Status,
    WireCode,
};
use trill_tests::Ret as _;
use trill_tests::{AbsentClient, EverythingClient, Obedient, Text, in_memory, listen, text};

/// The error of each kind of call whose handler was told the same thing.
async fn each_kind(client: &EverythingClient, order: &str) -> Vec<trill::Error> {
    let mut errors = vec![client.unary(text(order)).await.unwrap_err()];
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text(order)).await.unwrap();
    errors.push(reply.await.unwrap_err());
    let mut reader = client.download(text(order)).await.unwrap();
    errors.push(reader.read().await.unwrap_err());
    let mut rw = client.talk().await.unwrap();
    rw.write(text(order)).await.unwrap();
    errors.push(rw.read().await.unwrap_err());
    errors
}

#[tokio::test]
async fn application_code_framework_code_and_text_stay_apart_in_every_kind() {
    let orders = [
        ("error 4001 the reason", 0, 4001),
        ("fail 51 the reason", 51, 0),
        ("error -7 the reason", 0, -7),
    ];
    for (app_errors, (order, code, func_ret)) in [AppErrors::Reset, AppErrors::Close]
        .into_iter()
        .flat_map(|how| orders.map(|order| (how, order)))
    {
        let server = Server::builder()
            .service(Obedient::new().0)
            .trpc(trill::trpc::Settings::default().app_errors(app_errors));
        let client = EverythingClient::new(server.in_memory().unwrap());
        for error in each_kind(&client, order).await {
            assert_eq!(error.kind(), ErrorKind::Status);
            let status = error.status().expect("the handler answered");
            assert_eq!(
                (status.ret(), status.app_code(), status.message()),
                (code, func_ret, "the reason")
            );
            assert!(error.method().unwrap().starts_with("/test.all.Everything/"), "{error}");
            assert_eq!(error.peer(), Some("memory"));
        }
    }
}

#[tokio::test]
async fn every_code_comes_back_in_every_kind_of_call_with_its_details() {
    for app_errors in [AppErrors::Reset, AppErrors::Close] {
        let server = Server::builder()
            .service(Obedient::new().0)
            .trpc(trill::trpc::Settings::default().app_errors(app_errors));
        let client = EverythingClient::new(server.in_memory().unwrap());
        for code in Code::ALL {
            let is_timeout = code == Code::DeadlineExceeded;
            for error in each_kind(&client, &format!("code {} why", code.number())).await {
                assert_eq!((error.code(), error.app_code(), error.message()), (code, 0, "why"));
                assert_eq!((error.is_timeout(), error.is_retryable()), (is_timeout, false));
                let status = error.status().expect("the handler answered");
                assert_eq!(status, &Status::new(code, "why").with_details("more of why"));
                let Some(WireCode::Trpc(said)) = error.wire_code() else { panic!("{error}") };
                assert_eq!((said.ret.0, said.func_ret), (0, code.number()));
            }
        }
    }
}

#[tokio::test]
async fn an_error_of_the_system_reaches_the_caller_with_its_code_and_no_key_is_left() {
    struct Files;
    #[trill::service]
    impl trill_tests::Absent for Files {
        async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
            cx.set_metadata("own", "1")?;
            Ok(text(std::fs::read_to_string(request.text)?))
        }

        async fn talk(&self, cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
            cx.set_metadata("own", "1")?;
            rw.write(text("first")).await?;
            Err(trill::Error::other("it is not a file"))
        }
    }
    let client = AbsentClient::new(Server::builder().service(Files).in_memory().unwrap());
    let error = client.unary(text("/no/such/file")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Status, Code::NotFound), "{error}");
    let mut rw = client.talk().await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("first")));
    let error = rw.read().await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::Unknown, "it is not a file"));
    let metadata = rw.metadata().expect("the stream is over");
    assert_eq!(metadata.iter().collect::<Vec<_>>(), [("own", &b"1"[..])]);
}

#[tokio::test]
async fn a_stream_that_was_open_is_not_retryable_whatever_its_handler_says() {
    let (client, _log) = in_memory();
    let errors = each_kind(&client, "fail 22 full").await;
    assert!(errors.iter().all(|error| error.ret() == 22), "{errors:?}");
    let retryable: Vec<_> = errors.iter().map(trill::Error::is_retryable).collect();
    assert_eq!(
        retryable,
        [true, false, false, false],
        "the unary handler says itself that it has not begun"
    );
}

#[tokio::test]
async fn a_refusal_that_a_handler_passes_on_says_that_the_handler_has_begun_and_where_it_was() {
    struct Relay(EverythingClient);
    #[trill::service]
    impl trill_tests::Absent for Relay {
        async fn unary(&self, _cx: Context, request: Text) -> Result<Text> {
            self.0.unary(request).await
        }

        async fn talk(&self, _cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
            Channel::connect("unix:/nobody/listens/here").await.map(drop)
        }
    }
    let builder = Server::builder()
        .service(Obedient::new().0)
        .limits(Limits::default().max_calls_per_connection(1));
    let upstream = EverythingClient::new(builder.in_memory().unwrap());
    let hanging = upstream.clone();
    let _hangs = tokio::spawn(async move { hanging.unary(text("hang")).await });
    let channel = Server::builder().service(Relay(upstream)).in_memory().unwrap();
    let client = AbsentClient::new(channel);
    let error = loop {
        // Not before the hanging call has arrived.
        if let Err(error) = client.unary(text("")).await {
            break error;
        }
    };
    assert_eq!((error.ret(), error.is_retryable()), (31, false), "{error}");
    assert!(
        error.message().contains("(max_calls_per_connection) (/test.all.Everything/Unary"),
        "{error}"
    );
    let error = client.talk().await.unwrap().read().await.unwrap_err();
    assert!(error.message().contains("(peer unix:/nobody/listens/here)"), "{error}");
}

#[tokio::test]
async fn a_panic_ends_its_call_with_an_error_and_nothing_else() {
    let (client, _log) = in_memory();
    let mut bystander = client.talk().await.unwrap();
    for error in each_kind(&client, "panic").await {
        assert_eq!((error.kind(), error.ret()), (ErrorKind::Status, 31));
        assert!(error.to_string().contains("panicked"), "{error}");
        assert!(!error.to_string().contains("as told"), "the panic's text is for the log: {error}");
    }
    bystander.write(text("still here")).await.unwrap();
    assert_eq!(bystander.read().await.unwrap(), Some(text("still here")));
}

#[tokio::test]
async fn messages_before_an_error_are_delivered_first() {
    let (client, _log) = in_memory();
    let mut reader = client.download(text("count 100;error 9 enough")).await.unwrap();
    for number in 0..100 {
        assert_eq!(reader.read().await.unwrap(), Some(text(number.to_string())));
    }
    for _ in 0..3 {
        assert_eq!(reader.read().await.unwrap_err().app_code(), 9, "the end is the same again");
    }
}

#[tokio::test]
async fn the_stream_of_an_error_gives_it_once_and_then_ends() {
    use futures::StreamExt;

    let (client, _log) = in_memory();
    let mut reader = client.download(text("count 1;error 9 enough")).await.unwrap();
    assert_eq!(reader.next().await.unwrap().unwrap(), text("0"));
    assert_eq!(reader.next().await.unwrap().unwrap_err().app_code(), 9);
    assert!(reader.next().await.is_none());
    assert!(reader.next().await.is_none());
}

#[tokio::test]
async fn unknown_services_are_answered_with_11_and_unknown_methods_with_12() {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let channel = trill::Channel::connect(&address).await.unwrap();
    let absent = AbsentClient::new(channel.clone());
    let error = absent.unary(text("")).await.unwrap_err();
    assert_eq!(error.ret(), 11);
    assert!(error.to_string().contains("test.all.Absent"), "{error}");
    assert_eq!(absent.talk().await.unwrap_err().ret(), 11);

    mod newer {
        //! A later version of the service, with a method more.
        use super::Text;

        #[trill::service(package = "test.all")]
        pub(super) trait Everything {
            /// Not there yet.
            async fn added_later(&self, cx: trill::Context, request: Text) -> trill::Result<Text>;
        }
    }
    let error = newer::EverythingClient::new(channel).added_later(text("")).await.unwrap_err();
    assert_eq!((error.ret(), error.origin()), (12, Origin::Peer));
    assert!(error.to_string().contains("AddedLater"), "{error}");
}

#[tokio::test]
async fn a_stream_that_the_handler_ends_early_is_a_clean_end_for_the_client() {
    let (client, _log) = in_memory();
    let mut rw = client.talk().await.unwrap();
    rw.write(text("one")).await.unwrap();
    rw.write(text("done")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("one")));
    assert_eq!(rw.read().await.unwrap(), None);
    let error = rw.write(text("too late")).await.unwrap_err();
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Closed, Origin::Peer));

    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("one")).await.unwrap();
    writer.write(text("done")).await.unwrap();
    assert_eq!(reply.await.unwrap(), text("1 messages, 3 bytes"));
}

#[tokio::test]
async fn a_blocked_writer_learns_the_servers_error() {
    let (client, _log) = in_memory();
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("sleep 20")).await.unwrap();
    writer.write(text("error 5 no more")).await.unwrap();
    let error = loop {
        if let Err(error) = writer.write(text("x".repeat(10_000))).await {
            break error;
        }
    };
    assert_eq!((error.app_code(), error.message()), (5, "no more"));
    assert_eq!(reply.await.unwrap_err().app_code(), 5);
}

#[tokio::test]
async fn nobody_listens() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = trill::Channel::connect(free.to_string()).await.unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Connect, 111));
    assert!(error.to_string().contains(&free.to_string()), "{error}");
    let error = trill::Channel::connect("nowhere").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
