//! Nothing but the peer's explicit good end looks like one: every way to end, in every kind of
//! call, seen from both sides.

use std::time::Duration;
use trill_tests::Ret as _;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use trill::server::ServerHandle;
use trill::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Context, Error, Result, Server, Status,
};
use trill_tests::process::Process;
use trill_tests::{Everything, EverythingClient, Text, text};

use crate::PEER;
use crate::proxy::{Cut, Proxy};

const LONG: Duration = Duration::from_secs(20);
const KINDS: [&str; 4] = ["unary", "upload", "download", "talk"];

/// How a call ends, and in each of the four kinds what the client sees and what the server's
/// handler does. `-` is nobody, `or` leaves open who of two is first.
const TABLE: [(Cause, [&str; 4], [&str; 4]); 14] = [
    // Without a good end, a test that finds none would say nothing.
    (Cause::GoodEnd, ["end"; 4], ["end"; 4]),
    (Cause::HandlerFails, ["Status 0/4001"; 4], ["failed"; 4]),
    (Cause::HandlerPanics, ["Status 31/0"; 4], ["dropped"; 4]),
    (
        Cause::HandlerAborted,
        [
            "Status 31/0 or Network 141/0",
            "Status 31/0 or Network 301/0",
            "Status 31/0 or Network 301/0",
            "Status 31/0 or Network 301/0",
        ],
        ["dropped"; 4],
    ),
    (
        Cause::ServerKilled,
        ["Network 141/0", "Network 301/0", "Network 301/0", "Network 301/0"],
        ["-"; 4],
    ),
    (
        Cause::ShutDown,
        ["Status 21/0"; 4],
        ["dropped", "Closed 201/0", "Closed 201/0", "Closed 201/0"],
    ),
    (Cause::Cut(Cut::Fin), NETWORK, NETWORK_AT_SERVER),
    (Cause::Cut(Cut::FinInAFrame), NETWORK, NETWORK_AT_SERVER),
    (Cause::Cut(Cut::Rst), NETWORK, NETWORK_AT_SERVER),
    (
        Cause::ChannelClosed,
        ["Closed 141/0", "Closed 301/0", "Closed 301/0", "Closed 301/0"],
        NETWORK_AT_SERVER,
    ),
    (Cause::ClientKilled, ["-"; 4], NETWORK_AT_SERVER),
    (
        Cause::Deadline,
        // A stream's limit is the server's too, rounded down: either side may be the first to say
        // so.
        [
            "Timeout 101/0",
            "Timeout 101/0 or Timeout 24/0",
            "Timeout 101/0 or Timeout 24/0",
            "Timeout 101/0 or Timeout 24/0",
        ],
        [
            "dropped",
            "Timeout 24/0 or Cancelled 101/0",
            "Timeout 24/0 or Cancelled 101/0",
            "Timeout 24/0 or Cancelled 101/0",
        ],
    ),
    // The wire cannot cancel a unary call: its handler goes on, until the channel goes with the
    // test.
    (
        Cause::HandlesDropped,
        ["-"; 4],
        ["dropped", "Cancelled 161/0", "Cancelled 161/0", "Cancelled 161/0"],
    ),
    (Cause::ClientFails, ["-"; 4], ["-", "Status 0/4002", "-", "Status 0/4002"]),
];

const NETWORK: [&str; 4] = ["Network 141/0", "Network 301/0", "Network 301/0", "Network 301/0"];
const NETWORK_AT_SERVER: [&str; 4] = ["dropped", "Network 201/0", "Network 201/0", "Network 201/0"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    GoodEnd,
    HandlerFails,
    HandlerPanics,
    HandlerAborted,
    ServerKilled,
    ShutDown,
    Cut(Cut),
    ChannelClosed,
    ClientKilled,
    Deadline,
    HandlesDropped,
    ClientFails,
}

impl Cause {
    /// The client's order to the handler.
    fn order(self) -> &'static str {
        match self {
            Self::GoodEnd => "well",
            Self::HandlerFails => "fail",
            Self::HandlerPanics => "panic",
            _ => "hang",
        }
    }

    /// Tells whether a client of this process makes the call.
    fn has_client(self) -> bool {
        self != Self::ClientKilled
    }
}

