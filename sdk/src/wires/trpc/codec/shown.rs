//! A frame in one line.

use std::fmt;

use super::content::{Close, Content, Init, Request, Response};
use super::frame::Frame;

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = self.id();
        match self.content() {
            Ok(Content::Request { header, body, attachment }) => {
                let Request { request_id, func, .. } = header;
                let word = if header.call_type == 0 { "request" } else { "one-way request" };
                write!(f, "{word} {request_id} of {}", text(&func))?;
                sizes(f, body.len(), attachment.len())
            }
            Ok(Content::Response { header, body, attachment }) => {
                let Response { request_id, ret, func_ret, error_msg, .. } = header;
                write!(f, "response {request_id}")?;
                outcome(f, ret, func_ret, &error_msg)?;
                sizes(f, body.len(), attachment.len())
            }
            Ok(Content::Init(Init { request, response, init_window_size, .. })) => {
                write!(f, "INIT of stream {stream}")?;
                if let Some(request) = request {
                    write!(f, ", {}", text(&request.func))?;
                }
                if let Some(response) = response {
                    outcome(f, response.ret, 0, &response.error_msg)?;
                }
                write!(f, ", window {init_window_size}")
            }
            Ok(Content::Data(message)) => {
                write!(f, "DATA of stream {stream}")?;
                sizes(f, message.len(), 0)
            }
            Ok(Content::Feedback { increment }) => {
                write!(f, "FEEDBACK of stream {stream}, {increment} bytes of credit")
            }
            Ok(Content::Close(Close { close_type, ret, func_ret, msg, .. })) => {
                let word = if close_type == 0 { "CLOSE" } else { "RESET" };
                write!(f, "{word} of stream {stream}")?;
                outcome(f, ret, func_ret, &msg)
            }
            Err(fault) => write!(f, "frame {stream} with a fault: {fault}"),
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("kind", &self.kind()).field("bytes", self.bytes()).finish()
    }
}

/// The codes, if they say something but success.
fn outcome(f: &mut fmt::Formatter<'_>, ret: i32, func_ret: i32, msg: &[u8]) -> fmt::Result {
    if (ret, func_ret) != (0, 0) {
        write!(f, ", ret {ret}, func_ret {func_ret}")?;
    }
    if msg.is_empty() { Ok(()) } else { write!(f, ", \"{}\"", text(msg)) }
}

fn sizes(f: &mut fmt::Formatter<'_>, body: usize, attachment: usize) -> fmt::Result {
    write!(f, ", {body} bytes")?;
    if attachment == 0 { Ok(()) } else { write!(f, " and {attachment} attached") }
}

/// A peer's text so that it cannot pass for anything else.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}
