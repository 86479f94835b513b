//! Where ours may differ from what was recorded, and why. There is no other place.

use std::io::Read;

use super::conversation::Conversation;
use super::frame::{Content, Frame, Side};

/// Makes a frame of a client the same as another that may differ from it.
pub(super) fn forgive_request(conversation: &Conversation, frame: &mut Frame) {
    match &mut frame.content {
        Content::Request { meta, body } => {
            // Ours repeats the request's id in the fixed header, for servers and clients of
            // tRPC-Go; theirs leaves it empty.
            (frame.id, frame.version) = (0, 0);
            unpack(meta.content_encoding, body);
        }
        // Their asynchronous program calls the service by a name of its own; only `func` selects
        // the method.
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
            // Theirs sends the metadata of the request back as well. Ours sends what the handler
            // says.
            let echoed = |key: &str| {
                conversation.sent(Side::Client).any(|request| match request.content {
                    Content::Request { meta, .. } => {
                        meta.trans_info.iter().any(|entry| entry.key() == key)
                    }
                    _ => false,
                })
            };
            meta.trans_info.retain(|entry| !echoed(entry.key()));
            unpack(meta.content_encoding, body);
        }
        // Their fiber server puts the word OK into the text of a client stream's good end; ours
        // leaves it empty, as their others do.
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
        2 | 5 => {
            plain = snap::raw::Decoder::new().decompress_vec(body).unwrap();
            plain.len()
        }
        6 => lz4_flex::frame::FrameDecoder::new(&body[..]).read_to_end(&mut plain).unwrap(),
        other => panic!("nobody packs with {other}"),
    };
    *body = plain;
}
