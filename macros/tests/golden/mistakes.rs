#[service(package = "test")]
pub trait Mistaken {
    async fn right(&self, cx: Context, req: Question) -> Result<Answer>;

    async fn wrong(&self, cx: Context, mut reader: AsyncReader<Question>) -> Answer;

    fn not_async(&self, cx: Context, req: Question) -> Result<Answer>;

    async fn right(&self, cx: Context, req: Question) -> Result<Answer>;
}
