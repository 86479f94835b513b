//! A call of a recorded client, made with ours.

use std::collections::BTreeMap;
use std::future::IntoFuture;

use trill::prost::Message;
use trill::{
    AsyncReader, AsyncWriter, CallOptions, Channel, Compression, Metadata, Reply, Response, Result,
};
use trill_examples::greeter::{GreeterClient, StreamGreeterClient};
use trill_proto::TransInfoEntry;

use super::conversation::Conversation;
use super::forgive::forgive_request;
use super::frame::{Content, Key, Side};
use super::services::{BenchClient, CapClient, DeafClient};
use super::told::Told;

/// A call of the recorded client.
#[derive(Default)]
pub(super) struct Call {
    one_way: bool,
    options: CallOptions,
    messages: Vec<Vec<u8>>,
    attachment: Vec<u8>,
}

impl Call {
    /// Makes it, and gives what its caller was told.
    pub(super) async fn make(self, channel: &Channel, method: &str) -> Result<Told> {
        let channel = channel.clone();
        let options = self.options.clone();
        let cap = CapClient::new(channel.clone());
        let bench = BenchClient::new(channel.clone());
        let streams = StreamGreeterClient::new(channel.clone());
        match method.trim_start_matches("/trpc.") {
            "test.helloworld.Greeter/SayHello" => {
                let call = GreeterClient::new(channel).say_hello(self.only()).options(options);
                Ok(told(call.response().await?))
            }
            "test.cap.Cap/Say" if self.one_way => {
                DeafClient::new(channel).say(self.only()).options(options).await?;
                Ok(Told::default())
            }
            "test.cap.Cap/Say" => {
                let call = cap.say(self.only()).options(options).attachment(self.attachment);
                Ok(told(call.response().await?))
            }
            "test.helloworld.StreamGreeter/ClientStreamSayHello" => {
                upload(self.messages, streams.client_stream_say_hello().options(options)).await
            }
            "test.cap.Cap/Up" => upload(self.messages, cap.up().options(options)).await,
            "bench.echo.Bench/Upload" => {
                upload(self.messages, bench.upload().options(options)).await
            }
            "test.helloworld.StreamGreeter/ServerStreamSayHello" => {
                download(streams.server_stream_say_hello(self.only()).options(options)).await
            }
            "test.cap.Cap/Down" => download(cap.down(self.only()).options(options)).await,
            "bench.echo.Bench/Download" => {
                download(bench.download(self.only()).options(options)).await
            }
            other => panic!("nobody called {other}"),
        }
    }

    /// The one message of a call that has no more.
    fn only<M: Message + Default>(&self) -> M {
        let [message] = &self.messages[..] else {
            panic!("not one message but {}", self.messages.len())
        };
        M::decode(&message[..]).unwrap()
    }
}

/// The calls of the recorded client, in the order of the ids.
pub(super) fn calls(conversation: &Conversation) -> Vec<Call> {
    let mut calls = BTreeMap::<Key, Call>::new();
    for mut frame in conversation.sent(Side::Client) {
        let call = calls.entry(frame.key()).or_default();
        forgive_request(conversation, &mut frame);
        match frame.content {
            Content::Request { meta, mut body } => {
                call.options = options(&meta.trans_info).compression(match meta.content_encoding {
                    0 => None,
                    1 => Some(Compression::Gzip),
                    2 => Some(Compression::SnappyCpp),
                    6 => Some(Compression::Lz4),
                    other => panic!("nobody packs with {other}"),
                });
                call.attachment = body.split_off(body.len() - meta.attachment_size as usize);
                call.messages.push(body);
                call.one_way = meta.call_type == 1;
            }
            Content::Init(meta) => {
                call.options = options(&meta.request_meta.expect("it is always there").trans_info);
            }
            Content::Data(message) => call.messages.push(message),
            _ => {}
        }
    }
    calls.into_values().collect()
}

fn options(entries: &[TransInfoEntry]) -> CallOptions {
    entries.iter().fold(CallOptions::new(), |options, entry| {
        options.metadata(entry.key(), entry.value().to_vec())
    })
}

async fn upload<Req, Resp>(
    messages: Vec<Vec<u8>>,
    open: impl IntoFuture<Output = Result<(AsyncWriter<Req>, Reply<Resp>)>>,
) -> Result<Told>
where
    Req: Message + Default + 'static,
    Resp: Message + Default + 'static,
{
    let (mut writer, reply) = open.await?;
    for message in messages {
        writer.write(Req::decode(&message[..]).unwrap()).await?;
    }
    writer.finish().await?;
    Ok(told(reply.response().await?))
}

async fn download<Resp>(open: impl IntoFuture<Output = Result<AsyncReader<Resp>>>) -> Result<Told>
where
    Resp: Message + Default + 'static,
{
    let mut reader = open.await?;
    let mut told = Told::default();
    while let Some(message) = reader.read().await? {
        told.messages.push(message.encode_to_vec());
    }
    told.metadata = owned(reader.metadata().expect("it comes with the end"));
    Ok(told)
}

fn told(response: Response<impl Message>) -> Told {
    Told {
        messages: vec![response.message.encode_to_vec()],
        metadata: owned(&response.metadata),
        attachment: response.attachment.into(),
    }
}

fn owned(metadata: &Metadata) -> BTreeMap<String, Vec<u8>> {
    metadata.iter().map(|(key, value)| (key.to_owned(), value.to_vec())).collect()
}
