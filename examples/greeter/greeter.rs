//! A server and a client in one process, and a call of each kind between them.
//!
//! The service is in `src/greeter.rs`, what the client says in `src/conversation.rs`.

use std::time::Duration;

use trill::{Channel, Server};
use trill_greeter::conversation;
use trill_greeter::greeter::{GreeterServer, MyGreeter, StreamGreeterServer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .service(GreeterServer::new(MyGreeter))
        .service(StreamGreeterServer::new(MyGreeter))
        .bind("127.0.0.1:0")
        .await?;
    let address = server.local_addr().to_string();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    conversation::hold(Channel::connect(&address).await?).await?;

    handle.shutdown(Duration::from_secs(1)).await;
    Ok(serving.await??)
}
