//! Each call is told of once when it begins and once when it ends, at both sides, whatever its kind
//! and however it ends.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use tokio::sync::Notify;

use crate::client::Channel;
use crate::client::call::Stub;
use crate::driver::{Head, Shape};
use crate::error::{Reason, Result, Status};
use crate::server::Server;
use crate::service::recorder::{RecordedSide, forget_records, records};
use crate::service::{CallOptions, MethodKind, MethodSpec, ServiceSpec};

use super::router::Router;
use super::server_state::ServerState;
use super::{ServerCall, Service, Started};

const SECOND: Duration = Duration::from_secs(1);

const fn method(path: &'static str, kind: MethodKind) -> MethodSpec {
    MethodSpec { path, kind, aliases: &[], json: false }
}

/// A method of each kind. No other test calls them, and each test here calls one kind.
const METHODS: &[MethodSpec] = &[
    method("/recorded.Calls/Unary", MethodKind::Unary),
    method("/recorded.Calls/OneWay", MethodKind::OneWay),
    method("/recorded.Calls/ClientStream", MethodKind::ClientStream),
    method("/recorded.Calls/ServerStream", MethodKind::ServerStream),
    method("/recorded.Calls/Bidi", MethodKind::Bidi),
];

const SPEC: ServiceSpec = ServiceSpec { name: "recorded.Calls", methods: METHODS };

/// The same for a server that has none of them.
const NO_SPEC: ServiceSpec = ServiceSpec { name: "recorded.Nothing", methods: &[] };

/// The way in which a handler ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Succeed,
    Fail,
    Panic,
    Wait,
    /// The call is dropped, and no handler begins.
    Drop,
    /// There is no such method.
    Refuse,
}

struct Calls {
    act: Act,
    begun: Arc<Notify>,
}

impl Service for Calls {
    fn spec(&self) -> &'static ServiceSpec {
        if self.act == Act::Refuse { &NO_SPEC } else { &SPEC }
    }

    fn dispatch(&self, method: usize, call: ServerCall) -> Started {
        if self.act == Act::Drop {
            drop(call);
            return Started::Done;
        }
        let (act, begun) = (self.act, Arc::clone(&self.begun));
        let handler = async move {
            begun.notify_one();
            match act {
                Act::Succeed => Ok(()),
                Act::Fail => Err(Status::app(7, "it fails").into()),
                Act::Panic => panic!("as it should"),
                Act::Wait => pending().await,
                Act::Drop | Act::Refuse => unreachable!("no handler begins"),
            }
        };
        match METHODS[method].kind {
            MethodKind::Unary => {
                call.unary(|_, _: u64| async move { handler.await.map(|()| 1_u64) })
            }
            MethodKind::OneWay => call.oneway(|_, _: u64| handler),
            MethodKind::ClientStream => call.client_stream(|_, reader| async move {
                let _reader: crate::AsyncReader<u64> = reader;
                handler.await.map(|()| 1_u64)
            }),
            MethodKind::ServerStream => call.server_stream(|_, _: u64, writer| async move {
                let _writer: crate::AsyncWriter<u64> = writer;
                handler.await
            }),
            MethodKind::Bidi => call.bidi(|_, rw| async move {
                let _rw: crate::AsyncReaderWriter<u64, u64> = rw;
                handler.await
            }),
        }
    }
}

type Call = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A whole call, to the end that the server gives it.
fn call(channel: &Channel, method: usize, options: CallOptions) -> Call {
    let stub = Stub::new(channel.clone(), &SPEC);
    Box::pin(async move {
        match METHODS[method].kind {
            MethodKind::Unary => stub.unary::<u64, u64>(method, 1).options(options).await.map(drop),
            MethodKind::OneWay => stub.oneway::<u64>(method, 1).options(options).await,
            MethodKind::ClientStream => {
                let stream = stub.client_stream::<u64, u64>(method).options(options);
                let (_writer, reply) = stream.await?;
                reply.await.map(drop)
            }
            MethodKind::ServerStream => {
                let stream = stub.server_stream::<u64, u64>(method, 1).options(options);
                let mut reader = stream.await?;
                while reader.read().await?.is_some() {}
                Ok(())
            }
            MethodKind::Bidi => {
                let mut rw = stub.bidi::<u64, u64>(method).options(options).await?;
                while rw.read().await?.is_some() {}
                Ok(())
            }
        }
    })
}

/// Where a call is when it ends otherwise than by its handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ends {
    /// It does not: it runs to its end.
    ByItself,
    Dropped,
    DeadlinePasses,
    ConnectionIsLost,
}

/// A server whose handlers act so, and a call of a method that ends so. Gives what both sides told.
async fn told(method: usize, act: Act, ends: Ends) -> [Vec<String>; 2] {
    let path = METHODS[method].path;
    forget_records(path);
    let begun = Arc::new(Notify::new());
    let service = Calls { act, begun: Arc::clone(&begun) };
    let server = Server::builder().service(service).abandoned_call_timeout(5 * SECOND);
    let channel = server.in_memory().expect("it is one service");
    let options = match ends {
        Ends::DeadlinePasses => CallOptions::new().timeout(SECOND),
        _ => CallOptions::new(),
    };
    let mut call = call(&channel, method, options);
    if matches!(ends, Ends::Dropped | Ends::ConnectionIsLost) {
        tokio::select! {
            () = begun.notified() => {}
            // A one-way call is over before its handler begins.
            _ = &mut call => begun.notified().await,
        }
    }
    match ends {
        Ends::ByItself | Ends::DeadlinePasses => drop(call.await),
        Ends::Dropped => drop(call),
        Ends::ConnectionIsLost => {
            channel.close();
            if METHODS[method].kind != MethodKind::OneWay {
                call.await.expect_err("its connection is lost");
            }
        }
    }
    settled(path, channel).await
}

