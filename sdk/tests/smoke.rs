#![allow(missing_docs, reason = "temporary")]
use std::time::Duration;
use trill::__private::*;
use trill::*;

static SPEC: ServiceSpec = ServiceSpec {
    name: "t.Echo",
    methods: &[
        MethodSpec { path: "/t.Echo/Say", kind: MethodKind::Unary, aliases: &[] },
        MethodSpec { path: "/t.Echo/Up", kind: MethodKind::ClientStream, aliases: &[] },
        MethodSpec { path: "/t.Echo/Down", kind: MethodKind::ServerStream, aliases: &[] },
        MethodSpec { path: "/t.Echo/Both", kind: MethodKind::Bidi, aliases: &[] },
    ],
};

struct Echo;
impl Service for Echo {
    fn spec(&self) -> &'static ServiceSpec {
        &SPEC
    }
    fn dispatch(&self, method: usize, call: ServerCall) {
        match method {
            0 => call.unary(|cx: Context, req: String| async move {
                if req == "panic" {
                    panic!("oh")
                }
                if req == "err" {
                    return Err(Status::app(7, "seven").into());
                }
                cx.set_metadata("k", "v");
                cx.set_attachment(cx.attachment().clone());
                Ok(format!("hi {req}"))
            }),
            1 => call.client_stream(|_cx, mut reader: AsyncReader<String>| async move {
                let mut n = 0u64;
                while let Some(m) = reader.read().await? {
                    n += m.len() as u64
                }
                Ok(n)
            }),
            2 => call.server_stream(|cx, req: u64, mut writer: AsyncWriter<u64>| async move {
                for i in 0..req {
                    writer.write(i).await?
                }
                cx.set_metadata("end", "yes");
                Ok(())
            }),
            3 => call.bidi(|_cx, mut rw: AsyncReaderWriter<String, String>| async move {
                while let Some(m) = rw.read().await? {
                    rw.write(m).await?
                }
                Ok(())
            }),
            _ => call.unknown_method(),
        }
    }
}

async fn all(channel: Channel) {
    let stub = Stub::new(channel, &SPEC);
    let r: Response<String> = stub.unary(0, "bob".to_owned()).attachment("att").response().await.unwrap();
    assert_eq!(
        (r.message.as_str(), r.metadata.get_str("k"), &r.attachment[..]),
        ("hi bob", Some("v"), &b"att"[..])
    );
    let e = stub.unary::<_, String>(0, "err".to_owned()).await.unwrap_err();
    println!("{e} {e:?}");
    let e = stub.unary::<_, String>(0, "panic".to_owned()).await.unwrap_err();
    println!("{e}");
    let (mut w, reply) = stub.client_stream::<String, u64>(1).await.unwrap();
    for _ in 0..1000 {
        w.write("x".repeat(1000)).await.unwrap()
    }
    w.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), 1_000_000);
    let mut r = stub.server_stream::<u64, u64>(2, 100_000).await.unwrap();
    let mut i = 0;
    while let Some(v) = r.read().await.unwrap() {
        assert_eq!(v, i);
        i += 1
    }
    assert_eq!(i, 100_000);
    assert_eq!(r.metadata().unwrap().get_str("end"), Some("yes"));
    let mut rw = stub.bidi::<String, String>(3).await.unwrap();
    for i in 0..100 {
        rw.write(format!("m{i}")).await.unwrap();
        assert_eq!(rw.read().await.unwrap(), Some(format!("m{i}")));
    }
    let e = rw.read().timeout(Duration::from_millis(5)).await.unwrap_err();
    println!("{e}");
    rw.write("again".into()).await.unwrap();
    assert_eq!(rw.read().await.unwrap().as_deref(), Some("again"));
    rw.finish().await.unwrap();
}

#[tokio::test]
async fn memory() {
    all(Server::builder().service(Echo).in_memory().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp() {
    let bound = Server::builder().service(Echo).bind("127.0.0.1:0").await.unwrap();
    let addr = bound.local_addr().to_string();
    let handle = bound.handle();
    let task = tokio::spawn(bound.serve());
    let channel = Channel::connect(&addr).await.unwrap();
    all(channel.clone()).await;
    let stub = Stub::new(channel, &SPEC);
    let rw = stub.bidi::<String, String>(3).await.unwrap();
    handle.shutdown(Duration::from_millis(100)).await;
    drop(rw);
    task.await.unwrap().unwrap();
}
