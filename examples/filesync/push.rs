//! The client: pushes a tree to a server.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use trill::{AsyncReader, AsyncWriter, Channel, Code, Limits};

use crate::scan::{Entry, Problem, Scan, total_bytes};
use crate::send::{Outbox, Stop};
use crate::wire::{Action, FileSyncClient, Offer, SESSION, Standing, Step, Summary, WINDOW};

/// The outcome of a push.
#[derive(Debug)]
pub(crate) struct Report {
    /// The summary that the server sent.
    pub(crate) summary: Summary,
    /// How many things could not be read here.
    pub(crate) problems: u64,
}

/// Pushes `dir` to the server at `to`. When the connection is lost it starts again, where it was,
/// up to `retries` times; the channel connects again by itself.
///
/// # Errors
///
/// If `dir` cannot be read, the server cannot be reached, or it refuses.
pub(crate) async fn push(to: &str, dir: &Path, retries: u32, bar: &ProgressBar) -> Result<Report> {
    let root = dir.canonicalize().and_then(|root| root.read_dir().map(|_| root));
    let root = root.with_context(|| format!("cannot read {}", dir.display()))?;
    let total = spawn_blocking({
        let root = root.clone();
        move || total_bytes(&root)
    });
    bar.set_length(total.await?);
    let channel = Channel::builder().limits(Limits::default().window(WINDOW)).connect(to).await?;
    let mut left = retries;
    loop {
        bar.set_position(0);
        let error = match push_once(&channel, &root, bar).await {
            Ok(report) => return Ok(report),
            Err(error) => error,
        };
        // The other kinds of failure would come again.
        if left == 0 || !is_lost(&error) {
            return Err(error);
        }
        left -= 1;
        bar.suspend(|| eprintln!("{error}; trying again"));
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// The bar for a terminal; elsewhere nothing is drawn.
pub(crate) fn bar() -> ProgressBar {
    let style = "{bar:40} {percent:>3}%  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
    ProgressBar::new(0)
        .with_style(ProgressStyle::with_template(style).expect("the template is well formed"))
}

/// The way of an entry: scan (a thread) → offer → match with the server's answer → read (a thread)
/// → upload. All of them run at once, with short queues between.
async fn push_once(channel: &Channel, root: &Path, bar: &ProgressBar) -> Result<Report> {
    let client = FileSyncClient::new(channel.clone());
    let session = RandomState::new().hash_one(0).to_string();
    let (standings, offers) = client.compare().metadata(SESSION, session.clone()).await?.split();
    let (writer, summary) = client.push().metadata(SESSION, session).await?;

    let (scanned, to_offer) = mpsc::channel(QUEUED_ENTRIES);
    let (offered, to_match) = mpsc::channel(QUEUED_ENTRIES);
    let (matched, to_read) = mpsc::channel(QUEUED_ENTRIES);
    let (steps, to_upload) = mpsc::channel(QUEUED_STEPS);
    let problems = Problems::new(bar);
    let scanning = spawn_blocking({
        let (root, problems) = (root.to_owned(), problems.clone());
        move || scan(&root, &scanned, &problems)
    });
    let reading = spawn_blocking({
        let (outbox, problems) = (Outbox::new(steps, bar.clone()), problems.clone());
        move || read(to_read, &outbox, &problems)
    });
    let (writer, (), ()) = tokio::try_join!(
        upload(to_upload, writer),
        offer(to_offer, offers, offered),
        match_up(to_match, standings, matched),
    )?;
    // Only a push that came to its end may look like one: a thread that died closed its queue as
    // well.
    scanning.await?;
    reading.await?;
    writer.finish().await?;
    Ok(Report { summary: summary.await?, problems: problems.count() })
}

fn scan(root: &Path, entries: &mpsc::Sender<Entry>, problems: &Problems) {
    for entry in Scan::new(root) {
        match entry {
            Ok(entry) => {
                if entries.blocking_send(entry).is_err() {
                    return;
                }
            }
            Err(problem) => problems.report(&problem),
        }
    }
}

async fn offer(
    mut entries: mpsc::Receiver<Entry>,
    mut offers: AsyncWriter<Offer>,
    offered: mpsc::Sender<Entry>,
) -> Result<()> {
    while let Some(entry) = entries.recv().await {
        if let Entry::File(file) = &entry {
            offers.write(Offer { path: file.path.clone(), size: file.size }).await?;
        }
        if offered.send(entry).await.is_err() {
            break;
        }
    }
    Ok(offers.finish().await?)
}

async fn match_up(
    mut offered: mpsc::Receiver<Entry>,
    mut standings: AsyncReader<Standing>,
    matched: mpsc::Sender<(Entry, Standing)>,
) -> Result<()> {
    while let Some(entry) = offered.recv().await {
        let standing = match entry {
            Entry::File(_) => standings.read().await?.context("the server compares no longer")?,
            _ => Standing::default(),
        };
        if matched.send((entry, standing)).await.is_err() {
            return Ok(());
        }
    }
    anyhow::ensure!(
        standings.read().await?.is_none(),
        "the server compared more than it was offered"
    );
    Ok(())
}

fn read(mut entries: mpsc::Receiver<(Entry, Standing)>, outbox: &Outbox, problems: &Problems) {
    while let Some((entry, standing)) = entries.blocking_recv() {
        let sent = match entry {
            Entry::Enter(path) => outbox.send(Action::Enter(path)),
            Entry::Leave(dir) => outbox.send(Action::Leave(dir)),
            Entry::Link(link) => outbox.send(Action::Link(link)),
            Entry::File(file) => outbox.send_file(&file, &standing),
        };
        match sent {
            Ok(()) => {}
            Err(Stop::Skip(problem)) => problems.report(&problem),
            Err(Stop::Hangup) => return,
        }
    }
}

async fn upload(
    mut steps: mpsc::Receiver<Step>,
    mut writer: AsyncWriter<Step>,
) -> Result<AsyncWriter<Step>> {
    while let Some(step) = steps.recv().await {
        writer.write(step).await?;
    }
    Ok(writer)
}

/// Counts what cannot be copied, and says it at once.
#[derive(Clone)]
struct Problems {
    count: Arc<AtomicU64>,
    bar: ProgressBar,
}

impl Problems {
    fn new(bar: &ProgressBar) -> Self {
        Self { count: Arc::default(), bar: bar.clone() }
    }

    fn report(&self, problem: &Problem) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.bar.suspend(|| eprintln!("not copied: {problem}"));
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Tells whether the connection is gone, or the server was shut down.
fn is_lost(error: &anyhow::Error) -> bool {
    let Some(error) = error.downcast_ref::<trill::Error>() else { return false };
    error.code() == Code::Unavailable
}

const QUEUED_ENTRIES: usize = 64;

/// Each of them is a chunk at most.
const QUEUED_STEPS: usize = 4;

const BETWEEN_TRIES: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::fs;

    use trill::server::ServerHandle;

    use super::*;
    use crate::demo::{make_tree, outline};
    use crate::serve::bind;

    /// Two directories and a server that copies into the second.
    struct Scene {
        _work: tempfile::TempDir,
        from: std::path::PathBuf,
        into: std::path::PathBuf,
        address: String,
        server: ServerHandle,
    }

    impl Scene {
        async fn new() -> Self {
            let work = tempfile::tempdir().expect("a directory");
            let (from, into) = (work.path().join("from"), work.path().join("into"));
            make_tree(&from).expect("a tree");
            fs::write(from.join("huge.bin"), vec![1; HUGE]).expect("a file");
            let (address, server) = serve("127.0.0.1:0", &into).await;
            Self { _work: work, from, into, address, server }
        }

        async fn push(&self, retries: u32, bar: &ProgressBar) -> Result<Report> {
            push(&self.address, &self.from, retries, bar).await
        }

        fn assert_same(&self) {
            assert_eq!(
                outline(&self.from).expect("readable"),
                outline(&self.into).expect("readable")
            );
        }
    }

    async fn serve(address: &str, into: &Path) -> (String, ServerHandle) {
        let server = bind(address, into).await.expect("the address is free");
        let parts = (server.local_addr().to_string(), server.handle());
        tokio::spawn(server.serve());
        parts
    }

    /// Until that many bytes have been looked at.
    async fn reached(bar: &ProgressBar, bytes: u64) {
        while bar.position() < bytes {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_push_that_is_cut_off_leaves_nothing_half_done_and_the_next_one_completes_it() {
        let scene = Scene::new().await;
        let total = total_bytes(&scene.from);
        let bar = ProgressBar::hidden();
        tokio::select! {
            _ = scene.push(0, &bar) => {}
            // More than fits into windows and queues, so that something has been written.
            () = reached(&bar, total / 2) => {}
        }
        let first = outline(&scene.into).expect("readable");
        let all = outline(&scene.from).expect("readable");
        // A directory's mode comes when it is complete.
        assert!(
            first
                .iter()
                .filter(|line| !line.contains(" directory "))
                .all(|line| all.contains(line)),
            "{first:?}"
        );

        let report = scene.push(0, &ProgressBar::hidden()).await.expect("the server is there");
        assert_eq!(report.summary.failed + report.problems, 0);
        assert!(report.summary.bytes < total, "{report:?}");
        scene.assert_same();
    }

    #[tokio::test]
    async fn a_push_survives_a_restart_of_the_server() {
        let mut scene = Scene::new().await;
        let bar = ProgressBar::hidden();
        let pushing = tokio::spawn({
            let (address, from, bar) = (scene.address.clone(), scene.from.clone(), bar.clone());
            async move { push(&address, &from, 10, &bar).await }
        });
        reached(&bar, HUGE as u64 / 2).await;
        scene.server.shutdown(Duration::ZERO).await;
        scene.server = serve(&scene.address, &scene.into).await.1;
        let report = pushing.await.expect("no panic").expect("it tries again");
        assert_eq!(report.summary.failed + report.problems, 0);
        scene.assert_same();
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_copied_is_counted_and_the_others_arrive() {
        let scene = Scene::new().await;
        fs::create_dir_all(scene.into.join("large.bin")).expect("a directory in the way");
        let _socket =
            std::os::unix::net::UnixListener::bind(scene.from.join("socket")).expect("a socket");
        let report = scene.push(0, &ProgressBar::hidden()).await.expect("the server is there");
        assert_eq!((report.summary.failed, report.problems), (1, 1));
        assert_eq!(report.summary.failures[0].path, b"large.bin");
        assert_eq!(fs::metadata(scene.into.join("huge.bin")).expect("a file").len(), HUGE as u64);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_and_a_directory_that_is_not_there_are_errors() {
        let scene = Scene::new().await;
        scene.server.shutdown(Duration::ZERO).await;
        assert!(scene.push(9, &ProgressBar::hidden()).await.is_err());
        assert!(
            push(&scene.address, Path::new("/nowhere"), 0, &ProgressBar::hidden()).await.is_err()
        );
    }

    const HUGE: usize = 8 * 1024 * 1024;
}
