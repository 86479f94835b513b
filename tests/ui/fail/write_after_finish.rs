use trill::{AsyncReaderWriter, AsyncWriter, Result};

pub async fn go_on(mut writer: AsyncWriter<String>) -> Result<()> {
    writer.write("the last word".to_owned()).await?;
    writer.finish().await?;
    writer.write("and one more".to_owned()).await
}

pub async fn go_on_both_ways(mut rw: AsyncReaderWriter<String, String>) -> Result<()> {
    rw.finish().await?;
    rw.write("and one more".to_owned()).await
}

fn main() {}
