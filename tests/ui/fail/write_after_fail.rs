use trill::{AsyncReaderWriter, AsyncWriter, Result, Status};

pub async fn go_on(mut writer: AsyncWriter<String>) -> Result<()> {
    writer.fail(Status::app(1, "changed my mind"));
    writer.write("no, I did not".to_owned()).await
}

pub async fn read_on(mut rw: AsyncReaderWriter<String, String>) -> Result<Option<String>> {
    rw.fail(Status::app(1, "changed my mind"));
    rw.read().await
}

fn main() {}
