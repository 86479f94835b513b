//! Bytes that no honest client sends, over real sockets.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trill::Channel;
use trill_tests::{EverythingClient, listen, text};

use crate::warnings::Warnings;

/// Sends bytes to a server and gives what comes back until it closes the connection, if it does.
async fn send(address: &str, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut back = Vec::new();
    let closed = tokio::time::timeout(Duration::from_millis(300), socket.read_to_end(&mut back))
        .await
        .is_ok();
    (back, closed)
}

#[tokio::test]
async fn bytes_that_are_not_the_protocol_close_their_connection_and_no_other() {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let mut rw = client.talk().await.unwrap();
    let frame = |patch: &[(usize, u8)]| {
        let mut bytes = vec![0x09, 0x30, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
        for (at, byte) in patch {
            bytes[*at] = *byte;
        }
        bytes
    };
    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: example\r\n\r\n".to_vec()),
        ("a wrong magic", frame(&[(0, 0x90)])),
        ("a size below 16", frame(&[(7, 15)])),
        ("a header longer than the frame", frame(&[(9, 5)])),
        ("an unknown frame type", frame(&[(2, 2)])),
    ] {
        let (back, closed) = send(&address, &bytes).await;
        assert!(closed && back.is_empty(), "{what}: {back:?}");
    }
    let (back, closed) = send(&address, &frame(&[(9, 4)])).await;
    assert!(
        !closed && !back.is_empty(),
        "garbage in a well delimited frame is answered, and the connection lives"
    );
    rw.write(text("still here")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("still here")));
}

#[tokio::test]
async fn random_bytes_do_no_harm() {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..50 {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let mut bytes: Vec<u8> = (0..random.usize(1..4_000)).map(|_| random.u8(..)).collect();
        if random.bool() {
            let head = [
                0x09,
                0x30,
                1,
                random.u8(1..5),
                0,
                0,
                0,
                random.u8(16..200),
                0,
                0,
                0,
                0,
                0,
                random.u8(..),
                0,
                0,
            ];
            bytes.splice(..0, head);
        }
        // The server may close while this is being written.
        let _ = socket.write_all(&bytes).await;
    }
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    assert!(client.unary(text("fine")).await.is_ok(), "seed {seed}");
}

#[tokio::test]
async fn a_header_that_comes_byte_by_byte_is_understood() {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let mut socket = TcpStream::connect(&address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    // An empty request header: answered with code 1.
    for byte in [0x09, 0x30, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 7, 1, 9] {
        socket.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut head = [0; 16];
    tokio::time::timeout(Duration::from_secs(20), socket.read_exact(&mut head))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (&head[..4], &head[10..]),
        (&[0x09, 0x30, 0, 0][..], &[0, 0, 0, 7, 1, 9][..]),
        "id, version and reserved come back"
    );
}

#[tokio::test]
async fn a_connection_that_is_closed_for_its_bytes_leaves_one_log_line_with_peer_and_reason() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let peer = socket.local_addr().unwrap().to_string();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _ = socket.read_to_end(&mut Vec::new()).await;
    let lines = warnings.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains(&peer)
            && lines[0].contains("0x4745")
            && lines[0].contains("closing the connection"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_method_name_as_long_as_a_header_may_be_is_refused_like_any_other() {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    // Neither the name nor what its refusal says of it may be too long for the answer's header; not
    // even as replaced characters.
    let name = [&b"/"[..], &[0xff; 65_000]].concat();
    let mut header = vec![0x18, 7, 0x3a, 0xe9, 0xfb, 0x03];
    header.extend_from_slice(&name);
    let mut frame = vec![0x09, 0x30, 0, 0];
    frame.extend_from_slice(&u32::try_from(16 + header.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&u16::try_from(header.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0, 7, 1, 0]);
    frame.extend_from_slice(&header);
    let (back, closed) = send(&address, &frame).await;
    assert!(!closed, "the connection lives");
    let size = usize::from(u16::from_be_bytes([back[8], back[9]]));
    let meta: trill_proto::ResponseProtocol =
        trill::prost::Message::decode(&back[16..16 + size]).unwrap();
    assert_eq!((meta.request_id, meta.ret), (7, 12));
    assert!(
        meta.error_msg.len() < 2_000,
        "and the text stays readable: {} bytes",
        meta.error_msg.len()
    );
}
