use trill::{AsyncReader, Result};

pub async fn go_on(mut reader: AsyncReader<String>) -> Result<Option<String>> {
    let _shared = reader.shared();
    reader.read().await
}

fn main() {}
