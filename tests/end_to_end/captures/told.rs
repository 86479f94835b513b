//! The answers to callers.

use std::collections::BTreeMap;

use trill_proto::TransInfoEntry;

use super::conversation::Conversation;
use super::forgive::forgive_answer;
use super::frame::{Content, Key, Side};

/// The answer to a caller, messages encoded.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) metadata: BTreeMap<String, Vec<u8>>,
    pub(super) attachment: Vec<u8>,
}

/// The recorded server's answers to the callers.
pub(super) fn answers(conversation: &Conversation) -> Vec<Told> {
    let mut told: BTreeMap<Key, Told> =
        conversation.sent(Side::Client).map(|request| (request.key(), Told::default())).collect();
    for mut frame in conversation.sent(Side::Server) {
        let told = told.get_mut(&frame.key()).expect("an answer to a request");
        if let Content::Answer { meta, .. } = &frame.content {
            // Before it is forgiven: our client has to pass on what really came.
            told.metadata = pairs(&meta.trans_info);
        }
        forgive_answer(conversation, &mut frame);
        match frame.content {
            Content::Answer { meta, mut body } => {
                told.attachment = body.split_off(body.len() - meta.attachment_size as usize);
                told.messages.push(body);
            }
            Content::Data(message) => told.messages.push(message),
            Content::Close(meta) => told.metadata = pairs(&meta.trans_info),
            _ => {}
        }
    }
    told.into_values().collect()
}

fn pairs(entries: &[TransInfoEntry]) -> BTreeMap<String, Vec<u8>> {
    entries.iter().map(|entry| (entry.key().to_owned(), entry.value().to_vec())).collect()
}
