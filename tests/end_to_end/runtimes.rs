//! Channels that outlive the tokio runtime they were made in, or are used while that stands still.

use std::error::Error as _;
use std::future::{Future, IntoFuture};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use trill_tests::Ret as _;

use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};
use trill::client::{Resolve, State};
use trill::{Channel, Error, ErrorKind, Result, Server};
use trill_tests::{EverythingClient, Obedient, Text, listen, text};

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// A limit that passes in a test.
const SHORT: Duration = Duration::from_millis(200);

fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn several() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A server in a runtime of its own.
fn server() -> (Runtime, String) {
    let runtime = several();
    let (_, address, _) = runtime.block_on(listen("127.0.0.1:0"));
    (runtime, address)
}

/// Runs it in a runtime, and panics if it does not end.
fn ends<T>(runtime: &Runtime, work: impl IntoFuture<Output = T>) -> T {
    let ended = runtime.block_on(async { tokio::time::timeout(LONG, work.into_future()).await });
    ended.expect("it ends")
}

/// A channel that was connected in a runtime that is gone.
fn left_over(address: &str, settings: trill::client::ChannelBuilder) -> Channel {
    let first = single();
    let channel = first.block_on(settings.connect(address)).unwrap();
    drop(first);
    channel
}

async fn one_of_each(client: &EverythingClient) -> Result<()> {
    assert_eq!(client.unary(text("hello")).await?, text("hello"));
    client.notify(text("by the way")).await?;
    let mut rw = client.talk().await?;
    rw.write(text("hello")).await?;
    assert_eq!(rw.read().await?, Some(text("hello")));
    rw.finish().await.map(drop)
}

#[test]
fn a_channel_in_a_static_works_in_one_runtime_after_the_other() {
    static CLIENT: OnceLock<EverythingClient> = OnceLock::new();
    let (_server, address) = server();
    for number in 0..6 {
        let runtime = if number % 2 == 0 { single() } else { several() };
        let client = CLIENT
            .get_or_init(|| EverythingClient::new(Channel::builder().lazy(&address).unwrap()));
        ends(&runtime, one_of_each(client)).unwrap();
    }
}

#[test]
fn a_channel_in_a_static_works_in_runtimes_that_come_and_go_together() {
    let (_server, address) = server();
    let channel = Channel::builder().wait_for_ready(true).lazy(&address).unwrap();
    let come_and_go = |channel: &Channel| {
        for _ in 0..10 {
            let client = EverythingClient::new(channel.clone());
            // A call on a connection that ends with another's runtime is told so: it was sent, and
            // may be made again here.
            while let Err(error) = ends(&single(), one_of_each(&client)) {
                assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                assert!(error.message().contains("runtime"), "{error}");
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| come_and_go(&channel));
        }
    });
}

#[test]
fn calls_without_a_limit_go_on_in_the_next_runtime() {
    let (_server, address) = server();
    let channel = left_over(&address, Channel::builder().timeout(None).open_timeout(Duration::MAX));
    assert!(matches!(channel.state(), State::Idle), "{channel:?}");
    ends(&several(), one_of_each(&EverythingClient::new(channel))).unwrap();
}

#[test]
fn who_waits_for_ready_gets_a_connection_in_the_next_runtime() {
    let (_server, address) = server();
    let channel = left_over(&address, Channel::builder());
    let second = several();
    ends(&second, channel.ready()).unwrap();
    assert!(channel.state().is_ready());
}

#[test]
fn a_call_whose_connection_ends_with_its_runtime_is_told_so() {
    let server = several();
    let (_handle, address, mut log) = server.block_on(listen("127.0.0.1:0"));
    let (first, second) = (several(), several());
    let client = EverythingClient::new(first.block_on(Channel::connect(&address)).unwrap());
    // It is sent when its handler has begun.
    let calling = second.spawn(client.unary(text("stay")).timeout(LONG).into_future());
    assert_eq!(ends(&second, log.recv()).as_deref(), Some("stays"));
    drop(first);
    let error = ends(&second, calling).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(!error.is_retryable() && error.message().contains("runtime"), "{error}");
    assert_eq!(ends(&second, client.unary(text("hello"))).unwrap(), text("hello"));
}

/// The error of a call on a connection whose runtime stands still.
fn while_it_stands_still<T, C: IntoFuture<Output = Result<T>>>(
    settings: trill::client::ChannelBuilder,
    call: impl FnOnce(EverythingClient) -> C,
) -> Error {
    let (_server, address) = server();
    let still = single();
    let channel = still.block_on(settings.connect(&address)).unwrap();
    ends(&several(), call(EverythingClient::new(channel))).map(drop).unwrap_err()
}

