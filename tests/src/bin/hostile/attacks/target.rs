//! The server under attack, and the ways to reach it.

use std::io::Result;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use trill_tests::{now, raw};

/// How long a flood lasts before it counts as being under way.
const FLOOD: Duration = Duration::from_millis(300);

/// The id of the call that follows all others on its connection.
const LAST: u32 = u32::MAX - 1;

/// A server that has taken nothing for so long defends itself, and the measurement begins.
const STALLED: Duration = Duration::from_millis(1_500);

/// How long an attack may take to build something up on a machine that is busy.
const BUILD: Duration = Duration::from_secs(60);

/// The server under attack. The attackers' address is another than the one of the strangers.
#[derive(Clone)]
pub(crate) struct Target {
    server: SocketAddr,
    from: IpAddr,
    under_way: Arc<Notify>,
    /// The bytes that have been written to build something up.
    written: Arc<AtomicU64>,
}

/// The attacker's reading of what the server sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// They are read, and a call that follows shows that the server has come so far.
    Read,
    /// They are read, and what was sent ends in the middle of a frame.
    Partial,
    /// The receive buffer is as small as the system has it.
    Unread,
}

impl Target {
    pub(super) fn at(address: &str) -> std::result::Result<Self, String> {
        let server = address.parse().map_err(|error| format!("{address}: {error}"))?;
        Ok(Self {
            server,
            from: Ipv4Addr::new(127, 0, 0, 2).into(),
            under_way: Arc::default(),
            written: Arc::default(),
        })
    }

    /// The same server, reached from another address.
    pub(super) fn by(&self, number: u8) -> Self {
        Self { from: Ipv4Addr::new(127, 0, 0, 2 + number).into(), ..self.clone() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server
    }

    /// Waits until the attack is under way: until it says so, or the server takes no more of it.
    pub(super) async fn attacked(&self) {
        let (began, mut written) = (now(), 0);
        while timeout(STALLED, self.under_way.notified()).await.is_err() && began.elapsed() < BUILD
        {
            let before = std::mem::replace(&mut written, self.written.load(Relaxed));
            if written > 0 && written == before {
                return;
            }
        }
    }

    /// Says that what was to be built up is there.
    pub(super) fn is_built(&self) {
        self.under_way.notify_one();
    }

    /// Says that a flood is under way, after a while.
    pub(super) fn is_flooded(&self) {
        let under_way = Arc::clone(&self.under_way);
        tokio::spawn(async move {
            tokio::time::sleep(FLOOD).await;
            under_way.notify_one();
        });
    }

    /// A connection. A server that lets nobody in is asked again.
    pub(super) async fn connect(&self) -> TcpStream {
        loop {
            match self
                .socket()
                .expect("there are sockets and ports left")
                .connect(self.server)
                .await
            {
                Ok(connected) => return connected,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn socket(&self) -> Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.from, 0).into())?;
        Ok(socket)
    }

    /// A connection for each that sends its bytes, and is then held for ever.
    pub(super) async fn hold(
        &self,
        each: impl IntoIterator<Item = Bytes>,
        answers: Answers,
    ) -> Result<()> {
        let built = self.send_each(each, answers).await?;
        self.is_built();
        built.hold().await
    }

    /// A connection for each that sends its bytes. Ends when all bytes are written.
    pub(super) async fn send_each(
        &self,
        each: impl IntoIterator<Item = Bytes>,
        answers: Answers,
    ) -> Result<Built> {
        let mut sending = JoinSet::new();
        for bytes in each {
            let target = self.clone();
            sending.spawn(async move { target.send(&bytes, answers).await });
        }
        Ok(Built { held: sending.join_all().await.into_iter().collect::<Result<_>>()? })
    }

    async fn send(&self, bytes: &[u8], answers: Answers) -> Result<Held> {
        if answers == Answers::Unread {
            let socket = self.socket()?;
            socket.set_recv_buffer_size(4_096)?;
            let mut socket = socket.connect(self.server).await?;
            self.write(&mut socket, bytes).await;
            return Ok(Held::Unread(socket));
        }
        let (reader, mut writer) = self.connect().await.into_split();
        if answers == Answers::Partial {
            let reading = forget(reader);
            self.write(&mut writer, bytes).await;
            return Ok(Held::Read(reading, writer));
        }
        let (tell, told) = oneshot::channel();
        let mut reading = JoinSet::new();
        // It ends with the connection, which is as good as an answer.
        reading.spawn(async move { drop(read_answers(reader, tell).await) });
        self.write(&mut writer, bytes).await;
        self.write(&mut writer, &raw::call(LAST, "Unary", "hello")).await;
        self.come_so_far(told).await;
        Ok(Held::Read(reading, writer))
    }

    /// Waits for the last answer. A server that is at work on what came before has not stalled.
    async fn come_so_far(&self, mut told: oneshot::Receiver<()>) {
        for _ in 0..20 {
            if timeout(STALLED / 2, &mut told).await.is_ok() {
                return;
            }
            self.written.fetch_add(1, Relaxed);
        }
    }

    /// Writes until all is written, or the server has ended the connection.
    async fn write(&self, to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
        for part in bytes.chunks(65_536) {
            if to.write_all(part).await.is_err() {
                return;
            }
            self.written.fetch_add(part.len() as u64, Relaxed);
        }
    }
}

/// Connections that have sent what they were to send.
pub(super) struct Built {
    held: Vec<Held>,
}

enum Held {
    Unread(TcpStream),
    Read(JoinSet<()>, tokio::net::tcp::OwnedWriteHalf),
}

impl Built {
    pub(super) async fn hold(self) -> Result<()> {
        let _held = self.held;
        std::future::pending().await
    }

