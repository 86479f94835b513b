//! One side goes away while something is open: it is killed, stopped as an operator would, or
//! leaves in order.

use std::env::current_exe;
use std::time::Duration;

use trill::Channel;
use trill_tests::{EverythingClient, text};

use crate::cell::{Outcome, cell, fine, same, waiting};
use crate::peers::{Peer, ServerProcess, free_address, listen};

pub(crate) async fn all(go: &str) -> usize {
    let trill = current_exe().expect("the system knows this program").display().to_string();
    let go_calls =
        Pair { name: "Go client -> Trill server", client: go, server: &trill, server_is_go: false };
    let trill_calls =
        Pair { name: "Trill client -> Go server", client: &trill, server: go, server_is_go: true };
    let mut failed = 0;
    for pair in [go_calls, trill_calls] {
        for (name, kind) in kinds_of(pair.client, go) {
            let name = |case: &str| format!("{name}: {case}");
            let case = name("kill -9 of the server, and a new one");
            failed += cell(pair.name, &case, pair.server_killed(kind)).await;
            let case = name("graceful stop of the server, and a new one");
            failed += cell(pair.name, &case, pair.server_stopped(kind)).await;
            let case = name("kill -9 of the client");
            failed += cell(pair.name, &case, pair.client_killed(kind)).await;
            let case = name("the client leaves in order");
            failed += cell(pair.name, &case, pair.client_leaves(kind)).await;
        }
    }
    for (name, kind) in [("unary", "short"), ("client stream", "upload"), ("bidi stream", "talk")] {
        let case = format!("{name}: ended in order during the graceful stop of the server");
        failed += cell("Go client -> Trill server", &case, drained(go, kind)).await;
    }
    for (name, client) in [("Go client", go), ("Trill client", &trill)] {
        let pair = format!("{name} -> Trill router -> Go server");
        for (name, kind) in kinds_of(client, go) {
            let case = format!("{name}: kill -9 of the router, and a new one");
            failed += cell(&pair, &case, router_killed(client, &trill, go, kind)).await;
            let case = format!("{name}: kill -9 of the server behind the router, and a new one");
            failed += cell(&pair, &case, behind_the_router(client, &trill, go, kind)).await;
        }
    }
    failed
}

/// The kinds of call, and what the clients call them. Calls of tRPC-Go are pooled or multiplexed.
fn kinds_of(client: &str, go: &str) -> Vec<(&'static str, &'static str)> {
    let streams = [
        ("client stream", "upload"),
        ("client stream, its writer blocked", "blocked"),
        ("server stream", "download"),
        ("bidi stream", "talk"),
    ];
    let unary = if client == go {
        vec![("unary, pooled", "unary"), ("unary, multiplexed", "multiplexed")]
    } else {
        vec![("unary", "unary")]
    };
    unary.into_iter().chain(streams).collect()
}

/// The server's name for the handler.
fn handler(kind: &str) -> &str {
    match kind {
        "multiplexed" => "unary",
        "blocked" => "upload",
        kind => kind,
    }
}

/// Two programs.
struct Pair<'a> {
    name: &'a str,
    client: &'a str,
    server: &'a str,
    server_is_go: bool,
}

impl Pair<'_> {
    async fn server_killed(&self, kind: &str) -> Outcome {
        let mut server = ServerProcess::start(self.server).await;
        let mut client = self.holder(&server, kind).await?;
        server.peer.kill().await;
        network_error(&waiting("the client to notice", client.says()).await)?;
        let _next = ServerProcess::start_at(self.server, &server.address).await;
        same(waiting("the client to be served", client.says()).await.as_str(), "back")
    }

    async fn server_stopped(&self, kind: &str) -> Outcome {
        let mut server = ServerProcess::start(self.server).await;
        let mut client = self.holder(&server, kind).await?;
        server.peer.terminate().await;
        let said = waiting("the client to notice", client.says()).await;
        // A server of Trill says why, unless the end of the connection is seen first.
        if self.server_is_go || !said.starts_with("ended: frame 21 the server was shut down") {
            network_error(&said)?;
        }
        waiting("the server's end", server.peer.exit()).await;
        let _next = ServerProcess::start_at(self.server, &server.address).await;
        same(waiting("the client to be served", client.says()).await.as_str(), "back")
    }

    async fn client_killed(&self, kind: &str) -> Outcome {
        let mut server = ServerProcess::start(self.server).await;
        self.holder(&server, kind).await?.kill().await;
        if self.server_is_go && matches!(kind, "unary" | "download" | "blocked") {
            // A handler of tRPC-Go that does not touch its stream notices nothing: it must be let
            // go.
            let client = EverythingClient::new(
                fine("the connection", Channel::connect(&server.address)).await?,
            );
            fine("an answer", client.unary(text("resume"))).await?;
        }
        let how = if self.server_is_go { "ended" } else { "dropped" };
        waiting("the handler's end", server.peer.has_said(&format!("{} {how}", handler(kind))))
            .await;
        leave(&mut self.holder(&server, kind).await?).await
    }

    async fn client_leaves(&self, kind: &str) -> Outcome {
        let mut server = ServerProcess::start(self.server).await;
        leave(&mut self.holder(&server, kind).await?).await?;
        waiting("the handler's end", server.peer.has_said(&format!("{} ended", handler(kind))))
            .await;
        leave(&mut self.holder(&server, kind).await?).await
    }

    async fn holder(&self, server: &ServerProcess, kind: &str) -> Outcome<Peer> {
        holder(self.client, &server.address, kind, &server.address).await
    }
}

