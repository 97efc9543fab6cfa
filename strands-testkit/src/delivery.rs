//! Delivery of a scripted response to the socket.

use std::io;

use bytes::{BufMut as _, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::task::yield_now;

use crate::fault::{Cut, Delivery, Framing, Hold};
use crate::request::Connection;
use crate::response::{Message, Response};

/// Outcome of writing a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The response was written; the connection can carry another request.
    KeepAlive,
    /// The response was written as far as the script allows; the connection must be closed.
    Close,
    /// The client closed the connection first.
    ClientGone,
}

impl Connection {
    /// Writes the response; calls `stalled` each time it starts to wait.
    pub(crate) async fn deliver(&mut self, response: &Response, bodyless: bool, stalled: impl Fn()) -> Outcome {
        // Writing only fails if the client has closed the connection.
        self.write(response, bodyless, stalled).await.unwrap_or(Outcome::ClientGone)
    }

    async fn write(&mut self, response: &Response, bodyless: bool, stalled: impl Fn()) -> io::Result<Outcome> {
        let delivery = &response.delivery;
        if let Some(hold) = &delivery.head
            && !self.wait(hold, &stalled).await
        {
            return Ok(Outcome::ClientGone);
        }
        let body = if bodyless { &[][..] } else { &response.body[..] };
        let cut = delivery.cut.filter(|(offset, _)| *offset <= body.len());
        // A clean cut sends a shorter body with consistent framing; the other cuts announce the full length.
        let body = match cut {
            Some((offset, Cut::Clean)) => body.get(..offset).unwrap_or(body),
            _ => body,
        };
        let mut out = BytesMut::new();
        let raw = matches!(response.message, Message::Raw);
        let chunked = !raw && !bodyless && delivery.framing == Framing::Chunked;
        write_head(&mut out, response, body.len(), bodyless);
        let mut start = 0;
        for end in delivery.ends(body.len()) {
            if let Some(hold) = hold_at(delivery, start) {
                self.flush(&mut out).await?;
                if !self.wait(hold, &stalled).await {
                    return Ok(Outcome::ClientGone);
                }
            }
            let cut_here = match cut {
                Some((offset, how @ (Cut::Close | Cut::Reset))) if offset < end => Some((offset, how)),
                _ => None,
            };
            let written_end = cut_here.map_or(end, |(offset, _)| offset);
            let piece = body.get(start..written_end).unwrap_or_default();
            if chunked && end > start {
                out.put_slice(format!("{:x}\r\n", end - start).as_bytes());
            }
            out.put_slice(piece);
            if let Some((_, how)) = cut_here {
                self.flush(&mut out).await?;
                return self.break_off(how);
            }
            if chunked && end > start {
                out.put_slice(b"\r\n");
            }
            self.flush(&mut out).await?;
            // If the client shares the runtime, this lets it read the chunk before the next one is written.
            yield_now().await;
            start = end;
        }
        if let Some(hold) = hold_at(delivery, start).filter(|_| start > 0)
            && !self.wait(hold, &stalled).await
        {
            return Ok(Outcome::ClientGone);
        }
        if let Some((_, how @ (Cut::Close | Cut::Reset))) = cut {
            return self.break_off(how);
        }
        if chunked {
            out.put_slice(b"0\r\n\r\n");
            self.flush(&mut out).await?;
        }
        Ok(if raw || delivery.framing == Framing::UntilClose { Outcome::Close } else { Outcome::KeepAlive })
    }

    /// Prepares the connection to be closed or reset.
    fn break_off(&self, how: Cut) -> io::Result<Outcome> {
        if how == Cut::Reset {
            self.stream.set_zero_linger()?;
        }
        Ok(Outcome::Close)
    }

    async fn flush(&mut self, out: &mut BytesMut) -> io::Result<()> {
        self.stream.write_all(out).await?;
        self.stream.flush().await?;
        out.clear();
        Ok(())
    }

    /// Waits until the hold is released; `false` if the client closed the connection first.
    async fn wait(&mut self, hold: &Hold, stalled: impl Fn()) -> bool {
        stalled();
        let opened = async {
            match hold {
                Hold::Gate(gate) => gate.opened().await,
                Hold::Stall => std::future::pending().await,
            }
        };
        tokio::pin!(opened);
        loop {
            tokio::select! {
                () = &mut opened => return true,
                // Bytes that the client sends early are buffered for the next request.
                read = self.fill() => if !matches!(read, Ok(1..)) { return false },
            }
        }
    }
}

fn hold_at(delivery: &Delivery, offset: usize) -> Option<&Hold> {
    delivery.holds.iter().find(|(at, _)| *at == offset).map(|(_, hold)| hold)
}

fn write_head(out: &mut BytesMut, response: &Response, length: usize, bodyless: bool) {
    let Message::Http { status, headers } = &response.message else {
        return;
    };
    out.put_slice(format!("HTTP/1.1 {status} \r\n").as_bytes());
    for (name, value) in headers {
        out.put_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    match response.delivery.framing {
        _ if bodyless => {}
        Framing::ContentLength => out.put_slice(format!("content-length: {length}\r\n").as_bytes()),
        Framing::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
        Framing::UntilClose => out.put_slice(b"connection: close\r\n"),
    }
    out.put_slice(b"\r\n");
}
