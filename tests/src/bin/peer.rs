//! The other process of tests that stop or kill one. It says when it is ready, and goes on until
//! its input ends.
//!
//! `peer serve` serves an `Obedient` and says its address. `peer hold <address> <kind>` calls one
//! method of that kind there, waits until its handler is at work, and holds the call; `flood` is a
//! download of much more than a window, of which it reads the first message.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trill::{Channel, Result};
use trill_tests::{EverythingClient, listen, text};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve"] => {
            let (_handle, address, _log) = listen("127.0.0.1:0").await;
            hold(&address).await;
        }
        ["hold", address, kind] => {
            let client = EverythingClient::new(Channel::connect(address).await?);
            match kind {
                "unary" => {
                    let call = tokio::spawn(client.unary(text("hang")).into_future());
                    // The request goes out while this task sleeps.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    hold("ready").await;
                    call.abort();
                }
                "upload" => {
                    let (mut writer, _reply) = client.upload().await?;
                    writer.write(text("hello")).await?;
                    hold("ready").await;
                }
                "talk" => {
                    let mut rw = client.talk().await?;
                    rw.write(text("hello")).await?;
                    rw.read().await?;
                    hold("ready").await;
                }
                "download" | "flood" => {
                    let order =
                        if kind == "flood" { "fill 1000 1000;hang" } else { "count 1;hang" };
                    let mut reader = client.download(text(order)).await?;
                    reader.read().await?;
                    hold("ready").await;
                }
                other => panic!("{other} is no kind of call"),
            }
        }
        _ => panic!("peer serve | peer hold <address> <kind>"),
    }
    Ok(())
}

/// Says a line, and waits until the other process lets go of this one.
async fn hold(line: &str) {
    let mut output = tokio::io::stdout();
    // If nobody listens, the input has ended as well.
    let _ = output.write_all(format!("{line}\n").as_bytes()).await;
    let _ = output.flush().await;
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
}
