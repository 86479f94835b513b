//! Faults, and what the error says of each: one table.
//!
//! `cargo test -p trill-tests --test end_to_end faults -- --nocapture` prints all texts side by
//! side.

use std::time::Duration;
use trill_tests::Ret as _;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use trill::client::{ChannelBuilder, Dns, Resolve};
use trill::server::{ServerBuilder, ServerHandle};
use trill::testing::{Cut, Network, Side};
use trill::trpc::{self, Codes};
use trill::{
    AsyncReaderWriter, CallOptions, Channel, Compression, Context, Error, ErrorKind, Limits,
    Origin, Result, Server, Status,
};
use trill_proto::ResponseProtocol;
use trill_tests::{AbsentClient, EverythingClient, Log, Obedient, Text, full_listener, text};

/// Something that goes wrong, and what its error must be.
struct Fault {
    what: &'static str,
    make: fn() -> BoxFuture<'static, Error>,
    kind: ErrorKind,
    origin: Origin,
    code: i32,
    retryable: bool,
    /// The end of the method's name; empty where no method is called.
    method: &'static str,
    /// The error knows the peer's address. Where it does not, there is none.
    peer: bool,
    /// The parts of the text: numbers, limits, and names of settings.
    says: &'static [&'static str],
}

macro_rules! faults {
    ($($what:literal $make:expr, $kind:ident $origin:ident $code:literal $retryable:ident, $method:literal $peer:ident, [$($says:literal),*];)*) => {
        &[$(Fault {
            what: $what,
            make: || async { $make.await }.boxed(),
            kind: ErrorKind::$kind,
            origin: Origin::$origin,
            code: $code,
            retryable: faults!(@ $retryable),
            method: $method,
            peer: faults!(@ $peer),
            says: &[$($says),*],
        }),*]
    };
    (@ again) => { true };
    (@ never) => { false };
    (@ peer) => { true };
    (@ nobody) => { false };
}

