//! Settings of a server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;

use crate::client::Channel;
use crate::error::{Error, ErrorKind, Origin, Reason, Result};

use crate::clock::Lack;
use crate::cores::{CoreSet, Cores};
use crate::driver::{Config, Pools};
use crate::settings::{self, Limits, shared_settings};
use crate::stream::Compression;
use crate::transport::{
    Address, Ends, Io, Listener, PeerAddr, SocketListener, memory_pair, why_not_bound,
};

use super::accept::{AcceptedIos, Source};
use super::bound::Bound;
use super::call::{IntoService, Router, ServerState, Service};
use super::connection_set::{AcceptLimits, DEFAULT_CONNECTIONS};
use super::connections::Connections;
use super::files::Files;
use super::peers::KeyOf;

/// Clients of the protocol close idle connections after 50 seconds. Those that do not are gone, or
/// will come back.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The door to a server: [`Server::builder`].
#[derive(Debug)]
pub struct Server(());

impl Server {
    /// Settings and services of a new server.
    pub fn builder() -> ServerBuilder {
        let config = Config { idle_timeout: Some(IDLE_TIMEOUT), ..Config::default() };
        ServerBuilder {
            services: Vec::new(),
            config,
            accept_limits: AcceptLimits::default(),
            keys: KeyOf::default(),
            backlog: 4_096,
            max_calls: 100_000,
            compression: None,
            unread: 512 * 1024 * 1024,
            unsent: 256 * 1024 * 1024,
            cores: None,
        }
    }
}

/// Settings and services of a server, made by [`Server::builder`].
#[must_use = "a builder does nothing until it is bound"]
pub struct ServerBuilder {
    services: Vec<Arc<dyn Service>>,
    config: Config,
    accept_limits: AcceptLimits,
    keys: KeyOf,
    /// The listener's queue.
    backlog: u32,
    max_calls: usize,
    /// `None`: as the requests are.
    compression: Option<Option<Compression>>,
    /// The bytes that all connections may hold together.
    unread: usize,
    unsent: usize,
    cores: Option<CoreSet>,
}

impl ServerBuilder {
    /// Adds a service: a generated `...Server`, or a type whose `impl` of a service trait carries
    /// `#[trill::service]`.
    ///
    /// A type that has two such `impl`s is wrapped, to say which is meant:
    /// `GreeterServer::new(both)`. The compiler shows the name of the parameter, which is always
    /// inferred, to whoever has not. A service in an `Arc`, which is used elsewhere, too, is
    /// `GreeterServer::from_arc(shared)`.
    pub fn service<WrapItInAServerType>(
        mut self,
        service: impl IntoService<WrapItInAServerType>,
    ) -> Self {
        self.services.push(service.into_service());
        self
    }

    shared_settings!();

    /// How the answers of unary calls are compressed, or with `None` that they are not, whatever
    /// their requests are. Default: as the request is.
    /// [`Context::set_compression`](crate::Context::set_compression) decides for one answer.
    ///
    /// All peers of the protocol unpack an answer as its header says, whatever they asked with. The
    /// messages of a stream are compressed as its opener says, in both directions.
    pub fn compression(mut self, compression: impl Into<Option<Compression>>) -> Self {
        self.compression = Some(compression.into());
        self
    }

    /// Tells the peers of this server apart. Default: a peer is an IPv4 address or the first 64
    /// bits of an IPv6 address over TCP, and each connection is a peer of its own over `unix:` and
    /// in memory.
    ///
    /// A peer shares with all its connections what it may have of `max_calls`, `max_unread`,
    /// `max_unsent` and `max_connections`: no more than it leaves to the others, so one peer alone
    /// gets half of each. Behind a proxy all clients have one address: give each connection a key
    /// of its own, such as its address with the port, or raise these limits.
    ///
    /// `key` is called once for each connection as it is accepted, and must not block. If it
    /// panics, the default counts.
    ///
    /// ```
    /// # use trill::Server;
    /// let server = Server::builder().peer_key(|address| address.to_string());
    /// ```
    pub fn peer_key(mut self, key: impl Fn(&PeerAddr) -> String + Send + Sync + 'static) -> Self {
        self.keys = KeyOf(Some(Arc::new(key)));
        self
    }

    /// Serves each accepted connection on the core that has the fewest, with its calls and streams.
    /// Default: where tokio runs the tasks of the runtime in which the server
    /// [serves](Bound::serve).
    ///
    /// All limits of the server count for the cores together. Over an [`Io`] that is no socket a
    /// connection is served on a core and woken from where the io was made. Connections in memory
    /// stay where they are made.
    ///
    /// Keep the [`Cores`] until the server is shut down. When they are gone before, its connections
    /// end, and [`serve`](Bound::serve) fails.
    pub fn per_core(mut self, cores: &Cores) -> Self {
        self.cores = Some(cores.set());
        self
    }

