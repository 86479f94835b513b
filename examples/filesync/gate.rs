//! One push at a time, for two would write to the same files.

use std::sync::Arc;

use tokio::sync::watch;

/// Lets in all streams of one push, and those of the next when the last of them has left.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    inside: Arc<watch::Sender<Option<Inside>>>,
}

#[derive(Debug)]
struct Inside {
    session: Vec<u8>,
    streams: usize,
}

/// The right to be inside. Dropping it is leaving.
#[derive(Debug)]
pub(crate) struct Pass(Gate);

impl Gate {
    pub(crate) fn new() -> Self {
        Self { inside: Arc::new(watch::Sender::new(None)) }
    }

    /// Waits until no other push is inside. Cancel safe.
    pub(crate) async fn enter(&self, session: &[u8]) -> Pass {
        // Subscribed before the first look, so that no change between look and wait is missed.
        let mut changes = self.inside.subscribe();
        loop {
            if let Some(pass) = self.try_enter(session) {
                return pass;
            }
            changes.changed().await.expect("the sender lives in self");
        }
    }

    fn try_enter(&self, session: &[u8]) -> Option<Pass> {
        let entered = self.inside.send_if_modified(|inside| match inside {
            None => {
                *inside = Some(Inside { session: session.to_vec(), streams: 1 });
                true
            }
            Some(there) if there.session == session => {
                there.streams += 1;
                true
            }
            Some(_) => false,
        });
        entered.then(|| Pass(self.clone()))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.inside.send_modify(|inside| {
            *inside = inside.take().filter(|there| there.streams > 1);
            if let Some(there) = inside {
                there.streams -= 1;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn streams_of_one_push_are_inside_together_and_the_next_push_waits_for_all() {
        let gate = Gate::new();
        let (first, second) = (gate.enter(b"a").await, gate.enter(b"a").await);
        let mut next = Box::pin(gate.enter(b"b"));
        assert!(next.as_mut().now_or_never().is_none());
        drop(first);
        assert!(next.as_mut().now_or_never().is_none());
        drop(second);
        let pass = next.await;
        assert!(gate.enter(b"a").now_or_never().is_none());
        drop(pass);
        assert!(gate.enter(b"a").now_or_never().is_some());
    }
}
