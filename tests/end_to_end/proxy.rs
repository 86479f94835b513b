//! A way between a client and a server that a test can cut, so that both sides see the same.

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// How the way is cut. All bytes that came before have been passed on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cut {
    /// Both ends read the end of the connection.
    Fin,
    /// The same, in the middle of a frame's header.
    FinInAFrame,
    /// Both ends read that the connection was reset.
    Rst,
}

/// One connection's way.
pub(crate) struct Proxy {
    pub(crate) address: String,
    cut: oneshot::Sender<Cut>,
}

impl Proxy {
    pub(crate) async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (cut, cutting) = oneshot::channel();
        let server = server.to_owned();
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(server).await.unwrap();
            tokio::select! {
                () = pass_on(&mut client, &mut server) => reset(&server),
                Ok(how) = cutting => {
                    for side in [&mut client, &mut server] {
                        match how {
                            Cut::Fin => side.shutdown().await.unwrap(),
                            Cut::FinInAFrame => {
                                side.write_all(&[0x09, 0x30, 1, 4]).await.unwrap();
                                side.shutdown().await.unwrap();
                            }
                            Cut::Rst => reset(side),
                        }
                    }
                    if how != Cut::Rst {
                        // Closing a socket with something unread in it would be a reset: the client
                        // closes first.
                        let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
                        reset(&server);
                    }
                }
            }
        });
        Self { address, cut }
    }

    pub(crate) fn cut(self, how: Cut) {
        self.cut.send(how).unwrap();
    }
}

/// Passes on what comes, until the client has ended, and then its end.
async fn pass_on(client: &mut TcpStream, server: &mut TcpStream) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let back = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        () = back => {}
    }
    let _ = to_server.shutdown().await;
}

/// Lets the end of a connection be a reset. The server would keep answers for a client that has
/// ended its direction only, and the clients here are gone then.
fn reset(side: &TcpStream) {
    socket2::SockRef::from(side).set_linger(Some(std::time::Duration::ZERO)).unwrap();
}
