//! Streams that a tRPC-Go client cancels. It forgets them and sends nothing, so that the handler
//! stays until the connection ends.

use trill_tests::Log;

use crate::cell::{Outcome, cell, hear, same, waiting};
use crate::peers::{Peer, listen};

pub(crate) async fn all(go: &str) -> usize {
    let mut failed = 0;
    for (kind, handler) in
        [("client stream", "upload"), ("server stream", "download"), ("bidi stream", "talk")]
    {
        for (when, moment) in [
            ("early", "before the first answer"),
            ("middle", "in the middle"),
            ("blocked", "while the writer is blocked"),
        ] {
            let name = format!(
                "{kind}: cancelled {moment}, in silence: the handler is dropped with the connection"
            );
            failed += cell("Go client -> Trill server", &name, cancelled(go, handler, when)).await;
        }
    }
    failed
}

async fn cancelled(go: &str, handler: &str, when: &str) -> Outcome {
    let (_handle, address, mut log) = listen("127.0.0.1:0").await;
    let mut client = Peer::start(go, &["cancel", &address, handler, when]);
    same(waiting("the client to cancel", client.says()).await.as_str(), "cancelled")?;
    let dropped = format!("{handler} dropped");
    while let Ok(line) = log.try_recv() {
        same(line == dropped, false)?;
    }
    client.kill().await;
    waiting("the handler to be dropped", reported(&mut log, &dropped)).await
}

/// Waits for a line of the service.
async fn reported(log: &mut Log, line: &str) -> Outcome {
    while let Some(next) = log.recv().await {
        hear(&next);
        if next == line {
            return Ok(());
        }
    }
    Err("the service is gone".to_owned())
}
