//! A shutdown against everybody who could hold it up.

use std::any::Any;
use std::time::Duration;
use trill_tests::Ret as _;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use trill::client::Backoff;
use trill::prost::Message;
use trill::{AsyncReaderWriter, Channel, Context, ErrorKind, Limits, Result, Server, Status};
use trill_tests::process::Process;
use trill_tests::{Absent, AbsentClient, EverythingClient, Log, Text, listen, now, text};

use crate::PEER;
use crate::left_over::{is_free, no_tasks_beyond, sockets_at, tasks};

const LONG: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_millis(300);

/// The promise: the grace and a second.
const BOUND: Duration = GRACE.saturating_add(Duration::from_secs(1));

/// Somebody who is connected when the shutdown begins.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Guest {
    /// It has called, and says nothing more.
    Idle,
    /// It is connected and never said anything.
    HalfOpen,
    /// It has sent half of a frame's header.
    HalfAFrame,
    /// It does not read its stream: the handler waits for credit.
    NeverReads,
    /// It does not even read its socket: the handler waits for room.
    NeverReadsItsSocket,
    /// It writes nothing: the handler waits for a message.
    NeverWrites,
    /// The handler waits for something else, and does not listen to the signal.
    IgnoredSignal,
    UnaryCall,
    OneWayCall,
    /// The process was stopped.
    Frozen,
}

const GUESTS: [Guest; 10] = [
    Guest::Idle,
    Guest::HalfOpen,
    Guest::HalfAFrame,
    Guest::NeverReads,
    Guest::NeverReadsItsSocket,
    Guest::NeverWrites,
    Guest::IgnoredSignal,
    Guest::UnaryCall,
    Guest::OneWayCall,
    Guest::Frozen,
];

impl Guest {
    /// Lets it in. It stays as long as what is given.
    async fn enter(self, address: &str) -> Box<dyn Any + Send> {
        let connect = async || EverythingClient::new(Channel::connect(address).await.unwrap());
        match self {
            Self::Idle => {
                let client = connect().await;
                client.unary(text("hello")).await.unwrap();
                Box::new(client)
            }
            Self::HalfOpen => Box::new(TcpStream::connect(address).await.unwrap()),
            Self::HalfAFrame => {
                let mut socket = TcpStream::connect(address).await.unwrap();
                socket.write_all(&[0x09, 0x30, 1]).await.unwrap();
                Box::new(socket)
            }
            Self::NeverReads => {
                let mut reader =
                    connect().await.download(text("fill 1000 1000;hang")).await.unwrap();
                assert!(reader.read().await.unwrap().is_some());
                Box::new(reader)
            }
            Self::NeverReadsItsSocket => {
                // Without a window the client's connection stops reading when the stream's reader
                // does.
                let channel = Channel::builder()
                    .limits(Limits::default().window(0))
                    .connect(address)
                    .await
                    .unwrap();
                let order = text("fill 1000 100000;hang");
                let mut reader = EverythingClient::new(channel).download(order).await.unwrap();
                assert!(reader.read().await.unwrap().is_some());
                Box::new(reader)
            }
            Self::NeverWrites => {
                let client = connect().await;
                Box::new((client.upload().await.unwrap(), client.talk().await.unwrap()))
            }
            Self::IgnoredSignal => Box::new(connect().await.download(text("hang")).await.unwrap()),
            Self::UnaryCall => {
                let client = connect().await;
                Box::new(tokio::spawn(async move { client.unary(text("hang")).await }))
            }
            Self::OneWayCall => {
                connect().await.notify(text("hang")).await.unwrap();
                Box::new(())
            }
            Self::Frozen => {
                let process = Process::start_other(PEER, &["hold", address, "flood"]).await;
                process.freeze().await;
                Box::new(process)
            }
        }
    }
}

