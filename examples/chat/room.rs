//! The room: what one says, all hear.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::oneshot;
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result};

use crate::wire::{ChatMessage, ChatService};

/// Keeps the last [`KEPT`] messages for those who are slow. A slower client misses the oldest and
/// is told how many: one client that does not read can neither stop the others nor fill the
/// server's memory.
pub(crate) struct Room {
    messages: broadcast::Sender<ChatMessage>,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { messages: broadcast::Sender::new(KEPT) }
    }

    async fn listen(&self, mut said: AsyncReader<ChatMessage>) -> Result<()> {
        while let Some(message) = said.read().await? {
            // It fails only if nobody is here, and the speaker is.
            let _ = self.messages.send(ChatMessage { timestamp: now(), ..message });
        }
        Ok(())
    }
}

impl ChatService for Room {
    async fn chat(
        &self,
        _cx: Context,
        rw: AsyncReaderWriter<ChatMessage, ChatMessage>,
    ) -> Result<()> {
        let mut messages = self.messages.subscribe();
        let (said, mut heard) = rw.split();
        let (here, mut left) = oneshot::channel::<()>();
        let listening = async {
            let _here = here;
            self.listen(said).await
        };
        let pushing = async {
            let others = self.messages.receiver_count() - 1;
            heard.write(notice(format!("welcome; {others} others are here"))).await?;
            loop {
                tokio::select! {
                    message = messages.recv() => push(message, &mut heard).await?,
                    _ = &mut left => break,
                }
            }
            // The messages from before the client left are still for it to hear.
            for _ in 0..messages.len() {
                push(messages.recv().await, &mut heard).await?;
            }
            Ok(())
        };
        tokio::try_join!(listening, pushing)?;
        Ok(())
    }
}

async fn push(
    message: Result<ChatMessage, RecvError>,
    heard: &mut AsyncWriter<ChatMessage>,
) -> Result<()> {
    match message {
        Ok(message) => heard.write(message).await,
        Err(RecvError::Lagged(missed)) => {
            heard.write(notice(format!("you missed {missed} messages"))).await
        }
        Err(RecvError::Closed) => Ok(()),
    }
}

fn notice(content: String) -> ChatMessage {
    ChatMessage { user: "room".to_owned(), content, timestamp: now() }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// How many messages a client may be behind.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use trill::Server;

    use super::*;
    use crate::wire::{ChatServiceClient, ChatServiceServer};

    fn say(content: impl Into<String>) -> ChatMessage {
        ChatMessage { user: "test".to_owned(), content: content.into(), timestamp: 0 }
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_stops_nobody_and_is_told_what_it_missed() {
        let channel = Server::builder()
            .service(ChatServiceServer::new(Room::new()))
            .in_memory()
            .expect("settings");
        let client = ChatServiceClient::new(channel);
        let mut slow = client.chat().await.expect("a room");
        slow.read().await.expect("a welcome");
        let mut fast = client.chat().await.expect("a room");
        fast.read().await.expect("a welcome");

        let long = "x".repeat(10_000);
        for _ in 0..SAID {
            fast.write(say(&long)).await.expect("room for more");
            assert_eq!(fast.read().await.expect("an echo").expect("not the end").content, long);
        }
        fast.finish().await.expect("a good end");

        slow.finish_writing().await.expect("half-closed");
        let (mut heard, mut missed) = (0, 0);
        while let Some(message) = slow.read().await.expect("messages") {
            match message
                .content
                .strip_prefix("you missed ")
                .and_then(|rest| rest.strip_suffix(" messages"))
            {
                Some(count) => missed += count.parse::<usize>().expect("a number"),
                None => heard += 1,
            }
        }
        assert_eq!(heard + missed, SAID);
        assert!(missed > 0, "the test should say more than is kept");
    }

    #[tokio::test]
    async fn who_leaves_hears_what_was_said_before() {
        let channel = Server::builder()
            .service(ChatServiceServer::new(Room::new()))
            .in_memory()
            .expect("settings");
        let mut stream = ChatServiceClient::new(channel).chat().await.expect("a room");
        stream.read().await.expect("a welcome");
        for i in 0..10 {
            stream.write(say(i.to_string())).await.expect("room for more");
        }
        stream.finish_writing().await.expect("half-closed");
        for i in 0..10 {
            let message = stream.read().await.expect("messages").expect("not the end");
            assert_eq!(message.content, i.to_string());
            assert!(message.timestamp > 0);
        }
        assert_eq!(stream.read().await.expect("the end"), None);
    }

    const SAID: usize = 500;
}