#[rustfmt::skip]
const FAULTS: &[Fault] = faults! {
    // The columns: the fault, how it is made, the kind, the origin, the code, whether to retry, the
    // method, the peer, and the text.
    //
    // Before there is a connection.
    "an unknown host"                              unknown_host(),          Connect  Peer   111 again, "Unary" peer, ["name cannot be resolved"];
    "an unknown host, asked for by a resolver"     unknown_name(),          Connect  Peer   131 again, "Unary" peer, ["cannot find the servers"];
    "nobody listens"                               refused(),               Connect  Peer   111 again, "Unary" peer, ["nobody listens there"];
    "no such socket"                               no_socket(),             Connect  Peer   111 again, "Unary" peer, ["no such socket"];
    "a host that does not answer"                  silent_host(),           Connect  Peer   111 again, "Unary" peer, ["50ms (connect_timeout)"];
    "no connection within the call's time"         no_connection(),         Timeout  Caller 101 again, "Unary" peer, ["not sent", "50ms (timeout); the last attempt failed", "nobody listens there"];
    "no connection for a stream"                   no_stream_connection(),  Timeout  Caller 111 again, "Talk"  peer, ["not sent", "50ms (open_timeout); the last attempt failed", "nobody listens there"];
    "no attempt has ended yet"                     first_attempt(),         Timeout  Caller 101 again, "Unary" peer, ["not sent", "50ms (timeout); the first attempt goes on"];
    "a socket of datagrams"                        datagrams(),             Connect  Peer   111 again, "Unary" peer, ["a socket of another type is there"];
    "a resolver that panics"                       at_a_panic(),            Internal Caller 131 never, "Unary" peer, ["the resolver of the servers panicked: as told"];
    "a channel that is closed"                     closed_channel(),        Closed   Caller 111 never, "Unary" peer, ["not sent", "channel was closed"];
    // Bytes.
    "HTTP at the port"                             http(),                  Protocol Peer   141 never, "Unary" peer, ["0x4854", "0x0930", "HTTP"];
    "TLS at the port"                              tls(),                   Protocol Peer   141 never, "Unary" peer, ["0x1503", "0x0930", "TLS"];
    "another version"                              bad_magic(),             Protocol Peer   141 never, "Unary" peer, ["0x0931", "0x0930"];
    "a frame of an unknown type"                   bad_type(),              Protocol Peer   141 never, "Unary" peer, ["type 7"];
    "too large a frame"                            large_frame(),           Limit    Peer   122 never, "Unary" peer, ["16777232 bytes", "at most 10485760", "(max_message_received)"];
    "data before the stream is open"               early_data(),            Protocol Peer   322 never, "Talk"  peer, ["DATA before the answer to INIT"];
    "the connection ends"                          lost(Cut::Fin),          Network  Peer   301 never, "Talk"  peer, ["the peer closed the connection"];
    "the connection breaks"                        lost(Cut::Reset),        Network  Peer   301 never, "Talk"  peer, ["connection reset"];
    "a dead peer"                                  dead_peer(),             Network  Peer   141 never, "Unary" peer, ["500ms (dead_peer_timeout"];
    "the channel is closed during a call"          closed_during_call(),    Closed   Caller 141 never, "Unary" peer, ["closed on this side"];
    // Sizes.
    "too large a message"                          large_message(),         Limit    Caller 121 never, "Unary" peer, ["2100 bytes", "at most 1024", "(max_message_sent)"];
    "too large an answer"                          large_answer(),          Status   Peer   2   never, "Unary" peer, ["2021 bytes", "at most 1024", "(max_message_sent of the server)"];
    "too large a request for the server"           refused_request(),       Status   Peer   1   never, "Unary" peer, ["bytes on the wire, at most 1024", "(max_message_received)"];
    "too large a message for the server"           refused_message(),       Status   Peer   211 never, "Talk"  peer, ["bytes on the wire, at most 1024", "(max_message_received)"];
    "too much metadata"                            large_metadata(),        Limit    Caller 121 never, "Unary" peer, ["bytes, at most 1024", "(max_metadata)"];
    "too much metadata for the server"             refused_metadata(),      Status   Peer   1   never, "Unary" peer, ["bytes, at most 1024", "(max_metadata)"];
    "too much metadata at the end of a stream"     large_end(),             Status   Peer   221 never, "Talk"  peer, ["bytes, at most 1024", "(max_metadata of the server)"];
    "too many pairs of metadata"                   many_metadata(),         Limit    Caller 121 never, "Unary" peer, ["1001 pairs of metadata", "carries 1000 at most"];
    "a message that unpacks to too much"           bomb(),                  Decode   Peer   122 never, "Unary" peer, ["10485760 bytes", "(max_message_received)"];
    // Methods that are called, and their messages.
    "an unknown service"                           unknown_service(),       Status   Peer   11  never, "Unary" peer, ["no service 'test.all.Absent'"];
    "an unknown method"                            unknown_method(),        Status   Peer   12  never, "AddedLater" peer, ["no method '/test.all.Everything/AddedLater'"];
    "a unary method called as a stream"            stream_to_unary(),       Status   Peer   12  never, "Unary" peer, ["is unary"];
    "a stream called as a unary method"            unary_to_stream(),       Status   Peer   12  never, "Talk"  peer, ["is a stream"];
    "an unknown compression"                       unknown_compression(),   Decode   Peer   122 never, "Unary" peer, ["cannot be unpacked: content_encoding 9"];
    "a body that does not unpack"                  bad_compression(),       Decode   Peer   122 never, "Unary" peer, ["cannot be unpacked"];
    "a request that is something else"             other_request(),         Status   Peer   1   never, "Unary" peer, ["the request is not a", "Text"];
    "an answer that is something else"             other_answer(),          Decode   Peer   122 never, "Unary" peer, ["the answer is not a", "Text"];
    "a message that is something else"             other_message(),         Decode   Peer   322 never, "Talk"  peer, ["a message is not a", "Text"];
    "no answer at the end of a client stream"      no_answer(),             Protocol Peer   351 never, "Upload" peer, ["without an answer"];
    "two answers of a client stream"               two_answers(),           Protocol Peer   351 never, "Upload" peer, ["answered more than once"];
    // Time.
    "the call's time is over"                      call_deadline(),         Timeout  Caller 101 never, "Unary" peer, ["50ms (timeout)"];
    "the stream's time is over"                    stream_deadline(),       Timeout  Caller 101 never, "Upload" peer, ["the stream did not end within 50ms (timeout)"];
    "the same before the writer is finished"       open_writer(),           Timeout  Caller 101 never, "Upload" peer, ["the stream did not end within 50ms (timeout)", "writer is not finished: finish()"];
    "a stream that is not accepted"                open_timeout(),          Timeout  Peer   354 never, "Talk"  peer, ["50ms (open_timeout)"];
    "no room for a stream's head"                  no_room_to_open(),       Timeout  Caller 101 again, "Talk"  peer, ["was not opened", "50ms (open_timeout)", "bytes wait for it (max_unsent_per_connection)"];
    "no room for a stream's request"               no_room_for_request(),   Timeout  Caller 101 never, "Download" peer, ["was broken off", "50ms (open_timeout)", "bytes wait for it (max_unsent_per_connection)"];
    "nothing to read"                              read_timeout(),          Timeout  Peer   354 never, "Talk"  peer, ["50ms (read_timeout)", "the stream goes on"];
    "nothing to read within the limit of one read" one_read_timeout(),      Timeout  Peer   354 never, "Talk"  peer, ["50ms (timeout of the read)", "the stream goes on"];
    "no credit"                                    write_timeout(),         Timeout  Peer   334 never, "Talk"  peer, ["50ms (write_timeout)", "window is 65535", "nothing was sent"];
    "a stream without messages"                    stream_idle(),           Timeout  Peer   355 never, "Talk"  peer, ["50ms (stream_idle_timeout)"];
    // Calls and connections that servers refuse and break off.
    "a server that shuts down"                     draining(),              Status   Peer   22  again, "Unary" peer, ["shutting down"];
    "a server that has said that it shuts down"    draining_again(),        Status   Peer   22  again, "Unary" peer, ["not sent", "shutting down", "refused another one"];
    "a call that the shutdown breaks off"          shut_down(),             Status   Peer   21  never, "Unary" peer, ["(shutdown)"];
    "too many calls"                               max_calls(),             Status   Peer   22  again, "Unary" peer, ["1 calls and streams", "(max_calls)"];
    "too many calls on one connection"             calls_here(),            Status   Peer   22  again, "Unary" peer, ["calls", "at most 1 (max_calls_per_connection)"];
    "too many streams on one connection"           streams_here(),          Status   Peer   22  again, "Talk"  peer, ["streams", "at most 1 (max_streams_per_connection)"];
    "too much unread"                              max_unread(),            Status   Peer   22  again, "Unary" peer, ["of 100000 bytes", "(max_unread)"];
    "a request for which there is no room unpacked" unpacked_unread(),      Status   Peer   22  again, "Unary" peer, ["while it is unpacked", "of 100000 bytes", "(max_unread)"];
    "too much unread on one connection"            unread_here(),           Status   Peer   22  again, "Unary" peer, ["of 100000 bytes", "(max_unread_per_connection)"];
    "too many connections"                         max_connections(),       Connect  Peer   111 again, ""      peer, ["at most 1 (max_connections)"];
    // Errors of handlers.
    "an application's error"                       ordered("error 7 the account is closed"),   Status Peer 0  never, "Unary" peer, ["application code 7", "the account is closed"];
    "a framework's error"                          ordered("fail 51 the quota is used up"),    Status Peer 51 never, "Unary" peer, ["tRPC 51", "the quota is used up"];
    "a panic"                                      ordered("panic"),                           Status Peer 31 never, "Unary" peer, ["/test.all.Everything/Unary panicked"];
    "an answer that panics when it is encoded"     encoded(),                                  Status Peer 2  never, "Unary" peer, ["the answer of /test.encoding.Encodes/Unary could not be encoded"];
    "a lost connection behind a router"            routed(),                Status   Peer   301 never, "Unary" peer, ["closed the connection", "/test.all.Everything/Talk at 127.0.0.1:"];
    "nobody listens behind a router"               routed_nowhere(),        Status   Peer   111 never, "Unary" peer, ["nobody listens there", "/test.all.Everything/Talk at 127.0.0.1:"];
    // Streams that clients break off, as the handler sees them.
    "a client that drops its stream"               dropped(),               Cancelled Peer   161 never, "Talk"  peer, ["the client dropped its writer"];
    "a client that fails its stream"               failed(),                Status   Peer   0   never, "Talk"  peer, ["application code 9", "out of paper"];
    // Faults of this program.
    "a write behind the finish"                    late_write(),            Closed   Caller 331 never, "Talk"  peer, ["write after finish"];
    "a writer that is dropped before its finish"   dropped_writer(),        Cancelled Caller 161 never, "Upload" peer, ["the writer was dropped before finish()"];
    "a stream that this side fails"                failed_here(),           Cancelled Caller 161 never, "Talk"  peer, ["the stream was ended on this side"];
    "a write to a stream that is over"             write_to_ended(),        Closed   Peer   333 never, "Talk"  peer, ["the peer has ended the stream"];
    "an address that is none"                      at("nowhere"),                                         Config Caller 131 never, "" nobody, ["`nowhere` is no address", "write `nowhere:8000`"];
    "an address that is taken"                     taken(),                                               Bind   Caller 31  never, "" nobody, ["cannot listen at 127.0.0.1:", "in use"];
    "an address of another machine"                bound("192.0.2.1:0"),                                  Bind   Caller 31  never, "" nobody, ["cannot listen at 192.0.2.1:0", "no such address"];
    "a name that has no address"                   bound("nowhere.invalid:0"),                            Bind   Caller 31  never, "" nobody, ["cannot listen at nowhere.invalid:0", "name cannot be resolved"];
    "an address of another library to listen at"   bound("http://127.0.0.1:8000"),                        Config Caller 131 never, "" nobody, ["write `127.0.0.1:8000`, without `http://`"];
    "a socket without its folder"                  bound("unix:/nowhere/trill.sock"),                     Bind   Caller 31  never, "" nobody, ["cannot listen at unix:/nowhere/trill.sock", "no such folder"];
    "a socket whose path is too long"              bound(LONG_PATH),                                      Config Caller 131 never, "" nobody, ["`unix:/tmp/very", "bytes long", "107 at most"];
    "a socket with a zero byte in its path"        bound("unix:/tmp/a\0b"),                               Config Caller 131 never, "" nobody, ["`unix:/tmp/a\\0b`", "zero byte in the path"];
    "a file where a socket is to be"               bound_where(|path| std::fs::write(path, "x")),         Bind   Caller 31  never, "" nobody, ["cannot listen at unix:", "a file is there that is no socket"];
    "a folder where a socket is to be"             bound_where(|path| std::fs::create_dir(path)),         Bind   Caller 31  never, "" nobody, ["cannot listen at unix:", "a folder is there"];
    "a link where a socket is to be"               bound_where(|path| std::os::unix::fs::symlink("/nowhere", path)), Bind Caller 31 never, "" nobody, ["cannot listen at unix:", "a symbolic link is there"];
    "datagrams where a socket is to be"            bound_where(|path| { std::mem::forget(std::os::unix::net::UnixDatagram::bind(path)?); Ok(()) }), Bind Caller 31 never, "" nobody, ["cannot listen at unix:", "a socket of another type is there"];
    "a socket that is taken"                       taken_socket(),                                        Bind   Caller 31  never, "" nobody, ["cannot listen at unix:", "in use"];
    "a server in memory outside of a runtime"      outside(|server| server.in_memory().err()),            Config Caller 31  never, "" nobody, ["in_memory", "tokio runtime"];
    "a server that is bound outside of a runtime"  outside(bind_now),                    Config Caller 31  never, "" nobody, ["bind", "tokio runtime"];
    "an address of another library"                at("http://127.0.0.1:8000/x"),                         Config Caller 131 never, "" nobody, ["write `127.0.0.1:8000`, without `http://`"];
    "an address with a blank"                      at(" 127.0.0.1:8000"),                                 Config Caller 131 never, "" nobody, ["blanks around it"];
    "an address with the name of a zone"           at("[fe80::1%lo]:8000"),                               Config Caller 131 never, "" nobody, ["the interface's number"];
    "one service twice"                            serving(|server| server.service(Obedient::new().0)),   Config Caller 31  never, "" nobody, ["registered as /test.all.Everything/Unary", "another `package` or `name`"];
    "too small a window"                           serving(|server| server.limits(Limits::default().window(1_000))),                Config Caller 31  never, "" nobody, ["window is 1000", "at least 1024"];
    "too small a largest window"                   serving(|server| server.limits(Limits::default().max_window(1_000))),            Config Caller 31  never, "" nobody, ["max_window is too small", "at least 1024"];
    "a socket's buffer without a byte"             serving(|server| server.socket_send_buffer(0_usize)),                            Config Caller 31  never, "" nobody, ["socket_send_buffer is 0"];
    "too small a message"                          serving(|server| server.limits(Limits::default().max_message_sent(10))),         Config Caller 31  never, "" nobody, ["max_message_sent is 10", "from 1024"];
    "too small a budget"                           serving(|server| server.max_unread(10)),               Config Caller 31  never, "" nobody, ["max_unread is 10", "at least"];
    "no place for a connection"                    serving(|server| server.max_connections(0)),           Config Caller 31  never, "" nobody, ["max_connections is 0"];
    "no connections"                               with(Channel::builder().connections(0)),               Config Caller 111 never, "" nobody, ["connections is 0"];
    "too many connections to one address"          with(Channel::builder().connections(usize::MAX)),      Config Caller 111 never, "" nobody, ["connections is 18446744073709551615", "at most 1024"];
};

