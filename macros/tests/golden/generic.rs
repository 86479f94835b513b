#[service(package = "test")]
trait Generic<T> {
    async fn ask(&self, cx: Context, req: T) -> Result<Answer>;
}
