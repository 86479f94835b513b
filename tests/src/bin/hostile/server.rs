//! The server.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trill_tests::listen;

/// Serves with the default settings until its input ends.
pub(crate) async fn serve() {
    let (_handle, address, log) = listen("127.0.0.1:0").await;
    drop(log);
    say(&address).await;
}

/// Says a line, and waits until whoever reads it lets go of this process or has ended.
pub(crate) async fn say(line: &str) {
    let mut output = tokio::io::stdout();
    // If nobody listens, the input has ended as well.
    let _ = output.write_all(format!("{line}\n").as_bytes()).await;
    let _ = output.flush().await;
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
}
