//! JSON-RPC over one connection that stays open: a load must cost the machine little beside what it measures.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a node's RPC port.
pub(crate) struct Wire {
    reader: BufReader<TcpStream>,
}

impl Wire {
    /// Connects to `host:port`.
    pub(crate) fn connect(at: &str) -> Result<Self> {
        let stream = TcpStream::connect(at).with_context(|| format!("nobody listens at {at}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// The result of a call; what the node refuses is an error with its words.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length:";
        self.reader.get_mut().write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes())?;
        let mut answer: Value = serde_json::from_slice(&self.answer()?)?;
        match answer.get("error").filter(|error| !error.is_null()) {
            Some(error) => bail!("{method}: {error}"),
            None => Ok(answer["result"].take()),
        }
    }

    /// The body of an answer, in one piece or in chunks.
    fn answer(&mut self) -> Result<Vec<u8>> {
        let (mut length, mut chunked) = (None, false);
        self.line()?;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = Some(value.trim().parse::<usize>()?);
            }
            chunked |= line.starts_with("transfer-encoding:") && line.ends_with("chunked");
        }
        let mut body = Vec::new();
        if !chunked {
            body.resize(length.context("an answer without a length")?, 0);
            self.reader.read_exact(&mut body)?;
            return Ok(body);
        }
        loop {
            let size = usize::from_str_radix(&self.line()?, 16)?;
            let start = body.len();
            body.resize(start + size, 0);
            self.reader.read_exact(body.get_mut(start..).unwrap_or_default())?;
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("the node has hung up");
        }
        Ok(line.trim_end().to_owned())
    }
}