    /// Bytes of all connections together that may be received and not yet read or answered,
    /// together with what the windows of their streams promise. Default: 512 MiB.
    /// [`max_unread_per_connection`](Limits::max_unread_per_connection) says what happens when room
    /// is short.
    ///
    /// No [peer](Self::peer_key) gets more than it leaves to the others: one alone half of it at
    /// most, two together three quarters. Messages that go beyond a window can bring it above that;
    /// from an eighth of `max_unread` and one message above on, its connections that hold more than
    /// a window are not read. By default 2,709 streams of many peers can have whole windows.
    pub fn max_unread(mut self, bytes: usize) -> Self {
        self.unread = bytes;
        self
    }

    /// Bytes of all connections together that may be written and not yet sent. Default: 256 MiB. As
    /// it gets short, each connection may queue less than
    /// [`max_unsent_per_connection`](Limits::max_unsent_per_connection), down to 16 KiB, which it
    /// may always: writers wait, and go on as their peers read. An answer counts from the moment
    /// its handler returns it. No [peer](Self::peer_key) gets more than it leaves to the others:
    /// when it has more answers and refusals unsent than that, those of its connections with more
    /// than 16 KiB are not read, and a further answer of more than 16 KiB is dropped: its caller
    /// gets [`Code::ResourceExhausted`](crate::Code::ResourceExhausted).
    pub fn max_unsent(mut self, bytes: usize) -> Self {
        self.unsent = bytes;
        self
    }

