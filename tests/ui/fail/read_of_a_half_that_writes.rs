use trill::{AsyncReader, AsyncWriter, Result};

pub async fn read(mut writer: AsyncWriter<String>) -> Result<Option<String>> {
    writer.read().await
}

pub async fn write(mut reader: AsyncReader<String>) -> Result<()> {
    reader.write(String::new()).await
}

fn main() {}
