//! Where a server listens and a channel connects.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Code, Error, ErrorKind, Origin, Result};

/// An address as users write it: `host:port`, or `unix:` and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(String),
    Unix(PathBuf),
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(invalid(text, "the path after `unix:` is missing"));
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        match text.rsplit_once(':') {
            None => Err(invalid(text, "the port is missing")),
            Some((_, port)) if port.parse::<u16>().is_err() => {
                Err(invalid(text, "the port is not a number up to 65535"))
            }
            Some(("", _)) => Err(invalid(text, "the host is missing")),
            Some(_) => Ok(Self::Tcp(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(text) => f.write_str(text),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn invalid(text: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        Origin::Caller,
        Code::CLIENT_ROUTER_ERR,
        format!("`{text}` is no address: {why}; write `127.0.0.1:8000` or `unix:/run/service.sock`"),
    )
}

/// The address of one end of a connection, for people and logs.
///
/// It prints as `127.0.0.1:8000`, `unix:/run/service.sock` or `memory`. A peer on a Unix socket usually has no name of its own
/// and prints as `unix`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PeerAddr(Arc<Inner>);

#[derive(PartialEq, Eq, Hash)]
struct Inner {
    text: Arc<str>,
    socket: Option<SocketAddr>,
}

impl PeerAddr {
    pub(crate) fn tcp(socket: SocketAddr) -> Self {
        Self::new(&socket.to_string(), Some(socket))
    }

    pub(crate) fn unix(path: Option<&std::path::Path>) -> Self {
        let text = path.map_or_else(|| "unix".to_owned(), |path| format!("unix:{}", path.display()));
        Self::new(&text, None)
    }

    pub(crate) fn memory() -> Self {
        Self::new("memory", None)
    }

    fn new(text: &str, socket: Option<SocketAddr>) -> Self {
        Self(Arc::new(Inner { text: text.into(), socket }))
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The socket address, for TCP.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.0.socket
    }

    /// The port, for TCP.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.0.socket.map(|socket| socket.port())
    }

    pub(crate) fn text(&self) -> Arc<str> {
        Arc::clone(&self.0.text)
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerAddr({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart_and_mistakes_are_named() {
        assert_eq!(Address::parse("[::1]:80").unwrap(), Address::Tcp("[::1]:80".to_owned()));
        assert_eq!(Address::parse("unix:/a/b").unwrap(), Address::Unix("/a/b".into()));
        assert_eq!(Address::parse("unix:///a/b").unwrap(), Address::Unix("/a/b".into()));
        for (text, why) in [
            ("host", "port is missing"),
            ("host:http", "not a number"),
            (":80", "host is missing"),
            ("unix:", "path"),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
