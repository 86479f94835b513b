//! Unpacking that stops no thread.
//!
//! It pays into tokio's budget by bytes, so that a task that unpacks gives way after 64 KiB. A body
//! that gets large goes on where blocking is allowed, as long as threads come for it.

use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;

use crate::driver::{self, Link, Overrun};

use super::compression::{Compression, UnpackError};

/// From this size on a body counts while it is unpacked. For less the count is not worth the lock.
const COUNTED: usize = 16 * 1024;

/// How often room is looked for: for a minute, at 10 ms each.
const LOOKS: usize = 6_000;

/// From this size on decoding a message is paid for. Smaller ones are paid for by what brings them.
const PAID: usize = 16 * 1024;

/// The decoding that a unit of tokio's budget pays for, in bytes: a task gives way after 256 KiB.
/// Decoding does less for a byte than unpacking, of which a unit pays for 512.
const DECODED: usize = 2 * 1024;

/// The same in steps, of which one takes 10 to 50 ns.
const STEPS: usize = 24;

/// Pays for decoding a message of so many bytes in so many steps, as much as there is left of the
/// task's turn. The task's next step then lets others go on.
#[inline]
pub(crate) fn pay_for_decoding(bytes: usize, steps: usize) {
    let units = if bytes >= PAID { bytes / DECODED } else { 0 };
    let units = units.max(steps / STEPS);
    if units > 0 {
        driver::pay(units);
    }
}

/// A body that is being unpacked.
pub(crate) type Unpacking = Pin<Box<dyn Future<Output = Result<Bytes, UnpackError>> + Send + Sync>>;

/// Unpacks a body, which counts at its connection meanwhile.
///
/// Waits for room that others have, as long as it may come. No task waits for ever: a message that
/// is half unpacked may belong to a handle that nobody reads from any more.
pub(crate) fn unpack_counted(link: &Link, compression: Compression, packed: Bytes) -> Unpacking {
    let limit = link.config().max_received;
    let mut charge = link.charge();
    let hold = hold_by(move |needed| charge.recount(needed));
    Box::pin(unpack(link.peer_key(), compression, packed, limit, hold))
}

/// Counts a body by `recount`, each time that it takes more. Without room that is tried again, for
/// a minute.
fn hold_by(
    mut recount: impl FnMut(usize) -> Result<(), Overrun>,
) -> impl FnMut(usize) -> Poll<Result<(), UnpackError>> {
    let mut looks = 0;
    move |needed| {
        if needed < COUNTED {
            return Poll::Ready(Ok(()));
        }
        let Err(over) = recount(needed) else {
            looks = 0;
            return Poll::Ready(Ok(()));
        };
        looks += 1;
        if looks < LOOKS {
            Poll::Pending
        } else {
            Poll::Ready(Err(UnpackError::NoRoom { needed, over }))
        }
    }
}

/// Unpacks a body to at most `limit` bytes.
///
/// The peers have turns at what goes on elsewhere. `hold` is told how many bytes are in memory for
/// it, packed and unpacked, before there are many more; its error ends the unpacking. While it is
/// pending, it is asked again every 10 ms. Dropping the future ends it, too: what goes on elsewhere
/// does so for 1 MiB at most.
#[cfg(not(feature = "compression"))]
pub(crate) async fn unpack<E: From<UnpackError>>(
    _peer: usize,
    compression: Compression,
    _packed: Bytes,
    _limit: usize,
    _hold: impl FnMut(usize) -> Poll<Result<(), E>>,
) -> Result<Bytes, E> {
    match compression {}
}

#[cfg(feature = "compression")]
pub(crate) use here::unpack;

#[cfg(feature = "compression")]
mod here {
    use std::future::poll_fn;
    use std::io;
    use std::task::{Context, Poll, ready};
    use std::time::Duration;

    use tokio::runtime::Handle;
    use tokio::task::coop::poll_proceed;
    use tokio::time::sleep;

    use super::super::blocking::{Body, Round, round};
    use super::super::unpack::{PIECE, Step, Unpacker};
    use super::{Bytes, Compression, UnpackError};

    /// The work that a unit of tokio's budget pays for, in bytes.
    const UNIT: usize = 512;

    /// The bytes that a task has before it gives way: 128 units. Gzip unpacks them in some 150 µs.
    const TURN: usize = 128 * UNIT;

    /// The most that is unpacked elsewhere before the task is asked whether it may go on. A round
    /// begins with 64 KiB and is as large as what there is: room for all of it is asked for while
    /// the body still waits.
    const ROUND: usize = 1024 * 1024;

    /// How long [`later`] waits.
    const LATER: Duration = Duration::from_millis(10);

