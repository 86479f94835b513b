use trill::{AsyncWriter, Result};

pub async fn write_twice(mut writer: AsyncWriter<String>) -> Result<()> {
    let first = writer.write("first".to_owned());
    let second = writer.write("second".to_owned());
    let (first, second) = futures::join!(first, second);
    first.and(second)
}

fn main() {}