/// Nothing holds the server any more when its reports end. That is so when the shutdown is; a busy
/// machine gets some seconds for the last steps of its tasks, far less than the 10 s after which a
/// connection gives up by itself.
async fn is_gone(mut log: Log) -> bool {
    let drained = async { while log.recv().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), drained).await.is_ok()
}

/// The bound is kept by the clock of the server's own runtime, which stands still while it has
/// something to do: a busy machine does not count.
async fn shut_down_with(guests: &[Guest]) {
    let before = tasks();
    let (handle, address, log) = listen("127.0.0.1:0").await;
    let mut inside = Vec::new();
    for guest in guests {
        inside.push(guest.enter(&address).await);
    }
    // The bytes of the guests arrive, and their handlers come to where they wait.
    tokio::time::sleep(Duration::from_millis(50)).await;
    tokio::time::pause();
    let began = now();
    tokio::time::timeout(LONG, handle.shutdown(GRACE))
        .await
        .unwrap_or_else(|_| panic!("{guests:?}: hangs"));
    assert!(began.elapsed() <= BOUND, "{guests:?}: {:?}", began.elapsed());
    tokio::time::resume();
    assert!(is_free(&address), "{guests:?}: the address");
    drop(handle);
    assert!(is_gone(log).await, "{guests:?}: something still holds the service");
    drop(inside);
    no_tasks_beyond(before).await;
    assert_eq!(sockets_at(&address), [""; 0], "{guests:?}");
}

#[tokio::test]
async fn no_single_guest_holds_a_shutdown_up_and_nothing_is_left() {
    for guest in GUESTS {
        shut_down_with(&[guest]).await;
    }
}

#[tokio::test]
async fn all_guests_together_do_not_hold_a_shutdown_up_and_nothing_is_left() {
    shut_down_with(&GUESTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_is_always_busy_but_awaits_ends_with_the_grace() {
    struct Busy(mpsc::UnboundedSender<()>);
    #[trill::service]
    impl Absent for Busy {
        async fn unary(&self, _cx: Context, _request: Text) -> Result<Text> {
            let _ = self.0.send(());
            loop {
                tokio::task::yield_now().await;
            }
        }

        async fn talk(&self, _cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
            let _ = self.0.send(());
            loop {
                tokio::task::yield_now().await;
            }
        }
    }
    let before = tasks();
    let (begin, mut begun) = mpsc::unbounded_channel();
    let bound = Server::builder().service(Busy(begin)).bind("127.0.0.1:0").await.unwrap();
    let (handle, address) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    let client = AbsentClient::new(Channel::connect(&address).await.unwrap());
    let mut rw = client.talk().await.unwrap();
    let call = tokio::spawn(client.unary(text("")).into_future());
    for _ in 0..2 {
        begun.recv().await.unwrap();
    }
    tokio::time::timeout(LONG, handle.shutdown(GRACE)).await.expect("it comes to its end");
    for error in [rw.read().await.unwrap_err(), call.await.unwrap().unwrap_err()] {
        assert_eq!((error.kind(), error.ret()), (ErrorKind::Status, 21), "{error}");
    }
    // A channel that lives goes on connecting.
    drop((rw, client));
    no_tasks_beyond(before).await;
}

#[tokio::test]
async fn what_is_broken_off_says_so_and_names_the_setting() {
    let (handle, address, mut log) = listen("127.0.0.1:0").await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let call = tokio::spawn(client.unary(text("stay")).into_future());
    let mut download = client.download(text("count 3;stay")).await.unwrap();
    let mut talk = client.talk().await.unwrap();
    // An upload whose bytes the server does not read any more must not make the answer get lost.
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("stay")).await.unwrap();
    let uploading = tokio::spawn(async move {
        loop {
            if let Err(error) = writer.write(text("x".repeat(10_000))).await {
                return error;
            }
        }
    });
    trill_tests::stay(&mut log, 3).await;
    tokio::time::timeout(LONG, handle.shutdown(Duration::from_millis(20)))
        .await
        .expect("the grace is over");
    for _ in 0..3 {
        assert!(download.read().await.unwrap().is_some(), "what was written comes first");
    }
    let errors = [
        call.await.unwrap().unwrap_err(),
        download.read().await.unwrap_err(),
        talk.read().await.unwrap_err(),
        talk.write(text("")).await.unwrap_err(),
        tokio::time::timeout(LONG, uploading).await.expect("the writer is told").unwrap(),
        reply.await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.ret()), (ErrorKind::Status, 21), "{error}");
        assert!(error.to_string().contains("grace (shutdown)"), "{error}");
    }
}

