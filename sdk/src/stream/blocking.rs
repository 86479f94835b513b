//! Long work on tokio's threads for blocking work.
//!
//! Bodies that are to be unpacked, decoded or packed wait in a queue of their runtime, which owns
//! them meanwhile. A thread of that runtime takes one, and hands what comes of it to its task. The
//! peers have turns, and each peer's oldest body goes first. So neither a task that is not polled
//! nor a thread that does not come keeps another body waiting: the task of a body that no thread
//! has begun takes it back and goes on by itself.

use std::any::Any;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::clock;
use crate::cores::is_core;
use crate::fair_queue::FairQueue;
use crate::sync::Mutex;

/// A body waits so long while no thread begins with one: as long as some rounds take.
const PATIENCE: Duration = Duration::from_millis(20);

/// After how many rounds a thread is given back, for those who wait for one. tokio starts a new
/// thread for each that is asked for while none is idle, and each keeps memory of what it has
/// freed.
const ROUNDS: usize = 64;

static QUEUES: LazyLock<Mutex<HashMap<Id, BodyQueue>>> = LazyLock::new(Mutex::default);

/// How many threads of a runtime do such work at a time: more would only take turns on the
/// processors, and keep tokio's threads from what else the program has for them. The runtime of a
/// core has one, because there is one for each processor.
static THREADS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, usize::from));

/// The bodies of one runtime. It is there as long as one waits or a thread is asked for or at work.
struct BodyQueue {
    /// How many threads it has at most.
    most: usize,
    /// By peer and body, so that a body that is begun goes before those that came later.
    jobs: FairQueue<usize, Job>,
    /// Threads that were asked for and have not begun.
    asked: usize,
    /// Threads at work.
    working: usize,
    /// How many rounds have begun.
    rounds: u64,
}

/// The work on a body, on a thread: `true`. Or it is handed back to its task.
type Job = Box<dyn FnOnce(bool) + Send>;

/// The end of a round of work on a body.
pub(super) enum Round<I, R> {
    /// It is done, or has panicked.
    Done(Result<R, Panic>),
    /// No thread has begun it.
    NotBegun(I),
}

pub(super) type Panic = Box<dyn Any + Send>;

/// Which body it is.
#[derive(Clone, Copy)]
pub(super) struct BodyId {
    peer: usize,
    number: u64,
}

impl BodyId {
    /// A new body of a peer's.
    pub(super) fn new(peer: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { peer, number: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

/// Does long work where that keeps no task from its turn, or here if no thread comes for it.
///
/// Waits for a thread, as long as threads begin with others. Dropping the future takes the work
/// back; what has begun goes on to its end. A panic of the work is one of the task.
pub(crate) async fn elsewhere<R: Send + 'static>(
    peer: usize,
    work: impl FnOnce() -> R + Send + 'static,
) -> R {
    match round(BodyId::new(peer), work, |work| work()).await {
        Round::Done(done) => done.unwrap_or_else(|panic| resume_unwind(panic)),
        Round::NotBegun(work) => work(),
    }
}

/// Does a round of work on a body where that keeps no task from its turn.
///
/// Waits for a thread, as long as threads begin rounds. Dropping the future takes the body out of
/// the queue; a round that has begun goes on to its end.
pub(super) async fn round<I: Send + 'static, R: Send + 'static>(
    body: BodyId,
    input: I,
    work: impl FnOnce(I) -> R + Send + 'static,
) -> Round<I, R> {
    let (Ok(runtime), Ok(patience)) = (Handle::try_current(), clock::sleep(PATIENCE)) else {
        return Round::NotBegun(input);
    };
    let (job, mut result) = job(input, work);
    let mut queued = QueuedJob::new(&runtime, body, job);
    let mut patience = pin!(patience);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = Pin::new(&mut result).poll(cx) {
                return Poll::Ready(result.unwrap_or_else(|gone| Round::Done(Err(Box::new(gone)))));
            }
            match ready!(queued.poll_not_begun(&mut patience, cx)) {
                // It sends what it has got.
                Some(job) => job(false),
                None => return Poll::Pending,
            }
        }
    })
    .await
}

fn job<I: Send + 'static, R: Send + 'static>(
    input: I,
    work: impl FnOnce(I) -> R + Send + 'static,
) -> (Job, oneshot::Receiver<Round<I, R>>) {
    let (done, result) = oneshot::channel();
    let job = move |begins| {
        let round = if begins {
            Round::Done(catch_unwind(AssertUnwindSafe(|| work(input))))
        } else {
            Round::NotBegun(input)
        };
        // Its task may be gone.
        drop(done.send(round));
    };
    (Box::new(job), result)
}

/// A hold on the job of a body in its queue. Dropping it removes the job.
struct QueuedJob {
    runtime: Id,
    body: BodyId,
    /// The rounds that had begun when it was last looked.
    rounds: u64,
}

