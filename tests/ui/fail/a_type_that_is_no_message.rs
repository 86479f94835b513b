use trill::{AsyncReader, Context, Result};

struct Question;
struct Answer;

#[trill::service(package = "test")]
trait Asker {
    async fn ask(&self, cx: Context, req: Question) -> Result<String>;
    async fn ask_all(&self, cx: Context, reader: AsyncReader<String>) -> Result<Answer>;
}

fn main() {}
