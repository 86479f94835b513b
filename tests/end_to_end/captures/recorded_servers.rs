//! Our client and their servers' bytes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use trill::{Channel, Limits, Result};

use super::call::calls;
use super::conversation::Conversation;
use super::due;
use super::forgive::forgive_request;
use super::frame::{Frame, Key, Side};
use super::told::{Told, answers};

#[tokio::test]
async fn our_client_understands_the_recorded_servers() {
    let mut played = 0;
    for conversation in Conversation::all() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let script = Script { conversation: &conversation, early: BTreeMap::new() };
        let (told, beyond) =
            due(async { tokio::join!(call(&conversation, &address), script.play(listener)) }).await;
        let name = &conversation.name;
        assert_eq!(told, answers(&conversation), "{name}: what the callers were told");
        // Our clients half-close a server stream, theirs do not; servers accept both.
        for frame in beyond {
            assert!(
                name.contains("server stream") || name.contains("ServerStream"),
                "{name}: {frame:?}"
            );
            assert!(frame.is_normal_close(), "{name}: {frame:?}");
        }
        played += 1;
    }
    assert_eq!(played, 24, "all that were recorded");
}

/// A server that knows beforehand what it will hear and say.
struct Script<'a> {
    conversation: &'a Conversation,
    /// The frames that came before their turn: calls and streams are independent of each other.
    early: BTreeMap<Key, VecDeque<Frame>>,
}

impl Script<'_> {
    /// Waits for what the recorded client sent, and answers with the recorded bytes. Gives what
    /// came beyond the recording.
    async fn play(mut self, listener: TcpListener) -> Vec<Frame> {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        for recorded in &self.conversation.frames {
            if recorded.from == Side::Server {
                socket.write_all(&recorded.bytes).await.unwrap();
                continue;
            }
            let mut expected = recorded.parse();
            let mut got = self.next(expected.key(), &mut socket).await;
            forgive_request(self.conversation, &mut expected);
            forgive_request(self.conversation, &mut got);
            assert_eq!(got, expected, "{}", self.conversation.name);
        }
        let mut beyond: Vec<_> = self.early.into_values().flatten().collect();
        while let Some(frame) = Frame::read(Side::Client, &mut socket).await {
            beyond.push(frame);
        }
        beyond
    }

    async fn next(&mut self, key: Key, socket: &mut TcpStream) -> Frame {
        loop {
            if let Some(frame) = self.early.get_mut(&key).and_then(VecDeque::pop_front) {
                return frame;
            }
            let name = &self.conversation.name;
            let frame = Frame::read(Side::Client, socket)
                .await
                .unwrap_or_else(|| panic!("{name}: it hung up"));
            self.early.entry(frame.key()).or_default().push_back(frame);
        }
    }
}

/// Calls as the recorded client did, with a client that is set like it.
async fn call(conversation: &Conversation, address: &str) -> Vec<Told> {
    let channel = Channel::builder()
        .caller("trpc..")
        .trpc(trill::trpc::Settings::default().first_request_id(0))
        .timeout(Duration::from_secs(5))
        .limits(Limits::default().window(if conversation.has_merge_client() { 0 } else { 65_535 }))
        .connect(address)
        .await
        .unwrap();
    let method = conversation.method();
    let calls = calls(conversation).into_iter().map(|call| call.make(&channel, &method));
    if conversation.name.contains("concurrent") {
        return join_all(calls).await.into_iter().collect::<Result<_>>().unwrap();
    }
    let mut told = Vec::new();
    for call in calls {
        told.push(call.await.unwrap());
    }
    told
}
