//! A peer that says what a test tells it to, byte by byte.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trill::Channel;
use trill::prost::Message;
use trill_proto::{
    CloseMeta, CloseType, InitMeta, InitRequestMeta, InitResponseMeta, RequestProtocol,
    ResponseProtocol,
};
use trill_tests::{EverythingClient, listen, text};

use super::due;
use super::frame::{Frame, Side};

/// The bytes of frames, one behind another.
#[derive(Default)]
pub(super) struct Frames(pub(super) Vec<u8>);

impl Frames {
    pub(super) fn frame(
        mut self,
        kinds: [u8; 2],
        header: &[u8],
        id: u32,
        tail: [u8; 2],
        rest: &[u8],
    ) -> Self {
        let size = u32::try_from(16 + header.len() + rest.len()).unwrap();
        self.0.extend_from_slice(&[0x09, 0x30, kinds[0], kinds[1]]);
        self.0.extend_from_slice(&size.to_be_bytes());
        self.0.extend_from_slice(&u16::try_from(header.len()).unwrap().to_be_bytes());
        self.0.extend_from_slice(&id.to_be_bytes());
        self.0.extend_from_slice(&tail);
        self.0.extend_from_slice(header);
        self.0.extend_from_slice(rest);
        self
    }

    pub(super) fn stream(self, kind: u8, id: u32, meta: &impl Message) -> Self {
        self.frame([1, kind], &[], id, [0, 0], &meta.encode_to_vec())
    }

    /// A client opens a stream.
    pub(super) fn open(self, id: u32, method: &str) -> Self {
        let func = format!("/test.all.Everything/{method}").into();
        let request_meta = Some(InitRequestMeta { func, ..Default::default() });
        self.stream(
            1,
            id,
            &InitMeta { request_meta, init_window_size: 65_535, ..Default::default() },
        )
    }

    /// A server accepts one.
    pub(super) fn accept(self, id: u32) -> Self {
        let response_meta = Some(InitResponseMeta::default());
        self.stream(
            1,
            id,
            &InitMeta { response_meta, init_window_size: 65_535, ..Default::default() },
        )
    }

    pub(super) fn data(self, id: u32, message: &str) -> Self {
        self.stream(2, id, &text(message))
    }

    pub(super) fn close(self, id: u32) -> Self {
        self.stream(4, id, &CloseMeta::default())
    }

    pub(super) fn reset(self, id: u32) -> Self {
        let close_type = CloseType::Reset.into();
        self.stream(4, id, &CloseMeta { close_type, ret: 161, ..Default::default() })
    }

    /// A client calls, with these bytes 10 to 15 of the fixed header.
    pub(super) fn call(self, id: u32, (head, tail): (u32, [u8; 2]), message: &str) -> Self {
        let func = "/test.all.Everything/Unary".into();
        let meta = RequestProtocol { request_id: id, func, ..Default::default() };
        self.frame([0, 0], &meta.encode_to_vec(), head, tail, &text(message).encode_to_vec())
    }

    /// A server answers.
    pub(super) fn answer(self, id: u32, message: &str) -> Self {
        let meta = ResponseProtocol { request_id: id, ..Default::default() };
        self.frame([0, 0], &meta.encode_to_vec(), 0, [0, 0], &text(message).encode_to_vec())
    }
}

/// One end of a connection, and who speaks at the other.
pub(super) struct Peer(TcpStream, Side);

impl Peer {
    /// A client of a fresh server.
    pub(super) async fn of_a_server() -> Self {
        let (_handle, address, log) = listen("127.0.0.1:0").await;
        // The reports have no reader; the service does not mind.
        drop(log);
        Self(TcpStream::connect(address).await.unwrap(), Side::Server)
    }

    /// A server, and a client of it.
    pub(super) async fn of_a_client() -> (Self, EverythingClient) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let channel = Channel::builder()
            .trpc(trill::trpc::Settings::default().first_request_id(0))
            .connect(address)
            .await
            .unwrap();
        let (socket, _) = due(listener.accept()).await.unwrap();
        (Self(socket, Side::Client), EverythingClient::new(channel))
    }

    pub(super) async fn send(&mut self, frames: Frames) {
        self.0.write_all(&frames.0).await.unwrap();
    }

    pub(super) async fn read(&mut self) -> Frame {
        due(Frame::read(self.1, &mut self.0)).await.expect("the connection lives")
    }

    /// Everything is said: what else comes until the other end hangs up?
    pub(super) async fn hears_nothing_more(mut self) {
        self.0.shutdown().await.unwrap();
        let mut beyond = Vec::new();
        due(self.0.read_to_end(&mut beyond)).await.unwrap();
        assert!(beyond.is_empty(), "{beyond:?}");
    }
}
