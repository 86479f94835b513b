//! Unary frames by hand.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use trill::prost::Message;

/// A whole unary frame.
pub(crate) fn frame(meta: &impl Message, body: &[u8]) -> Vec<u8> {
    let head = meta.encode_to_vec();
    let size = u32::try_from(16 + head.len() + body.len()).unwrap();
    let mut frame = vec![0x09, 0x30, 0, 0];
    frame.extend(size.to_be_bytes());
    frame.extend(u16::try_from(head.len()).unwrap().to_be_bytes());
    frame.extend([0; 6]);
    frame.extend(&head);
    frame.extend(body);
    frame
}

/// The next unary frame's header and body.
pub(crate) async fn read<M: Message + Default>(socket: &mut TcpStream) -> (M, Vec<u8>) {
    let mut head = [0; 16];
    socket.read_exact(&mut head).await.unwrap();
    let mut rest = vec![0; u32::from_be_bytes(head[4..8].try_into().unwrap()) as usize - 16];
    socket.read_exact(&mut rest).await.unwrap();
    let header = usize::from(u16::from_be_bytes([head[8], head[9]]));
    (M::decode(&rest[..header]).unwrap(), rest[header..].to_vec())
}