/// The tales of both sides about a method, when nothing goes on any more.
async fn settled(path: &str, channel: Channel) -> [Vec<String>; 2] {
    tokio::time::sleep(SECOND).await;
    drop(channel);
    // So long a one-way call goes on without its connection.
    tokio::time::sleep(1_000 * SECOND).await;
    [RecordedSide::Client, RecordedSide::Server].map(|side| {
        let told = records(side, path).into_iter();
        told.map(|end| end.unwrap_or_else(|| "begins".to_owned())).collect()
    })
}

fn begins_and(end: &str) -> Vec<String> {
    vec!["begins".to_owned(), end.to_owned()]
}

/// The ends of a kind of call.
struct Kind {
    method: usize,
    /// At the client when the handler fails or panics, when there is none, and when it is dropped.
    fails: &'static str,
    refused: &'static str,
    /// At both sides when it is dropped, its time has passed, its connection is lost.
    dropped: [&'static str; 2],
    late: [&'static str; 2],
    lost: [&'static str; 2],
}

impl Kind {
    async fn check(&self) {
        let Self { method, fails, refused, dropped, late, lost } = *self;
        for (act, ends, expected) in [
            (Act::Succeed, Ends::ByItself, ["Done", "Done"]),
            (Act::Fail, Ends::ByItself, [fails, "Failed Status"]),
            (Act::Panic, Ends::ByItself, [fails, "Panicked"]),
            (Act::Drop, Ends::ByItself, [fails, "Dropped"]),
            (Act::Refuse, Ends::ByItself, [refused, "Refused"]),
            (Act::Wait, Ends::Dropped, dropped),
            (Act::Wait, Ends::DeadlinePasses, late),
            (Act::Wait, Ends::ConnectionIsLost, lost),
        ] {
            let mut told = told(method, act, ends).await;
            if ends == Ends::DeadlinePasses && METHODS[method].kind.is_stream() {
                // The side whose timer is first breaks the stream off for the other one.
                let ends = told.iter_mut().filter_map(|told| told.get_mut(1));
                ends.filter(|end| *end == "Ended Reset").for_each(|end| *end = late[0].to_owned());
            }
            assert_eq!(told, expected.map(begins_and), "{act:?}, {ends:?}");
        }
        self.check_unsent().await;
    }

    /// Calls that never come to a server.
    async fn check_unsent(&self) {
        let path = METHODS[self.method].path;
        let nowhere = || {
            let builder = Channel::builder().wait_for_ready(true);
            builder.lazy("unix:/nothing/is/there").expect("it is an address")
        };
        forget_records(path);
        let channel = nowhere();
        let mut dropped = call(&channel, self.method, CallOptions::new());
        assert!(dropped.as_mut().now_or_never().is_none(), "there is no server");
        drop(dropped);
        assert_eq!(settled(path, channel).await, [begins_and("Dropped"), vec![]]);

        forget_records(path);
        let channel = nowhere();
        let late = call(&channel, self.method, CallOptions::new().timeout(SECOND));
        late.await.expect_err("there is no server");
        assert_eq!(settled(path, channel).await, [begins_and("Failed Timeout"), vec![]]);

        forget_records(path);
        let channel = nowhere();
        drop(call(&channel, self.method, CallOptions::new()));
        assert_eq!(settled(path, channel).await, [vec![], Vec::<String>::new()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_unary_call_begins_and_ends_once() {
    let unary = Kind {
        method: 0,
        fails: "Failed Status",
        refused: "Failed Status",
        // The wire has no word for a call that is given up.
        dropped: ["Dropped", "Ended Lost"],
        late: ["Failed Timeout", "Ended Deadline"],
        lost: ["Failed Closed", "Ended Lost"],
    };
    unary.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_one_way_call_begins_and_ends_once() {
    let one_way = Kind {
        method: 1,
        fails: "Done",
        refused: "Done",
        dropped: ["Done", "Ended Abandoned"],
        late: ["Done", "Ended Deadline"],
        lost: ["Done", "Ended Abandoned"],
    };
    one_way.check().await;
}

fn stream(method: usize) -> Kind {
    Kind {
        method,
        fails: "Ended Reset",
        refused: "Ended Refused",
        dropped: ["Dropped", "Ended Reset"],
        late: ["Ended Deadline", "Ended Deadline"],
        lost: ["Ended Lost", "Ended Lost"],
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_stream_begins_and_ends_once() {
    stream(2).check().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_stream_begins_and_ends_once() {
    stream(3).check().await;
}

#[tokio::test(start_paused = true)]
async fn a_bidirectional_stream_begins_and_ends_once() {
    stream(4).check().await;
}

#[test]
fn a_method_tells_its_shape_where_the_opening_does_not() {
    let calls = Calls { act: Act::Wait, begun: Arc::default() };
    let router = Router::new(&[Arc::new(calls)], Arc::new(ServerState::new(None))).unwrap();
    let admission = Arc::new(router).admission();
    for spec in METHODS {
        let head = Head { method: Bytes::from_static(spec.path.as_bytes()), ..Head::default() };
        let (shape, other) = if spec.kind.is_stream() {
            (Shape::Stream, Shape::Unary)
        } else {
            (Shape::Unary, Shape::Stream)
        };
        let untold = admission(&head, None).expect("the server has the method");
        assert_eq!(untold.shape, shape, "{}", spec.path);
        let told = admission(&head, Some(shape)).expect("it is told as it is");
        assert_eq!((told.method, told.shape), (untold.method, shape));
        let refused = admission(&head, Some(other)).expect_err("it is told otherwise");
        assert_eq!(refused.reason(), Some(Reason::NoMethod));
    }
}
