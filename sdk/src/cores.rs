//! Threads with a runtime each, for servers and channels whose connections stay on one thread.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::signal::Signal;

/// More threads than any machine has processors.
const MAX_CORES: usize = 1_024;

/// Threads with a current-thread tokio runtime each. A server
/// [per core](crate::server::ServerBuilder::per_core) serves each connection on one of them, with
/// its calls and streams, and a channel [per core](crate::client::ChannelBuilder::per_core) has a
/// connection of its own on each. So a message is read, handled and answered by one thread.
///
/// **Use it** for many short calls and streams that keep several processors busy with waking each
/// other, on as many connections as there are cores at least: one connection uses one core.
///
/// **Do not** where a handler keeps its thread for long, by computing or by blocking: it holds up
/// all connections of its core, where tokio's usual runtime would move the others to another
/// thread. A handler that blocks until a call over its own core's connection is answered waits for
/// ever, and a core whose thread is kept makes no connection, whatever `connect_timeout` says. Long
/// work belongs on [`spawn_blocking`](tokio::task::spawn_blocking), which each core has;
/// `block_in_place` panics on a core. tokio's `spawn` starts a task on the same core, and
/// [`Cores::spawn`] on each in turn.
///
/// ```
/// # use trill::prost::Message;
/// # use trill::{Channel, Context, Cores, Result, Server};
/// # #[derive(Clone, PartialEq, Message)]
/// # #[prost(prost_path = "trill::prost")]
/// # pub struct Hello { #[prost(string, tag = "1")] pub msg: String }
/// # #[trill::service(package = "demo")]
/// # pub trait Greeter { async fn say_hello(&self, cx: Context, req: Hello) -> Result<Hello>; }
/// # struct MyGreeter;
/// # #[trill::service]
/// # impl Greeter for MyGreeter {
/// #     async fn say_hello(&self, _cx: Context, req: Hello) -> Result<Hello> { Ok(req) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let cores = Cores::new(2)?;
/// let server = Server::builder().service(MyGreeter).per_core(&cores).bind("127.0.0.1:0").await?;
/// let (address, handle) = (server.local_addr().to_string(), server.handle());
/// tokio::spawn(server.serve());
///
/// let channel = Channel::builder().per_core(&cores).connect(&address).await?;
/// assert_eq!(cores.count(), 2);
/// // A call from a core takes that core's connection.
/// let client = GreeterClient::new(channel);
/// let call = cores.spawn(async move { client.say_hello(Hello { msg: "hi".into() }).await });
/// assert_eq!(call.await.unwrap()?.msg, "hi");
///
/// handle.shutdown(std::time::Duration::from_secs(1)).await;
/// cores.shutdown().await;
/// # Ok(())
/// # }
/// ```
///
/// A panic of a task ends that task alone. **On drop** the threads end as soon as the tasks that
/// they run now give way, and all tasks are dropped: a server on them ends its connections and
/// fails, a channel on them is closed, and its calls fail with [`ErrorKind::Closed`].
/// [`shutdown`](Self::shutdown) waits for that. Shut servers down before.
#[must_use = "the threads end when this is dropped"]
pub struct Cores {
    set: CoreSet,
    /// The one hold on the runtimes beside their threads': each has files open.
    threads: Arc<[CoreThread]>,
    /// The turn of the next task.
    next: AtomicUsize,
    /// Closed when a thread's tasks have been dropped.
    ended: Vec<oneshot::Receiver<()>>,
}

impl Cores {
    /// Starts so many threads, 1,024 at most, named `trill-core-0` and so on. Their runtimes have
    /// timers and sockets. Waits for nothing.
    ///
    /// # Errors
    /// The count is 0 or too large ([`ErrorKind::Config`]), or the system has no more threads or
    /// files ([`ErrorKind::Internal`]).
    pub fn new(count: usize) -> Result<Self> {
        if count == 0 || count > MAX_CORES {
            let text = format!("Cores::new was given {count}: it takes 1 to {MAX_CORES}");
            return Err(Error::new(ErrorKind::Config, Origin::Caller, Reason::Config, text));
        }
        static LAST: AtomicU64 = AtomicU64::new(0);
        let set = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let over = Arc::default();
        let started: std::io::Result<Vec<_>> =
            (0..count).map(|index| start(Here { set, index }, &over)).collect();
        let (threads, ended): (Vec<_>, _) = match started {
            Ok(started) => started.into_iter().unzip(),
            Err(error) => {
                over.set();
                let text = format!("not all of {count} cores can start: {error}");
                return Err(Error::new(
                    ErrorKind::Internal,
                    Origin::Library,
                    Reason::Internal,
                    text,
                )
                .with_source(error));
            }
        };
        let threads: Arc<[_]> = threads.into();
        let set = CoreSet { id: set, count, threads: Arc::downgrade(&threads), over };
        Ok(Self { set, threads, next: AtomicUsize::new(0), ended })
    }

    /// Starts a thread for each processor that the process may use.
    ///
    /// # Errors
    /// As those of [`new`](Self::new).
    pub fn all() -> Result<Self> {
        Self::new(thread::available_parallelism().map_or(1, usize::from).min(MAX_CORES))
    }

    /// How many threads there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.set.count
    }

    /// Runs a task on a core: on each in turn. tokio's own `spawn` runs one on the core where it is
    /// called. Ready at once; dropping the handle lets the task go on.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.threads[turn % self.threads.len()].runtime.spawn(task)
    }

    /// Ends the threads: drops all their tasks, and waits until that is done. A task that keeps its
    /// thread, and never awaits, keeps this waiting. Work of `spawn_blocking` that has begun goes
    /// on.
    ///
    /// **On drop** of the future the threads end all the same.
    pub async fn shutdown(mut self) {
        self.set.over.set();
        for ended in std::mem::take(&mut self.ended) {
            // It fails when the thread is over, which is the news.
            let _ = ended.await;
        }
    }

    pub(crate) fn set(&self) -> CoreSet {
        self.set.clone()
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        self.set.over.set();
    }
}