#[test]
fn limits_hold_while_the_runtime_of_the_connection_stands_still() {
    let error =
        while_it_stands_still(Channel::builder().timeout(SHORT), |client| client.unary(text("x")));
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 101), "{error}");
    let call = |client: EverythingClient| client.unary(text("x")).timeout(SHORT).response();
    let error = while_it_stands_still(Channel::builder(), call);
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 101), "{error}");

    let error =
        while_it_stands_still(Channel::builder().open_timeout(SHORT), |client| client.talk());
    assert!(error.is_timeout() && error.message().contains("open_timeout"), "{error}");
    let call = |client: EverythingClient| client.download(text("x")).timeout(SHORT);
    let error = while_it_stands_still(Channel::builder().open_timeout(LONG), call);
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 101), "{error}");
    let call = |client: EverythingClient| client.upload().timeout(SHORT);
    let error = while_it_stands_still(Channel::builder().open_timeout(Duration::MAX), call);
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 101), "{error}");
}

#[test]
fn the_limit_of_an_open_stream_holds_while_the_runtime_of_the_connection_stands_still() {
    let (_server, address) = server();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    // Goes on until it is told to stop, then is kept without being driven.
    let home = std::thread::spawn(move || {
        let still = single();
        still.block_on(async {
            tell.send(Channel::connect(&address).await.unwrap()).unwrap();
            stopped.await.unwrap();
        });
        still
    });
    let client = EverythingClient::new(told.recv().unwrap());
    let here = several();
    let mut rw = ends(&here, client.talk().timeout(SHORT * 5)).unwrap();
    stop.send(()).unwrap();
    let _still = home.join().unwrap();
    let error = ends(&here, rw.read()).unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 101), "{error}");
}

#[test]
fn a_runtime_without_timers_or_sockets_is_an_error_of_the_caller() {
    let (_server, address) = server();
    for (builder, lacks) in [
        (Builder::new_current_thread().enable_time(), "enable_io"),
        (Builder::new_current_thread().enable_io(), "enable_time"),
    ] {
        let runtime = builder.build().unwrap();
        let lazy = Channel::builder().timeout(None).wait_for_ready(true).lazy(&address).unwrap();
        let client = EverythingClient::new(lazy.clone());
        for error in [
            runtime.block_on(Channel::connect(&address)).unwrap_err(),
            runtime.block_on(lazy.ready()).unwrap_err(),
            runtime.block_on(client.unary(text("x")).timeout(SHORT).into_future()).unwrap_err(),
            runtime.block_on(client.talk().into_future()).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.message().contains(lacks) && !error.is_retryable(), "{error}");
        }
        // Elsewhere it works.
        ends(&single(), one_of_each(&client)).unwrap();
    }
}

/// A runtime in which nothing that has a limit of time can wait.
fn without_timers() -> Runtime {
    Builder::new_current_thread().enable_io().build().unwrap()
}

fn is_config(error: &Error, lacks: &str) {
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.message().contains(lacks) && !error.is_retryable(), "{error}");
}

#[test]
fn a_limit_that_cannot_be_kept_on_another_runtimes_connection_is_an_error_of_the_caller() {
    let server = several();
    let (_handle, address, mut log) = server.block_on(listen("127.0.0.1:0"));
    let (home, here) = (several(), without_timers());
    let channel = ends(&home, Channel::connect(&address)).unwrap();
    let client = EverythingClient::new(channel);
    for error in [
        here.block_on(client.unary(text("stay")).into_future()).unwrap_err(),
        here.block_on(client.unary(text("stay")).timeout(SHORT).response()).unwrap_err(),
        here.block_on(client.upload().into_future()).map(drop).unwrap_err(),
        here.block_on(client.download(text("stay")).into_future()).map(drop).unwrap_err(),
        here.block_on(client.talk().timeout(SHORT).into_future()).map(drop).unwrap_err(),
    ] {
        is_config(&error, "enable_time");
        assert!(error.method().is_some() && error.peer().is_some(), "{error}");
    }
    assert!(log.try_recv().is_err(), "nothing of them was sent");
    // Without a limit nothing needs a timer, and elsewhere all goes on.
    let unlimited = ends(&home, Channel::builder().timeout(None).connect(&address)).unwrap();
    here.block_on(EverythingClient::new(unlimited).unary(text("x")).into_future()).unwrap();
    ends(&home, one_of_each(&client)).unwrap();
}

