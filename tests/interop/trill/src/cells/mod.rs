//! The cells in which Trill calls a tRPC-Go server.
mod cancel;
mod download;
mod oneway;
pub(crate) mod pressure;
mod shapes;
mod stopped;
mod talk;
mod together;
mod unary;
mod upload;

use trill::{Channel, Compression};
use trill_tests::{EverythingClient, text};

use crate::cell::{cell, codes, fine, same};
use crate::missing::{AbsentClient, EverythingClient as MissingClient};
use crate::peers::{ServerProcess, go_client};
use crate::router;
use crate::shapes::ShapesClient;

/// Those that tRPC-Go knows; the last is its number 2.
const COMPRESSIONS: [Compression; 5] = [
    Compression::Gzip,
    Compression::Zlib,
    Compression::Snappy,
    Compression::Lz4,
    Compression::SnappyGo,
];

/// Sizes of texts about the window of 65,535 bytes: four bytes of a message are not its text.
const AROUND_THE_WINDOW: [(&str, &[usize]); 8] = [
    ("ok", &[3, 2, 5]),
    ("empty message", &[0]),
    ("no message at all", &[]),
    ("1 byte below the window", &[65_530, 1]),
    ("as large as the window", &[65_531, 1]),
    ("1 byte above the window", &[65_532, 1]),
    ("larger than the window", &[300_000, 300_000, 1]),
    ("a window that grows", &[30_000; 1_000]),
];

pub(crate) async fn trill_calls_go(program: &str) -> usize {
    let pair = "Trill client -> Go server";
    let mut server = ServerProcess::start(program).await;
    let channel = Channel::connect(&server.address).await.expect("the Go server listens");
    let mut failed = each_kind(pair, &channel, 1).await;
    failed += only_with_go(pair, &channel).await;
    failed += cancel::all(pair, &mut server).await;
    failed += cell(pair, "the Go process lives on", async { same(server.has_died(), false) }).await;
    failed
}

/// The cells that must hold with or without a router in between. `hops` is the number of
/// connections on the way.
pub(crate) async fn each_kind(pair: &str, channel: &Channel, hops: usize) -> usize {
    let client = &EverythingClient::new(channel.clone());
    let mut failed = unary::all(pair, client).await;
    failed += oneway::all(pair, client).await;
    failed += upload::all(pair, client).await;
    failed += download::all(pair, client).await;
    failed += talk::all(pair, client).await;
    failed += pressure::all(pair, client, hops).await;
    failed += stopped::all(pair, client, hops).await;
    failed += shapes::all(pair, &ShapesClient::new(channel.clone())).await;
    failed += together::all(pair, client).await;
    failed
}

pub(crate) async fn through_a_router(program: &str) -> usize {
    let pair = "Trill client -> Trill router -> Go server";
    let mut server = ServerProcess::start(program).await;
    let address = router::serve("127.0.0.1:0", &server.address).await;
    let channel = Channel::connect(&address).await.expect("the router listens");
    let mut failed = each_kind(pair, &channel, 2).await;
    failed += go_client(program, &address, "Go client -> Trill router -> Go server", 2).await;
    failed += cell(pair, "the Go process lives on", async { same(server.has_died(), false) }).await;
    failed
}

async fn only_with_go(pair: &str, channel: &Channel) -> usize {
    let client = &EverythingClient::new(channel.clone());
    let missing = &MissingClient::new(channel.clone());
    let absent = &AbsentClient::new(channel.clone());
    let mut failed = unary::unknown(pair, missing).await;
    failed += oneway::unknown(pair, client, missing).await;
    failed += upload::unknown(pair, missing).await;
    failed += download::unknown(pair, missing).await;
    failed += talk::unknown(pair, missing).await;
    for kind in ["unary", "client stream", "server stream", "bidi stream"] {
        failed += cell(pair, &format!("{kind}: unknown service"), async {
            let (code, ..) = match kind {
                "unary" => codes(absent.unary(text("")).await),
                "client stream" => codes(absent.upload().await),
                "server stream" => codes(absent.download(text("")).await),
                _ => codes(absent.talk().await),
            };
            same(code, 12)
        })
        .await;
    }
    failed += together::other_windows(pair, channel.peer()).await;
    failed += cell(pair, "unary: goes on after all that", async {
        same(fine("an answer", client.unary(text("on"))).await?, text("on"))
    })
    .await;
    failed
}