#[tokio::test]
async fn streams_that_finish_in_time_deliver_their_own_status() {
    struct Dutiful(mpsc::UnboundedSender<()>);
    #[trill::service]
    impl Absent for Dutiful {
        async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
            let _ = self.0.send(());
            cx.draining().await;
            Ok(request)
        }

        async fn talk(&self, cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
            let order = rw.read().await?.unwrap_or_default();
            let _ = self.0.send(());
            cx.draining().await;
            rw.write(text("the last word")).await?;
            if order.text == "well" { Ok(()) } else { Err(Status::app(4001, "not well").into()) }
        }
    }
    let (begin, mut begun) = mpsc::unbounded_channel();
    let bound = Server::builder().service(Dutiful(begin)).bind("127.0.0.1:0").await.unwrap();
    let (handle, address) = (bound.handle(), bound.local_addr().to_string());
    tokio::spawn(bound.serve());
    let client = AbsentClient::new(Channel::connect(&address).await.unwrap());
    let mut streams = Vec::new();
    for order in ["well", "badly"] {
        let mut rw = client.talk().await.unwrap();
        rw.write(text(order)).await.unwrap();
        streams.push(rw);
    }
    let call = tokio::spawn(client.unary(text("answered")).into_future());
    for _ in 0..3 {
        begun.recv().await.unwrap();
    }
    tokio::time::timeout(LONG, handle.shutdown(Duration::from_secs(3600)))
        .await
        .expect("they all return");
    assert_eq!(call.await.unwrap().unwrap(), text("answered"));
    for rw in &mut streams {
        assert_eq!(rw.read().await.unwrap(), Some(text("the last word")));
    }
    assert_eq!(streams[0].read().await.unwrap(), None);
    let error = streams[1].read().await.unwrap_err();
    assert_eq!((error.app_code(), error.message()), (4001, "not well"));
}