    /// The bytes that are unpacked on the task's own thread: some 25 µs of work. Tasks run in the
    /// order in which they were woken, so a peer with a thousand of them keeps all others waiting;
    /// elsewhere the peers have turns.
    const ON_TASK: usize = 8 * 1024;

    pub(crate) async fn unpack<E: From<UnpackError>>(
        peer: usize,
        compression: Compression,
        packed: Bytes,
        limit: usize,
        hold: impl FnMut(usize) -> Poll<Result<(), E>>,
    ) -> Result<Bytes, E> {
        let mut count = Count { packed: packed.len(), held: packed.len(), hold };
        let mut owed = UNIT;
        pay(&mut owed).await;
        let mut unpacker = Unpacker::new(compression, packed, limit);
        let (body, mut on_task, mut ahead) = (Body::new(peer), ON_TASK, PIECE);
        loop {
            // A body that is smaller is paid for when it is there: then nothing has to wait.
            if owed >= TURN {
                pay(&mut owed).await;
            }
            match unpacker.step(on_task.min(unpacker.size() + ahead))? {
                Step::Whole => break,
                Step::Worked(work) => {
                    owed += work;
                    ahead = PIECE;
                    count.hold(unpacker.memory()).await?;
                }
                Step::Large(more) if more > ahead && unpacker.size() + more <= on_task => {
                    count.hold(unpacker.memory() + more).await?;
                    ahead = more;
                }
                Step::Large(more) => {
                    let size = more.max(unpacker.size().clamp(PIECE, ROUND));
                    count.hold(unpacker.memory() + size).await?;
                    let work = move |unpacker| go_on(unpacker, size);
                    unpacker = match Box::pin(round(body, unpacker, work)).await {
                        Round::Done(done) => done.unwrap_or_else(|_| Err(panicked()))?,
                        Round::NotBegun(unpacker) => {
                            on_task = unpacker.size() + size;
                            ahead = more.max(PIECE);
                            unpacker
                        }
                    };
                }
            }
        }
        crate::driver::pay(owed / UNIT);
        Ok(unpacker.finish())
    }

    /// Unpacks so much, on a thread where blocking is allowed.
    fn go_on(mut unpacker: Unpacker, size: usize) -> Result<Unpacker, UnpackError> {
        let mut done = 0;
        while done < size
            && let Step::Worked(work) = unpacker.step(usize::MAX)?
        {
            done += work;
        }
        Ok(unpacker)
    }

    #[cold]
    fn panicked() -> UnpackError {
        UnpackError::Broken(io::Error::other("unpacking it panicked"))
    }

    /// Waits for a moment, in whichever runtime it is polled. Outside of runtimes it gives way
    /// once.
    async fn later() {
        let (mut timer, mut given) = (None, false);
        poll_fn(|cx| {
            let Ok(here) = Handle::try_current() else {
                cx.waker().wake_by_ref();
                return if std::mem::replace(&mut given, true) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                };
            };
            // A timer is of the runtime in which it was made.
            if timer.as_ref().is_none_or(|(runtime, _)| *runtime != here.id()) {
                timer = Some((here.id(), Box::pin(sleep(LATER))));
            }
            timer.as_mut().map_or(Poll::Ready(()), |(_, timer)| timer.as_mut().poll(cx))
        })
        .await;
    }

    /// The memory of a body, and the function that counts it.
    struct Count<H> {
        packed: usize,
        held: usize,
        hold: H,
    }

    impl<H> Count<H> {
        /// Waits until so much may be unpacked.
        async fn hold<E>(&mut self, memory: usize) -> Result<(), E>
        where
            H: FnMut(usize) -> Poll<Result<(), E>>,
        {
            if self.packed + memory <= self.held {
                return Ok(());
            }
            self.held = self.packed + memory;
            loop {
                match (self.hold)(self.held) {
                    Poll::Ready(held) => return held,
                    Poll::Pending => Box::pin(later()).await,
                }
            }
        }
    }

    /// Pays what is owed, in as many turns of the task as that takes. On other runtimes than tokio
    /// it is free.
    async fn pay(owed: &mut usize) {
        let poll_pay = |cx: &mut Context<'_>| {
            while *owed >= UNIT {
                ready!(poll_proceed(cx)).made_progress();
                *owed -= UNIT;
            }
            Poll::Ready(())
        };
        poll_fn(poll_pay).await;
    }
}

