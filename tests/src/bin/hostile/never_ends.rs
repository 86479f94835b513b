//! A frame that is begun and never ended: its connection must not stay for ever.

use std::io::Result;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use trill_tests::process::Process;
use trill_tests::{now, raw};

/// The name for `--modes`.
pub(crate) const NAME: &str = "never-ends";

/// The patience with a server that keeps such a connection.
const LIMIT: Duration = Duration::from_secs(60);

/// Tells whether the server lets go in time of a frame that is begun behind a whole one, with a
/// stream open. Says so in the words of a verdict.
pub(crate) async fn judge() -> (bool, String) {
    let server = Process::start(&["serve"]).await;
    let began = now();
    let kept = match timeout(LIMIT, until_closed(&server.said)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("the connection is still there after {} s", LIMIT.as_secs())),
    };
    match kept {
        None => (true, format!("good; let go after {} s", began.elapsed().as_secs())),
        Some(why) => (false, format!("FAIL: {why}")),
    }
}

async fn until_closed(address: &str) -> Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(&raw::init(100, "Talk", 65_535)).await?;
    // The answer, which shows that the first frame was a whole one.
    socket.read_exact(&mut [0; 16]).await?;
    socket.write_all(&[raw::claim(10 << 20, 100), vec![b'x'; 1_000_000]].concat()).await?;
    let mut bytes = vec![0; 65_536];
    // A reset of TCP closes it as well as an end does.
    while socket.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    Ok(())
}
