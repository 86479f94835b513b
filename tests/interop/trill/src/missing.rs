//! Methods of `test.all.Everything` and a service that no server has.

use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result};
use trill_tests::Text;

#[trill::service(package = "test.all")]
pub(crate) trait Everything {
    async fn missing(&self, cx: Context, request: Text) -> Result<Text>;
    #[rpc(oneway)]
    async fn missing_notify(&self, cx: Context, request: Text) -> Result<()>;
    async fn missing_upload(&self, cx: Context, reader: AsyncReader<Text>) -> Result<Text>;
    async fn missing_download(
        &self,
        cx: Context,
        request: Text,
        writer: AsyncWriter<Text>,
    ) -> Result<()>;
    async fn missing_talk(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()>;
}

#[trill::service(package = "test.all")]
pub(crate) trait Absent {
    async fn unary(&self, cx: Context, request: Text) -> Result<Text>;
    async fn upload(&self, cx: Context, reader: AsyncReader<Text>) -> Result<Text>;
    async fn download(&self, cx: Context, request: Text, writer: AsyncWriter<Text>) -> Result<()>;
    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()>;
}
