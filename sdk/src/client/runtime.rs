//! The tokio runtime that a channel's tasks run in, and what becomes of them when it ends.

use std::sync::Arc;

use crate::clock::{Lack, check_runtime};
use crate::cores::CoreSet;
use crate::error::{Error, ErrorKind, Origin, Reason, Result};

use super::pool::ConnectionPool;
use super::subchannels::Id;

/// Checks that the tasks of a channel can run where this is called. A task that found out itself
/// could tell nobody.
///
/// # Errors
/// There is no runtime, or it was built without what the channel needs ([`ErrorKind::Config`]).
pub(super) fn check(needs_sockets: bool) -> Result<()> {
    let lacks = match check_runtime(needs_sockets) {
        Ok(()) => return Ok(()),
        Err(Lack::Runtime) => "it must be made within a tokio runtime".to_owned(),
        Err(lack) => lack.to_string(),
    };
    let text = format!("the connection was not made: {lacks}");
    Err(Error::new(ErrorKind::Config, Origin::Caller, Reason::Config, text))
}

/// Which task of a channel it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    /// Keeps a subchannel connected.
    Subchannel(Id),
    /// Asks for addresses.
    Resolver,
    /// Drives the connection that the channel was given.
    Given,
}

/// Goes with a task of a channel from the moment it is spawned. A runtime that ends drops its tasks
/// in whatever they are doing: the guard tells the pool, so that those who wait hear of it and the
/// next call starts another task where it is made.
pub(super) struct Guard {
    pub(super) pool: Arc<ConnectionPool>,
    task: Task,
    state: TaskState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TaskState {
    Spawned,
    Runs,
    Done,
}

impl Guard {
    pub(super) fn new(pool: &Arc<ConnectionPool>, task: Task) -> Self {
        Self { pool: Arc::clone(pool), task, state: TaskState::Spawned }
    }

    /// The task is polled for the first time.
    pub(super) fn begin(&mut self) {
        self.state = TaskState::Runs;
    }

    /// The task has ended by itself, and has said so to the pool.
    pub(super) fn end(mut self) {
        self.state = TaskState::Done;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let internal = (ErrorKind::Internal, Origin::Library);
        let why = match self.state {
            TaskState::Done => return,
            _ if std::thread::panicking() => Some((internal, "the channel's task panicked")),
            // A waiter starts another one.
            TaskState::Runs => None,
            // The runtime of whoever waits takes no tasks any more: waiting would be in vain.
            TaskState::Spawned => Some((
                (ErrorKind::Closed, Origin::Caller),
                "the connection was not made, because the tokio runtime is being shut down",
            )),
        };
        let why = why.map(|((kind, origin), text)| {
            Error::new(kind, origin, Reason::Connect, text)
                .with_peer(Arc::clone(&self.pool.config.target))
        });
        self.pool.abandon(self.task, why.as_ref());
        if self.pool.config.cores.as_ref().is_some_and(CoreSet::are_over) {
            self.pool.end_with_cores();
        }
    }
}
