use trill::{AsyncReader, Context, Result};

struct Question;
struct Answer;

#[trill::service(package = "test")]
trait Asker {
    async fn ask(&self, cx: Context, req: Question) -> Result<String>;
    async fn ask_all(&self, cx: Context, reader: AsyncReader<String>) -> Result<Answer>;
}

fn main() {}

struct Oracle;

#[trill::service]
impl Asker for Oracle {
    async fn ask(&self, _: Context, _: Question) -> Result<String> {
        Ok(String::new())
    }

    async fn ask_all(&self, _: Context, _: AsyncReader<String>) -> Result<Answer> {
        Ok(Answer)
    }
}
