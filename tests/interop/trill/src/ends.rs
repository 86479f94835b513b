//! One side goes away: killed, or stopped as an operator would.

use std::time::Duration;

use trill::{Channel, ErrorKind};
use trill_tests::{EverythingClient, listen, text};

use crate::cells::{Outcome, broken, cell, same};
use crate::peers::{Holder, ServerProcess, free_address};

pub(crate) async fn all(program: &str) -> usize {
    let (go_calls, trill_calls) = ("Go client -> Trill server", "Trill client -> Go server");
    let mut failed = 0;
    failed +=
        cell(go_calls, "kill -9 of the server with a stream open, and a new server", server_killed(program))
            .await;
    failed += cell(go_calls, "kill -9 of the client with a stream open", client_killed(program)).await;
    failed += cell(go_calls, "graceful stop of the server with a stream open", server_stopped(program)).await;
    failed +=
        cell(trill_calls, "graceful stop of the server with a stream open", go_server_stopped(program)).await;
    failed
}

async fn server_killed(program: &str) -> Outcome {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let (this, address) = (this.display().to_string(), free_address());
    let mut server = ServerProcess::start_at(&this, &address).await;
    let mut holder = Holder::start(program, &address);
    same(holder.says().await.as_str(), "open")?;
    server.kill().await;
    same(holder.says().await.as_str(), "ended")?;
    let _next = ServerProcess::start_at(&this, &address).await;
    same(holder.says().await.as_str(), "back")
}

async fn client_killed(program: &str) -> Outcome {
    let (_handle, address, mut log) = listen("127.0.0.1:0").await;
    let mut holder = Holder::start(program, &address);
    same(holder.says().await.as_str(), "open")?;
    holder.kill().await;
    same(log.recv().await.as_deref(), Some("talk dropped"))?;
    let client = EverythingClient::new(Channel::connect(&address).await.map_err(broken)?);
    same(client.unary(text("next")).await.map_err(broken)?, text("next"))
}

async fn server_stopped(program: &str) -> Outcome {
    let (handle, address, log) = listen("127.0.0.1:0").await;
    drop(log);
    let mut holder = Holder::start(program, &address);
    same(holder.says().await.as_str(), "open")?;
    handle.shutdown(Duration::from_millis(200)).await;
    same(holder.says().await.as_str(), "ended")?;
    let (_handle, _, log) = listen(&address).await;
    drop(log);
    same(holder.says().await.as_str(), "back")
}

async fn go_server_stopped(program: &str) -> Outcome {
    let mut server = ServerProcess::start(program).await;
    let client = EverythingClient::new(Channel::connect(&server.address).await.map_err(broken)?);
    let mut rw = client.talk().await.map_err(broken)?;
    rw.write(text("hello")).await.map_err(broken)?;
    same(rw.read().await.map_err(broken)?, Some(text("hello")))?;
    server.terminate().await;
    same(rw.read().await.map_err(|error| error.kind()), Err(ErrorKind::Network))
}
