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
use trill::{AsyncReader, AsyncWriter, Channel, ErrorKind};

use crate::scan::{Entry, Problem, Scan, total_bytes};
use crate::send::{Outbox, Stop};
use crate::wire::{Action, FileSyncClient, Offer, SESSION, Standing, Step, Summary, WINDOW};

/// What a push did.
#[derive(Debug)]
pub(crate) struct Report {
    /// What the server says.
    pub(crate) summary: Summary,
    /// How many things could not be read here.
    pub(crate) problems: u64,
}

/// Pushes `dir` to the server at `to`. When the connection is lost it starts again, where it was, up to `retries` times.
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
    let mut channel = Channel::builder().window(WINDOW).connect(to).await?;
    let mut left = retries;
    loop {
        bar.set_position(0);
        let error = match push_once(&channel, &root, bar).await {
            Ok(report) => return Ok(report),
            Err(error) => error,
        };
        // The other kinds of failure would come again.
        if !is_lost(&error) {
            return Err(error);
        }
        channel = loop {
            if left == 0 {
                return Err(error);
            }
            left -= 1;
            bar.suspend(|| eprintln!("{error:#}; trying again"));
            tokio::time::sleep(BETWEEN_TRIES).await;
            if let Ok(channel) = Channel::builder().window(WINDOW).connect(to).await {
                break channel;
            }
        };
    }
}

/// The bar for a terminal; elsewhere nothing is drawn.
pub(crate) fn bar() -> ProgressBar {
    let style = "{bar:40} {percent:>3}%  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
    ProgressBar::new(0).with_style(ProgressStyle::with_template(style).expect("the template is well formed"))
}

/// The way of an entry: scan (a thread) → offer → match with the server's answer → read (a thread) → upload.
/// All of them run at once, with short queues between.
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
    // Only a push that came to its end may look like one: a thread that died closed its queue as well.
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
    anyhow::ensure!(standings.read().await?.is_none(), "the server compared more than it was offered");
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

async fn upload(mut steps: mpsc::Receiver<Step>, mut writer: AsyncWriter<Step>) -> Result<AsyncWriter<Step>> {
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

fn is_lost(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<trill::Error>().map(trill::Error::kind);
    matches!(kind, Some(ErrorKind::Network | ErrorKind::Connect))
}

const QUEUED_ENTRIES: usize = 64;

/// Each of them is a chunk at most.
const QUEUED_STEPS: usize = 4;

const BETWEEN_TRIES: Duration = Duration::from_secs(1);
