//! The server: a destination tree that others push to.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use trill::server::{Bound, ServerBuilder};
use trill::{AsyncReader, AsyncReaderWriter, Context, Limits, Result, Server, Status};

use crate::gate::{Gate, Pass};
use crate::receive::{NoRoom, Receiver};
use crate::tree::Tree;
use crate::wire::{
    FileSync, FileSyncServer, Offer, SESSION, Standing, Step, Summary, WINDOW, code,
};

/// Opens the destination and the port.
///
/// # Errors
///
/// If the directory cannot be made or the address is taken.
pub(crate) async fn bind(listen: &str, into: &Path) -> anyhow::Result<Bound> {
    Ok(server(into)?.bind(listen).await?)
}

fn server(into: &Path) -> anyhow::Result<ServerBuilder> {
    let tree = Tree::open(into).with_context(|| format!("cannot copy into {}", into.display()))?;
    let service = Destination { tree: Arc::new(tree), gate: Gate::new() };
    Ok(Server::builder()
        .service(FileSyncServer::new(service))
        .limits(Limits::default().window(WINDOW))
        .read_timeout(STALLED))
}

struct Destination {
    tree: Arc<Tree>,
    gate: Gate,
}

impl FileSync for Destination {
    async fn compare(&self, cx: Context, offers: AsyncReaderWriter<Offer, Standing>) -> Result<()> {
        let _pass = self.admit(&cx).await?;
        let (mut offers, mut standings) = offers.split();
        while let Some(offer) = offers.read().await? {
            let tree = Arc::clone(&self.tree);
            let standing = spawn_blocking(move || tree.standing(&offer)).await.map_err(panicked)?;
            standings.write(standing).await?;
        }
        Ok(())
    }

    async fn push(&self, cx: Context, mut steps: AsyncReader<Step>) -> Result<Summary> {
        let pass = self.admit(&cx).await?;
        let (queue, arrived) = mpsc::channel(QUEUED_STEPS);
        let tree = Arc::clone(&self.tree);
        let writing = spawn_blocking(move || write_steps(&tree, arrived, pass));
        while let Some(step) = steps.read().await? {
            if queue.send(step).await.is_err() {
                // The writer gave up; its result says why.
                break;
            }
        }
        drop(queue);
        let (result, _pass) = writing.await.map_err(panicked)?;
        let summary = result.map_err(|NoRoom(error)| {
            Status::app(code::NO_ROOM, format!("nothing more can be stored: {error}"))
        })?;
        if summary.failed + summary.abandoned == 0 {
            // Everything is in its place, so whatever is left of earlier pushes is of no use. If it
            // stays, no harm is done.
            let tree = Arc::clone(&self.tree);
            let _ = spawn_blocking(move || tree.clear()).await;
        }
        println!(
            "{}: {} files written, {} were there, {} failed",
            cx.peer(),
            summary.files,
            summary.same,
            summary.failed
        );
        Ok(summary)
    }
}

impl Destination {
    /// Waits for the push that is running, but not for ever.
    async fn admit(&self, cx: &Context) -> Result<Pass> {
        let session = cx.metadata().get(SESSION).unwrap_or_default();
        tokio::time::timeout(PATIENCE, self.gate.enter(session))
            .await
            .map_err(|_| Status::app(code::BUSY, "another push is running").into())
    }
}

/// Runs until the stream ends. The pass comes back at the end: as long as this thread writes,
/// nobody else may.
fn write_steps(
    tree: &Tree,
    mut arrived: mpsc::Receiver<Step>,
    pass: Pass,
) -> (std::result::Result<Summary, NoRoom>, Pass) {
    let mut receiver = Receiver::new(tree);
    let mut write = || -> std::result::Result<(), NoRoom> {
        tree.prepare().map_err(NoRoom)?;
        while let Some(step) = arrived.blocking_recv() {
            receiver.step(step)?;
        }
        Ok(())
    };
    let result = write().map(|()| receiver.finish());
    (result, pass)
}

/// For `spawn_blocking`: there is nothing else that can go wrong with it.
fn panicked(error: tokio::task::JoinError) -> trill::Error {
    Status::app(code::BROKEN, io::Error::from(error).to_string()).into()
}

/// How many steps wait for the disk. Each is a chunk at most.
const QUEUED_STEPS: usize = 8;

/// How long a push waits for the one before it, which may just be ending.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a push may send nothing, which keeps all others out. To read the largest file that is
/// there already takes less.
const STALLED: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FileSyncClient;

    #[tokio::test(start_paused = true)]
    async fn a_push_that_stays_open_and_sends_nothing_lets_the_next_one_in() {
        let into = tempfile::tempdir().expect("a directory");
        let channel = server(into.path()).expect("a tree").in_memory().expect("a runtime");
        let client = FileSyncClient::new(channel);
        let (_kept, reply) = client.push().metadata(SESSION, "first").await.expect("it is let in");
        let reply = tokio::spawn(reply.into_future());
        // The thread that writes holds the clock.
        for _ in 0..1_000 {
            if reply.is_finished() {
                break;
            }
            tokio::time::advance(STALLED / 100).await;
            tokio::task::yield_now().await;
        }
        assert!(reply.is_finished(), "the push is still inside");
        let error = reply.await.expect("no panic").expect_err("it has sent nothing");
        assert!(error.is_timeout(), "{error}");
        let (steps, reply) = client.push().metadata(SESSION, "second").await.expect("it is let in");
        steps.finish().await.expect("nothing to send");
        assert_eq!(reply.await.expect("it is empty").files, 0);
    }
}
