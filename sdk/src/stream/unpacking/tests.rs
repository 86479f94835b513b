//! Bodies that are unpacked, on tasks and on the threads for blocking work.

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
    (Builder::new_current_thread().enable_time().on_thread_start(count).build().unwrap(), threads)
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
    let Poll::Ready(Err(UnpackError::NoRoom { needed: 30_000, over: told })) = hold(30_000) else {
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
    for (compression, size) in ALL.into_iter().flat_map(|with| [(with, 10_000), (with, 3_000_000)])
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
    let runtime = runtime.enable_time().start_paused(true).max_blocking_threads(1).build().unwrap();
    runtime.spawn_blocking(move || busy.recv());
    let packed = Compression::Gzip.pack_bytes(&vec![7; 2_000_000]);
    runtime.block_on(async {
        let (told, mut done) = tokio::sync::mpsc::unbounded_channel();
        for at in 0..30 {
            let body =
                unpack(usize::from(at == 29), Compression::Gzip, packed.clone(), LIMIT, hold_all);
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