#[tokio::test]
async fn nothing_but_an_explicit_good_end_looks_like_one() {
    let mut wrong = Vec::new();
    for (cause, at_client, at_server) in TABLE {
        for (number, kind) in KINDS.into_iter().enumerate() {
            // A client that only reads has no way to fail its stream, and neither has a unary call.
            if cause == Cause::ClientFails && at_server[number] == "-" {
                continue;
            }
            let cell = tokio::time::timeout(LONG, cell(cause, kind));
            let (client, server) =
                cell.await.unwrap_or_else(|_| panic!("{cause:?}, {kind}: hangs"));
            for (side, seen, expected) in
                [("client", client, at_client[number]), ("server", server, at_server[number])]
            {
                if !expected.split(" or ").any(|expected| seen == expected) {
                    wrong
                        .push(format!("{cause:?}, {kind}: the {side} sees {seen}, not {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// One call with its end: what the two sides see of it.
async fn cell(cause: Cause, kind: &'static str) -> (String, String) {
    let mut server = Serving::start(cause).await;
    let proxy = Proxy::to(&server.address).await;
    let mut other_client = None;
    let (mut client, mut go_on) = (None, None);
    let channel = Channel::connect(&proxy.address).await.unwrap();
    if cause.has_client() {
        let (go, going) = oneshot::channel();
        go_on = Some(go);
        let caller = EverythingClient::new(channel.clone());
        client = Some(tokio::spawn(async move { call(caller, cause, kind, going).await }));
    } else {
        other_client = Some(Process::start_other(PEER, &["hold", &server.address, kind]).await);
    }
    server.has_begun().await;
    // Handlers that wait come to where they wait.
    tokio::time::sleep(Duration::from_millis(20)).await;
    match cause {
        Cause::HandlerAborted => server.runtime.take().unwrap().shutdown_background(),
        Cause::ServerKilled => server.process.as_mut().unwrap().kill().await,
        Cause::ShutDown => server.handle.as_ref().unwrap().shutdown(Duration::ZERO).await,
        Cause::Cut(how) => proxy.cut(how),
        Cause::ChannelClosed => channel.close(),
        Cause::ClientKilled => other_client.as_mut().unwrap().kill().await,
        _ => {}
    }
    drop(channel);
    if let Some(go) = go_on {
        // A call that is over already does not wait for it.
        let _ = go.send(());
    }
    let seen = match client {
        Some(client) => client.await.unwrap(),
        None => "-".to_owned(),
    };
    (seen, server.saw().await)
}

/// A server of whichever sort the cause needs.
struct Serving {
    address: String,
    handle: Option<ServerHandle>,
    reports: Option<UnboundedReceiver<String>>,
    runtime: Option<tokio::runtime::Runtime>,
    process: Option<Process>,
}

impl Serving {
    async fn start(cause: Cause) -> Self {
        if cause == Cause::ServerKilled {
            let process = Process::start_other(PEER, &["serve"]).await;
            let address = process.said.clone();
            return Self {
                address,
                handle: None,
                reports: None,
                runtime: None,
                process: Some(process),
            };
        }
        let (log, reports) = unbounded_channel();
        let serve = async move {
            let bound = Server::builder().service(Witness(log)).bind("127.0.0.1:0").await.unwrap();
            let (handle, address) = (bound.handle(), bound.local_addr().to_string());
            tokio::spawn(bound.serve());
            (handle, address)
        };
        let runtime = (cause == Cause::HandlerAborted).then(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap()
        });
        let (handle, address) = match &runtime {
            Some(runtime) => runtime.spawn(serve).await.unwrap(),
            None => serve.await,
        };
        Self { address, handle: Some(handle), reports: Some(reports), runtime, process: None }
    }

    /// Waits until the handler is at work.
    async fn has_begun(&mut self) {
        match &mut self.reports {
            Some(reports) => assert_eq!(reports.recv().await.unwrap(), "begun"),
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }

    /// Gives the handler's report on its end.
    async fn saw(&mut self) -> String {
        match &mut self.reports {
            Some(reports) => reports.recv().await.unwrap(),
            None => "-".to_owned(),
        }
    }
}

/// Makes a call, waits until it is told to go on, and says how it ended.
async fn call(
    client: EverythingClient,
    cause: Cause,
    kind: &str,
    going: oneshot::Receiver<()>,
) -> String {
    let limit = if cause == Cause::Deadline { Duration::from_secs(1) } else { LONG };
    let order = text(cause.order());
    match kind {
        "unary" => {
            let mut call = client.unary(order).timeout(limit).into_future();
            if cause != Cause::HandlesDropped {
                return said(call.await.map(drop));
            }
            tokio::select! {
                answer = &mut call => panic!("{answer:?}"),
                _ = going => {}
            }
        }
        "upload" => {
            let (mut writer, reply) = client.upload().timeout(limit).await.unwrap();
            writer.write(order).await.unwrap();
            match cause {
                Cause::GoodEnd => writer.finish().await.unwrap(),
                Cause::ClientFails => {
                    writer.fail(Status::app(4002, ""));
                    return "-".to_owned();
                }
                Cause::HandlesDropped => {}
                _ => {
                    let reply = reply.await;
                    // Only now the writer may be dropped.
                    drop(writer);
                    return said(reply.map(drop));
                }
            }
            if cause == Cause::GoodEnd {
                return said(reply.await.map(drop));
            }
        }
        "download" => {
            let order = if cause.order() == "hang" { text("count 1;hang") } else { order };
            let mut reader = client.download(order).timeout(limit).await.unwrap();
            reader.read().await.unwrap().unwrap();
            if cause != Cause::HandlesDropped {
                let _ = going.await;
                return said(until_end(&mut reader).await);
            }
        }
        "talk" => {
            let order = if cause.order() == "hang" { text("hello") } else { order };
            let mut rw = client.talk().timeout(limit).await.unwrap();
            rw.write(order).await.unwrap();
            match cause {
                Cause::HandlesDropped => drop(rw.read().await),
                Cause::ClientFails => {
                    rw.read().await.unwrap();
                    rw.fail(Status::app(4002, ""));
                }
                _ => {
                    if cause == Cause::GoodEnd {
                        rw.finish_writing().await.unwrap();
                    }
                    let (mut reader, writer) = rw.split();
                    let end = until_end(&mut reader).await;
                    drop(writer);
                    return said(end);
                }
            }
        }
        other => panic!("{other} is no kind of call"),
    }
    "-".to_owned()
}

async fn until_end(reader: &mut AsyncReader<Text>) -> Result<()> {
    while reader.read().await?.is_some() {}
    Ok(())
}

fn said(result: Result<()>) -> String {
    result.map_or_else(|error| in_short(&error), |()| "end".to_owned())
}

fn in_short(error: &Error) -> String {
    format!("{:?} {}/{}", error.kind(), error.ret(), error.app_code())
}

/// Says when it begins, and what it saw in the end. An order decides what it does: `well`, `fail`,
/// `panic`, or go on for ever.
struct Witness(UnboundedSender<String>);

/// The report of a handler, sent at the latest when it is dropped.
struct Report<'a>(&'a Witness, &'static str);

impl<'a> Report<'a> {
    fn begin(witness: &'a Witness) -> Self {
        let _ = witness.0.send("begun".to_owned());
        Self(witness, "dropped")
    }

    /// Does as ordered; nothing if that is to go on.
    fn obey(&mut self, order: &str) -> Option<Result<()>> {
        match order {
            "well" => self.1 = "end",
            "fail" => self.1 = "failed",
            "panic" => panic!("as told"),
            _ => return None,
        }
        Some(if self.1 == "end" { Ok(()) } else { Err(Status::app(4001, "").into()) })
    }

    /// The end of the input.
    fn end(mut self, result: &Result<()>) {
        match result {
            Ok(()) => self.1 = "end",
            Err(error) => {
                let _ = self.0.0.send(in_short(error));
                self.1 = "";
            }
        }
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if !self.1.is_empty() {
            let _ = self.0.0.send(self.1.to_owned());
        }
    }
}

#[trill::service]
impl Everything for Witness {
    async fn unary(&self, _cx: Context, request: Text) -> Result<Text> {
        let mut report = Report::begin(self);
        match report.obey(&request.text) {
            Some(result) => result.map(|()| request),
            None => std::future::pending().await,
        }
    }

    async fn notify(&self, _cx: Context, _request: Text) -> Result<()> {
        Ok(())
    }

    async fn upload(&self, _cx: Context, mut reader: AsyncReader<Text>) -> Result<Text> {
        let order = reader.read().await?.unwrap_or_default().text;
        let mut report = Report::begin(self);
        if order != "well"
            && let Some(result) = report.obey(&order)
        {
            return result.map(|()| text(""));
        }
        let end = until_end(&mut reader).await;
        report.end(&end);
        end.map(|()| text("complete"))
    }

    async fn download(
        &self,
        _cx: Context,
        request: Text,
        mut writer: AsyncWriter<Text>,
    ) -> Result<()> {
        writer.write(text("first")).await?;
        let mut report = Report::begin(self);
        if let Some(result) = report.obey(&request.text) {
            return result;
        }
        loop {
            let written = writer.write(text("x".repeat(1000))).await;
            if written.is_err() {
                report.end(&written);
                return written;
            }
        }
    }

    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        let order = rw.read().await?.unwrap_or_default();
        rw.write(order.clone()).await?;
        let mut report = Report::begin(self);
        if order.text != "well"
            && let Some(result) = report.obey(&order.text)
        {
            return result;
        }
        let end = loop {
            match rw.read().await {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        report.end(&end);
        end
    }
}