impl fmt::Debug for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cores").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// Starts the thread of a core. The receiver is closed when its tasks have been dropped.
fn start(here: Here, over: &Arc<Signal>) -> std::io::Result<(CoreThread, oneshot::Receiver<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let over = Arc::clone(over);
    let (ends, ended) = oneshot::channel();
    let name = format!("trill-core-{}", here.index);
    thread::Builder::new().name(name).spawn(move || run(runtime, here, &over, ends))?;
    Ok((CoreThread { runtime: handle, connections: AtomicUsize::new(0) }, ended))
}

/// The thread of a core. A runtime cannot be dropped by a task, so its thread does it.
fn run(runtime: Runtime, here: Here, over: &Signal, ends: oneshot::Sender<()>) {
    HERE.set(Some(here));
    runtime.block_on(over.wait());
    runtime.shutdown_background();
    drop(ends);
}

thread_local! {
    /// The core whose thread this is.
    static HERE: Cell<Option<Here>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Here {
    set: u64,
    index: usize,
}

/// Tells whether this is called on the thread of a core.
pub(crate) fn is_core() -> bool {
    HERE.get().is_some()
}

/// The cores, for those who place connections on them. It keeps neither the threads nor what they
/// hold.
#[derive(Clone)]
pub(crate) struct CoreSet {
    id: u64,
    count: usize,
    threads: Weak<[CoreThread]>,
    /// The threads end.
    over: Arc<Signal>,
}

struct CoreThread {
    runtime: Handle,
    /// The connections of servers that are there.
    connections: AtomicUsize,
}

impl CoreSet {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Tells whether the threads end, or have ended: they take no tasks any more.
    pub(crate) fn are_over(&self) -> bool {
        self.over.is_set()
    }

    /// Waits until the threads end. Cancel safe.
    pub(crate) async fn over(&self) {
        self.over.wait().await;
    }

    /// The core where this is called, if it is one of these.
    #[inline]
    pub(crate) fn here(&self) -> Option<usize> {
        HERE.get().filter(|here| here.set == self.id).map(|here| here.index)
    }

    /// Runs a task on the core of a number, which may be larger than there are cores. When they
    /// have ended, the task is dropped.
    pub(crate) fn spawn_on(&self, number: usize, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(threads) = self.threads.upgrade() {
            threads[number % threads.len()].runtime.spawn(task);
        }
    }

    /// A seat on the core with the fewest connections; `None` if the cores have ended.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let threads = self.threads.upgrade()?;
        let load = |thread: &CoreThread| thread.connections.load(Ordering::Relaxed);
        let (index, thread) = threads.iter().enumerate().min_by_key(|(_, thread)| load(thread))?;
        thread.connections.fetch_add(1, Ordering::Relaxed);
        Some(Seat { set: self.clone(), index })
    }
}

impl fmt::Debug for CoreSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores", self.count())
    }
}

/// A place of a connection on a core, which is free again when this is dropped.
pub(crate) struct Seat {
    set: CoreSet,
    index: usize,
}

impl Seat {
    /// The number of the core.
    pub(crate) fn index(&self) -> usize {
        self.index
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(threads) = self.set.threads.upgrade() {
            threads[self.index].connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn seats_are_on_the_core_with_the_fewest_and_are_free_again() {
        let cores = Cores::new(3).unwrap();
        let set = cores.set();
        let mut seats: Vec<_> = (0..4).map(|_| set.seat().unwrap()).collect();
        let index = |seats: &[Seat]| seats.iter().map(|seat| seat.index).collect::<Vec<_>>();
        assert_eq!(index(&seats), [0, 1, 2, 0]);
        seats.remove(1);
        seats.push(set.seat().unwrap());
        seats.push(set.seat().unwrap());
        assert_eq!(index(&seats), [0, 2, 0, 1, 1]);
    }

    #[tokio::test]
    async fn tasks_are_on_each_core_in_turn_and_cores_know_only_their_own() {
        let (cores, others) = (Cores::new(2).unwrap(), Cores::new(2).unwrap());
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (set, other) = (cores.set(), others.set());
            let here = async move { (set.here(), other.here(), is_core()) };
            seen.push(cores.spawn(here).await.unwrap());
        }
        let at = |index| (Some(index), None, true);
        assert_eq!(seen, [at(0), at(1), at(0), at(1)]);
        assert_eq!((cores.set().here(), is_core()), (None, false));
    }

    #[tokio::test]
    async fn a_set_keeps_nothing_and_a_task_for_a_core_that_ended_is_dropped() {
        let cores = Cores::new(1).unwrap();
        let (set, seat) = (cores.set(), cores.set().seat());
        let threads = Arc::downgrade(&cores.threads);
        cores.shutdown().await;
        assert!(threads.upgrade().is_none() && set.seat().is_none());
        drop(seat);
        let (held, dropped) = oneshot::channel::<()>();
        set.spawn_on(7, async {
            let _held = held;
            std::future::pending::<()>().await;
        });
        dropped.await.unwrap_err();
    }

    #[tokio::test]
    async fn a_panic_of_a_task_leaves_the_core() {
        let cores = Cores::new(1).unwrap();
        assert!(cores.spawn(async { panic!("as told") }).await.unwrap_err().is_panic());
        assert_eq!(cores.spawn(async { 7 }).await.unwrap(), 7);
    }
}
