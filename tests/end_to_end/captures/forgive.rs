//! Where ours may differ from what was recorded, and why. There is no other place.

use std::io::Read;

use trill::prost::Message;

use super::conversation::Conversation;
use super::frame::{Content, Frame, Side};

/// The number of compression 2 is Snappy's block format for tRPC-Cpp and its stream format for tRPC-Go, so Trill refuses it and calls
/// the block format 5, which both understand. In a recording, 2 becomes 5; its bytes stay.
pub(super) fn renumber_snappy(conversation: &mut Conversation) {
    for recorded in &mut conversation.frames {
        let header = match recorded.parse().content {
            Content::Request { mut meta, .. } if meta.content_encoding == 2 => {
                meta.content_encoding = 5;
                meta.encode_to_vec()
            }
            Content::Answer { mut meta, .. } if meta.content_encoding == 2 => {
                meta.content_encoding = 5;
                meta.encode_to_vec()
            }
            _ => continue,
        };
        let size = usize::from(u16::from_be_bytes([recorded.bytes[8], recorded.bytes[9]]));
        recorded.bytes[16..16 + size].copy_from_slice(&header);
    }
}

/// Makes a frame of a client the same as another that may differ from it.
pub(super) fn forgive_request(conversation: &Conversation, frame: &mut Frame) {
    match &mut frame.content {
        Content::Request { meta, body } => {
            // Ours repeats the request's id in the fixed header, for servers and clients of tRPC-Go; theirs leaves it empty.
            (frame.id, frame.version) = (0, 0);
            unpack(meta.content_encoding, body);
        }
        // Their asynchronous program calls the service by a name of its own; only `func` selects the method.
        Content::Init(meta) if conversation.has_merge_server() => {
            meta.request_meta.as_mut().expect("it is always there").callee = "".into();
        }
        _ => {}
    }
}

/// Makes a frame of a server the same as another that may differ from it.
pub(super) fn forgive_answer(conversation: &Conversation, frame: &mut Frame) {
    match &mut frame.content {
        Content::Answer { meta, body } => {
            // Theirs sends the metadata of the request back as well. Ours sends what the handler says.
            let echoed = |key: &str| {
                conversation.sent(Side::Client).any(|request| match request.content {
                    Content::Request { meta, .. } => meta.trans_info.iter().any(|entry| entry.key() == key),
                    _ => false,
                })
            };
            meta.trans_info.retain(|entry| !echoed(entry.key()));
            unpack(meta.content_encoding, body);
        }
        // Their fiber server puts the word OK into the text of a client stream's good end; ours leaves it empty, as their others do.
        Content::Close(meta) if meta.ret == 0 && meta.func_ret == 0 && meta.msg == "OK" => {
            meta.msg = "".into();
        }
        _ => {}
    }
}

/// Two encoders may pack the same message in two ways.
fn unpack(encoding: u32, body: &mut Vec<u8>) {
    let mut plain = Vec::new();
    match encoding {
        0 => return,
        1 => flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap(),
        5 => {
            plain = snap::raw::Decoder::new().decompress_vec(body).unwrap();
            plain.len()
        }
        6 => lz4_flex::frame::FrameDecoder::new(&body[..]).read_to_end(&mut plain).unwrap(),
        other => panic!("nobody packs with {other}"),
    };
    *body = plain;
}