    /// How long a connection may be without a call or stream before it is closed, or `None` for
    /// ever. It lives for a quarter longer at most. Default: 5 minutes. The calls of a client that
    /// has ended its direction of the socket do not count.
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.idle_timeout = limit.into();
        self
    }

    /// How long a client's first frame may take from its first byte until it is whole, before its
    /// connection is closed. Default: 10 seconds. A client that sends nothing at all is idle.
    pub fn first_frame_timeout(mut self, limit: Duration) -> Self {
        self.config.first_frame_timeout = limit;
        self
    }

    /// How long a one-way call may go on when the connection it came on is gone, or `None` until
    /// its own deadline, which it may not have. Then its handler is dropped, and the log says so.
    /// Default: 5 minutes.
    pub fn abandoned_call_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.abandoned_call_timeout = limit.into();
        self
    }

    /// How many calls and streams the server works on at once, on all connections together; further
    /// ones are refused with [`Code::ResourceExhausted`](crate::Code::ResourceExhausted), and may
    /// be tried again. No [peer](Self::peer_key) gets more than it leaves to the others. Default:
    /// 100,000.
    pub fn max_calls(mut self, count: usize) -> Self {
        self.max_calls = count;
        self
    }

    /// How many connections the server has at once; further ones are closed as they come. No
    /// [peer](Self::peer_key) gets more than it leaves to the others. Default: 100,000.
    ///
    /// A server at an address on Linux has at most as many as the process may open files
    /// (`ulimit -n`) when it binds, less those that are open and an eighth, or 16 if that is more.
    /// If this is less than a number that was set, `bind` warns in the log. Several servers of one
    /// process share its files: give each its part.
    pub fn max_connections(mut self, count: usize) -> Self {
        self.accept_limits.connections = count;
        self
    }

    /// How many connections may be there for long that have not sent a whole frame yet. When one
    /// more comes, the oldest are closed that have sent nothing at all for
    /// [`new_connection_grace`](Self::new_connection_grace), first those of [peers](Self::peer_key)
    /// that have more than their share of them. Default: 1,024.
    pub fn max_new_connections(mut self, count: usize) -> Self {
        self.accept_limits.new = count;
        self
    }

    /// How long a connection that sends nothing is left alone, however many of them there are.
    /// Default: 10 seconds. After that it may have to make room, see
    /// [`max_new_connections`](Self::max_new_connections).
    pub fn new_connection_grace(mut self, limit: Duration) -> Self {
        self.accept_limits.new_grace = limit;
        self
    }

    /// How many connections that the system has made may wait to be accepted. Beyond it a client's
    /// attempt is dropped, and made again by its system after a second. Default: 4,096; the system
    /// may allow less (`net.core.somaxconn` on Linux, which is 4,096 by default).
    pub fn backlog(mut self, count: u32) -> Self {
        self.backlog = count;
        self
    }

    /// How many connections the server begins to serve within a second, or `None` for any number.
    /// Further ones wait for the next second, and [peers](Self::peer_key) take turns. If more wait
    /// than that, or than a sixteenth of [`max_connections`](Self::max_connections), those of the
    /// peer with most are closed that came last. One that its client has closed meanwhile counts
    /// for nothing. Default: 10,000.
    pub fn max_accepts_per_second(mut self, count: impl Into<Option<u32>>) -> Self {
        self.accept_limits.accepts_per_second = count.into();
        self
    }

    /// Listens at `host:port`, or at `unix:` and a path; port 0 takes a free one. Connections wait
    /// until the server [serves](Bound::serve). Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address or a setting makes no sense, two methods have one name, or there is no runtime
    /// ([`ErrorKind::Config`]); or nobody can listen there ([`ErrorKind::Bind`]), for the reason
    /// that the text says.
    pub async fn bind(mut self, address: impl AsRef<str>) -> Result<Bound> {
        let address = Address::parse(address.as_ref())?;
        check_runtime("bind", true)?;
        let (backlog, files) = (self.backlog, self.limit_to_files());
        let options = settings::socket_options(&self.config);
        let connections = self.connections()?;
        let failed = |error| not_bound(&address.to_string(), error);
        let listener = SocketListener::bind(&address).await.map_err(failed)?;
        listener.set_backlog(backlog).map_err(failed)?;
        listener.set_buffers(options).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        files.warn();
        Ok(Bound::new(Source::Listener(listener), local, connections))
    }

    /// Listens with a socket that was made elsewhere: std's or tokio's, of TCP or of a Unix socket,
    /// such as one of systemd. Connections wait until the server [serves](Bound::serve). Must be
    /// called within a tokio runtime.
    ///
    /// The socket may be shared with other processes, so its [`backlog`](Self::backlog) stays as it
    /// is, and so does the file of a Unix socket. A connection that begins while the server shuts
    /// down may be refused or reset.
    ///
    /// ```
    /// # use trill::Server;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    /// let server = Server::builder().bind_listener(listener)?;
    /// assert_eq!(server.local_addr().port(), Some(port));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A setting makes no sense, two methods have one name, or there is no runtime
    /// ([`ErrorKind::Config`]); or the runtime cannot take the socket ([`ErrorKind::Bind`]).
    pub fn bind_listener(mut self, listener: impl Into<Listener>) -> Result<Bound> {
        check_runtime("bind_listener", true)?;
        let files = self.limit_to_files();
        let connections = self.connections()?;
        let failed = |error| not_bound("the socket", error);
        let listener = listener.into().open().map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        files.warn();
        Ok(Bound::new(Source::Listener(listener), local, connections))
    }

    /// Serves connections that the user's program accepts, over any io: behind a handshake, from
    /// another sort of socket, or from a pipe. The stream is asked for more while the server
    /// [serves](Bound::serve). Must be called within a tokio runtime.
    ///
    /// All limits on accepting count as for a listener. A handshake belongs before the stream, with
    /// a limit of time, and many at once, as `buffer_unordered` makes them: what waits inside the
    /// stream holds up those behind it.
    ///
    /// An error in the stream is about one connection, and is logged at level `debug`. If the
    /// system is short of files or memory, there is a pause of 100 ms as well; and one that says
    /// that a socket does not listen (`EBADF`, `EINVAL`, `ENOTSOCK`) ends the serving.
    ///
    /// ```
    /// use trill::futures::stream;
    /// use trill::{Channel, Io, Server};
    /// # use trill::prost::Message;
    /// # use trill::{Context, Result};
    /// # #[derive(Clone, PartialEq, Message)]
    /// # #[prost(prost_path = "trill::prost")]
    /// # pub struct Hello { #[prost(string, tag = "1")] pub msg: String }
    /// # #[trill::service(package = "demo")]
    /// # pub trait Greeter { async fn say_hello(&self, cx: Context, req: Hello) -> Result<Hello>; }
    ///
    /// /// What a handshake has found out.
    /// struct User(&'static str);
    ///
    /// struct MyGreeter;
    ///
    /// #[trill::service]
    /// impl Greeter for MyGreeter {
    ///     async fn say_hello(&self, cx: Context, _req: Hello) -> Result<Hello> {
    ///         let user = cx.identity::<User>().map_or("stranger", |user| user.0);
    ///         Ok(Hello { msg: format!("hello, {user}") })
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let (near, far) = tokio::io::duplex(64 * 1024);
    /// let incoming = stream::iter([Ok(Io::new(far).with_identity(User("ann")))]);
    /// let server = Server::builder().service(MyGreeter).bind_incoming(incoming)?;
    /// let serving = tokio::spawn(server.serve());
    ///
    /// let near = std::sync::Mutex::new(Some(near));
    /// let channel = Channel::builder()
    ///     .connector(move |_address| {
    ///         let near = near.lock().unwrap().take();
    ///         async { near.ok_or(std::io::ErrorKind::ConnectionRefused.into()) }
    ///     })
    ///     .connect("a pipe")
    ///     .await?;
    /// let client = GreeterClient::new(channel);
    /// assert_eq!(client.say_hello(Hello::default()).await?.msg, "hello, ann");
    ///
    /// drop(client);
    /// // There are no more connections, and the last has ended.
    /// serving.await.unwrap()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A setting makes no sense, two methods have one name, or there is no runtime
    /// ([`ErrorKind::Config`]).
    pub fn bind_incoming<I: Into<Io>>(
        self,
        incoming: impl Stream<Item = std::io::Result<I>> + Send + 'static,
    ) -> Result<Bound> {
        check_runtime("bind_incoming", false)?;
        let connections = self.connections()?;
        let source = Source::Incoming(AcceptedIos::new(incoming));
        Ok(Bound::new(source, PeerAddr::named("incoming"), connections))
    }

    /// There are at most as many connections as the process may open files.
    fn limit_to_files(&mut self) -> TooFew {
        let wanted = self.accept_limits.connections;
        let files = Files::now().filter(|files| files.connections() < wanted);
        if let Some(files) = &files {
            self.accept_limits.limit_to_files(files.connections());
        }
        TooFew { files, wanted }
    }

    /// Serves inside this process, without a port, and gives a channel to it: for tests of handlers
    /// and clients. The server ends with the last clone of the channel. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// A setting makes no sense, two methods have one name, or there is no runtime
    /// ([`ErrorKind::Config`]).
    pub fn in_memory(self) -> Result<Channel> {
        Ok(Channel::builder().channel(self.serve_in_memory()?, PeerAddr::memory()))
    }

    /// Serves one end of a connection in memory, and gives the other.
    pub(crate) fn serve_in_memory(self) -> Result<Ends> {
        check_runtime("in_memory", false)?;
        let connections = self.connections()?;
        let (near, far) = memory_pair();
        connections
            .start(far, PeerAddr::memory())
            .expect("the first connection is within the limits");
        Ok(near)
    }

    /// A server to which connections are brought.
    #[cfg(feature = "testing")]
    pub(crate) fn unbound(self) -> Result<super::unbound::Unbound> {
        Ok(super::unbound::Unbound::new(self.connections()?))
    }

    fn connections(self) -> Result<Arc<Connections>> {
        settings::check(&self.config)?;
        settings::check_unread("max_unread", self.unread, &self.config)?;
        let counts = [
            ("max_calls", self.max_calls == 0),
            ("max_unsent", self.unsent == 0),
            ("max_connections", self.accept_limits.connections == 0),
            ("max_new_connections", self.accept_limits.new == 0),
            ("backlog", self.backlog == 0),
            ("max_accepts_per_second", self.accept_limits.accepts_per_second == Some(0)),
        ];
        for (name, is_zero) in counts {
            if is_zero {
                let text = format!("{name} is 0: the server would serve nobody");
                return Err(Error::new(ErrorKind::Config, Origin::Caller, Reason::Internal, text));
            }
        }
        if self.services.is_empty() {
            tracing::warn!("a server without a service refuses every call: service(..) adds one");
        }
        let server_state = Arc::new(ServerState::new(self.compression));
        let router = Router::new(&self.services, Arc::clone(&server_state))?;
        let pools = Pools::new(self.unread, self.unsent, self.max_calls);
        Ok(Arc::new(Connections::new(
            self.config,
            self.accept_limits,
            pools,
            self.keys,
            router,
            server_state,
            self.cores,
        )))
    }
}

