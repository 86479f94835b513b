//! The room: what one says, all hear.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::oneshot;
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result};

use crate::wire::{ChatMessage, ChatService};

/// Keeps the last [`KEPT`] messages for those who are slow. Who is slower than that misses the oldest and is told how many:
/// one client that does not read can neither stop the others nor fill the server's memory.
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
    async fn chat(&self, _cx: Context, rw: AsyncReaderWriter<ChatMessage, ChatMessage>) -> Result<()> {
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
            // What was said before the client left is still for it to hear.
            for _ in 0..messages.len() {
                push(messages.recv().await, &mut heard).await?;
            }
            Ok(())
        };
        tokio::try_join!(listening, pushing)?;
        Ok(())
    }
}

async fn push(message: Result<ChatMessage, RecvError>, heard: &mut AsyncWriter<ChatMessage>) -> Result<()> {
    match message {
        Ok(message) => heard.write(message).await,
        Err(RecvError::Lagged(missed)) => heard.write(notice(format!("you missed {missed} messages"))).await,
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