impl QueuedJob {
    fn new(runtime: &Handle, body: BodyId, job: Job) -> Self {
        let mut queues = QUEUES.lock();
        let queue = queues.entry(runtime.id()).or_insert_with(BodyQueue::new);
        queue.jobs.push(body.peer, body.number, job);
        let queued = Self { runtime: runtime.id(), body, rounds: queue.rounds };
        let asks = queue.asks();
        drop(queues);
        if asks {
            Thread::ask(runtime);
        }
        queued
    }

    /// Waits until no round has begun for a while, then gives the work back. `None`: a thread has
    /// it.
    fn poll_not_begun(
        &mut self,
        patience: &mut Pin<&mut tokio::time::Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Job>> {
        // A task may go on in another runtime, and the timer and the threads are of the first.
        while Handle::try_current().is_ok_and(|here| here.id() == self.runtime) {
            ready!(patience.as_mut().poll(cx));
            if self.is_hopeless() {
                break;
            }
            patience.set(sleep(PATIENCE));
        }
        Poll::Ready(self.leave())
    }

    /// Tells whether no thread works, and none has begun since this was asked last.
    fn is_hopeless(&mut self) -> bool {
        let queues = QUEUES.lock();
        let Some(queue) = queues.get(&self.runtime) else { return true };
        queue.working == 0 && std::mem::replace(&mut self.rounds, queue.rounds) == queue.rounds
    }

    fn leave(&self) -> Option<Job> {
        let mut queues = QUEUES.lock();
        let job = queues.get_mut(&self.runtime)?.jobs.remove(&self.body.peer, self.body.number);
        remove_if_idle(&mut queues, self.runtime);
        job
    }
}

impl Drop for QueuedJob {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

impl BodyQueue {
    /// The queue of the runtime where this is called.
    fn new() -> Self {
        let most = if is_core() { 1 } else { *THREADS };
        Self { most, jobs: FairQueue::default(), asked: 0, working: 0, rounds: 0 }
    }

    /// Tells whether to ask for a thread, which is counted then.
    fn asks(&mut self) -> bool {
        let asks = self.asked < self.jobs.len() && self.asked + self.working < self.most;
        self.asked += usize::from(asks);
        asks
    }
}

fn remove_if_idle(queues: &mut HashMap<Id, BodyQueue>, runtime: Id) {
    let is_idle = |queue: &BodyQueue| queue.jobs.len() == 0 && queue.asked + queue.working == 0;
    if queues.get(&runtime).is_some_and(is_idle) {
        queues.remove(&runtime);
    }
}

/// A thread that was asked for.
struct Thread {
    runtime: Handle,
    begun: bool,
}

impl Thread {
    fn ask(runtime: &Handle) {
        let thread = Self { runtime: runtime.clone(), begun: false };
        // A runtime that is shut down drops it, which counts it as gone.
        drop(runtime.spawn_blocking(move || thread.work()));
    }

    /// Does rounds of the bodies at the front, and then asks for a thread for the others: those who
    /// wait for threads have their turn in between.
    fn work(mut self) {
        for _ in 0..ROUNDS {
            let Some(job) = self.begin() else { return };
            job(true);
        }
    }

