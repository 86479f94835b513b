//! A frame, as far as it can be compared.

use tokio::io::{AsyncRead, AsyncReadExt};
use trill::prost::Message;
use trill_proto::{
    CloseMeta, FeedbackMeta, InitMeta, RequestProtocol, ResponseProtocol, TransInfoEntry,
};

/// The side that sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side {
    Client,
    Server,
}

/// Everything that a frame says, with the pairs of maps in order of their keys: writers of protobuf
/// may put them in any order.
#[derive(Debug, PartialEq)]
pub(super) struct Frame {
    /// Of the fixed header: for streams their id, for unary calls whatever the client says.
    pub(super) id: u32,
    pub(super) version: u8,
    pub(super) reserved: u8,
    pub(super) content: Content,
}

#[derive(Debug, PartialEq)]
pub(super) enum Content {
    Request { meta: Box<RequestProtocol>, body: Vec<u8> },
    Answer { meta: Box<ResponseProtocol>, body: Vec<u8> },
    Init(Box<InitMeta>),
    Data(Vec<u8>),
    Feedback(FeedbackMeta),
    Close(Box<CloseMeta>),
}

/// The call or stream of a frame, whose frames come in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Call(u32),
    Stream(u32),
}

impl Frame {
    pub(super) fn parse(from: Side, bytes: &[u8]) -> Self {
        let (head, rest) = bytes.split_at(16);
        assert_eq!(&head[..2], [0x09, 0x30], "the magic number");
        assert_eq!(
            head[4..8],
            u32::try_from(bytes.len()).unwrap().to_be_bytes(),
            "the size of the frame"
        );
        let size = usize::from(u16::from_be_bytes([head[8], head[9]]));
        let mut content = match (head[2], head[3], from) {
            (0, 0, Side::Client) => Content::Request {
                meta: Box::new(decode(&rest[..size])),
                body: rest[size..].to_vec(),
            },
            (0, 0, Side::Server) => Content::Answer {
                meta: Box::new(decode(&rest[..size])),
                body: rest[size..].to_vec(),
            },
            (1, 1, _) => Content::Init(Box::new(decode(rest))),
            (1, 2, _) => Content::Data(rest.to_vec()),
            (1, 3, _) => Content::Feedback(decode(rest)),
            (1, 4, _) => Content::Close(Box::new(decode(rest))),
            other => panic!("no such frame: {other:?}"),
        };
        assert!(head[2] == 0 || size == 0, "frames of streams have no header");
        content.metadata_mut().sort_by(|one, other| one.key().cmp(other.key()));
        let id = u32::from_be_bytes(head[10..14].try_into().expect("four bytes"));
        Self { id, version: head[14], reserved: head[15], content }
    }

    /// The next frame of a peer; `None` when it has closed the connection.
    pub(super) async fn read(from: Side, socket: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut bytes = vec![0; 16];
        if socket.read(&mut bytes[..1]).await.unwrap() == 0 {
            return None;
        }
        socket.read_exact(&mut bytes[1..]).await.unwrap();
        let size = u32::from_be_bytes(bytes[4..8].try_into().expect("four bytes"));
        bytes.resize(size as usize, 0);
        socket.read_exact(&mut bytes[16..]).await.unwrap();
        Some(Self::parse(from, &bytes))
    }

    pub(super) fn key(&self) -> Key {
        match &self.content {
            Content::Request { meta, .. } => Key::Call(meta.request_id),
            Content::Answer { meta, .. } => Key::Call(meta.request_id),
            _ => Key::Stream(self.id),
        }
    }

    /// A client's half-close, or a server's good end.
    pub(super) fn is_normal_close(&self) -> bool {
        matches!(&self.content, Content::Close(meta) if **meta == CloseMeta::default())
    }
}

impl Content {
    fn metadata_mut(&mut self) -> &mut [TransInfoEntry] {
        match self {
            Self::Request { meta, .. } => &mut meta.trans_info,
            Self::Answer { meta, .. } => &mut meta.trans_info,
            Self::Init(meta) => {
                meta.request_meta.as_mut().map_or(&mut [], |request| &mut request.trans_info)
            }
            Self::Close(meta) => &mut meta.trans_info,
            Self::Data(_) | Self::Feedback(_) => &mut [],
        }
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> M {
    M::decode(bytes).unwrap()
}
