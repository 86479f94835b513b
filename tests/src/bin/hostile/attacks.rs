//! The hostile clients. Each sort goes on until its process is killed, at the rate that its text states.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Interval, MissedTickBehavior, interval};
use trill_tests::process::Process;
use trill_tests::{EverythingClient, raw, text};

use crate::server::say;

/// A sort of hostile clients.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
}

/// All sorts. The names state the rates.
pub(crate) const ATTACKS: [Attack; 17] = [
    Attack { name: "nothing (a process that sleeps)" },
    Attack { name: "1,000 silent connections" },
    Attack { name: "1,000 half-open connections" },
    Attack { name: "500 headers byte by byte, 100 ms each" },
    Attack { name: "500 headers byte by byte, all in step" },
    Attack { name: "200 giant sizes a second" },
    Attack { name: "200 connections with random bytes a second" },
    Attack { name: "20,000 INITs a second, never ended" },
    Attack { name: "5,000 INIT and RESET a second" },
    Attack { name: "10,000 frames after CLOSE a second" },
    Attack { name: "a window ignored, 20 MB a second" },
    Attack { name: "200 large requests a second, 100 kB" },
    Attack { name: "100 downloads never read" },
    Attack { name: "an answer never read, 2,000 calls a second" },
    Attack { name: "10,000 calls of nothing a second" },
    Attack { name: "200 connections cut with RST a second" },
    Attack { name: "5 processes killed a second" },
];

/// Attacks until this process is killed.
pub(crate) async fn run(name: &str, address: &str) {
    let name = name.to_owned();
    let place = address.to_owned();
    tokio::spawn(async move {
        let failed = attack(&name, &place).await;
        eprintln!("{name}: {failed:?}");
        std::process::exit(1);
    });
    // The measurement begins when it is under way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    say("attacking").await;
}

/// A client with a stream of each kind, for a process that is killed.
pub(crate) async fn hold(address: &str) {
    let client = EverythingClient::new(trill::Channel::connect(address).await.expect("it listens"));
    let _unary = tokio::spawn(client.unary(text("hang")).into_future());
    let _upload = client.upload().await;
    let _download = client.download(text("fill 1000 1000;hang")).await;
    let _talk = client.talk().await;
    say("holding").await;
}

async fn attack(name: &str, address: &str) -> std::io::Result<()> {
    match name {
        "nothing (a process that sleeps)" => std::future::pending().await,
        "1,000 silent connections" => {
            let _silent = connect(address, 1_000).await?;
            std::future::pending().await
        }
        "1,000 half-open connections" => half_open(address).await,
        "500 headers byte by byte, 100 ms each" => byte_by_byte(address, Pace::a_second(5_000)).await,
        "500 headers byte by byte, all in step" => {
            byte_by_byte(address, Pace::new(Duration::from_millis(100), 500)).await
        }
        "200 giant sizes a second" => {
            each_connection(address, Pace::a_second(200), || {
                [raw::init(100, "Talk", 65_535), raw::claim(u32::MAX, 100)].concat()
            })
            .await
        }
        "200 connections with random bytes a second" => {
            let random = || (0..2_000).map(|_| fastrand::u8(..)).collect();
            each_connection(address, Pace::a_second(200), random).await
        }
        "20,000 INITs a second, never ended" => {
            each_frame(address, 20_000, |id| raw::init(id, "Talk", 65_535)).await
        }
        "5,000 INIT and RESET a second" => {
            each_frame(address, 5_000, |id| [raw::init(id, "Talk", 65_535), raw::reset(id, 161)].concat())
                .await
        }
        "10,000 frames after CLOSE a second" => {
            each_frame(address, 2_500, |id| {
                let late = [raw::data(id, "late"), raw::feedback(id, 1), raw::close(id), raw::reset(id, 161)];
                [raw::init(id, "Talk", 65_535), raw::close(id), late.concat()].concat()
            })
            .await
        }
        "a window ignored, 20 MB a second" => {
            each_frame(address, 2_000, |id| {
                let open = [raw::init(100, "Talk", 65_535), raw::data(100, "hang")].concat();
                if id == 100 { open } else { raw::data(100, &"x".repeat(10_000)) }
            })
            .await
        }
        "200 large requests a second, 100 kB" => {
            each_frame(address, 200, |id| raw::call(id, "Unary", &"x".repeat(100_000))).await
        }
        "100 downloads never read" => {
            let mut socket = TcpStream::connect(address).await?;
            for id in 0..100 {
                // Without a window, only the connection holds them back.
                let order = raw::data(id + 100, "fill 1000000 1000");
                socket.write_all(&[raw::init(id + 100, "Download", 0), order].concat()).await?;
            }
            std::future::pending().await
        }
        "an answer never read, 2,000 calls a second" => never_read(address).await,
        "10,000 calls of nothing a second" => {
            each_frame(address, 10_000, |id| raw::call(id, "Nothing", "")).await
        }
        "200 connections cut with RST a second" => cut(address).await,
        "5 processes killed a second" => kill(address).await,
        _ => Err(std::io::Error::other("there is no such attack")),
    }
}

