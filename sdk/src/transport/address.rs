//! Where a server listens and a channel connects.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// How long the path of a socket may be: what the system's `sun_path` holds, less a zero.
const MAX_PATH: usize =
    if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

/// An address as users write it: `host:port`, or `unix:` and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(String),
    Unix(PathBuf),
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, BadAddress> {
        // A blank may belong to a path, but not in front of it.
        if text.trim() != text {
            return Err(invalid(text, "there are blanks around it"));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(invalid(text, "the path after `unix:` is missing"));
            }
            if path.contains('\0') {
                return Err(invalid(
                    &text.replace('\0', "\\0"),
                    "there is a zero byte in the path",
                ));
            }
            if path.len() > MAX_PATH {
                let why = format!(
                    "the path is {} bytes long, and that of a socket {MAX_PATH} at most",
                    path.len()
                );
                return Err(invalid(text, &why));
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return Err(has_scheme(text, scheme, rest));
        }
        if text.contains(char::is_whitespace) {
            return Err(invalid(text, "there is a blank in it"));
        }
        if let Some((_, zone)) = text.split_once('%')
            && zone.starts_with(|first: char| !first.is_ascii_digit())
        {
            return Err(invalid(
                text,
                "a zone is written as the interface's number, such as `[fe80::1%2]:8000`",
            ));
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

    /// An address that a client connects to.
    pub(crate) fn to_connect(text: &str) -> Result<Self, BadAddress> {
        match Self::parse(text)? {
            Self::Tcp(text) if text.ends_with(":0") => {
                Err(invalid(&text, "nobody listens at port 0"))
            }
            address => Ok(address),
        }
    }
}

/// The error for a form that other libraries take, with the form to write instead.
fn has_scheme(text: &str, scheme: &str, rest: &str) -> BadAddress {
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    let why = match scheme {
        "dns" => {
            let host = rest.trim_start_matches('/');
            format!(
                "write `{host}`, or for all addresses of the name `connect_with(Dns::new(\"{host}\"))`"
            )
        }
        "https" => format!("there is no TLS and no HTTP here; without them write `{host}`"),
        _ => format!("write `{host}`, without `{scheme}://`"),
    };
    invalid(text, &why)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(text) => f.write_str(text),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn invalid(text: &str, why: &str) -> BadAddress {
    BadAddress(format!(
        "`{text}` is no address: {why}; write `127.0.0.1:8000` or `unix:/run/service.sock`"
    ))
}

/// Says of a text why it is no address, and what is one.
#[derive(Debug)]
pub(crate) struct BadAddress(pub(crate) String);

/// The address of one end of a connection, for people and logs.
///
/// It prints as `127.0.0.1:8000`, `unix:/run/service.sock` or `memory`. A peer on a Unix socket
/// usually has no name of its own and prints as `unix`.
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
        let text =
            path.map_or_else(|| "unix".to_owned(), |path| format!("unix:{}", path.display()));
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
            ("unix:/a\0b", "`unix:/a\\0b` is no address: there is a zero byte"),
            (&format!("unix:{}", "x".repeat(200)), "the path is 200 bytes long"),
            ("http://127.0.0.1:8000/path", "write `127.0.0.1:8000`, without `http://`"),
            ("tcp://127.0.0.1:8000", "write `127.0.0.1:8000`, without `tcp://`"),
            ("ip://127.0.0.1:8000", "write `127.0.0.1:8000`, without `ip://`"),
            ("https://a.example:443", "no TLS"),
            ("dns:///a.example:8000", "Dns::new(\"a.example:8000\")"),
            (" 127.0.0.1:8000", "blanks around it"),
            ("127.0.0.1:8000\n", "blanks around it"),
            (" unix:/a", "blanks around it"),
            ("a b:8000", "a blank in it"),
            ("[fe80::1%lo]:8000", "the interface's number"),
            ("fe80::1%eth0:8000", "the interface's number"),
        ] {
            let BadAddress(error) = Address::parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        assert!(Address::parse(&format!("unix:{}", "x".repeat(MAX_PATH))).is_ok());
        assert!(Address::parse("[fe80::1%2]:80").is_ok() && Address::parse("unix:/a b").is_ok());
        assert!(Address::parse("a:0").is_ok() && Address::parse("a:10").is_ok());
        assert!(Address::to_connect("a:10").is_ok());
        assert!(Address::to_connect("a:0").unwrap_err().0.contains("port 0"));
    }
}
