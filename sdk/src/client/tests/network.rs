//! Addresses that answer, refuse or say nothing, as a test wants, and the calls it makes.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use futures::FutureExt;
use prost::Message as _;
use tokio::time::Instant;
use trill_proto::{RequestProtocol, ResponseProtocol, TransInfoEntry};

use crate::client::call::{Stub, Unary};
use crate::client::connect::{Connect, ConnectAttempt};
use crate::client::{Channel, ChannelBuilder, StateWatch};
use crate::clock::now;
use crate::driver::{
    Admitted, Config, Connection, Dispatch, Driver, Head, IncomingCall, IncomingStream, Link, Shape,
};
use crate::error::Result;
use crate::service::{MethodKind, MethodSpec, ServiceSpec};
use crate::sync::Mutex;
use crate::transport::{Address, Ends, PeerAddr, memory_pair};

/// The behaviour of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// A server that reads, and never says anything.
    Accepts,
    Refuses,
    /// Nothing is there: not even a refusal comes back.
    Nothing,
    /// The attempt panics.
    Panics,
    /// A server that drains, and says so.
    Drains,
    /// A server that takes one stream, and drains from then on.
    DrainsBehindAStream,
}

/// A network in which everything takes no time.
#[derive(Default)]
pub(super) struct Network(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    answers: BTreeMap<String, Answer>,
    /// When which address was connected to.
    attempts: Vec<(Instant, String)>,
    /// The servers' ends of the connections that were accepted.
    accepted: BTreeMap<String, Vec<Ends>>,
    /// How many attempts go on.
    pending: Arc<()>,
}

impl Network {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn set(&self, address: &str, answer: Answer) {
        self.0.lock().answers.insert(address.to_owned(), answer);
    }

    /// The settings of a channel in this network.
    pub(super) fn builder(self: &Arc<Self>) -> ChannelBuilder {
        let network: Arc<Self> = Arc::clone(self);
        Channel::builder().connect_by(network)
    }

    /// When an address was connected to, in milliseconds after `since`.
    pub(super) fn attempts(&self, since: Instant) -> Vec<u128> {
        self.0.lock().attempts.iter().map(|(at, _)| at.duration_since(since).as_millis()).collect()
    }

    pub(super) fn attempts_at(&self, address: &str) -> usize {
        self.0.lock().attempts.iter().filter(|(_, to)| to == address).count()
    }

    /// How many connections to an address the client has not closed.
    pub(super) fn open(&self, address: &str) -> usize {
        let mut inside = self.0.lock();
        let Some(ends) = inside.accepted.get_mut(address) else { return 0 };
        // A pipe whose reader is gone breaks; one that takes no bytes because there are none would
        // take others.
        ends.retain(|ends| {
            ends.output.try_write(b"").is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        });
        ends.len()
    }

    /// Reads what the client has sent on its connections.
    pub(super) fn read(&self, address: &str) -> Vec<u8> {
        let mut inside = self.0.lock();
        let mut read = BytesMut::new();
        for ends in inside.accepted.entry(address.to_owned()).or_default() {
            let mut cx = Context::from_waker(Waker::noop());
            loop {
                read.reserve(64 * 1024);
                let Poll::Ready(Ok(1..)) = ends.input.poll_read(&mut cx, &mut read) else { break };
            }
        }
        read.to_vec()
    }

    /// The server of the oldest connection says that it drains, to the call that begins these
    /// bytes.
    pub(super) fn refuse(&self, address: &str, request: &[u8]) {
        let header = usize::from(u16::from_be_bytes([request[8], request[9]]));
        let asked = RequestProtocol::decode(&request[16..16 + header]).unwrap();
        let mark = TransInfoEntry { key: Some("trill-draining".into()), value: Some("1".into()) };
        let answer = ResponseProtocol {
            request_id: asked.request_id,
            ret: 22,
            trans_info: vec![mark],
            ..ResponseProtocol::default()
        }
        .encode_to_vec();
        let mut frame = request[..16].to_vec();
        frame[4..8].copy_from_slice(&u32::try_from(16 + answer.len()).unwrap().to_be_bytes());
        frame[8..10].copy_from_slice(&u16::try_from(answer.len()).unwrap().to_be_bytes());
        frame.extend(answer);
        let inside = self.0.lock();
        assert_eq!(inside.accepted[address][0].output.try_write(&frame).unwrap(), frame.len());
    }

