//! Unpacking that stops no thread.
//!
//! It pays into tokio's budget by bytes, so that a task that unpacks gives way after 64 KiB. What
//! gets large goes on where blocking is allowed, as long as threads come for it.

use std::pin::Pin;

use bytes::Bytes;

use super::compression::{Compression, UnpackError};

/// A body that is being unpacked and is counted with nobody.
pub(crate) type Unpacking = Pin<Box<dyn Future<Output = Result<Bytes, UnpackError>> + Send + Sync>>;

/// Unpacks a body to at most `limit` bytes.
///
/// `hold` is told how many bytes are in memory for it, packed and unpacked, before there are many
/// more; its error ends the unpacking. Dropping the future ends it, too: what goes on elsewhere does
/// so for 1 MiB at most.
#[cfg(not(feature = "compression"))]
pub(crate) async fn unpack<E: From<UnpackError>>(
    compression: Compression,
    _packed: Bytes,
    _limit: usize,
    _hold: impl FnMut(usize) -> Result<(), E>,
) -> Result<Bytes, E> {
    match compression {}
}

#[cfg(feature = "compression")]
pub(crate) use here::unpack;

#[cfg(feature = "compression")]
mod here {
    use std::future::poll_fn;
    use std::task::{Context, Poll, ready};

    use tokio::task::coop::{has_budget_remaining, poll_proceed};

    use super::super::blocking::{self, ROUND, Round};
    use super::super::unpack::{Step, Unpacker};
    use super::{Bytes, Compression, UnpackError};

    /// The work that a unit of tokio's budget pays for, in bytes.
    const UNIT: usize = 512;

    /// What a task has before it gives way: 128 units. Gzip unpacks that in some 150 µs.
    const TURN: usize = 128 * UNIT;

    /// What is unpacked on the task's own thread.
    const ON_TASK: usize = 1024 * 1024;

    pub(crate) async fn unpack<E: From<UnpackError>>(
        compression: Compression,
        packed: Bytes,
        limit: usize,
        mut hold: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        let size = packed.len();
        let mut held = size;
        let mut count = |memory: usize| {
            if size + memory <= held {
                return Ok(());
            }
            held = size + memory;
            hold(held)
        };
        let mut owed = UNIT;
        pay(&mut owed).await;
        let mut unpacker = Unpacker::new(compression, packed, limit);
        let (number, mut on_task) = (blocking::number(), ON_TASK);
        loop {
            // A body that is smaller is paid for when it is there: then nothing has to wait.
            if owed >= TURN {
                pay(&mut owed).await;
            }
            match unpacker.step(on_task)? {
                Step::Whole => break,
                Step::Worked(work) => {
                    owed += work;
                    count(unpacker.memory())?;
                }
                Step::Large(more) => {
                    count(unpacker.memory() + more.max(ROUND))?;
                    unpacker = match Box::pin(blocking::round(number, unpacker)).await? {
                        Round::Done(unpacker) => unpacker,
                        Round::NotBegun(unpacker) => {
                            on_task = unpacker.size() + more.max(ROUND);
                            unpacker
                        }
                    };
                }
            }
        }
        pay_at_once(owed).await;
        Ok(unpacker.finish())
    }

    /// Pays what is owed, in as many turns of the task as that takes. On other runtimes than tokio it
    /// is free.
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

    /// Pays as much as there is left of this turn.
    async fn pay_at_once(mut owed: usize) {
        let poll_pay = |cx: &mut Context<'_>| {
            while owed >= UNIT
                && has_budget_remaining()
                && let Poll::Ready(paid) = poll_proceed(cx)
            {
                paid.made_progress();
                owed -= UNIT;
            }
            Poll::Ready(())
        };
        poll_fn(poll_pay).await;
    }
}

