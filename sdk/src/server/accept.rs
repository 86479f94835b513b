//! Accepting connections: only a broken listener ends it.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use tokio::task::coop::consume_budget;

use crate::clock::now;
use crate::sync::Mutex;
use crate::transport::{Io, PeerAddr, SocketListener, Undriven};

use super::pace::Pace;
use super::peers::PeerKey;
use super::waiting::{Accepted, WaitingConnections};

/// How long accepting pauses when the system says that it cannot accept.
const PAUSE: Duration = Duration::from_millis(100);

/// How often the log repeats an error that stays.
const REPEAT_EVERY: Duration = Duration::from_secs(60);

/// Where connections come from. Tests put errors of the system here.
pub(super) trait Accept {
    /// Waits for the next connection; `None` if there will be no more. Cancel safe.
    async fn accept(&self) -> Option<io::Result<Undriven>>;

    /// Tells whom an error is about.
    fn trouble(&self, error: &io::Error) -> Trouble {
        Trouble::of_socket(error)
    }
}

/// The place where a server's connections come from.
pub(super) enum Source {
    Listener(SocketListener),
    Incoming(AcceptedIos),
}

impl Source {
    /// Begins no more connections. Those that have begun can still be accepted.
    pub(super) fn stop(&self) {
        match self {
            Self::Listener(listener) => listener.stop_listening(),
            Self::Incoming(_) => {}
        }
    }
}

impl Accept for Source {
    async fn accept(&self) -> Option<io::Result<Undriven>> {
        match self {
            Self::Listener(listener) => Some(listener.accept().await),
            Self::Incoming(incoming) => incoming.accept().await,
        }
    }

    fn trouble(&self, error: &io::Error) -> Trouble {
        match self {
            Self::Listener(_) => Trouble::of_socket(error),
            Self::Incoming(_) => Trouble::of_incoming(error),
        }
    }
}

/// Connections that the user's program accepts.
pub(super) struct AcceptedIos(Mutex<Pin<Box<dyn Stream<Item = io::Result<Io>> + Send>>>);

impl AcceptedIos {
    pub(super) fn new<I: Into<Io>>(
        incoming: impl Stream<Item = io::Result<I>> + Send + 'static,
    ) -> Self {
        Self(Mutex::new(Box::pin(incoming.map(|accepted| accepted.map(Into::into)))))
    }

