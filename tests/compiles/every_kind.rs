//! One method of each kind, served and called.

use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result, Server};

#[trill::service(package = "test")]
trait Talk {
    async fn ask(&self, cx: Context, req: String) -> Result<String>;
    #[rpc(oneway)]
    async fn note(&self, cx: Context, req: String) -> Result<()>;
    async fn collect(&self, cx: Context, reader: AsyncReader<String>) -> Result<String>;
    async fn explain(&self, cx: Context, req: u32, writer: AsyncWriter<u32>) -> Result<()>;
    async fn discuss(&self, cx: Context, rw: AsyncReaderWriter<String, u64>) -> Result<()>;
}

struct Talker;

#[trill::service]
impl Talk for Talker {
    async fn ask(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }

    async fn note(&self, _: Context, _: String) -> Result<()> {
        Ok(())
    }

    async fn collect(&self, _: Context, mut reader: AsyncReader<String>) -> Result<String> {
        let mut all = String::new();
        while let Some(word) = reader.read().await? {
            all += &word;
        }
        Ok(all)
    }

    async fn explain(&self, _: Context, req: u32, mut writer: AsyncWriter<u32>) -> Result<()> {
        for number in 0..req {
            writer.write(number).await?;
        }
        Ok(())
    }

    async fn discuss(&self, _: Context, mut rw: AsyncReaderWriter<String, u64>) -> Result<()> {
        while let Some(word) = rw.read().await? {
            rw.write(word.len() as u64).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn it_compiles_and_runs() -> Result<()> {
    let server = TalkServer::from_arc(std::sync::Arc::new(Talker));
    let client = TalkClient::new(Server::builder().service(server.clone()).in_memory()?);
    assert_eq!(format!("{server:?}"), "TalkServer { .. }");
    assert!(format!("{:?}", client.clone()).starts_with("TalkClient"));

    assert_eq!(client.ask("who".to_owned()).await?, "who");
    client.note("nothing".to_owned()).await?;

    let (mut writer, reply) = client.collect().await?;
    writer.write("a".to_owned()).await?;
    writer.write("b".to_owned()).await?;
    writer.finish().await?;
    assert_eq!(reply.await?, "ab");

    let mut reader = client.explain(2).await?;
    assert_eq!(
        (reader.read().await?, reader.read().await?, reader.read().await?),
        (Some(0), Some(1), None)
    );

    let mut rw = client.discuss().await?;
    rw.write("four".to_owned()).await?;
    assert_eq!(rw.read().await?, Some(4));
    rw.finish().await?;
    Ok(())
}
