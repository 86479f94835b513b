use trill::{AsyncReaderWriter, Result};

pub async fn go_on(mut rw: AsyncReaderWriter<String, String>) -> Result<()> {
    let (_reader, _writer) = rw.split();
    rw.write("through the back door".to_owned()).await
}

fn main() {}