    fn begin(&mut self) -> Option<Job> {
        let mut queues = QUEUES.lock();
        let queue = queues.get_mut(&self.runtime.id())?;
        let job = queue.jobs.pop()?;
        if !std::mem::replace(&mut self.begun, true) {
            queue.asked -= 1;
            queue.working += 1;
        }
        queue.rounds += 1;
        Some(job)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let mut queues = QUEUES.lock();
        let Some(queue) = queues.get_mut(&self.runtime.id()) else { return };
        if self.begun {
            queue.working -= 1;
        } else {
            queue.asked -= 1;
        }
        // One that has not begun found no body, or its runtime is shut down.
        let asks = self.begun && queue.asks();
        remove_if_idle(&mut queues, self.runtime.id());
        drop(queues);
        if asks {
            Self::ask(&self.runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::runtime::Builder;

    use super::*;

    /// A runtime that is shut down, so that no thread comes but those that a test has.
    fn without_threads() -> Handle {
        Builder::new_current_thread().build().unwrap().handle().clone()
    }

    fn job() -> (Job, oneshot::Receiver<Round<u32, u32>>) {
        super::job(20, |input| input + 1)
    }

    fn with<T>(runtime: &Handle, change: impl FnOnce(&mut BodyQueue) -> T) -> T {
        change(QUEUES.lock().entry(runtime.id()).or_insert_with(BodyQueue::new))
    }

    /// Bodies, threads asked for, threads at work and rounds, if there is a queue.
    fn counts(runtime: &Handle) -> Option<(usize, usize, usize, u64)> {
        let queues = QUEUES.lock();
        let queue = queues.get(&runtime.id())?;
        Some((queue.jobs.len(), queue.asked, queue.working, queue.rounds))
    }

    #[test]
    fn threads_are_asked_for_by_bodies_and_no_more_than_there_are_processors() {
        let mut queue = BodyQueue::new();
        assert!(!queue.asks(), "there is no body");
        (0..*THREADS as u64 + 2).for_each(|number| queue.jobs.push(0, number, job().0));
        for asked in 1..=*THREADS {
            assert_eq!((queue.asks(), queue.asked), (true, asked));
        }
        assert!(!queue.asks(), "as many as there are processors");
        (queue.asked, queue.working) = (queue.asked - 1, 1);
        assert!(!queue.asks(), "one of them has begun");
        queue.working = 0;
        assert!(queue.asks(), "one of them is gone");
    }

    #[tokio::test]
    async fn a_core_has_one_thread_for_bodies() {
        let cores = crate::cores::Cores::new(1).unwrap();
        assert_eq!(cores.spawn(async { BodyQueue::new().most }).await.unwrap(), 1);
        assert_eq!(BodyQueue::new().most, *THREADS);
    }

    #[test]
    fn threads_count_from_asking_to_their_end_and_leave_nothing() {
        let runtime = without_threads();
        with(&runtime, |queue| {
            queue.jobs.push(0, 0, job().0);
            queue.jobs.push(0, 1, job().0);
            queue.asked = 3;
        });
        let mut threads = [0, 1, 2].map(|_| Thread { runtime: runtime.clone(), begun: false });
        let jobs = threads.each_mut().map(Thread::begin);
        assert_eq!(jobs.map(|job| job.is_some()), [true, true, false]);
        assert_eq!(counts(&runtime), Some((0, 1, 2, 2)));
        let [first, second, none] = threads;
        drop(none);
        assert_eq!(counts(&runtime), Some((0, 0, 2, 2)));
        drop(first);
        assert_eq!(counts(&runtime), Some((0, 0, 1, 2)));
        drop(second);
        assert_eq!(counts(&runtime), None);
    }

    #[test]
    fn a_thread_hands_over_what_comes_of_a_body() {
        let runtime = without_threads();
        let (job, mut done) = job();
        with(&runtime, |queue| {
            queue.jobs.push(0, 0, job);
            queue.asked = 1;
        });
        Thread { runtime: runtime.clone(), begun: false }.work();
        assert!(matches!(done.try_recv(), Ok(Round::Done(Ok(21)))));
        assert_eq!(counts(&runtime), None);
    }

    #[test]
    fn a_queued_job_is_in_its_queue_for_as_long_as_it_is_held() {
        let runtime = without_threads();
        let all = [0, 1, 2].map(|_| QueuedJob::new(&runtime, BodyId::new(0), job().0));
        assert_eq!(
            counts(&runtime),
            Some((3, 0, 0, 0)),
            "threads that do not come are not counted"
        );
        let [first, second, third] = all;
        assert!(first.leave().is_some() && first.leave().is_none());
        drop(second);
        assert_eq!(counts(&runtime), Some((1, 0, 0, 0)));
        drop(third);
        assert_eq!(counts(&runtime), None);
        assert!(first.leave().is_none());
    }

    #[test]
    fn a_body_is_hopeless_while_no_thread_works_and_none_has_begun_since() {
        let runtime = without_threads();
        let mut queued = QueuedJob::new(&runtime, BodyId::new(0), job().0);
        with(&runtime, |queue| (queue.working, queue.rounds) = (1, 1));
        assert!(!queued.is_hopeless());
        with(&runtime, |queue| queue.working = 0);
        assert!(!queued.is_hopeless(), "a round has begun");
        assert!(queued.is_hopeless());
        with(&runtime, |queue| queue.working = 1);
        assert!(!queued.is_hopeless(), "a round goes on");
        with(&runtime, |queue| queue.working = 0);
    }

    #[test]
    fn work_is_done_elsewhere_or_here_if_no_thread_comes_and_its_panic_is_the_tasks() {
        let thread = || std::thread::current().id();
        let runtime =
            Builder::new_current_thread().enable_time().max_blocking_threads(1).build().unwrap();
        assert_ne!(runtime.block_on(elsewhere(0, thread)), thread());
        let panics =
            runtime.block_on(async { tokio::spawn(elsewhere(0, || panic!("as told"))).await });
        assert_eq!(panics.unwrap_err().into_panic().downcast_ref(), Some(&"as told"));

        let (free, busy) = std::sync::mpsc::channel::<()>();
        // The thread of the other runtime may not have noticed yet that there is no more work.
        let runtime =
            Builder::new_current_thread().enable_time().max_blocking_threads(1).build().unwrap();
        runtime.spawn_blocking(move || busy.recv());
        assert_eq!(runtime.block_on(elsewhere(0, thread)), thread());
        drop(free);
        assert_eq!(elsewhere(0, thread).now_or_never(), Some(thread()));
    }
}