/// Opens streams or calls until one goes well, which it does before the machine's patience ends.
async fn insist(client: &EverythingClient, with_streams: bool) {
    let insisting = async {
        loop {
            let done = if with_streams {
                client.talk().await.map(drop)
            } else {
                client.unary(text("again")).await.map(drop)
            };
            match done {
                Ok(()) => return,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LONG, insisting).await.expect("the new server serves");
}

/// The grace is so long that nothing here can wait for its end.
const FOR_EVER: Duration = Duration::from_secs(86_400);

fn soon() -> Backoff {
    Backoff::default().first(Duration::from_millis(5)).max(Duration::from_millis(20))
}

#[tokio::test]
async fn calls_go_to_the_server_that_takes_the_place_of_one_that_drains() {
    for (own, with_streams, patient) in
        [(true, false, false), (true, true, false), (false, false, true), (false, true, false)]
    {
        let (old, address, _log) = listen("127.0.0.1:0").await;
        let builder = Channel::builder().reconnect(soon()).wait_for_ready(patient);
        let channel = builder.connect(&address).await.unwrap();
        let client = EverythingClient::new(channel.clone());
        client.unary(text("before")).await.unwrap();
        let holder = if own { channel.clone() } else { Channel::connect(&address).await.unwrap() };
        let mut open = EverythingClient::new(holder).talk().await.unwrap();
        let shutdown = tokio::spawn(async move { old.shutdown(FOR_EVER).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let address_is_free = async {
            while TcpListener::bind(&address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LONG, address_is_free).await.expect("the old server listens no more");
        let (_new, _, _log) = listen(&address).await;
        insist(&client, with_streams).await;
        insist(&client, !with_streams).await;
        assert_eq!(channel.connections(), 1);
        assert!(!shutdown.is_finished());
        // The open stream goes on to its own end, and the old server to its end behind that.
        open.write(text("still here")).await.unwrap();
        assert_eq!(open.read().await.unwrap(), Some(text("still here")));
        open.write(text("done")).await.unwrap();
        assert_eq!(open.read().await.unwrap(), None);
        drop(open);
        tokio::time::timeout(LONG, shutdown).await.expect("nothing is open").unwrap();
        client.unary(text("afterwards")).await.unwrap();
    }
}

#[tokio::test]
async fn a_channel_whose_server_drains_says_that_nobody_is_there_if_nobody_is() {
    let (old, address, _log) = listen("127.0.0.1:0").await;
    let channel = Channel::builder().reconnect(soon()).connect(&address).await.unwrap();
    let client = EverythingClient::new(channel);
    let mut open = client.talk().await.unwrap();
    let shutdown = tokio::spawn(async move { old.shutdown(FOR_EVER).await });
    let refused = async {
        while client.unary(text("refused")).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, refused).await.expect("the shutdown begins");
    for _ in 0..20 {
        let error = client.unary(text("again")).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Connect && error.is_retryable(), "{error}");
    }
    open.write(text("still here")).await.unwrap();
    assert_eq!(open.read().await.unwrap(), Some(text("still here")));
    open.finish().await.unwrap();
    tokio::time::timeout(LONG, shutdown).await.expect("nothing is open").unwrap();
}

/// A frame of a stream.
fn stream_frame(frame_type: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x09, 0x30, 1, frame_type];
    frame.extend(u32::try_from(16 + payload.len()).unwrap().to_be_bytes());
    frame.extend([0, 0, 0, 0, 0, 100, 0, 0]);
    frame.extend(payload);
    frame
}

/// The system forgets what is on its way as soon as bytes come for a socket that is closed. So the
/// server waits for the client's end.
#[tokio::test]
async fn a_client_that_reads_slowly_and_goes_on_sending_gets_its_answer() {
    let (handle, address, mut log) = listen("127.0.0.1:0").await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    // So little that most stays on the server's side until it is read.
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(address.parse().unwrap()).await.unwrap();
    let meta = trill_proto::InitRequestMeta {
        func: "/test.all.Everything/Download".into(),
        ..Default::default()
    };
    let init = trill_proto::InitMeta {
        request_meta: Some(meta),
        init_window_size: 65_535,
        ..Default::default()
    };
    client.write_all(&stream_frame(1, &init.encode_to_vec())).await.unwrap();
    client.write_all(&stream_frame(2, &text("fill 4 4000;stay").encode_to_vec())).await.unwrap();
    trill_tests::stay(&mut log, 1).await;
    let shutdown = tokio::spawn(async move { handle.shutdown(Duration::ZERO).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.write_all(&stream_frame(2, &[])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut received = Vec::new();
    tokio::time::timeout(LONG, client.read_to_end(&mut received))
        .await
        .expect("the server ends")
        .unwrap();
    let mut last = &received[..];
    loop {
        let size = u32::from_be_bytes(last[4..8].try_into().unwrap()) as usize;
        if size == last.len() {
            break;
        }
        last = &last[size..];
    }
    let close = trill_proto::CloseMeta::decode(&last[16..]).unwrap();
    assert_eq!((last[3], close.close_type, close.ret), (4, 1, 21), "CLOSE, RESET, and why");
    drop(client);
    tokio::time::timeout(LONG, shutdown).await.expect("the client is gone").unwrap();
}
