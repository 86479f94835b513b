use trill::{AsyncReader, AsyncReaderWriter, Result};

pub async fn read_twice(mut reader: AsyncReader<String>) -> Result<()> {
    let first = reader.read();
    let second = reader.read();
    let (first, second) = futures::join!(first, second);
    first.and(second).map(drop)
}

pub async fn read_both_ways(mut rw: AsyncReaderWriter<String, String>) -> Result<()> {
    let (first, second) = futures::join!(rw.read(), rw.read());
    first.and(second).map(drop)
}

fn main() {}
