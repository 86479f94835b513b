#[service(package = "test", dyn)]
trait Copied: Clone {
    async fn ask(&self, cx: Context, req: Question) -> Result<Answer>;
}
