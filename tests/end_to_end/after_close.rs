//! Nothing is left of a client that is closed, or that nobody holds any more.

use std::time::Duration;

use trill::{Channel, ErrorKind};
use trill_tests::{EverythingClient, listen, text};

use crate::left_over::{no_tasks_beyond, sockets_at, tasks};

const LONG: Duration = Duration::from_secs(20);

/// The work that a client can be in the middle of.
const BUSY: [&str; 6] =
    ["nothing", "a call", "an upload", "a download", "a talk", "a write without credit"];

/// Begins it, with a handle that stays open as long as the task.
async fn begin(
    client: EverythingClient,
    busy: &'static str,
) -> tokio::task::JoinHandle<Option<ErrorKind>> {
    let began = std::sync::Arc::new(tokio::sync::Notify::new());
    let begun = std::sync::Arc::clone(&began);
    let task = tokio::spawn(async move {
        let result = match busy {
            "a call" => {
                began.notify_one();
                client.unary(text("hang")).await.map(drop)
            }
            "an upload" => {
                let (_writer, reply) = client.upload().await.unwrap();
                began.notify_one();
                reply.await.map(drop)
            }
            "a download" => {
                let mut reader = client.download(text("hang")).await.unwrap();
                began.notify_one();
                reader.read().await.map(drop)
            }
            "a talk" => {
                let mut rw = client.talk().await.unwrap();
                began.notify_one();
                rw.read().await.map(drop)
            }
            "a write without credit" => {
                let mut rw = client.talk().await.unwrap();
                rw.write(text("hang")).await.unwrap();
                began.notify_one();
                loop {
                    if let Err(error) = rw.write(text("x".repeat(10_000))).await {
                        break Err(error);
                    }
                }
            }
            _ => {
                client.unary(text("hello")).await.unwrap();
                began.notify_one();
                return None;
            }
        };
        Some(result.unwrap_err().kind())
    });
    begun.notified().await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    task
}

#[tokio::test]
async fn a_closed_channel_leaves_no_task_and_no_socket() {
    for busy in BUSY {
        let (handle, address, _log) = listen("127.0.0.1:0").await;
        let (before, open) = (tasks(), sockets_at(&address).len());
        let channel = Channel::connect(&address).await.unwrap();
        let client = EverythingClient::new(channel.clone());
        let task = begin(client.clone(), busy).await;
        channel.close();
        channel.close();
        let ended =
            tokio::time::timeout(LONG, task).await.unwrap_or_else(|_| panic!("{busy}: hangs"));
        assert_eq!(ended.unwrap(), (busy != "nothing").then_some(ErrorKind::Closed), "{busy}");
        // With the channel still in hand: closing is what ends them, at the server as well.
        no_tasks_beyond(before).await;
        // One at this port that was not ours may be gone meanwhile.
        assert!(sockets_at(&address).len() <= open, "{busy}");
        assert!(client.talk().await.unwrap_err().to_string().contains("was not sent"));
        handle.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn a_channel_that_nobody_holds_leaves_no_task_and_no_socket() {
    for busy in BUSY {
        let (handle, address, _log) = listen("127.0.0.1:0").await;
        let (before, open) = (tasks(), sockets_at(&address).len());
        let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
        let task = begin(client.clone(), busy).await;
        drop(client);
        // The work that goes on holds the connection; then nothing does.
        task.abort();
        let _ = task.await;
        no_tasks_beyond(before).await;
        // One at this port that was not ours may be gone meanwhile.
        assert!(sockets_at(&address).len() <= open, "{busy}");
        handle.shutdown(Duration::ZERO).await;
    }
}

/// The server has stopped reading: what is queued can never be written, and that must not hold the
/// connection for ever.
#[tokio::test]
async fn a_peer_that_takes_no_bytes_does_not_keep_a_dropped_channel_alive() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let before = tasks();
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let (_socket, _) = listener.accept().await.unwrap();
    let large = "x".repeat(100_000);
    let patience = Duration::from_millis(50);
    while tokio::time::timeout(patience, client.notify(text(&large)).into_future()).await.is_ok() {}
    tokio::time::pause();
    drop(client);
    no_tasks_beyond(before).await;
}
