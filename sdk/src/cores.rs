//! Threads with a runtime each, for servers and channels whose connections stay on one thread.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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
/// ever. Long work belongs on [`spawn_blocking`](tokio::task::spawn_blocking), which each core has;
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
        let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let mut cores = Vec::new();
        let mut this = Self {
            set: CoreSet { id, cores: Arc::new([]), next: Arc::default(), over: Arc::default() },
            ended: Vec::new(),
        };
        for index in 0..count {
            let started = this.start(Here { set: id, index });
            cores.push(started.map_err(|error| {
                let text = format!("core {index} of {count} cannot start: {error}");
                Error::new(ErrorKind::Internal, Origin::Library, Reason::Internal, text)
                    .with_source(error)
            })?);
        }
        this.set.cores = cores.into();
        Ok(this)
    }

    /// Starts a thread for each processor that the process may use.
    ///
    /// # Errors
    /// As those of [`new`](Self::new).
    pub fn all() -> Result<Self> {
        Self::new(thread::available_parallelism().map_or(1, usize::from).min(MAX_CORES))
    }

    fn start(&mut self, here: Here) -> std::io::Result<CoreThread> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let over = Arc::clone(&self.set.over);
        let (ends, ended) = oneshot::channel();
        let name = format!("trill-core-{}", here.index);
        thread::Builder::new().name(name).spawn(move || run(runtime, here, &over, ends))?;
        self.ended.push(ended);
        Ok(CoreThread { runtime: handle, connections: AtomicUsize::new(0) })
    }

    /// How many threads there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.set.count()
    }

    /// Runs a task on a core: on each in turn. tokio's own `spawn` runs one on the core where it is
    /// called. Ready at once; dropping the handle lets the task go on.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.set.spawn_on(self.set.next.fetch_add(1, Ordering::Relaxed), task)
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

/// The cores, for those who place connections on them. It does not keep the threads.
#[derive(Clone)]
pub(crate) struct CoreSet {
    id: u64,
    cores: Arc<[CoreThread]>,
    /// The turn of the next task.
    next: Arc<AtomicUsize>,
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
        self.cores.len()
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

    /// Runs a task on the core of a number, which may be larger than there are cores. A core that
    /// has ended drops the task.
    pub(crate) fn spawn_on<F>(&self, number: usize, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.cores[number % self.cores.len()].runtime.spawn(task)
    }

    /// A seat on the core with the fewest connections.
    pub(crate) fn seat(&self) -> Seat {
        let load = |core: &CoreThread| core.connections.load(Ordering::Relaxed);
        let (index, core) = self
            .cores
            .iter()
            .enumerate()
            .min_by_key(|(_, core)| load(core))
            .expect("there is a core at least");
        core.connections.fetch_add(1, Ordering::Relaxed);
        Seat { cores: self.clone(), index }
    }
}

impl fmt::Debug for CoreSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores", self.count())
    }
}

/// A place of a connection on a core, which is free again when this is dropped.
pub(crate) struct Seat {
    cores: CoreSet,
    index: usize,
}

impl Seat {
    pub(crate) fn runtime(&self) -> Handle {
        self.cores.cores[self.index].runtime.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.cores.cores[self.index].connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn seats_are_on_the_core_with_the_fewest_and_are_free_again() {
        let cores = Cores::new(3).unwrap();
        let set = cores.set();
        let mut seats: Vec<_> = (0..4).map(|_| set.seat()).collect();
        let index = |seats: &[Seat]| seats.iter().map(|seat| seat.index).collect::<Vec<_>>();
        assert_eq!(index(&seats), [0, 1, 2, 0]);
        seats.remove(1);
        seats.push(set.seat());
        seats.push(set.seat());
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
    async fn a_set_does_not_keep_the_threads_and_a_core_that_ended_drops_its_task() {
        let cores = Cores::new(1).unwrap();
        let set = cores.set();
        cores.shutdown().await;
        let error = set.spawn_on(7, async {}).await.unwrap_err();
        assert!(error.is_cancelled());
    }

    #[tokio::test]
    async fn a_panic_of_a_task_leaves_the_core() {
        let cores = Cores::new(1).unwrap();
        assert!(cores.spawn(async { panic!("as told") }).await.unwrap_err().is_panic());
        assert_eq!(cores.spawn(async { 7 }).await.unwrap(), 7);
    }
}
