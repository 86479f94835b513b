//! The calls of a client of [`greeter`](crate::greeter), one of each kind.

use trill::{Channel, Result};

use crate::greeter::{GreeterClient, StreamGreeterClient, request};

/// Makes a call of each kind and prints what is said. Waits for each to end before the next begins.
///
/// # Errors
///
/// Those of the calls.
pub async fn hold(channel: Channel) -> Result<()> {
    unary(&GreeterClient::new(channel.clone())).await?;
    let client = StreamGreeterClient::new(channel);
    client_stream(&client).await?;
    server_stream(&client).await?;
    bidi_stream(&client).await
}

async fn unary(client: &GreeterClient) -> Result<()> {
    println!("== unary ==");
    println!("> trill");
    let reply = client.say_hello(request("trill")).await?;
    println!("< {}", reply.msg);
    Ok(())
}

async fn client_stream(client: &StreamGreeterClient) -> Result<()> {
    println!("== client stream ==");
    let (mut writer, reply) = client.client_stream_say_hello().await?;
    for name in NAMES {
        println!("> {name}");
        writer.write(request(name)).await?;
    }
    // Without this the server would wait for more; a writer that is only dropped takes the call
    // back.
    writer.finish().await?;
    println!("< {}", reply.await?.msg);
    Ok(())
}

async fn server_stream(client: &StreamGreeterClient) -> Result<()> {
    println!("== server stream ==");
    println!("> trill");
    let mut reader = client.server_stream_say_hello(request("trill")).await?;
    while let Some(reply) = reader.read().await? {
        println!("<{}", reply.msg);
    }
    Ok(())
}

async fn bidi_stream(client: &StreamGreeterClient) -> Result<()> {
    println!("== bidi stream ==");
    let mut rw = client.bidi_stream_say_hello().await?;
    for name in NAMES {
        println!("> {name}");
        rw.write(request(name)).await?;
        if let Some(reply) = rw.read().await? {
            println!("<{}", reply.msg);
        }
    }
    rw.finish_writing().await?;
    while let Some(reply) = rw.read().await? {
        println!("< {}", reply.msg);
    }
    Ok(())
}

const NAMES: [&str; 3] = ["Ada", "Grace", "Barbara"];