    /// Closes all of them.
    pub(super) fn close(self) {
        for held in self.held {
            match held {
                Held::Unread(socket) => drop(socket),
                Held::Read(forget, writer) => drop((forget, writer)),
            }
        }
    }
}

/// Reads frames, and tells of the answer to the last call.
async fn read_answers(reader: OwnedReadHalf, tell: oneshot::Sender<()>) -> Result<()> {
    let (mut reader, mut tell) = (BufReader::with_capacity(65_536, reader), Some(tell));
    loop {
        let mut head = [0; 16];
        reader.read_exact(&mut head).await?;
        let number =
            |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four bytes"));
        if head[2] == 0 && number(10) == LAST {
            tell.take().map(|tell| tell.send(()));
        }
        let rest = u64::from(number(4)).saturating_sub(16);
        tokio::io::copy_buf(&mut (&mut reader).take(rest), &mut tokio::io::sink()).await?;
    }
}

/// Reads what comes, until the connection ends or this is dropped.
pub(super) fn forget(mut reader: OwnedReadHalf) -> JoinSet<()> {
    let mut forget = JoinSet::new();
    forget.spawn(async move {
        let mut bytes = vec![0; 65_536];
        while reader.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    });
    forget
}

/// Frames one behind the other.
pub(super) fn join(frames: impl IntoIterator<Item = Vec<u8>>) -> Bytes {
    let mut all = Vec::new();
    for frame in frames {
        all.extend_from_slice(&frame);
    }
    all.into()
}

/// When a rate's portions are due. They are small and often, as many peers that know nothing of
/// each other send.
pub(super) struct Pace {
    ticks: Interval,
    pub(super) portion: u32,
}

impl Pace {
    /// At most a thousand portions a second.
    pub(super) fn a_second(rate: u32) -> Self {
        let portion = rate.div_ceil(1_000);
        Self::new(Duration::from_secs(1) * portion / rate, portion)
    }

    pub(super) fn new(every: Duration, portion: u32) -> Self {
        let mut ticks = interval(every);
        // A pause is not made up for.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, portion }
    }

    /// Waits for the next portion, and says how much it is.
    pub(super) async fn next(&mut self) -> u32 {
        self.ticks.tick().await;
        self.portion
    }
}

/// One connection with so many frames or groups of them a second, each for an id of its own; what
/// comes back is read and forgotten. A connection that is closed is replaced.
pub(super) async fn each_frame(
    target: &Target,
    a_second: u32,
    frames: impl Fn(u32) -> Vec<u8>,
) -> Result<()> {
    target.is_flooded();
    loop {
        let (reader, mut writer) = target.connect().await.into_split();
        let _forget = forget(reader);
        let mut pace = Pace::a_second(a_second);
        let mut id = 100;
        loop {
            let next = id + pace.next().await;
            let portion: Vec<_> = (id..next).flat_map(&frames).collect();
            id = next;
            if writer.write_all(&portion).await.is_err() {
                break;
            }
        }
    }
}

/// Sends the same bytes over and over on so many connections, as fast as the server takes them.
pub(super) async fn at_full_speed(target: &Target, connections: usize, bytes: Bytes) -> Result<()> {
    target.is_flooded();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (target, bytes) = (target.clone(), bytes.clone());
        tasks.spawn(async move {
            loop {
                let (reader, mut writer) = target.connect().await.into_split();
                let _forget = forget(reader);
                while writer.write_all(&bytes).await.is_ok() {}
            }
        });
    }
    tasks.join_all().await;
    Ok(())
}