/// A Trill server that is asked to stop lets what is open end.
async fn drained(go: &str, kind: &str) -> Outcome {
    let (handle, address, _log) = listen("127.0.0.1:0").await;
    let mut client = holder(go, &address, kind, &address).await?;
    let stop = tokio::spawn(async move { handle.shutdown(Duration::from_secs(60)).await });
    if kind == "short" {
        same(waiting("the answer", client.says()).await.as_str(), "ended: <nil>")?;
    } else {
        leave(&mut client).await?;
    }
    waiting("the server's end", stop).await.map_err(|error| error.to_string())
}

async fn router_killed(client: &str, trill: &str, go: &str, kind: &str) -> Outcome {
    let (server, address) = (ServerProcess::start(go).await, free_address());
    let arguments = ["router", &address, &server.address];
    let mut router = ServerProcess::start_as(trill, &arguments, &address).await;
    let mut client = holder(client, &address, kind, &server.address).await?;
    router.peer.kill().await;
    network_error(&waiting("the client to notice", client.says()).await)?;
    let _next = ServerProcess::start_as(trill, &arguments, &address).await;
    same(waiting("the client to be served", client.says()).await.as_str(), "back")
}

async fn behind_the_router(client: &str, trill: &str, go: &str, kind: &str) -> Outcome {
    let (mut server, address) = (ServerProcess::start(go).await, free_address());
    let mut router =
        ServerProcess::start_as(trill, &["router", &address, &server.address], &address).await;
    let mut client = holder(client, &address, kind, &server.address).await?;
    server.peer.kill().await;
    passed_on(&waiting("the client to notice", client.says()).await)?;
    let _next = ServerProcess::start_at(go, &server.address).await;
    same(waiting("the client to be served", client.says()).await.as_str(), "back")?;
    same(router.has_died(), false)
}

/// Starts a client that holds something open at an address, on which the server at `worker` works.
async fn holder(program: &str, address: &str, kind: &str, worker: &str) -> Outcome<Peer> {
    let mut client = Peer::start(program, &["hold", address, kind, worker]);
    same(waiting("the client to open it", client.says()).await.as_str(), "open")?;
    Ok(client)
}

/// Makes a client end in order what it holds open.
async fn leave(client: &mut Peer) -> Outcome {
    client.close_input();
    same(waiting("the client to leave", client.says()).await.as_str(), "left")
}

/// Checks the words of a client that has lost its connection.
fn network_error(said: &str) -> Outcome {
    // tRPC-Go says 141 or 171 for calls. On streams its 351 wraps the end of the connection, and a
    // regular end is no error.
    let known = [
        "ended: Network ",
        "ended: frame 141 ",
        "ended: frame 171 ",
        "ended: frame 351 stream is already closed",
    ];
    if known.iter().any(|start| said.starts_with(start)) {
        Ok(())
    } else {
        Err(format!("the client said {said}"))
    }
}

/// Checks the words of a client whose router has lost its connection, and passes that error on.
fn passed_on(said: &str) -> Outcome {
    let known = ["ended: Status the ", "ended: frame 141 the ", "ended: frame 301 the "];
    if known.iter().any(|start| said.starts_with(start)) {
        Ok(())
    } else {
        Err(format!("the client said {said}"))
    }
}