    /// The server ends all its connections.
    pub(super) fn hang_up(&self, address: &str) {
        drop(self.0.lock().accepted.remove(address));
    }

    /// How many attempts go on.
    pub(super) fn pending(&self) -> usize {
        Arc::strong_count(&self.0.lock().pending) - 1
    }
}

struct Drains;

impl Dispatch for Drains {
    fn call(&self, _: &Link, _: IncomingCall) {}
    fn calls(self: Arc<Self>, _: &Link, _: Vec<IncomingCall>) {}
    fn stream(&self, link: &Link, _: Box<IncomingStream>) {
        link.drain();
    }
}

impl Connect for Network {
    fn connect<'a>(&'a self, address: &'a Address, _limits: &'a Config) -> ConnectAttempt<'a> {
        Box::pin(async move {
            let address = address.to_string();
            let (answer, _pending) = {
                let mut inside = self.0.lock();
                inside.attempts.push((clock(), address.clone()));
                let answer = inside.answers.get(&address).copied().unwrap_or(Answer::Refuses);
                (answer, Arc::clone(&inside.pending))
            };
            match answer {
                Answer::Refuses => Err(io::ErrorKind::ConnectionRefused.into()),
                Answer::Nothing => std::future::pending().await,
                Answer::Panics => panic!("a defect"),
                Answer::Accepts => {
                    let (near, far) = memory_pair();
                    self.0.lock().accepted.entry(address).or_default().push(far);
                    Ok((near, PeerAddr::memory()))
                }
                Answer::Drains | Answer::DrainsBehindAStream => {
                    let (near, far) = memory_pair();
                    let conn = Connection::server(
                        Config::default(),
                        Arc::new(|_: &Head, shape: Option<Shape>| {
                            Ok(Admitted { method: 0, shape: shape.expect("its wire tells it") })
                        }),
                    );
                    let (link, driver) =
                        Driver::server(conn, far, PeerAddr::memory(), Arc::new(Drains));
                    if answer == Answer::Drains {
                        link.drain();
                    }
                    tokio::spawn(driver);
                    Ok((near, PeerAddr::memory()))
                }
            }
        })
    }
}

/// A call that is made, and that no server of this network answers.
pub(super) fn call(channel: &Channel) -> Unary<(), ()> {
    Stub::new(channel.clone(), &SPEC).unary(0, ())
}

/// Sends a call that is not waited for.
pub(super) async fn hint(channel: &Channel) -> Result<()> {
    Stub::new(channel.clone(), &SPEC).oneway(0, ()).await
}

/// The names of the states that the watch has to tell, until it would wait.
pub(super) async fn told(watch: &mut StateWatch) -> Vec<String> {
    settle().await;
    let mut names = Vec::new();
    while let Some(Some(state)) = watch.next().now_or_never() {
        let name = format!("{state:?}");
        names.push(name.split(' ').next().unwrap_or("").to_owned());
    }
    names
}

/// Lets all tasks go on until they wait.
pub(super) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// Lets time pass, in steps, so that who wakes up on the way does so when it is due.
pub(super) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
    settle().await;
}

/// The time of the tests.
pub(super) fn clock() -> Instant {
    Instant::from_std(now())
}

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

static SPEC: ServiceSpec = ServiceSpec { name: "test.Service", methods: &[METHOD] };
const METHOD: MethodSpec =
    MethodSpec { path: "/test.Service/Call", aliases: &[], kind: MethodKind::Unary, json: false };
