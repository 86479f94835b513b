//! Every combinator, inside a trait's async method whose future is promised to be `Send`: the place
//! where handlers stand.

use std::ops::ControlFlow::{Break, Continue};
use std::sync::atomic::{AtomicU32, Ordering};

use super::support::{block_on, error};
use crate::{
    Result, do_for, do_for_each, do_until, do_until_stop, do_while, do_with, repeat, try_when_all,
    when_all, when_any, when_any_ok,
};

/// Like a shared handle: the methods take `&self`.
#[derive(Default)]
struct Shared(AtomicU32);

impl Shared {
    async fn read(&self) -> Result<Option<u32>> {
        tokio::task::yield_now().await;
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        Ok((n < 5).then_some(n))
    }

    async fn write(&self, n: u32) -> Result<()> {
        tokio::task::yield_now().await;
        self.0.store(n, Ordering::Relaxed);
        Ok(())
    }

    fn value(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Like an exclusive handle: one future at a time borrows it.
#[derive(Default)]
struct Exclusive(u32);

impl Exclusive {
    async fn read(&mut self) -> Result<Option<u32>> {
        tokio::task::yield_now().await;
        self.0 += 1;
        Ok((self.0 < 5).then_some(self.0))
    }
}

macro_rules! sendable {
    ($($test:ident($handler:ident, $shared:ident, $names:ident) $body:block)*) => {$(
        #[test]
        fn $test() {
            trait Service {
                fn handle(&self, shared: Shared, names: &[String]) -> impl Future<Output = Result<u32>> + Send;
            }

            struct Handler {
                offset: u32,
            }

            impl Service for Handler {
                async fn handle(&self, $shared: Shared, $names: &[String]) -> Result<u32> {
                    let $handler = self;
                    let _ = (&$handler.offset, &$shared, $names);
                    $body
                }
            }

            fn is_send<T: Send>(value: T) -> T {
                value
            }

            let names = ["a", "bb", "ccc"].map(str::to_owned);
            let outcome = block_on(is_send(Handler { offset: 10 }.handle(Shared::default(), &names)));
            assert_eq!(outcome.unwrap(), 10);
        }
    )*};
}

sendable! {
    do_until_is_send(handler, shared, names) {
        do_until(|| async {
            Ok(match shared.read().await? {
                Some(_) => Continue(()),
                None => Break(names.len()),
            })
        })
        .await?;
        Ok(handler.offset)
    }

    do_until_with_future_combinators_is_send(handler, shared, names) {
        use futures::TryFutureExt;

        let end = do_until(|| shared.read().map_ok(|n| n.map_or(Break(handler.offset), |_| Continue(())))).await?;
        let _ = names;
        Ok(end)
    }

    do_until_stop_is_send(handler, shared, names) {
        do_until_stop(
            || shared.value() as usize >= names.len(),
            || async {
                shared.read().await?;
                Ok(())
            },
        )
        .await?;
        Ok(handler.offset)
    }

    do_while_is_send(handler, shared, names) {
        do_while(|| shared.value() == 0, || shared.write(names.len() as u32)).await?;
        Ok(handler.offset)
    }

    repeat_is_send(handler, shared, names) {
        let Err(end) = repeat(|| async {
            match shared.read().await? {
                Some(_) => Ok(()),
                None => Err(error(handler.offset as i32)),
            }
        })
        .await;
        let _ = names;
        Ok(end.app_code() as u32)
    }

    do_for_is_send(handler, shared, names) {
        do_for(names.len(), |i| shared.write(names[i].len() as u32)).await?;
        Ok(handler.offset - 3 + shared.value())
    }

    do_for_each_is_send(handler, shared, names) {
        do_for_each(names, |name| shared.write(name.len() as u32)).await?;
        do_for_each(names.iter().map(String::len), |n| async move {
            tokio::task::yield_now().await;
            assert!(n > 0);
            Ok(())
        })
        .await?;
        Ok(handler.offset - 3 + shared.value())
    }

    do_with_is_send(handler, shared, names) {
        let start = || (Exclusive::default(), 0);
        let sum = do_with(start())
            .until(|(mut reader, sum)| async move {
                Ok(match reader.read().await? {
                    Some(n) => Continue((reader, sum + n)),
                    None => Break(sum),
                })
            })
            .await?;
        assert_eq!(sum, 10);

        let step = |(mut reader, sum): (Exclusive, u32)| async move {
            let n = reader.read().await?.unwrap_or_default();
            Ok((reader, sum + n))
        };
        let (_, sum) = do_with(start()).until_stop(|(_, sum)| *sum > 5, step).await?;
        assert_eq!(sum, 6);
        let (_, sum) = do_with(start()).run_while(|(_, sum)| *sum < 3, step).await?;
        assert_eq!(sum, 3);
        let (_, sum) = do_with(start()).times(4, |state, _| step(state)).await?;
        assert_eq!(sum, 10);
        let (_, sum) = do_with(start())
            .for_each(names, |state, name| async move {
                let (reader, sum) = step(state).await?;
                Ok((reader, sum + name.len() as u32))
            })
            .await?;
        assert_eq!(sum, 12);
        let (_, sum) = do_with(start()).run(step).await?;
        assert_eq!(sum, 1);
        let Err(end) = do_with(start())
            .repeat(|(mut reader, sum)| async move {
                match reader.read().await? {
                    Some(n) => Ok((reader, sum + n)),
                    None => Err(error(sum as i32)),
                }
            })
            .await;
        assert_eq!(end.app_code(), 10);
        shared.write(1).await?;
        Ok(handler.offset)
    }

    when_all_is_send(handler, shared, names) {
        let (read, write, offset) = when_all((shared.read(), shared.write(1), async { handler.offset })).await;
        read?;
        write?;
        let writes = when_all(names.iter().map(|name| shared.write(name.len() as u32))).await;
        assert_eq!(writes.len(), 3);
        Ok(offset)
    }

    try_when_all_is_send(handler, shared, names) {
        let (_, (), offset) = try_when_all((shared.read(), shared.write(1), async { Ok(handler.offset) })).await?;
        let lengths = try_when_all(names.iter().map(|name| async {
            shared.write(1).await?;
            Ok(name.len())
        }))
        .await?;
        assert_eq!(lengths, [1, 2, 3]);
        Ok(offset)
    }

    when_any_is_send(handler, shared, names) {
        let (_, outcome) = when_any(names.iter().map(|name| shared.write(name.len() as u32))).await.expect("three names");
        outcome?;
        Ok(handler.offset)
    }

    when_any_ok_is_send(handler, shared, names) {
        let outcome = when_any_ok(names.iter().map(|name| async {
            shared.write(1).await?;
            if name.len() == 2 { Ok(handler.offset) } else { Err(error(1)) }
        }))
        .await;
        let (_, offset) = outcome.expect("three names")?;
        Ok(offset)
    }
}

/// The futures are `Send` exactly if their parts are: a table by type, for those that are stored
/// and spawned.
#[test]
fn named_futures_are_send_and_sync_when_their_parts_are() {
    fn is_send_sync<T: Send + Sync>(_: &T) {}
    let body = || std::future::ready(Ok(()));
    is_send_sync(&do_until_stop(|| true, body));
    is_send_sync(&do_while(|| true, body));
    is_send_sync(&repeat(body));
    is_send_sync(&do_for(1, |_| std::future::ready(Ok(()))));
    is_send_sync(&do_for_each([1], |_| std::future::ready(Ok(()))));
    is_send_sync(&do_with(1).times(1, |n, _| std::future::ready(Ok(n))));
    is_send_sync(&when_all((body(), body())));
    is_send_sync(&when_all([body()]));
    is_send_sync(&try_when_all((body(), body())));
    is_send_sync(&when_any([body()]));
    is_send_sync(&when_any_ok([body()]));
}
