//! A client that writes its own frames.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use trill::prost::Message;
use trill_proto::CloseMeta;

use super::victim::{SOME_TIME, Victim};

pub(crate) struct Offender(TcpStream);

/// A frame of a stream, as a server sent it.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) kind: u8,
    pub(crate) id: u32,
    /// How long the protobuf header of an answer is.
    pub(crate) header: usize,
    pub(crate) payload: Vec<u8>,
}

impl Came {
    /// The code and text, if it is the end of a stream that was broken off.
    pub(crate) fn reset(&self) -> Option<(i32, String)> {
        let meta = (self.kind == 4).then(|| CloseMeta::decode(&self.payload[..]).unwrap())?;
        (meta.close_type == 1).then(|| (meta.ret, String::from_utf8_lossy(&meta.msg).into_owned()))
    }
}

impl Offender {
    pub(crate) async fn connect(victim: &Victim) -> Self {
        let socket = TcpStream::connect(&victim.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self(socket)
    }

    /// From another address of this host.
    pub(crate) async fn connect_from(victim: &Victim, address: [u8; 4]) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        socket.set_nodelay(true).unwrap();
        Self(socket.connect(victim.address.parse().unwrap()).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Gives how much of it the server took before it let this client wait for 300 ms, or closed
    /// the connection.
    pub(crate) async fn press(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            match timeout(Duration::from_millis(300), self.0.write(&bytes[taken..])).await {
                Ok(Ok(count)) => taken += count,
                Ok(Err(_)) | Err(_) => break,
            }
        }
        taken
    }

    /// Sends, however long the server lets this client wait. `false`: the server has closed the
    /// connection.
    pub(crate) async fn insist(&mut self, bytes: &[u8]) -> bool {
        timeout(SOME_TIME, self.0.write_all(bytes))
            .await
            .expect("the server reads or closes")
            .is_ok()
    }

    /// Says that it sends no more.
    pub(crate) async fn half_close(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Ends with a RST of TCP.
    pub(crate) fn cut(self) {
        self.0.set_zero_linger().unwrap();
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Came {
        timeout(SOME_TIME, self.read()).await.expect("a frame comes").expect("the connection lives")
    }

    /// The next frame, or `None` if the server closes the connection instead.
    pub(crate) async fn try_next(&mut self) -> Option<Came> {
        timeout(SOME_TIME, self.read()).await.expect("a frame comes, or the end").ok()
    }

    async fn read(&mut self) -> std::io::Result<Came> {
        let mut head = [0; 16];
        self.0.read_exact(&mut head).await?;
        let size = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let mut payload = vec![0; size as usize - 16];
        self.0.read_exact(&mut payload).await?;
        let id = u32::from_be_bytes([head[10], head[11], head[12], head[13]]);
        let header = usize::from(u16::from_be_bytes([head[8], head[9]]));
        Ok(Came { kind: head[3], id, header, payload })
    }

    /// Tells whether the server closes the connection, whatever it says before.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let closed = async { while self.0.read(&mut bytes).await.is_ok_and(|count| count > 0) {} };
        timeout(SOME_TIME, closed).await.is_ok()
    }
}
