//! Unpacking that stops no thread.
//!
//! It pays into tokio's budget by bytes, so that a task that unpacks gives way after 64 KiB. A body
//! that gets large goes on where blocking is allowed, as long as threads come for it.

#[cfg(all(test, feature = "compression"))]
mod tests;

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

    use super::super::blocking::{BodyId, Round, round};
    use super::super::unpack::{PIECE, Progress, Unpacker};
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
        let mut count = BodyCount { packed: packed.len(), held: packed.len(), hold };
        let mut owed = UNIT;
        pay(&mut owed).await;
        let mut unpacker = Unpacker::new(compression, packed, limit);
        let (body, mut on_task, mut ahead) = (BodyId::new(peer), ON_TASK, PIECE);
        loop {
            // A body that is smaller is paid for when it is there: then nothing has to wait.
            if owed >= TURN {
                pay(&mut owed).await;
            }
            match unpacker.step(on_task.min(unpacker.size() + ahead))? {
                Progress::Whole => break,
                Progress::Worked(work) => {
                    owed += work;
                    ahead = PIECE;
                    count.hold(unpacker.memory()).await?;
                }
                Progress::Large(more) if more > ahead && unpacker.size() + more <= on_task => {
                    count.hold(unpacker.memory() + more).await?;
                    ahead = more;
                }
                Progress::Large(more) => {
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
            && let Progress::Worked(work) = unpacker.step(usize::MAX)?
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
    struct BodyCount<H> {
        packed: usize,
        held: usize,
        hold: H,
    }

    impl<H> BodyCount<H> {
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
