//! The context of a call, for its handler.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::clock::now;
use crate::driver::Head;
use crate::metadata::{Metadata, MetadataError};
use crate::service::{CallOptions, MethodSpec, ServiceSpec};
use crate::signal::Signal;
use crate::stream::{Compression, JSON};
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::transport::{Credentials, PeerAddr};

use super::server_state::ServerState;

/// The call as its handler knows it: the caller, the deadline, the metadata, and whether somebody
/// still waits for the outcome.
///
/// Clones are cheap and belong to the same call. Keeping one does not keep the call alive.
#[derive(Clone)]
pub struct Context(Arc<ContextInner>);

/// A stream may live for long, and with it this. So what few calls have is in boxes.
struct ContextInner {
    service: &'static ServiceSpec,
    method: &'static MethodSpec,
    caller: Bytes,
    metadata: Metadata,
    message_type: u32,
    /// The request is JSON, and the answer is to be.
    json: bool,
    peer: PeerAddr,
    deadline: Option<Instant>,
    /// `None` if it is empty.
    attachment: Option<Box<Bytes>>,
    compression: Option<Compression>,
    /// The outcome is not waited for any more. Set with `rare` locked.
    over: AtomicBool,
    rare: Mutex<Option<Box<RareFields>>>,
    server_state: Arc<ServerState>,
}

/// The fields that most calls do without.
#[derive(Default)]
struct RareFields {
    extras: Extras,
    /// For those who wait for the end.
    cancelled: Option<Arc<Signal>>,
}

/// The parts that go out beside the answer.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) initial: Metadata,
    pub(super) metadata: Metadata,
    pub(super) attachment: Bytes,
    /// `None`: as the request was.
    pub(super) compression: Option<Option<Compression>>,
}

impl Context {
    pub(super) fn new(
        (service, method): (&'static ServiceSpec, &'static MethodSpec),
        head: Head,
        peer: PeerAddr,
        deadline: Option<Instant>,
        attachment: Bytes,
        compression: Option<Compression>,
        server_state: Arc<ServerState>,
    ) -> Self {
        // The rest of the head has done its duty, and a stream may live for long.
        let Head { caller, metadata, message_type, content_type, .. } = head;
        Self(Arc::new(ContextInner {
            service,
            method,
            caller,
            metadata,
            message_type,
            json: content_type == JSON,
            peer,
            deadline,
            attachment: (!attachment.is_empty()).then(|| Box::new(attachment)),
            compression,
            over: AtomicBool::new(false),
            rare: Mutex::default(),
            server_state,
        }))
    }