#[test]
fn a_limit_of_an_operation_that_cannot_be_kept_is_an_error_of_it_alone() {
    let (_server, address) = server();
    let home = several();
    for settings in [Channel::builder(), Channel::builder().read_timeout(LONG)] {
        let client = EverythingClient::new(ends(&home, settings.connect(&address)).unwrap());
        let mut rw = ends(&home, client.talk()).unwrap();
        is_config(&without_timers().block_on(rw.read().timeout(SHORT)).unwrap_err(), "enable_time");
        let outside = rw.read().timeout(SHORT).now_or_never().expect("it fails at once");
        is_config(&outside.unwrap_err(), "no tokio runtime");
        ends(&home, rw.write(text("hello"))).unwrap();
        assert_eq!(ends(&home, rw.read()).unwrap(), Some(text("hello")));
    }
    let settings = Channel::builder().read_timeout(LONG);
    let client = EverythingClient::new(ends(&home, settings.connect(&address)).unwrap());
    let mut rw = ends(&home, client.talk()).unwrap();
    is_config(&without_timers().block_on(rw.read()).unwrap_err(), "enable_time");
}

#[test]
fn a_server_needs_timers_and_sockets() {
    let builder = || Server::builder().service(Obedient::new().0);
    let without_sockets = Builder::new_current_thread().enable_time().build().unwrap();
    let bound = single().block_on(builder().bind("127.0.0.1:0")).unwrap();
    for (error, lacks) in [
        (without_timers().block_on(builder().bind("127.0.0.1:0")).unwrap_err(), "enable_time"),
        (without_timers().block_on(async { builder().in_memory().unwrap_err() }), "enable_time"),
        (without_timers().block_on(bound.serve()).unwrap_err(), "enable_time"),
        (without_sockets.block_on(builder().bind("127.0.0.1:0")).unwrap_err(), "enable_io"),
    ] {
        is_config(&error, lacks);
    }
}

/// Gives its addresses, but panics when it is asked for the first time.
struct Faulty {
    asked: AtomicU32,
    address: String,
}

impl Faulty {
    fn new(address: &str) -> Self {
        Self { asked: AtomicU32::new(0), address: address.to_owned() }
    }
}

#[trill::async_trait]
impl Resolve for Faulty {
    fn name(&self) -> String {
        "faulty".to_owned()
    }

    async fn resolve(&self) -> io::Result<Vec<String>> {
        assert!(
            self.asked.fetch_add(1, Ordering::Relaxed) > 0,
            "the registry's client has a defect"
        );
        Ok(vec![self.address.clone()])
    }
}

#[tokio::test]
async fn a_resolver_that_panics_is_an_error_and_is_asked_again() {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let connect = Channel::builder().connect_with(Faulty::new(&address));
    let error = tokio::time::timeout(LONG, connect).await.expect("it ends").unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Internal, Some("faulty")));
    assert!(error.message().contains("resolver of the servers panicked"), "{error}");
    assert!(error.message().contains("the registry's client has a defect"), "{error}");

    let channel = Channel::builder().lazy_with(Faulty::new(&address)).unwrap();
    let client = EverythingClient::new(channel);
    let error = client.unary(text("x")).await.unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Internal, Some("faulty")));
    let again = client.unary(text("x")).timeout(LONG);
    assert_eq!(
        again.await.unwrap(),
        text("x"),
        "the next call does not wait for a panic to be forgotten"
    );
}

/// Says without end that it has news.
struct Restless(String);

#[trill::async_trait]
impl Resolve for Restless {
    fn name(&self) -> String {
        "restless".to_owned()
    }

    async fn resolve(&self) -> io::Result<Vec<String>> {
        Ok(vec![self.0.clone()])
    }

    async fn changed(&self) {}
}

/// In a runtime of its own, because one that is kept busy never ends.
#[test]
fn a_resolver_that_always_has_news_keeps_no_thread() {
    let (_server, address) = server();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let channel = Channel::builder().lazy_with(Restless(address)).unwrap();
        let called =
            single().block_on(EverythingClient::new(channel).unary(text("x")).into_future());
        let _ = tell.send(called);
    });
    assert_eq!(told.recv_timeout(LONG).expect("the call ends").unwrap(), text("x"));
}

/// One that fails again and again does not keep others from going on, least of all those who would
/// mend that.
#[test]
fn who_calls_again_without_a_pause_lets_others_go_on() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        single().block_on(async {
            let client = EverythingClient::new(Channel::builder().lazy(&address).unwrap());
            until_it_works(|| client.unary(text("x")).into_future(), &address).await;
            let _ = tell.send(());
        });
    });
    told.recv_timeout(LONG).expect("the server is there before long");
}

/// Calls until a server is there, which comes after a few failures on the same thread.
async fn until_it_works<F: Future<Output = Result<Text>>>(call: impl Fn() -> F, address: &str) {
    let (address, mut server) = (address.to_owned(), None);
    let mut failures = 0_u64;
    while let Err(error) = call().await {
        assert!(matches!(error.kind(), ErrorKind::Connect), "{error}: {:?}", error.source());
        failures += 1;
        if failures == 10 {
            let address = address.clone();
            server = Some(tokio::spawn(async move { listen(&address).await }));
        }
    }
    drop(server);
}
