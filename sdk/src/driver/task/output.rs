//! The driver's output: it writes what no other task has written, and waits for a full socket.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::conn::ConnError;
use crate::driver::flusher::Flusher;
use crate::driver::writer::Writing;
use crate::transport::WriteEnd;

use super::Driver;

/// The wait of answers for the last batch task, should that be busy with something else.
const PATIENCE: Duration = Duration::from_millis(1);

/// How long a connection that nobody holds any more may take to write what is queued.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the end of the input may take to come when writing has failed.
const LAST_INPUT: Duration = Duration::from_millis(200);

impl Driver {
    /// Writes what is queued. Gives the end of a connection that has come to it by what was
    /// written or cannot be.
    pub(super) fn poll_output(
        &mut self,
        output: &dyn WriteEnd,
        cx: &mut Context<'_>,
    ) -> Poll<ConnError> {
        loop {
            self.shared.flush();
            let (lost, writing, closing) = self.run(|state| {
                let lost = state.conn.lost().cloned();
                let closing = state.closing.then(|| (state.is_written(), state.lingering));
                (lost, state.writer.writing(), closing)
            });
            if let Some(why) = lost {
                return Poll::Ready(why);
            }
            // A peer that has closed the connection may have said before why. The input comes to
            // its end as well, behind that.
            if let Writing::Failed(kind) = writing {
                let limit = self.failing.get_or_insert_with(|| Box::pin(sleep(LAST_INPUT)));
                ready!(limit.as_mut().poll(cx));
                return Poll::Ready(self.failed(kind));
            }
            if let Some((written, lingers)) = closing
                && self.poll_closing(written, lingers, output, cx).is_ready()
            {
                return Poll::Ready(ConnError::LocalClosed);
            }
            if writing != Writing::SocketFull {
                return Poll::Pending;
            }
            match ready!(output.poll_write_ready(cx)) {
                Ok(()) => self.run(|state| state.writer.unblock()),
                Err(error) => self.run(|state| state.writer.fail(error.kind())),
            }
        }
    }

    /// Waits until a connection that nobody holds, or whose server is shut down, may end. One that
    /// lingers tells its peer that nothing more is written, and ends when the peer has ended it.
    fn poll_closing(
        &mut self,
        written: bool,
        lingers: bool,
        output: &dyn WriteEnd,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if written && !lingers && output.poll_close(cx).is_ready() {
            return Poll::Ready(());
        }
        // All input that had come before is answered.
        let answered = written && lingers && self.drained;
        if answered && self.run(|state| state.writer.close()).is_some() {
            output.finish();
            self.finished = true;
        }
        let limit = self.closing.get_or_insert_with(|| Box::pin(sleep(CLOSE_TIMEOUT)));
        limit.as_mut().poll(cx)
    }

    /// From now on somebody else writes what several have queued, so that it can be read meanwhile.
    pub(super) fn start_flusher(&mut self) {
        // A model runs it on a thread of its own.
        if cfg!(trill_loom)
            || self.flusher.is_some()
            || Handle::current().metrics().num_workers() < 2
        {
            return;
        }
        self.flusher = Some(tokio::spawn(Flusher::new(Arc::clone(&self.shared))));
    }

    /// Sees to it that answers do not wait for long for the last batch task to write them.
    pub(super) fn poll_patience(&mut self, mut runs: bool, cx: &mut Context<'_>) {
        while runs {
            let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
            if patience.as_mut().poll(cx).is_pending() {
                return;
            }
            self.patience = None;
            self.shared.flush();
            runs = self.shared.peek(|state| state.writer.has_batch_tasks());
        }
        // It runs out by itself, and is not started anew for each batch.
        if let Some(patience) = &mut self.patience
            && patience.as_mut().poll(cx).is_ready()
        {
            self.patience = None;
        }
    }
}