    async fn accept(&self) -> Option<io::Result<Undriven>> {
        loop {
            // A stream that never waits would keep the thread.
            consume_budget().await;
            let next = poll_fn(|cx| self.0.lock().as_mut().poll_next(cx)).await?;
            match next.map(|io| io.identify(None)) {
                Ok(Ok(connection)) => return Some(Ok(connection)),
                // It is gone already, which says nothing of the others.
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a connection was lost before it was served");
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Where accepted connections go.
pub(super) trait Serve {
    /// The key of a connection's peer.
    fn key(&self, peer: &PeerAddr) -> Option<PeerKey>;

    fn start(&self, accepted: Accepted);

    /// Closes one of too many that wait.
    fn refuse(&self, accepted: Accepted);
}

/// Serves all connections, until there are no more, or the listener is broken. Those whose turn has
/// not come are in `waiting`.
///
/// # Errors
/// The reason why the listener is broken.
pub(super) async fn accept_all(
    listener: &impl Accept,
    mut pace: Pace,
    waiting: &mut WaitingConnections,
    server: &impl Serve,
) -> io::Result<()> {
    let mut log = Log::default();
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            () = pace.wait(), if !waiting.is_empty() => {
                serve_waiting(&mut pace, waiting, server);
                continue;
            }
        };
        let Some(accepted) = accepted else { return Ok(()) };
        let error = match accepted {
            Ok(connection) => {
                let key = server.key(connection.peer());
                let accepted = Accepted { connection, key };
                serve_waiting(&mut pace, waiting, server);
                if waiting.is_empty() && pace.is_open() {
                    pace.pass();
                    server.start(accepted);
                } else if let Some(surplus) = waiting.push(accepted) {
                    server.refuse(surplus);
                }
                continue;
            }
            Err(error) => error,
        };
        match listener.trouble(&error) {
            Trouble::Listener => return Err(error),
            Trouble::Connection => {
                tracing::debug!(%error, "a connection was lost before it was accepted");
            }
            Trouble::System => {
                if log.is_news(&error, now()) {
                    tracing::error!(%error, "cannot accept connections for now; the server goes on trying");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves those whose turn has come. One whose client has gone meanwhile takes no turn: it costs
/// next to nothing.
fn serve_waiting(pace: &mut Pace, waiting: &mut WaitingConnections, server: &impl Serve) {
    while pace.is_open()
        && let Some(accepted) = waiting.pop()
    {
        if accepted.connection.is_gone() {
            let peer = accepted.connection.peer();
            tracing::debug!(%peer, "a connection was closed before it was served");
        } else {
            pace.pass();
            server.start(accepted);
        }
    }
}

/// Whom an error of accept(2) is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    /// The listening socket: it will never accept again.
    Listener,
    /// One connection, which is gone. Linux hands out here what the network said of it.
    Connection,
    /// The system, which has no room or does not allow it. That may pass.
    System,
}

impl Trouble {
    /// An error of a user's program is about a connection, such as a handshake that failed, unless
    /// the system says that it is about more.
    fn of_incoming(error: &io::Error) -> Self {
        match (error.raw_os_error(), Self::of_socket(error)) {
            (_, Self::Listener) => Self::Listener,
            (Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM), _) => Self::System,
            _ => Self::Connection,
        }
    }

    fn of_socket(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EBADF | libc::EFAULT | libc::EINVAL | libc::ENOTSOCK) => {
                return Self::Listener;
            }
            Some(
                libc::ENETDOWN
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH,
            ) => return Self::Connection,
            #[cfg(target_os = "linux")]
            Some(libc::ENONET) => return Self::Connection,
            _ => {}
        }
        match error.kind() {
            ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::NotConnected
            | ErrorKind::TimedOut
            | ErrorKind::Interrupted => Self::Connection,
            _ => Self::System,
        }
    }
}

/// Says when an error that comes with each attempt is worth a line.
#[derive(Default)]
struct Log {
    last: Option<Logged>,
}

/// An error that was logged.
#[derive(Clone, Copy)]
struct Logged {
    code: Option<i32>,
    kind: ErrorKind,
    at: Instant,
}

impl Log {
    fn is_news(&mut self, error: &io::Error, now: Instant) -> bool {
        let (code, kind) = (error.raw_os_error(), error.kind());
        let known = self.last.is_some_and(|last| {
            (last.code, last.kind) == (code, kind)
                && now.saturating_duration_since(last.at) < REPEAT_EVERY
        });
        if !known {
            self.last = Some(Logged { code, kind, at: now });
        }
        !known
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use crate::server::peers::KeyOf;
    use crate::transport::{Ends, memory_pair};

    use super::*;

    /// Fails in this order, with a connection (0) in between, whose other ends it keeps.
    struct Failing(Mutex<VecDeque<i32>>, Mutex<Vec<Ends>>);

    impl Accept for Failing {
        async fn accept(&self) -> Option<io::Result<Undriven>> {
            let next = self.0.lock().pop_front();
            Some(match next {
                Some(0) => {
                    let (near, far) = memory_pair();
                    self.1.lock().push(far);
                    Ok(Undriven::of(near, PeerAddr::memory()))
                }
                Some(code) => Err(io::Error::from_raw_os_error(code)),
                None => Err(io::Error::from_raw_os_error(libc::EBADF)),
            })
        }
    }

    /// Notes who is served and when, and how many are not.
    struct Serving {
        began: Instant,
        served: Mutex<Vec<(PeerAddr, Duration)>>,
        refused: Mutex<usize>,
    }

    impl Serving {
        fn new() -> Self {
            Self { began: now(), served: Mutex::default(), refused: Mutex::default() }
        }
    }

    impl Serve for Serving {
        fn key(&self, peer: &PeerAddr) -> Option<PeerKey> {
            KeyOf::default().key(peer)
        }

        fn start(&self, accepted: Accepted) {
            let peer = accepted.connection.peer().clone();
            self.served.lock().push((peer, now() - self.began));
        }

        fn refuse(&self, _: Accepted) {
            *self.refused.lock() += 1;
        }
    }

    /// How many connections were accepted and how long it took, until the listener broke with the
    /// code.
    async fn accepted(codes: &[i32]) -> (usize, Duration, Option<i32>) {
        let listener = Failing(Mutex::new(codes.iter().copied().collect()), Mutex::default());
        let (serving, mut waiting) = (Serving::new(), WaitingConnections::new(1));
        let pace = Pace::new(None);
        let end = accept_all(&listener, pace, &mut waiting, &serving).await;
        let count = serving.served.lock().len();
        (count, now() - serving.began, end.unwrap_err().raw_os_error())
    }

    /// Connections that have come, in this order. A while after that the listener breaks.
    struct Queue(Mutex<VecDeque<(Ends, PeerAddr)>>);

    impl Accept for Queue {
        async fn accept(&self) -> Option<io::Result<Undriven>> {
            let next = self.0.lock().pop_front();
            if let Some((ends, peer)) = next {
                return Some(Ok(Undriven::of(ends, peer)));
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
            Some(Err(io::Error::from_raw_os_error(libc::EBADF)))
        }
    }

    fn of_host(number: u8) -> PeerAddr {
        PeerAddr::tcp(std::net::SocketAddr::from(([10, 0, 0, number], 1)))
    }

    #[tokio::test(start_paused = true)]
    async fn neither_connections_that_are_gone_nor_those_of_one_peer_use_up_the_pace_of_others() {
        let mut queue = VecDeque::new();
        let mut theirs = Vec::new();
        for _ in 0..400 {
            queue.push_back((memory_pair().0, of_host(1)));
        }
        for _ in 0..40 {
            let (near, far) = memory_pair();
            theirs.push(far);
            queue.push_back((near, of_host(2)));
        }
        for host in [3, 4] {
            let (near, far) = memory_pair();
            theirs.push(far);
            queue.push_back((near, of_host(host)));
        }
        let (serving, mut waiting) = (Serving::new(), WaitingConnections::new(20));
        let pace = Pace::new(Some(10));
        let queue = Queue(Mutex::new(queue));
        let end = accept_all(&queue, pace, &mut waiting, &serving).await;
        assert!(end.is_err());
        let served = serving.served.lock();
        let when = |host: u8| {
            let of = served.iter().filter(|(peer, _)| *peer == of_host(host));
            of.map(|(_, when)| when.as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(when(1), [0; 10], "those that have waited are gone");
        assert_eq!(
            (when(3), when(4)),
            (vec![1], vec![1]),
            "as soon as the second of the first ten is over"
        );
        let many = when(2);
        assert!(
            (8..=10).contains(&many.len()) && many.iter().all(|when| (1..=2).contains(when)),
            "{many:?}"
        );
        // Twenty wait at most, and of these half are gone.
        assert_eq!(*serving.refused.lock(), 442 - 10 - 20);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(start_paused = true)]
    async fn what_the_system_says_of_one_connection_costs_the_next_one_nothing() {
        // ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH,
        // ECONNABORTED, ECONNRESET, ETIMEDOUT, EINTR.
        for code in [100, 71, 92, 112, 64, 113, 95, 101, 103, 104, 110, 4] {
            assert_eq!(
                accepted(&[0, code, code, 0]).await,
                (2, Duration::ZERO, Some(9)),
                "errno {code}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(start_paused = true)]
    async fn a_shortage_and_what_nobody_has_heard_of_make_a_pause_and_no_end() {
        // EPERM, EAGAIN, ENOMEM, EACCES, ENFILE, EMFILE, ENOBUFS, and one that no system has.
        for code in [1, 11, 12, 13, 23, 24, 105, 4_000] {
            assert_eq!(
                accepted(&[0, code, code, 0]).await,
                (2, 2 * PAUSE, Some(9)),
                "errno {code}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(start_paused = true)]
    async fn a_broken_listener_ends_it() {
        for code in [9, 14, 22, 88] {
            assert_eq!(
                accepted(&[0, code, 0]).await,
                (1, Duration::ZERO, Some(code)),
                "errno {code}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_of_a_program_that_accepts_is_about_one_connection_unless_the_system_is_short()
    {
        let handshake = || Err(io::Error::new(ErrorKind::InvalidData, "no certificate"));
        let code = |code| Err(io::Error::from_raw_os_error(code));
        // ECONNRESET, EPIPE, and EMFILE, which makes a pause.
        let (one, _) = tokio::io::duplex(1);
        let accepted = [handshake(), Ok(one), handshake(), code(104), code(32), code(24)];
        let source = Source::Incoming(AcceptedIos::new(futures::stream::iter(accepted)));
        let (serving, mut waiting) = (Serving::new(), WaitingConnections::new(1));
        let pace = Pace::new(None);
        let end = accept_all(&source, pace, &mut waiting, &serving).await;
        assert!(end.is_ok(), "there are no more");
        assert_eq!((serving.served.lock().len(), now() - serving.began), (1, PAUSE));
        // EBADF
        let broken = futures::stream::iter([code(9), Ok(tokio::io::duplex(1).0)]);
        let source = Source::Incoming(AcceptedIos::new(broken));
        let end = accept_all(&source, Pace::new(None), &mut waiting, &serving);
        assert_eq!(end.await.unwrap_err().raw_os_error(), Some(9));
    }

    #[test]
    fn an_error_that_stays_is_news_once_a_minute_and_another_at_once() {
        let (mut log, start) = (Log::default(), now());
        let (files, memory) = (io::Error::from_raw_os_error(24), io::Error::from_raw_os_error(12));
        let mut told = Vec::new();
        for second in 0..120 {
            if log.is_news(&files, start + Duration::from_secs(second)) {
                told.push(second);
            }
        }
        assert_eq!(told, [0, 60]);
        assert!(log.is_news(&memory, start + Duration::from_secs(60)));
    }
}
