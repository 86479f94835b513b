//! A program that uses messages of google/protobuf, shared bytes and streams needs no crate but
//! `trill` for them.

use trill::futures::{StreamExt, TryStreamExt};
use trill::prost::Message;
use trill::prost_types::Timestamp;
use trill::{AsyncWriter, Bytes, Context, Error, Result, Server};

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::trill::prost")]
struct Entry {
    #[prost(message, optional, tag = "1")]
    at: Option<Timestamp>,
    #[prost(bytes = "bytes", tag = "2")]
    text: Bytes,
}

#[trill::service]
trait Diary {
    async fn entries(
        &self,
        cx: Context,
        since: Timestamp,
        writer: AsyncWriter<Entry>,
    ) -> Result<()>;
}

struct Days;

#[trill::service]
impl Diary for Days {
    async fn entries(
        &self,
        _cx: Context,
        since: Timestamp,
        mut writer: AsyncWriter<Entry>,
    ) -> Result<()> {
        for seconds in since.seconds..since.seconds + 3 {
            let at = Some(Timestamp { seconds, nanos: 0 });
            writer.write(Entry { at, text: Bytes::from_static(b"rain") }).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn messages_of_google_and_shared_bytes_come_with_trill() {
    let client = DiaryClient::new(Server::builder().service(Days).in_memory().unwrap());
    let reader = client.entries(Timestamp { seconds: 7, nanos: 0 }).await.unwrap();
    let seconds = reader.map(|entry| {
        let entry = entry?;
        assert_eq!(entry.text, "rain");
        Ok::<_, Error>(entry.at.map(|at| at.seconds))
    });
    let seconds: Vec<_> = seconds.try_collect().await.unwrap();
    assert_eq!(seconds, [Some(7), Some(8), Some(9)]);
}