#[cfg(all(test, feature = "compression"))]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use futures::FutureExt;
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    const LIMIT: usize = 10 * 1024 * 1024;

    const ALL: [Compression; 5] = [
        Compression::Gzip,
        Compression::Zlib,
        Compression::Snappy,
        Compression::SnappyGo,
        Compression::Lz4,
    ];

    /// A runtime of one thread that counts what threads it starts: they are all for blocking work.
    fn runtime() -> (Runtime, Arc<AtomicUsize>) {
        let threads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&threads);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        (
            Builder::new_current_thread().enable_time().on_thread_start(count).build().unwrap(),
            threads,
        )
    }

    /// A runtime whose only thread for blocking work is busy until the sender is dropped.
    fn busy_runtime() -> (Runtime, std::sync::mpsc::Sender<()>) {
        let (free, busy) = std::sync::mpsc::channel();
        let runtime =
            Builder::new_current_thread().enable_time().max_blocking_threads(1).build().unwrap();
        runtime.spawn_blocking(move || busy.recv());
        (runtime, free)
    }

    /// Fails after some time, on a machine that may be slow, so that a test does not hang.
    async fn in_time<T>(unpacked: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(60), unpacked).await.expect("it comes some time")
    }

    #[test]
    fn a_body_counts_from_16_kib_on_and_waits_for_room_6_000_looks_long_each_time() {
        let over = Overrun { used: 5, own: 5, limit: 5, setting: "a setting" };
        let (room, asked) = (Cell::new(true), RefCell::new(Vec::new()));
        let mut hold = hold_by(|needed| {
            asked.borrow_mut().push(needed);
            if room.get() { Ok(()) } else { Err(over) }
        });
        let is_held = |held| matches!(held, Poll::Ready(Ok(())));
        assert!(is_held(hold(16 * 1024 - 1)) && asked.take().is_empty());
        assert!(is_held(hold(16 * 1024)) && asked.take() == [16 * 1024]);
        for _ in 0..2 {
            room.set(false);
            assert!((1..6_000).all(|_| hold(20_000).is_pending()));
            room.set(true);
            assert!(is_held(hold(20_000)));
        }
        room.set(false);
        assert!((1..6_000).all(|_| hold(30_000).is_pending()));
        let Poll::Ready(Err(UnpackError::NoRoom { needed: 30_000, over: told })) = hold(30_000)
        else {
            panic!("it waits for ever");
        };
        assert_eq!(told, over);
    }

    fn hold_all(_: usize) -> Poll<Result<(), UnpackError>> {
        Poll::Ready(Ok(()))
    }

    /// How often the task gives way while it unpacks.
    async fn turns(compression: Compression, packed: Bytes) -> usize {
        let mut unpacking = pin!(unpack(0, compression, packed, LIMIT, hold_all));
        let mut turns = 0;
        poll_fn(|cx| {
            let polled = unpacking.as_mut().poll(cx);
            turns += usize::from(polled.is_pending());
            polled.map(|plain| drop(plain.unwrap()))
        })
        .await;
        turns
    }

    /// How many units of its turn a task pays for this work.
    fn paid(work: impl Future<Output = ()>) -> usize {
        let turn = async {
            work.await;
            std::iter::from_fn(|| tokio::task::coop::consume_budget().now_or_never()).count()
        };
        128 - runtime().0.block_on(turn)
    }

    #[test]
    fn decoding_is_paid_for_by_bytes_from_16_kib_on_or_by_steps_whichever_is_more() {
        let all = [
            (16 * 1024 - 1, 31),
            (16 * 1024, 0),
            (20 * 1024, 32),
            (20 * 1024, 352),
            (0, 65),
            (1 << 20, 0),
        ];
        let paid = |(bytes, steps)| paid(async move { pay_for_decoding(bytes, steps) });
        assert_eq!(all.map(paid), [1, 8, 10, 14, 2, 128]);
    }

    #[test]
    fn unpacking_a_small_body_is_paid_for_when_it_is_there() {
        for compression in ALL {
            let packed = compression.pack_bytes(&[7; 8_000]);
            let paid = paid(async {
                drop(unpack(0, compression, packed, LIMIT, hold_all).await.unwrap());
            });
            // A unit for 512 bytes of input and output.
            assert!((8_000 / 512..13_000 / 512).contains(&paid), "{compression:?}: {paid} units");
        }
    }

    #[test]
    fn a_task_that_unpacks_gives_way_after_64_kib() {
        for compression in ALL {
            let packed = compression.pack_bytes(&vec![7; 1_000_000]);
            let (runtime, free) = busy_runtime();
            let turns = runtime.block_on(turns(compression, packed));
            assert!(turns >= 13, "{compression:?}: {turns} turns");
            drop(free);
        }
    }

    #[test]
    fn ever_so_many_empty_members_give_way_too() {
        let (runtime, _) = runtime();
        let packed = Compression::Gzip.compress(b"").repeat(1_000).into();
        // A member is 2 KiB of work, and a turn 64 KiB.
        assert!(runtime.block_on(turns(Compression::Gzip, packed)) >= 1_000 / 32);
    }

    #[test]
    fn what_is_not_small_is_unpacked_elsewhere() {
        for (compression, size) in
            ALL.into_iter().flat_map(|with| [(with, 10_000), (with, 3_000_000)])
        {
            let plain = vec![7; size];
            let (runtime, threads) = runtime();
            let unpacked = unpack(0, compression, compression.pack_bytes(&plain), LIMIT, hold_all);
            assert_eq!(runtime.block_on(unpacked).unwrap(), plain);
            assert!(threads.load(Ordering::Relaxed) > 0, "{compression:?}");
        }
    }

    #[test]
    fn what_no_thread_begins_goes_on_in_its_task() {
        let (runtime, free) = busy_runtime();
        for compression in ALL {
            let plain = vec![7; 3_000_000];
            let unpacked = unpack(0, compression, compression.pack_bytes(&plain), LIMIT, hold_all);
            assert_eq!(runtime.block_on(in_time(unpacked)).unwrap(), plain);
        }
        drop(free);
    }

    #[test]
    fn bodies_that_nobody_polls_keep_no_other_from_the_threads() {
        let (stands_still, free) = busy_runtime();
        let plain = vec![7; 3_000_000];
        let packed = Compression::Gzip.pack_bytes(&plain);
        let mut begun: Vec<_> = (0..10)
            .map(|_| Box::pin(unpack(0, Compression::Gzip, packed.clone(), LIMIT, hold_all)))
            .collect();
        stands_still.block_on(tokio::task::unconstrained(poll_fn(|cx| {
            begun.iter_mut().for_each(|body| assert!(body.as_mut().poll(cx).is_pending()));
            Poll::Ready(())
        })));
        let (runtime, threads) = runtime();
        let unpacked = unpack(0, Compression::Gzip, packed, LIMIT, hold_all);
        assert_eq!(runtime.block_on(in_time(unpacked)).unwrap(), plain);
        assert!(threads.load(Ordering::Relaxed) > 0);
        // A body goes on where it is polled next.
        assert_eq!(runtime.block_on(in_time(begun.pop().unwrap())).unwrap(), plain);
        drop(free);
    }

    #[test]
    fn a_body_of_another_peer_does_not_wait_for_all_that_one_has() {
        let (free, busy) = std::sync::mpsc::channel::<()>();
        // A clock that stands still: no body goes on in its task.
        let mut runtime = Builder::new_current_thread();
        let runtime =
            runtime.enable_time().start_paused(true).max_blocking_threads(1).build().unwrap();
        runtime.spawn_blocking(move || busy.recv());
        let packed = Compression::Gzip.pack_bytes(&vec![7; 2_000_000]);
        runtime.block_on(async {
            let (told, mut done) = tokio::sync::mpsc::unbounded_channel();
            for at in 0..30 {
                let body = unpack(
                    usize::from(at == 29),
                    Compression::Gzip,
                    packed.clone(),
                    LIMIT,
                    hold_all,
                );
                let told = told.clone();
                tokio::spawn(tokio::task::unconstrained(async move {
                    body.await.unwrap();
                    told.send(at).unwrap();
                }));
            }
            tokio::task::yield_now().await;
            drop((free, told));
            let mut before = 0;
            while in_time(done.recv()).await.unwrap() != 29 {
                before += 1;
            }
            assert!(before < 15, "{before} of the other peer's were unpacked before");
        });
    }

    #[test]
    fn without_a_runtime_it_goes_on_where_it_is() {
        let plain = vec![7; 3_000_000];
        for compression in ALL {
            let mut unpacking =
                pin!(unpack(0, compression, compression.pack_bytes(&plain), LIMIT, hold_all));
            let unpacked = loop {
                // Others may have the places.
                match unpacking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(unpacked) => break unpacked.unwrap(),
                    Poll::Pending => std::thread::yield_now(),
                }
            };
            assert_eq!(unpacked, plain);
        }
    }

    #[test]
    fn what_is_in_memory_is_told_before_it_is_much_more() {
        for compression in ALL {
            let packed = compression.pack_bytes(&vec![7; 5_000_000]);
            let mut told = Vec::new();
            let hold = |held| {
                told.push(held);
                Poll::Ready(if held > 3_000_000 {
                    Err(UnpackError::TooLarge { limit: 3 })
                } else {
                    Ok(())
                })
            };
            let (runtime, _) = runtime();
            let unpacked = runtime.block_on(unpack(0, compression, packed, LIMIT, hold));
            assert!(matches!(unpacked, Err(UnpackError::TooLarge { limit: 3 })), "{compression:?}");
            assert!(*told.last().unwrap() <= 6_000_000 + 64 * 1024, "{compression:?}: {told:?}");
            assert!(told.is_sorted_by(|before, next| before < next), "{compression:?}: {told:?}");
        }
    }
}
