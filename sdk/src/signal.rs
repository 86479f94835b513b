//! Something that happens once, and that anybody may wait for.

use crate::sync::{AtomicBool, Ordering};

#[cfg(all(test, trill_loom))]
use tests::Notify;
#[cfg(not(all(test, trill_loom)))]
use tokio::sync::Notify;

/// Set once, seen by everybody, also by those who look later.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    set: AtomicBool,
    /// Wakes those who wait.
    notify: Notify,
}

impl Signal {
    pub(crate) fn set(&self) {
        self.set.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    /// Waits until it is set. Cancel safe.
    pub(crate) async fn wait(&self) {
        // Made before the flag is read, so that a setting in between wakes it.
        let notified = self.notify.notified();
        if !self.is_set() {
            notified.await;
        }
    }
}

#[cfg(all(test, trill_loom))]
mod tests {
    use std::future::{Future, poll_fn};
    use std::sync::Arc;
    use std::task::{Poll, Waker};

    use loom::future::block_on;
    use loom::thread;

    use crate::sync::Mutex;

    use super::*;

    /// The promise of tokio's `Notify`, made of primitives that loom sees: a future that was made
    /// before the notification ends with it.
    #[derive(Debug, Default)]
    pub(crate) struct Notify(Mutex<(usize, Vec<Waker>)>);

    impl Notify {
        pub(crate) fn notify_waiters(&self) {
            let mut state = self.0.lock();
            state.0 += 1;
            let waiting = std::mem::take(&mut state.1);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }

        pub(crate) fn notified(&self) -> impl Future<Output = ()> {
            let made = self.0.lock().0;
            poll_fn(move |cx| {
                let mut state = self.0.lock();
                if state.0 > made {
                    return Poll::Ready(());
                }
                state.1.push(cx.waker().clone());
                Poll::Pending
            })
        }
    }

    #[test]
    fn loom_whoever_waits_for_a_signal_sees_it() {
        loom::model(|| {
            let signal = Arc::new(Signal::default());
            let its = Arc::clone(&signal);
            let waits = thread::spawn(move || {
                block_on(its.wait());
                assert!(its.is_set());
            });
            signal.set();
            waits.join().expect("it saw the signal");
        });
    }
}
