//! Calls and streams that wait for a connection.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::client::Channel;
use crate::clock::{Lack, wait_until};
use crate::driver::{Link, Outcome};
use crate::error::{Error, ErrorKind, Origin, Reason};
use crate::service::Limit;
use crate::stream::Subject;

/// Why there is no connection for a call.
pub(super) enum NotConnected {
    /// Attempts failed, or the channel is closed.
    Failed(Error),
    /// The call's time has passed.
    TooLate,
    /// The call's time cannot be kept.
    NoTimer(Lack),
}

/// Waits for a connection until the deadline. `patient` is what the call says of failing attempts,
/// if it does. It holds the channel, which connects for as long as somebody waits for it.
///
/// Cancel safe.
pub(super) fn connection(
    channel: Channel,
    patient: Option<bool>,
    deadline: Option<Instant>,
) -> Connecting {
    Box::pin(async move {
        let mut waiting = pin!(channel.wait(patient));
        // Before there is a timer: where a runtime has none, this fails.
        if let Poll::Ready(link) = futures::poll!(waiting.as_mut()) {
            return link.map_err(NotConnected::Failed);
        }
        let link = match deadline {
            None => waiting.await,
            Some(deadline) => match wait_until(deadline, waiting).await {
                Ok(Some(link)) => link,
                Ok(None) => return Err(NotConnected::TooLate),
                Err(lack) => return Err(NotConnected::NoTimer(lack)),
            },
        };
        link.map_err(NotConnected::Failed)
    })
}

/// A call that waits for a connection.
pub(super) type Connecting =
    Pin<Box<dyn Future<Output = Result<Link, NotConnected>> + Send + Sync>>;

/// The error of a call that was not sent because there is no connection.
pub(super) fn not_connected(
    why: NotConnected,
    subject: &Subject,
    channel: &Channel,
    limit: Option<Limited<'_>>,
) -> Error {
    let (reason, limit) = match (why, limit) {
        (NotConnected::Failed(error), _) => return error.with_method(subject.method.clone()),
        (NotConnected::NoTimer(lack), _) => return subject.no_timer(lack),
        (NotConnected::TooLate, Some(Limited::Call(limit))) if limit.inherited => (
            Reason::InheritedDeadline,
            format!("the {:?} that were left of the caller's deadline", limit.timeout),
        ),
        (NotConnected::TooLate, Some(Limited::Call(limit))) => {
            (Reason::Deadline, format!("{:?} (timeout)", limit.timeout))
        }
        (NotConnected::TooLate, Some(Limited::Open(limit))) => {
            (Reason::ConnectTimeout, format!("{limit:?} (open_timeout)"))
        }
        (NotConnected::TooLate, None) => unreachable!("without a limit it is never too late"),
    };
    let text = format!("the call was not sent, because there was no connection within {limit}");
    let error = |text| subject.error(ErrorKind::Timeout, Origin::Caller, reason, text).not_sent();
    match channel.last_failure() {
        Some(last) => {
            error(format!("{text}; the last attempt failed: {}", last.message())).with_source(last)
        }
        None => error(format!("{text}; the first attempt goes on")),
    }
}

/// Tells whether an answer says that another server would serve better: this one refuses calls,
/// fails, or cannot reach those that it calls. Reasons that speak of the request, and those of the
/// application, do not say so.
pub(super) fn is_refusal(outcome: &Outcome) -> bool {
    outcome.failure.as_ref().is_some_and(|failure| {
        failure.app == 0
            && matches!(
                failure.reason,
                Reason::Overloaded
                    | Reason::Draining
                    | Reason::Limited
                    | Reason::Internal
                    | Reason::Connect
                    | Reason::Resolve
                    | Reason::Network
            )
    })
}

/// The owner of a limit of time.
pub(super) enum Limited<'a> {
    /// The call's.
    Call(&'a Limit),
    /// That of streams that have none.
    Open(Duration),
}