#[cfg(all(test, feature = "compression"))]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    const LIMIT: usize = 10 * 1024 * 1024;

    const ALL: [Compression; 5] =
        [Compression::Gzip, Compression::Zlib, Compression::Snappy, Compression::SnappyGo, Compression::Lz4];

    /// A runtime of one thread that counts what threads it starts: they are all for blocking work.
    fn runtime() -> (Runtime, Arc<AtomicUsize>) {
        let threads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&threads);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        (Builder::new_current_thread().enable_time().on_thread_start(count).build().unwrap(), threads)
    }

    /// A runtime whose only thread for blocking work is busy until the sender is dropped.
    fn busy_runtime() -> (Runtime, std::sync::mpsc::Sender<()>) {
        let (free, busy) = std::sync::mpsc::channel();
        let runtime = Builder::new_current_thread().enable_time().max_blocking_threads(1).build().unwrap();
        runtime.spawn_blocking(move || busy.recv());
        (runtime, free)
    }

    /// Fails after some time, on a machine that may be slow, so that a test does not hang.
    async fn in_time<T>(unpacked: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(60), unpacked).await.expect("it comes some time")
    }

    fn hold_all(_: usize) -> Result<(), UnpackError> {
        Ok(())
    }

    /// How often the task gives way while it unpacks.
    async fn turns(compression: Compression, packed: Bytes) -> usize {
        let mut unpacking = pin!(unpack(compression, packed, LIMIT, hold_all));
        let mut turns = 0;
        poll_fn(|cx| {
            let polled = unpacking.as_mut().poll(cx);
            turns += usize::from(polled.is_pending());
            polled.map(|plain| drop(plain.unwrap()))
        })
        .await;
        turns
    }

    #[test]
    fn a_task_that_unpacks_gives_way_after_64_kib() {
        for compression in ALL {
            let packed = compression.pack_bytes(&vec![7; 1_000_000]);
            let (runtime, threads) = runtime();
            let turns = runtime.block_on(turns(compression, packed));
            assert!(turns >= 13, "{compression:?}: {turns} turns");
            assert_eq!(threads.load(Ordering::Relaxed), 0, "{compression:?}");
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
    fn what_gets_large_is_unpacked_elsewhere() {
        for compression in ALL {
            let plain = vec![7; 3_000_000];
            let (runtime, threads) = runtime();
            let unpacked = unpack(compression, compression.pack_bytes(&plain), LIMIT, hold_all);
            assert_eq!(runtime.block_on(unpacked).unwrap(), plain);
            assert!(threads.load(Ordering::Relaxed) > 0, "{compression:?}");
        }
    }

    #[test]
    fn what_no_thread_begins_goes_on_in_its_task() {
        let (runtime, free) = busy_runtime();
        for compression in ALL {
            let plain = vec![7; 3_000_000];
            let unpacked = unpack(compression, compression.pack_bytes(&plain), LIMIT, hold_all);
            assert_eq!(runtime.block_on(in_time(unpacked)).unwrap(), plain);
        }
        drop(free);
    }

    #[test]
    fn bodies_that_nobody_polls_keep_no_other_from_the_threads() {
        let (stands_still, free) = busy_runtime();
        let plain = vec![7; 3_000_000];
        let packed = Compression::Gzip.pack_bytes(&plain);
        let mut begun: Vec<_> =
            (0..10).map(|_| Box::pin(unpack(Compression::Gzip, packed.clone(), LIMIT, hold_all))).collect();
        stands_still.block_on(tokio::task::unconstrained(poll_fn(|cx| {
            begun.iter_mut().for_each(|body| assert!(body.as_mut().poll(cx).is_pending()));
            Poll::Ready(())
        })));
        let (runtime, threads) = runtime();
        let unpacked = unpack(Compression::Gzip, packed, LIMIT, hold_all);
        assert_eq!(runtime.block_on(in_time(unpacked)).unwrap(), plain);
        assert!(threads.load(Ordering::Relaxed) > 0);
        // A body goes on where it is polled next.
        assert_eq!(runtime.block_on(in_time(begun.pop().unwrap())).unwrap(), plain);
        drop(free);
    }

    #[test]
    fn without_a_runtime_it_goes_on_where_it_is() {
        let plain = vec![7; 3_000_000];
        for compression in ALL {
            let mut unpacking = pin!(unpack(compression, compression.pack_bytes(&plain), LIMIT, hold_all));
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
                if held > 3_000_000 { Err(UnpackError::TooLarge { limit: 3 }) } else { Ok(()) }
            };
            let (runtime, _) = runtime();
            let unpacked = runtime.block_on(unpack(compression, packed, LIMIT, hold));
            assert!(matches!(unpacked, Err(UnpackError::TooLarge { limit: 3 })), "{compression:?}");
            let (last, before) = told.split_last().unwrap();
            assert!(*last <= 6_000_000 && before.is_sorted(), "{compression:?}: {told:?}");
        }
    }
}