const LIMIT: Duration = Duration::from_millis(50);

/// For what must happen some time, on a machine that may be slow.
const LONG: Duration = Duration::from_secs(30);

#[test]
fn every_fault_says_what_where_and_which_setting() {
    let mut told: Vec<(&str, String)> = Vec::new();
    let mut wrong = Vec::new();
    for fault in FAULTS {
        let error = happen(fault);
        let text = chain(&error);
        println!("{:44} {text}", fault.what);
        println!(
            "{:44}   {:?}, {:?}, code {}, {}",
            "",
            error.kind(),
            error.origin(),
            error.code(),
            if error.is_retryable() { "may be tried again" } else { "not retryable" }
        );
        let mut check = |is_right: bool, what: &str| {
            if !is_right {
                wrong.push(format!("{}: {what}\n    {text}\n    {error:?}", fault.what));
            }
        };
        check(error.kind() == fault.kind, "another kind");
        check(error.origin() == fault.origin, "another origin");
        check(error.ret() == fault.code, "another code");
        check(error.is_retryable() == fault.retryable, "retryable or not");
        let method = error.method().unwrap_or("");
        check(
            method.is_empty() == fault.method.is_empty() && method.ends_with(fault.method),
            "another method",
        );
        check(error.peer().is_some() == fault.peer, "with or without the peer");
        let own = error.to_string();
        check(
            own.contains(method) && own.contains(error.peer().unwrap_or("")),
            "the text says not where",
        );
        for words in fault.says {
            check(own.contains(words), &format!("the text does not say `{words}`"));
        }
        told.push((fault.what, bare(&error)));
    }
    for (index, (what, text)) in told.iter().enumerate() {
        for (other, same) in told[..index].iter().filter(|(_, other)| other == text) {
            wrong.push(format!("{what} reads like {other}: {same}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lets it happen, in a runtime of its own.
fn happen(fault: &Fault) -> Error {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async { tokio::time::timeout(LONG, (fault.make)()).await });
    error.unwrap_or_else(|_| panic!("{} waits for ever", fault.what))
}

/// The error and its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The error's own words, without numbers, method and peer.
fn bare(error: &Error) -> String {
    let own = error.to_string();
    let own =
        own.replace(error.method().unwrap_or("-"), "").replace(error.peer().unwrap_or("-"), "");
    own.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

// Clients and servers.

type Client = EverythingClient;

/// A server with these settings at a TCP port.
async fn listen(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> (ServerHandle, String, Log) {
    let (service, log) = Obedient::new();
    let bound = set(Server::builder().service(service)).bind("127.0.0.1:0").await.unwrap();
    let (handle, address) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    (handle, address, log)
}

async fn client_of(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Client {
    let (_handle, address, _log) = listen(set).await;
    Client::new(Channel::connect(address).await.unwrap())
}

async fn client_with(builder: ChannelBuilder) -> Client {
    let (_handle, address, _log) = listen(|server| server).await;
    Client::new(builder.connect(address).await.unwrap())
}

/// A client of a server that answers what it gets first with these bytes.
async fn client_of_script(answer: Vec<u8>) -> Client {
    let address = scripted(answer, false).await;
    Client::new(Channel::builder().open_timeout(LIMIT).connect(address).await.unwrap())
}

/// Where a server answers what it gets first with these bytes.
async fn scripted(answer: Vec<u8>, then_close: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut vec![0; 65_536]).await;
        let _ = socket.write_all(&answer).await;
        if !then_close {
            std::future::pending::<()>().await;
        }
    });
    address
}

/// Where nobody listens.
async fn nowhere() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

async fn called(channel: Channel) -> Error {
    Client::new(channel).unary(text("")).await.unwrap_err()
}

/// Gives the error of a unary call whose answer is these bytes.
async fn answered(answer: Vec<u8>) -> Error {
    client_of_script(answer).await.unary(text("")).await.unwrap_err()
}

/// An answer with that body.
fn answer(content_encoding: u32, body: &[u8]) -> Vec<u8> {
    let meta = ResponseProtocol { request_id: 1, content_encoding, ..ResponseProtocol::default() };
    crate::frames::frame(&meta, body)
}

/// A stream's frame for the first stream of a client.
fn stream_frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let size = u8::try_from(16 + payload.len()).unwrap();
    let mut frame = vec![0x09, 0x30, 1, kind, 0, 0, 0, size, 0, 0, 0, 0, 0, 100, 0, 0];
    frame.extend(payload);
    frame
}

/// The answer to INIT, with a window of 65,535.
fn accepted() -> Vec<u8> {
    stream_frame(1, &[0x12, 0, 0x18, 0xff, 0xff, 0x03])
}

// Before there is a connection.

async fn unknown_host() -> Error {
    called(Channel::builder().lazy("nowhere.invalid:80").unwrap()).await
}

async fn unknown_name() -> Error {
    called(Channel::builder().lazy_with(Dns::new("nowhere.invalid:80")).unwrap()).await
}

async fn refused() -> Error {
    called(Channel::builder().lazy(nowhere().await).unwrap()).await
}

async fn no_socket() -> Error {
    let folder = tempfile::tempdir().unwrap();
    called(Channel::builder().lazy(format!("unix:{}/no.sock", folder.path().display())).unwrap())
        .await
}

async fn silent_host() -> Error {
    let (_full, address) = full_listener().await;
    called(Channel::builder().connect_timeout(LIMIT).lazy(address.to_string()).unwrap()).await
}

async fn no_connection() -> Error {
    let channel = Channel::builder().wait_for_ready(true).lazy(nowhere().await).unwrap();
    Client::new(channel).unary(text("")).timeout(LIMIT).await.unwrap_err()
}

async fn no_stream_connection() -> Error {
    let builder = Channel::builder().wait_for_ready(true).open_timeout(LIMIT);
    Client::new(builder.lazy(nowhere().await).unwrap()).talk().await.unwrap_err()
}

async fn first_attempt() -> Error {
    let (_full, address) = full_listener().await;
    let channel = Channel::builder().lazy(address.to_string()).unwrap();
    Client::new(channel).unary(text("")).timeout(LIMIT).await.unwrap_err()
}

async fn datagrams() -> Error {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("datagrams.sock");
    let _socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    called(Channel::builder().lazy(format!("unix:{}", path.display())).unwrap()).await
}

/// Knows no address.
struct Panics;

#[trill::async_trait]
impl Resolve for Panics {
    fn name(&self) -> String {
        "panics".to_owned()
    }

    async fn resolve(&self) -> std::io::Result<Vec<String>> {
        panic!("as told")
    }
}

async fn at_a_panic() -> Error {
    called(Channel::builder().lazy_with(Panics).unwrap()).await
}

async fn closed_channel() -> Error {
    let (_handle, address, _log) = listen(|server| server).await;
    let channel = Channel::connect(address).await.unwrap();
    channel.close();
    called(channel).await
}

// Bytes.

async fn http() -> Error {
    answered(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await
}

async fn tls() -> Error {
    // An alert: unexpected message.
    let mut alert = vec![0x15, 0x03, 0x03, 0, 2, 2, 10];
    alert.extend([0; 16]);
    answered(alert).await
}

async fn bad_magic() -> Error {
    answered(vec![0x09, 0x31, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0]).await
}

async fn bad_type() -> Error {
    answered(vec![0x09, 0x30, 7, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0]).await
}

async fn large_frame() -> Error {
    answered(vec![0x09, 0x30, 0, 0, 1, 0, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0]).await
}

async fn early_data() -> Error {
    client_of_script(stream_frame(2, &[0x0a, 1, b'x'])).await.talk().await.unwrap_err()
}

async fn lost(how: Cut) -> Error {
    let host = Network::new(1).serve(Server::builder().service(Obedient::new().0)).unwrap();
    let (channel, link) = host.connect(Channel::builder()).unwrap();
    let mut rw = Client::new(channel).talk().await.unwrap();
    link.cut(how);
    rw.read().await.unwrap_err()
}

async fn dead_peer() -> Error {
    // Its system takes no more bytes, and it never reads. That is how a dead one looks to whoever
    // writes.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = Channel::builder().dead_peer_timeout(Duration::from_millis(500));
    let channel = builder.connect(listener.local_addr().unwrap().to_string()).await.unwrap();
    let call = Client::new(channel).unary(text("x".repeat(9_000_000))).timeout(LONG);
    call.await.unwrap_err()
}

async fn closed_during_call() -> Error {
    let (_handle, address, mut log) = listen(|server| server).await;
    let channel = Channel::connect(address).await.unwrap();
    let (client, close) = (Client::new(channel.clone()), async {
        Client::new(channel.clone()).notify(text("now")).await.unwrap();
        log.recv().await;
        channel.close();
    });
    tokio::join!(async { client.unary(text("hang")).await.unwrap_err() }, close).0
}

// Sizes.

async fn large_message() -> Error {
    let client =
        client_with(Channel::builder().limits(Limits::default().max_message_sent(1024))).await;
    client.unary(text("x".repeat(2_000))).await.unwrap_err()
}

async fn large_answer() -> Error {
    client_of(|server| server.limits(Limits::default().max_message_sent(1024)))
        .await
        .unary(text("large 2000"))
        .await
        .unwrap_err()
}

async fn refused_request() -> Error {
    let client =
        client_of(|server| server.limits(Limits::default().max_message_received(1024))).await;
    client.unary(text("x".repeat(3_000))).await.unwrap_err()
}

async fn refused_message() -> Error {
    let client =
        client_of(|server| server.limits(Limits::default().max_message_received(1024))).await;
    let mut rw = client.talk().await.unwrap();
    rw.write(text("x".repeat(5_000))).await.unwrap();
    rw.read().await.unwrap_err()
}

async fn large_metadata() -> Error {
    let client = client_with(Channel::builder().limits(Limits::default().max_metadata(1024))).await;
    client.unary(text("")).metadata("key", vec![0; 2_000]).await.unwrap_err()
}

async fn refused_metadata() -> Error {
    let client = client_of(|server| server.limits(Limits::default().max_metadata(1024))).await;
    client.unary(text("")).metadata("key", vec![0; 2_000]).await.unwrap_err()
}

async fn large_end() -> Error {
    let client = client_of(|server| server.limits(Limits::default().max_metadata(1024))).await;
    let mut rw = client.talk().await.unwrap();
    rw.write(text(format!("meta key {}", "v".repeat(2_000)))).await.unwrap();
    rw.finish().await.unwrap_err()
}

async fn many_metadata() -> Error {
    let client = client_of(|server| server).await;
    let call = client.unary(text(""));
    (0..1_001).fold(call, |call, at| call.metadata(at.to_string(), "")).await.unwrap_err()
}

async fn bomb() -> Error {
    let client = client_with(Channel::builder()).await;
    let call = client.unary(text("large 10485760")).compression(Compression::Gzip);
    call.await.unwrap_err()
}

// Methods that are called, and their messages.

async fn unknown_service() -> Error {
    let (_handle, address, _log) = listen(|server| server).await;
    let client = AbsentClient::new(Channel::connect(address).await.unwrap());
    client.unary(text("")).await.unwrap_err()
}

/// Other ideas of what the service has, such as those of an older or newer program.
mod other {
    use trill::{AsyncReaderWriter, Context, Result};

    use super::Text;

    /// A number where the service has a text.
    #[derive(Clone, PartialEq, Eq, trill::prost::Message)]
    #[prost(prost_path = "::trill::prost")]
    pub(super) struct Number {
        #[prost(uint64, tag = "1")]
        pub(super) value: u64,
    }

    pub(super) mod kinds {
        //! Methods of the wrong kind, and one that is not there.
        use super::{AsyncReaderWriter, Context, Result, Text};

        #[trill::service(package = "test.all")]
        pub(in super::super) trait Everything {
            /// It is unary.
            async fn unary(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()>;

            /// It is a stream.
            async fn talk(&self, cx: Context, request: Text) -> Result<Text>;

            /// It is not there.
            async fn added_later(&self, cx: Context, request: Text) -> Result<Text>;
        }
    }

    pub(super) mod types {
        //! Another type.
        use super::{Context, Number, Result, Text};

        #[trill::service(package = "test.all")]
        pub(in super::super) trait Everything {
            /// It takes a text.
            async fn unary(&self, cx: Context, request: Number) -> Result<Text>;
        }
    }
}

async fn other_kinds() -> other::kinds::EverythingClient {
    let (_handle, address, _log) = listen(|server| server).await;
    other::kinds::EverythingClient::new(Channel::connect(address).await.unwrap())
}

async fn unknown_method() -> Error {
    other_kinds().await.added_later(text("")).await.unwrap_err()
}

async fn stream_to_unary() -> Error {
    other_kinds().await.unary().await.unwrap_err()
}

async fn unary_to_stream() -> Error {
    other_kinds().await.talk(text("")).await.unwrap_err()
}

async fn unknown_compression() -> Error {
    answered(answer(9, b"xyz")).await
}

async fn bad_compression() -> Error {
    answered(answer(1, b"this is not gzip")).await
}

async fn other_request() -> Error {
    let (_handle, address, _log) = listen(|server| server).await;
    let client = other::types::EverythingClient::new(Channel::connect(address).await.unwrap());
    client.unary(other::Number { value: 7 }).await.unwrap_err()
}

async fn other_answer() -> Error {
    answered(answer(0, &[0xff])).await
}

async fn other_message() -> Error {
    let script = [accepted(), stream_frame(2, &[0xff])].concat();
    client_of_script(script).await.talk().await.unwrap().read().await.unwrap_err()
}

async fn no_answer() -> Error {
    let script = [accepted(), stream_frame(4, &[])].concat();
    let (_writer, reply) = client_of_script(script).await.upload().await.unwrap();
    reply.await.unwrap_err()
}

async fn two_answers() -> Error {
    let script =
        [accepted(), stream_frame(2, &[]), stream_frame(2, &[]), stream_frame(4, &[])].concat();
    let (_writer, reply) = client_of_script(script).await.upload().await.unwrap();
    reply.await.unwrap_err()
}

// Time.

async fn call_deadline() -> Error {
    client_of(|server| server).await.unary(text("hang")).timeout(LIMIT).await.unwrap_err()
}

async fn open_writer() -> Error {
    let client = client_of(|server| server).await;
    let (_writer, reply) =
        client.upload().options(CallOptions::new().timeout(LIMIT)).await.unwrap();
    reply.await.unwrap_err()
}

async fn stream_deadline() -> Error {
    let client = client_of(|server| server).await;
    let (mut writer, reply) =
        client.upload().options(CallOptions::new().timeout(LIMIT)).await.unwrap();
    writer.write(text("hang")).await.unwrap();
    writer.finish().await.unwrap();
    let error = reply.await.unwrap_err();
    assert!(!error.message().contains("writer"), "{error}");
    error
}

async fn open_timeout() -> Error {
    client_of_script(Vec::new()).await.talk().await.unwrap_err()
}

async fn no_room_to_open() -> Error {
    let frozen = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = frozen.local_addr().unwrap().to_string();
    let client =
        Client::new(Channel::builder().open_timeout(LIMIT).connect(address).await.unwrap());
    // Until all buffers are full on the way.
    loop {
        let open = |_| client.talk().metadata("large", vec![7; 60_000]);
        let opened = futures::future::join_all((0..100).map(open)).await;
        let failed = opened.into_iter().filter_map(Result::err);
        if let Some(error) = failed.into_iter().find(Error::is_retryable) {
            return error;
        }
    }
}

async fn no_room_for_request() -> Error {
    loop {
        let host = Network::new(1).serve(Server::builder().service(Obedient::new().0)).unwrap();
        let (channel, link) = host.connect(Channel::builder().open_timeout(LIMIT)).unwrap();
        let client = Client::new(channel);
        let mut other = client.talk().await.unwrap();
        let mut opening = client.download(text("x".repeat(5_000)));
        assert!(futures::poll!(&mut opening).is_pending());
        tokio::time::sleep(LIMIT / 2).await;
        link.freeze(Side::Server);
        other.write(text("x".repeat(1_000_000))).await.unwrap();
        let error = opening.await.unwrap_err();
        // On a busy machine the server may not have accepted the stream by then.
        if !error.to_string().contains("did not accept") {
            return error;
        }
    }
}

async fn read_timeout() -> Error {
    let client = client_with(Channel::builder().read_timeout(LIMIT)).await;
    client.talk().await.unwrap().read().await.unwrap_err()
}

async fn one_read_timeout() -> Error {
    let mut rw = client_of(|server| server).await.talk().await.unwrap();
    rw.read().timeout(LIMIT).await.unwrap_err()
}

async fn write_timeout() -> Error {
    let mut rw = client_with(Channel::builder().write_timeout(LIMIT)).await.talk().await.unwrap();
    rw.write(text("hang")).await.unwrap();
    loop {
        if let Err(error) = rw.write(text("x".repeat(10_000))).await {
            return error;
        }
    }
}

async fn stream_idle() -> Error {
    let client = client_with(Channel::builder().stream_idle_timeout(LIMIT)).await;
    client.talk().await.unwrap().read().await.unwrap_err()
}

// Calls and connections that servers refuse and break off.

/// A server with a call that was sent to it and hangs there: what sees it end, and what others can
/// do.
struct Busy {
    held: tokio::task::JoinHandle<Error>,
    client: Client,
    handle: ServerHandle,
    log: Log,
}

impl Busy {
    async fn with(order: &str, set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let (handle, address, log) = listen(set).await;
        let client = Client::new(Channel::connect(address).await.unwrap());
        let (hanging, order) = (client.clone(), text(order));
        let held = tokio::spawn(async move { hanging.unary(order).await.unwrap_err() });
        // Calls from now on are sent behind it.
        tokio::task::yield_now().await;
        Self { held, client, handle, log }
    }

    /// Waits until the handler is at it.
    async fn begun(mut self) -> Self {
        self.client.notify(text("")).await.unwrap();
        self.log.recv().await.unwrap();
        self
    }
}

/// One that was told by a refusal that its server drains.
async fn refused_once() -> (Busy, Error) {
    let busy = Busy::with("hang", |server| server).await.begun().await;
    let _ = tokio::time::timeout(LIMIT, busy.handle.shutdown(LONG)).await;
    let error = busy.client.unary(text("")).await.unwrap_err();
    (busy, error)
}

async fn draining() -> Error {
    refused_once().await.1
}

/// Over a connection that is not replaced.
async fn draining_again() -> Error {
    let host = Network::new(1).serve(Server::builder().service(Obedient::new().0)).unwrap();
    let (channel, _) = host.connect(Channel::builder()).unwrap();
    let client = Client::new(channel);
    let _open = client.talk().await.unwrap();
    let _ = tokio::time::timeout(LIMIT, host.handle().shutdown(LONG)).await;
    assert_eq!(client.unary(text("")).await.unwrap_err().ret(), 22);
    client.unary(text("")).await.unwrap_err()
}

async fn shut_down() -> Error {
    let busy = Busy::with("hang", |server| server).await.begun().await;
    busy.handle.shutdown(Duration::ZERO).await;
    busy.held.await.unwrap()
}

/// A call beside one that hangs.
async fn second(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Error {
    Busy::with("hang", set).await.client.unary(text("")).await.unwrap_err()
}

async fn max_calls() -> Error {
    second(|server| server.max_calls(1)).await
}

async fn calls_here() -> Error {
    second(|server| server.limits(Limits::default().max_calls_per_connection(1))).await
}

async fn streams_here() -> Error {
    let client =
        client_of(|server| server.limits(Limits::default().max_streams_per_connection(1))).await;
    let _first = client.talk().await.unwrap();
    client.talk().await.unwrap_err()
}

/// A large call beside another.
async fn second_large(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Error {
    let order = format!("hang {}", "x".repeat(70_000));
    let busy = Busy::with(&order, |server| {
        set(server.limits(Limits::default().max_message_received(80_000)))
    })
    .await;
    busy.client.unary(text(order)).await.unwrap_err()
}

async fn max_unread() -> Error {
    second_large(|server| server.max_unread(100_000)).await
}

async fn unpacked_unread() -> Error {
    let client = client_of(|server| {
        server
            .limits(Limits::default().max_message_received(100_000).window(65_535))
            .max_unread(100_000)
    })
    .await;
    client.unary(text("x".repeat(90_000))).compression(Compression::Gzip).await.unwrap_err()
}

async fn unread_here() -> Error {
    let limits = Limits::default().max_message_received(80_000).max_unread_per_connection(100_000);
    second_large(|server| server.limits(limits)).await
}

async fn max_connections() -> Error {
    let host = Network::new(1)
        .serve(Server::builder().service(Obedient::new().0).max_connections(1))
        .unwrap();
    let _first = host.connect(Channel::builder()).unwrap();
    host.connect(Channel::builder()).unwrap_err()
}

// Errors of handlers.

async fn ordered(order: &str) -> Error {
    client_of(|server| server).await.unary(text(order)).await.unwrap_err()
}

async fn encoded() -> Error {
    crate::encoding::client().await.unary(text("bytes")).await.unwrap_err()
}

/// Passes on what its call of another server ends with.
struct Router(Client);

/// Passes on the error that a handler's own stream ends with.
struct Telltale(tokio::sync::mpsc::UnboundedSender<Error>);

mod small {
    //! As much of the service as those need.
    use super::{AsyncReaderWriter, Context, Result, Text};

    #[trill::service(package = "test.all")]
    pub(super) trait Everything {
        /// One request, one answer.
        async fn unary(&self, cx: Context, request: Text) -> Result<Text>;

        /// Many requests, many answers.
        async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()>;
    }
}

#[trill::service]
impl small::Everything for Router {
    async fn unary(&self, _cx: Context, _request: Text) -> Result<Text> {
        let mut rw = self.0.talk().await?;
        rw.read()
            .await?
            .ok_or_else(|| Codes::new(trpc::Code(999), 0).status("it ended well").into())
    }

    async fn talk(&self, _cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        Ok(())
    }
}

#[trill::service]
impl small::Everything for Telltale {
    async fn unary(&self, _cx: Context, request: Text) -> Result<Text> {
        Ok(request)
    }

    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        let sender = self.0.clone();
        // A task, because the handler itself is dropped when its client is gone.
        tokio::spawn(async move {
            if let Err(error) = rw.read().await {
                let _ = sender.send(error);
            }
        });
        std::future::pending().await
    }
}

/// A client of a router to that server.
async fn router_to(channel: Channel) -> small::EverythingClient {
    let router =
        Server::builder().service(Router(Client::new(channel))).bind("127.0.0.1:0").await.unwrap();
    let address = router.local_addr().to_string();
    tokio::spawn(router.serve());
    small::EverythingClient::new(Channel::connect(address).await.unwrap())
}

async fn routed() -> Error {
    let address = scripted(accepted(), true).await;
    let client = router_to(Channel::connect(address).await.unwrap()).await;
    client.unary(text("")).await.unwrap_err()
}

async fn routed_nowhere() -> Error {
    router_to(Channel::builder().lazy(nowhere().await).unwrap())
        .await
        .unary(text(""))
        .await
        .unwrap_err()
}

// Streams that clients break off.

async fn seen_by_a_handler(act: impl FnOnce(AsyncReaderWriter<Text, Text>)) -> Error {
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::builder().service(Telltale(sender)).bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().to_string();
    tokio::spawn(server.serve());
    let client = small::EverythingClient::new(Channel::connect(address).await.unwrap());
    act(client.talk().await.unwrap());
    seen.recv().await.unwrap()
}

async fn dropped() -> Error {
    seen_by_a_handler(drop).await
}

async fn failed() -> Error {
    seen_by_a_handler(|rw| rw.fail(Status::app(9, "out of paper"))).await
}

// Faults of this program.

async fn dropped_writer() -> Error {
    let (writer, reply) = client_of(|server| server).await.upload().await.unwrap();
    drop(writer);
    reply.await.unwrap_err()
}

async fn failed_here() -> Error {
    let (mut reader, writer) = client_of(|server| server).await.talk().await.unwrap().split();
    writer.fail(Status::app(9, "out of paper"));
    reader.read().await.unwrap_err()
}

async fn late_write() -> Error {
    let mut rw = client_of(|server| server).await.talk().await.unwrap();
    rw.finish_writing().await.unwrap();
    rw.write(text("")).await.unwrap_err()
}

async fn write_to_ended() -> Error {
    let mut rw = client_of(|server| server).await.talk().await.unwrap();
    rw.write(text("done")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), None);
    rw.write(text("")).await.unwrap_err()
}

async fn at(address: &str) -> Error {
    Channel::connect(address).await.unwrap_err()
}

async fn taken() -> Error {
    let (_handle, address, _log) = listen(|server| server).await;
    Server::builder().bind(address).await.unwrap_err()
}

/// The system takes 107 bytes.
const LONG_PATH: &str = concat!(
    "unix:/tmp/very-long-very-long-very-long-very-long-very-long-very-long-very-long-very-long-",
    "very-long-very-long-very-long-very-long.sock"
);

async fn bound(address: &str) -> Error {
    Server::builder().bind(address).await.unwrap_err()
}

async fn taken_socket() -> Error {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", folder.path().join("taken.sock").display());
    let _first = Server::builder().bind(&address).await.unwrap();
    Server::builder().bind(&address).await.unwrap_err()
}

/// At a path where something else was put.
async fn bound_where(put: fn(&std::path::Path) -> std::io::Result<()>) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taken.sock");
    put(&path).unwrap();
    bound(&format!("unix:{}", path.display())).await
}

fn bind_now(server: ServerBuilder) -> Option<Error> {
    server.bind("127.0.0.1:0").now_or_never().expect("it does not get to the system").err()
}

/// On a thread that no runtime knows.
async fn outside(start: fn(ServerBuilder) -> Option<Error>) -> Error {
    let server = Server::builder().service(Obedient::new().0);
    std::thread::spawn(move || start(server)).join().expect("no panic").expect("an error")
}

async fn serving(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Error {
    set(Server::builder().service(Obedient::new().0)).bind("127.0.0.1:0").await.unwrap_err()
}

async fn with(builder: ChannelBuilder) -> Error {
    builder.connect("127.0.0.1:1").await.unwrap_err()
}
