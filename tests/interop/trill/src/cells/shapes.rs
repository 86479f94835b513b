//! Messages of every shape, compared field by field.

use crate::cell::{cell, fine, same};
use crate::shapes::{SAMPLES, ShapesClient, Which, sample};

pub(super) async fn all(pair: &str, client: &ShapesClient) -> usize {
    let mut failed = 0;
    failed += cell(pair, "unary: every shape of message, made by the server", async {
        for name in SAMPLES {
            let made = fine("an answer", client.sample(Which { name: name.into() })).await?;
            same(Some(made), sample(name)).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    })
    .await;
    failed += cell(pair, "unary: every shape of message, made by the client", async {
        for name in SAMPLES {
            let shape = sample(name).expect("it is in the list");
            let echo = fine("an answer", client.echo(shape.clone())).await?;
            same(echo, shape).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    })
    .await;
    failed += cell(pair, "bidi stream: every shape of message", async {
        let mut rw = fine("the opening", client.talk()).await?;
        for name in SAMPLES {
            let shape = sample(name).expect("it is in the list");
            fine("a write", rw.write(shape.clone())).await?;
            same(fine("a message", rw.read()).await?, Some(shape))
                .map_err(|why| format!("{name}: {why}"))?;
        }
        fine("the end", rw.finish()).await.map(drop)
    })
    .await;
    failed
}
