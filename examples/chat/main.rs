//! A chat room: every client has one stream, and the server pushes to all.
//!
//! `chat serve --listen 127.0.0.1:8000` opens a room, `chat join --to 127.0.0.1:8000 --user ada`
//! enters it and sends what is typed. Without arguments three clients meet in a room inside this
//! process.

mod room;

use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::sync::mpsc;
use trill::{AsyncReader, AsyncReaderWriter, Channel, Server};

use crate::room::Room;
use crate::wire::{ChatMessage, ChatServiceClient, ChatServiceServer};

/// The messages and the service of `proto/chat.proto`.
#[allow(unreachable_pub, reason = "generated code is public, whoever includes it")]
mod wire {
    include!(concat!(env!("OUT_DIR"), "/trill.example.chat.rs"));
}

#[derive(Parser)]
#[command(about = "Everyone hears everyone")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Opens a room
    Serve {
        /// The address to listen on
        #[arg(long)]
        listen: String,
    },
    /// Enters a room and sends each line that is typed
    Join {
        /// The server's address
        #[arg(long)]
        to: String,
        /// Your name in the room
        #[arg(long)]
        user: String,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        None => demo().await,
        Some(Command::Serve { listen }) => serve(&listen).await,
        Some(Command::Join { to, user }) => join(&to, &user).await,
    }
}

async fn serve(listen: &str) -> anyhow::Result<()> {
    let server =
        Server::builder().service(ChatServiceServer::new(Room::new())).bind(listen).await?;
    println!("listening on {}", server.local_addr());
    let handle = server.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.shutdown(Duration::from_secs(1)).await;
        }
    });
    Ok(server.serve().await?)
}

async fn join(to: &str, user: &str) -> anyhow::Result<()> {
    let client = ChatServiceClient::new(Channel::connect(to).await?);
    let (mut heard, mut said) = client.chat().await?.split();
    let mut lines = typed_lines();
    let speaking = async {
        while let Some(line) = lines.recv().await {
            said.write(message(user, line)).await?;
        }
        said.finish().await
    };
    let listening = print_all(&mut heard);
    tokio::pin!(listening);
    tokio::select! {
        over = &mut listening => over?,
        said = speaking => {
            said?;
            listening.await?;
        }
    }
    Ok(())
}

async fn print_all(heard: &mut AsyncReader<ChatMessage>) -> trill::Result<()> {
    while let Some(message) = heard.read().await? {
        println!("{}: {}", message.user, message.content);
    }
    Ok(())
}

/// Reads on a thread of its own: waiting for a terminal cannot be cancelled, and the program should
/// not wait for it either.
fn typed_lines() -> mpsc::Receiver<String> {
    let (typed, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if typed.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

async fn demo() -> anyhow::Result<()> {
    let channel = Server::builder().service(ChatServiceServer::new(Room::new())).in_memory()?;
    let client = ChatServiceClient::new(channel);
    // One after the other, so that everyone is there before anyone speaks.
    let mut guests = Vec::new();
    for user in USERS {
        let mut stream = client.chat().await?;
        if let Some(welcome) = stream.read().await? {
            println!("[{user}] {}: {}", welcome.user, welcome.content);
        }
        guests.push((user, stream));
    }
    let talks = guests.into_iter().map(|(user, stream)| tokio::spawn(talk(user, stream)));
    for talk in futures::future::join_all(talks).await {
        talk??;
    }
    Ok(())
}

/// Says something, and listens until everybody has been heard.
async fn talk(
    user: &str,
    mut stream: AsyncReaderWriter<ChatMessage, ChatMessage>,
) -> trill::Result<()> {
    stream.write(message(user, format!("hello from {user}"))).await?;
    for _ in USERS {
        let Some(heard) = stream.read().await? else { break };
        println!("[{user}] {}: {}", heard.user, heard.content);
    }
    stream.finish().await?;
    Ok(())
}

fn message(user: impl Into<String>, content: impl Into<String>) -> ChatMessage {
    ChatMessage { user: user.into(), content: content.into(), timestamp: 0 }
}

const USERS: [&str; 3] = ["ada", "grace", "barbara"];