    /// The method that is called, as `/package.Service/Method`. An alias shows the canonical name.
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.0.method.path
    }

    /// The name the caller gives itself, if it is UTF-8.
    #[must_use]
    pub fn caller(&self) -> Option<&str> {
        std::str::from_utf8(&self.0.caller).ok()
    }

    /// The address of the caller's end of the connection.
    #[must_use]
    pub fn peer(&self) -> &PeerAddr {
        &self.0.peer
    }

    /// The value of this type that was found out about the caller when its connection was made:
    /// what a TLS handshake has, or a handshake of the user's own
    /// ([`Io::with_identity`](crate::Io::with_identity)). `None` if there is none of this type.
    #[must_use]
    pub fn identity<T: std::any::Any + Send + Sync>(&self) -> Option<&T> {
        self.peer().identity()
    }

    /// The process that calls, as the system knows it: for callers over a Unix socket.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.peer().credentials()
    }

    /// The metadata of the request.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// The bytes beside a unary request; empty for streams, which have none.
    #[must_use]
    pub fn attachment(&self) -> &Bytes {
        static NOTHING: Bytes = Bytes::new();
        self.0.attachment.as_deref().unwrap_or(&NOTHING)
    }

    /// When the caller stops waiting; `None` if it does not say.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// How long the caller still waits; `None` if it does not say.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0.deadline.map(|deadline| deadline.saturating_duration_since(now()))
    }

    /// Sends a key with one value with the answer of a unary call, or with the end of a stream, in
    /// place of values that the key has.
    ///
    /// The caller finds it in [`Response::metadata`](crate::Response), or in
    /// [`AsyncReader::metadata`](crate::AsyncReader::metadata) at the end of a stream. It goes out with a failure as well: the
    /// caller finds it in [`Error::metadata`](crate::Error::metadata) then.
    ///
    /// # Errors
    /// A key that [`Metadata`] does not take.
    pub fn set_metadata(
        &self,
        key: impl Into<String>,
        value: impl Into<Bytes>,
    ) -> Result<(), MetadataError> {
        let (key, value) = (key.into(), value.into());
        self.with_extras(|extras| extras.metadata.insert(key, value))
    }

    /// Sends one more value of a key with the answer of a unary call, or with the end of a stream.
    /// Over tRPC a key has one value: an answer with a second one fails, and so does a good end.
    ///
    /// # Errors
    /// A key that [`Metadata`] does not take.
    pub fn append_metadata(
        &self,
        key: impl Into<String>,
        value: impl Into<Bytes>,
    ) -> Result<(), MetadataError> {
        let (key, value) = (key.into(), value.into());
        self.with_extras(|extras| extras.metadata.append(key, value))
    }

    /// Sends all this with the answer of a unary call, or with the end of a stream, in place of the
    /// values that its keys have. The metadata of another server's answer is passed on with this,
    /// and so is that of its [error](crate::Error::metadata).
    pub fn extend_metadata(&self, metadata: Metadata) {
        self.with_extras(|extras| extras.metadata.extend(metadata));
    }

    /// Sends a key with one value before the first message of the answer, in place of values that
    /// the key has there. It goes out with that message, or with the end if there is none, and what
    /// is set later has no promised effect.
    ///
    /// tRPC has no place for it: there it is sent with the final metadata, and of a key that is in
    /// both, the final values count.
    ///
    /// # Errors
    /// A key that [`Metadata`] does not take.
    pub fn set_initial_metadata(
        &self,
        key: impl Into<String>,
        value: impl Into<Bytes>,
    ) -> Result<(), MetadataError> {
        let (key, value) = (key.into(), value.into());
        self.with_extras(|extras| extras.initial.insert(key, value))
    }

    /// Sends one more value of a key before the first message of the answer. As
    /// [`set_initial_metadata`](Self::set_initial_metadata), with the limits of
    /// [`append_metadata`](Self::append_metadata).
    ///
    /// # Errors
    /// A key that [`Metadata`] does not take.
    pub fn append_initial_metadata(
        &self,
        key: impl Into<String>,
        value: impl Into<Bytes>,
    ) -> Result<(), MetadataError> {
        let (key, value) = (key.into(), value.into());
        self.with_extras(|extras| extras.initial.append(key, value))
    }

    /// Sends all this before the first message of the answer, in place of the values that its keys
    /// have there. As [`set_initial_metadata`](Self::set_initial_metadata); the initial metadata of
    /// another server's answer is passed on with this.
    pub fn extend_initial_metadata(&self, metadata: Metadata) {
        self.with_extras(|extras| extras.initial.extend(metadata));
    }

    /// Sends bytes beside the answer of a unary call. Streams have no attachment, so for them it
    /// does nothing.
    pub fn set_attachment(&self, attachment: impl Into<Bytes>) {
        let attachment = attachment.into();
        self.with_extras(|extras| extras.attachment = attachment);
    }

    /// How the request's messages are compressed.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        self.0.compression
    }

    /// Compresses the answer of a unary call, or with `None` does not. Without this, the server's
    /// [`compression`](crate::server::ServerBuilder::compression) counts. The opener of a stream
    /// has chosen the compression of both directions, so for streams it does nothing.
    pub fn set_compression(&self, compression: impl Into<Option<Compression>>) {
        let compression = compression.into();
        self.with_extras(|extras| extras.compression = Some(compression));
    }

    /// Options for calls that this handler makes on behalf of its caller. They carry the time that
    /// is left and the request's metadata.
    pub fn child(&self) -> CallOptions {
        let ContextInner { deadline, metadata, service, message_type, .. } = &*self.0;
        CallOptions::inherited(*deadline, metadata.clone(), service.name, *message_type)
    }

    /// Tells whether the call is over: it has its outcome, the caller gave up, the deadline passed,
    /// the connection is gone, or the server was shut down. It is meant for tasks that the handler
    /// has spawned: it is `true` from the moment at which the handler's own future is dropped or
    /// done. Within that future it is always `false`.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.over.load(Ordering::SeqCst)
    }

    /// Completes when the call is over: it has its outcome, the caller gave up, the deadline
    /// passed, the connection is gone, or the server was shut down.
    ///
    /// The handler's own future is dropped at that moment, so this is meant for tasks that the
    /// handler has spawned. It completes after every call, so a task that waits for it never
    /// outlives its call. **Cancel safety**: dropping the future loses nothing.
    pub async fn cancelled(&self) {
        let Some(signal) = self.signal() else { return };
        signal.wait().await;
    }

    /// Tells whether the server is being shut down. A handler should finish soon then.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.server_state.drain.has_begun()
    }

    /// Waits until the server is being shut down, and gives the time after which this call is
    /// ended. As [`drain_time_left`](Self::drain_time_left).
    ///
    /// Ready at once if the shutdown has begun. **Cancel safety**: dropping the future loses
    /// nothing.
    pub async fn draining(&self) -> Duration {
        self.0.server_state.drain.begun().await;
        self.0.server_state.drain.time_left()
    }

    /// How long the server still waits for its handlers; `None` while it is not being shut down,
    /// [`Duration::MAX`] if it waits without a limit. A second
    /// [`shutdown`](crate::server::ServerHandle::shutdown) can make it shorter, never longer.
    #[must_use]
    pub fn drain_time_left(&self) -> Option<Duration> {
        self.is_draining().then(|| self.0.server_state.drain.time_left())
    }

    fn with_extras<R>(&self, change: impl FnOnce(&mut Extras) -> R) -> R {
        change(&mut self.0.rare.lock().get_or_insert_default().extras)
    }

    /// Tells whether the request is JSON, and the answer is to be.
    pub(super) fn is_json(&self) -> bool {
        self.0.json
    }

    /// The call is over. Clones are asked only if there are some, which spares most calls the
    /// signal.
    pub(super) fn end(&self) {
        if Arc::strong_count(&self.0) > 1 {
            let mut rare = self.0.rare.lock();
            self.0.over.store(true, Ordering::SeqCst);
            let signal = rare.as_mut().and_then(|rare| rare.cancelled.take());
            drop(rare);
            if let Some(signal) = signal {
                signal.set();
            }
        }
    }

    /// The signal that [`end`](Self::end) sets; `None` if the call is over already.
    fn signal(&self) -> Option<Arc<Signal>> {
        let mut rare = self.0.rare.lock();
        let signal = || Arc::clone(rare.get_or_insert_default().cancelled.get_or_insert_default());
        (!self.is_cancelled()).then(signal)
    }

    pub(super) fn take_extras(&self) -> Extras {
        let mut extras = self
            .0
            .rare
            .lock()
            .as_mut()
            .map(|rare| std::mem::take(&mut rare.extras))
            .unwrap_or_default();
        extras.compression = extras.compression.or(self.0.server_state.compression);
        extras
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("method", &self.method())
            .field("peer", &self.0.peer)
            .field("deadline", &self.0.deadline)
            .field("metadata", &self.0.metadata)
            .finish_non_exhaustive()
    }
}
