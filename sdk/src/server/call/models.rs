//! A model of the tasks of a batch: loom tries the orders in which they, the driver and the peer
//! can meet.

use std::sync::Arc;

use loom::future::block_on;
use loom::thread;

use crate::driver::models::{Socket, model};
use crate::driver::{
    Config, ConnError, Connection, Dispatch, Driver, IncomingCall, IncomingStream, Link,
};
use crate::service::{MethodKind, MethodSpec, ServiceSpec};
use crate::sync::Mutex;
use crate::transport::PeerAddr;
use crate::wires::trpc::{self as wire, UnaryHead};

use super::batch::Batch;
use super::handler::ServerCall;
use super::router::Router;
use super::run::Started;
use super::server_state::ServerState;
use super::service::Service;

const SPEC: ServiceSpec = ServiceSpec {
    name: "test.Refusing",
    methods: &[MethodSpec {
        path: "/test.Refusing/Call",
        kind: MethodKind::Unary,
        aliases: &[],
        json: false,
    }],
};

/// Answers at once and needs no task.
struct Refusing;

impl Service for Refusing {
    fn spec(&self) -> &'static ServiceSpec {
        &SPEC
    }

    fn dispatch(&self, _method: usize, call: ServerCall) -> Started {
        call.unknown_method()
    }
}

/// Gives each batch task a thread.
struct Threads {
    router: Arc<Router>,
    batch_tasks: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Dispatch for Threads {
    fn call(&self, link: &Link, call: IncomingCall) {
        self.router.call(link, call);
    }

    fn calls(self: Arc<Self>, link: &Link, calls: Vec<IncomingCall>) {
        for task in Batch::batch_tasks(Arc::clone(&self.router), link, calls, 2) {
            self.batch_tasks.lock().push(thread::spawn(move || block_on(task.run())));
        }
    }

    fn stream(&self, _link: &Link, _stream: Box<IncomingStream>) {
        unreachable!("the client opens none")
    }
}

fn request(out: &mut Vec<u8>, id: u32) {
    let meta = trill_proto::RequestProtocol {
        request_id: id,
        func: SPEC.methods[0].path.into(),
        ..trill_proto::RequestProtocol::default()
    };
    let head = UnaryHead { id, version: 1, reserved: 0 };
    wire::unary(out, head, &meta, wire::ANY, 0, |_: &mut Vec<u8>| {}, &[]).expect("it is small");
}

#[test]
fn loom_batch_tasks_answer_each_call_once_and_leave_nothing_unwritten() {
    model(2, || {
        let mut says = Vec::new();
        (1..=3).for_each(|id| request(&mut says, id));
        let (socket, ends) = Socket::of_client(says);
        let router = Router::new(&[Arc::new(Refusing)], Arc::new(ServerState::new(None)))
            .expect("one service");
        let router = Arc::new(router);
        let conn = Connection::server(Config::default(), router.admission());
        let threads = Arc::new(Threads { router, batch_tasks: Mutex::default() });
        let (link, driver) =
            Driver::server(conn, ends, PeerAddr::memory(), Arc::clone(&threads) as _);
        let its = Arc::clone(&socket);
        // It only looks at what has been written: nothing it does lets the server go on.
        let peer = thread::spawn(move || {
            its.wait_for(3);
            link.close(&ConnError::LocalClosed);
        });
        block_on(driver);
        peer.join().expect("it was answered");
        let batch_tasks = std::mem::take(&mut *threads.batch_tasks.lock());
        batch_tasks.into_iter().for_each(|task| task.join().expect("it ended"));
        let mut ids: Vec<_> = socket.got().into_iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3]);
    });
}
