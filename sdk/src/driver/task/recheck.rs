//! A connection that is not read looks again now and then: nothing wakes it for some changes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// The changes of which nothing tells a driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unseen {
    /// Other connections have left room, so that this one may be read.
    Room,
    /// Other connections have left room for the large frame at the front, whose time is limited.
    RoomForFrame,
    /// The peer is gone: a read would tell, and there is none.
    End,
}

/// The times between looks.
struct Waits {
    /// Before the first one.
    first: Duration,
    most: Duration,
}

impl Unseen {
    fn waits(self) -> Waits {
        let (first, most) = match self {
            Self::Room => (10, 1_000),
            Self::RoomForFrame => (10, 100),
            Self::End => (100, 1_000),
        };
        Waits { first: Duration::from_millis(first), most: Duration::from_millis(most) }
    }
}

/// Looks for one kind of change. The wait doubles as long as there is none: thousands of
/// connections that are not read for minutes must not keep a server busy.
#[derive(Debug)]
pub(super) struct Recheck {
    of: Unseen,
    wait: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Recheck {
    pub(super) fn new(of: Unseen) -> Self {
        let wait = of.waits().first;
        Self { of, wait, sleep: Box::pin(sleep(wait)) }
    }

    pub(super) fn is_of(&self, of: Unseen) -> bool {
        self.of == of
    }

    /// Waits until it is time to look. From then on it waits for the next look.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.sleep.as_mut().poll(cx));
        self.wait = (2 * self.wait).min(self.of.waits().most);
        self.sleep = Box::pin(sleep(self.wait));
        Poll::Ready(())
    }
}