/// When a rate's portions are due. They are small and often, as many peers that know nothing of each other send.
struct Pace {
    ticks: Interval,
    portion: u32,
}

impl Pace {
    /// At most a thousand portions a second.
    fn a_second(rate: u32) -> Self {
        let portion = rate.div_ceil(1_000);
        Self::new(Duration::from_secs(1) * portion / rate, portion)
    }

    fn new(every: Duration, portion: u32) -> Self {
        let mut ticks = interval(every);
        // A pause is not made up for.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, portion }
    }

    /// Waits for the next portion, and says how much it is.
    async fn next(&mut self) -> u32 {
        self.ticks.tick().await;
        self.portion
    }
}

async fn connect(address: &str, count: usize) -> std::io::Result<Vec<TcpStream>> {
    join_all((0..count).map(|_| TcpStream::connect(address))).await.into_iter().collect()
}

/// Connections that say that they send no more, in the middle of a frame, of an upload or of nothing, and are never closed.
async fn half_open(address: &str) -> std::io::Result<()> {
    let mut sockets = connect(address, 1_000).await?;
    for (number, socket) in sockets.iter_mut().enumerate() {
        let bytes = match number % 3 {
            0 => Vec::new(),
            1 => raw::init(100, "Upload", 65_535),
            _ => raw::init(100, "Upload", 65_535)[..20].to_vec(),
        };
        // The server may have closed it already.
        let _ = socket.write_all(&bytes).await;
        let _ = socket.shutdown().await;
    }
    std::future::pending().await
}

/// Each portion goes to as many connections, one byte to each, in turns.
async fn byte_by_byte(address: &str, mut pace: Pace) -> std::io::Result<()> {
    let mut sockets = connect(address, 500).await?;
    let bytes = raw::init(100, "Talk", 65_535);
    for at in 0.. {
        for (number, socket) in sockets.iter_mut().enumerate() {
            if number % pace.portion as usize == 0 {
                pace.next().await;
            }
            if socket.write_all(&[bytes[at % bytes.len()]]).await.is_err() {
                *socket = TcpStream::connect(address).await?;
            }
        }
    }
    Ok(())
}

/// New connections; each sends its bytes and is left open for two seconds.
async fn each_connection(address: &str, mut pace: Pace, bytes: impl Fn() -> Vec<u8>) -> std::io::Result<()> {
    let mut open = std::collections::VecDeque::new();
    loop {
        for _ in 0..pace.next().await {
            let mut socket = TcpStream::connect(address).await?;
            // The server may close while this is being written.
            let _ = socket.write_all(&bytes()).await;
            open.push_back(socket);
            if open.len() > 400 {
                open.pop_front();
            }
        }
    }
}

/// One connection with so many frames or pairs of them a second, each for an id of its own; what comes back is read and forgotten. A
/// connection that is closed is replaced.
async fn each_frame(address: &str, a_second: u32, frames: impl Fn(u32) -> Vec<u8>) -> std::io::Result<()> {
    loop {
        let (mut reader, mut writer) = TcpStream::connect(address).await?.into_split();
        let forget = tokio::spawn(async move {
            let mut bytes = vec![0; 65_536];
            while reader.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
        });
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
        forget.abort();
    }
}

async fn never_read(address: &str) -> std::io::Result<()> {
    loop {
        let mut socket = TcpStream::connect(address).await?;
        let mut pace = Pace::a_second(2_000);
        let mut id = 0;
        while id < 20_000 {
            let next = id + pace.next().await;
            let portion: Vec<_> = (id..next).flat_map(|id| raw::call(id, "Unary", "large 10000")).collect();
            id = next;
            // The server does not read it any more either, which is its right.
            match tokio::time::timeout(Duration::from_secs(1), socket.write_all(&portion)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => break,
                Err(_) => std::future::pending().await,
            }
        }
    }
}

/// Connections in all states that end with a RST of TCP.
async fn cut(address: &str) -> std::io::Result<()> {
    let states: [Vec<u8>; 6] = [
        Vec::new(),
        raw::init(100, "Talk", 65_535)[..9].to_vec(),
        raw::init(100, "Talk", 65_535),
        [raw::init(100, "Upload", 65_535), raw::data(100, "hang"), raw::claim(100, 100)].concat(),
        [raw::init(100, "Download", 65_535), raw::data(100, "fill 1000 1000")].concat(),
        raw::call(1, "Unary", "sleep 1000"),
    ];
    let mut pace = Pace::a_second(200);
    for number in 0.. {
        pace.next().await;
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(&states[number % states.len()]).await?;
        socket.set_zero_linger()?;
    }
    Ok(())
}

async fn kill(address: &str) -> std::io::Result<()> {
    let mut pace = Pace::a_second(5);
    loop {
        pace.next().await;
        Process::start(&["hold", address]).await.kill().await;
    }
}