/// The files, if there are fewer than were wanted for connections.
struct TooFew {
    files: Option<Files>,
    wanted: usize,
}

impl TooFew {
    /// Warns those who have set a number.
    fn warn(&self) {
        if let Some(files) = &self.files
            && self.wanted != DEFAULT_CONNECTIONS
        {
            files.warn(self.wanted);
        }
    }
}

fn not_bound(at: &str, error: std::io::Error) -> Error {
    let text = format!("cannot listen at {at}: {}", why_not_bound(&error));
    Error::new(ErrorKind::Bind, Origin::Caller, Reason::Internal, text).with_source(error)
}

/// Says at the call what tokio would say by a panic from inside the library.
pub(super) fn check_runtime(method: &str, needs_sockets: bool) -> Result<()> {
    let text = match crate::clock::check_runtime(needs_sockets) {
        Ok(()) => return Ok(()),
        Err(Lack::Runtime) => format!(
            "{method} was called outside of a tokio runtime: call it in an async function that a runtime runs, such as `#[tokio::main] async fn main`"
        ),
        Err(lack) => format!("{method} cannot serve here: {lack}"),
    };
    Err(Error::new(ErrorKind::Config, Origin::Caller, Reason::Internal, text))
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.services.iter().map(|service| service.spec().name).collect();
        f.debug_struct("ServerBuilder")
            .field("services", &names)
            .field("limits", &self.config)
            .finish()
    }
}
