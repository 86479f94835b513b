//! Answers that panic when they are encoded.

use trill::prost::DecodeError;
use trill::prost::bytes::{Buf, BufMut};
use trill::prost::encoding::{DecodeContext, WireType};
use trill::{AsyncReader, Channel, Context, Result, Server};
use trill_tests::Ret as _;
use trill_tests::{Text, text};

use crate::warnings::Warnings;

/// A message without fields whose code panics, when its size is asked for or when it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Panics {
    at_size: bool,
}

impl trill::prost::Message for Panics {
    fn encode_raw(&self, _: &mut impl BufMut) {
        panic!("as written");
    }

    fn merge_field(
        &mut self,
        _: u32,
        _: WireType,
        _: &mut impl Buf,
        _: DecodeContext,
    ) -> Result<(), DecodeError> {
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        assert!(!self.at_size, "as measured");
        10
    }

    fn clear(&mut self) {}
}

struct Panicking;

#[trill::service(package = "test.encoding")]
pub(crate) trait Encodes {
    async fn unary(&self, cx: Context, request: Text) -> Result<Panics>;
    async fn upload(&self, cx: Context, requests: AsyncReader<Text>) -> Result<Panics>;
    async fn fine(&self, cx: Context, request: Text) -> Result<Text>;
}

#[trill::service]
impl Encodes for Panicking {
    async fn unary(&self, _cx: Context, request: Text) -> Result<Panics> {
        Ok(Panics { at_size: request.text == "size" })
    }

    async fn upload(&self, _cx: Context, mut requests: AsyncReader<Text>) -> Result<Panics> {
        let request = requests.read().await?.unwrap_or_default();
        Ok(Panics { at_size: request.text == "size" })
    }

    async fn fine(&self, _cx: Context, request: Text) -> Result<Text> {
        Ok(request)
    }
}

/// A client of a server whose answers cannot be encoded.
pub(crate) async fn client() -> EncodesClient {
    let server = Server::builder().service(Panicking).bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().to_string();
    tokio::spawn(server.serve());
    EncodesClient::new(Channel::connect(address).await.unwrap())
}

#[tokio::test]
async fn an_answer_that_panics_when_it_is_encoded_is_said_to_and_harms_nothing_else() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let client = client().await;
    // There may be fewer files than connections.
    warnings.take();
    for (order, panic) in [("size", "as measured"), ("bytes", "as written")] {
        let unary = client.unary(text(order)).await.unwrap_err();
        let (mut writer, reply) = client.upload().await.unwrap();
        writer.write(text(order)).await.unwrap();
        let upload = reply.await.unwrap_err();
        for (method, error) in [("Unary", unary), ("Upload", upload)] {
            let says =
                format!("the answer of /test.encoding.Encodes/{method} could not be encoded");
            assert!(error.to_string().contains(&says), "{order}: {error}");
            assert_eq!(error.ret(), 2, "{order}: {error}");
        }
        let lines = warnings.take();
        assert_eq!(lines.len(), 2, "one line each: {lines:#?}");
        assert!(lines.iter().all(|line| line.contains(panic)), "{lines:#?}");
        assert_eq!(client.fine(text("x")).await.unwrap(), text("x"));
    }
}
