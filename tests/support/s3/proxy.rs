//! A proxy that injects faults between client and server. They depend on the seed, the request's target and
//! how often that was requested before, never on the order of different requests, so runs are reproducible.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// What to do to a request or its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    None,
    /// An answer of the proxy itself, as raw bytes.
    Answer(Vec<u8>),
    /// RST before anything is sent.
    Reset,
    /// The server handles the request, but its answer is lost: the client gets RST.
    Lost,
    /// This percentage of the body, then RST.
    ResetInBody(usize),
    /// This percentage of the body, then a clean end.
    CutBody(usize),
    /// A delay before the response.
    Delay(Duration),
    /// Headers and half of the body, then nothing.
    Stall,
    /// The body byte by byte, with a pause after each.
    Drip(Duration),
    /// This percentage of the body, under a length that fits.
    Shortened(usize),
    /// This percentage of the body, without a length: it ends with the connection.
    Unmeasured(usize),
    /// Sets a header of the answer to another value, or adds it.
    Header(&'static str, String),
    /// The body compressed, with `Content-Encoding: gzip`.
    Gzip,
    /// The body with every occurrence of the first text replaced by the second.
    Replaced(String, String),
}

/// A request as the proxy sees it.
pub struct Request<'r> {
    pub method: &'r str,
    /// Path and query.
    pub target: &'r str,
    pub head: &'r str,
    /// Number of earlier requests with this target.
    pub tried: u64,
    /// Number of earlier requests.
    pub ordinal: u64,
}

impl Request<'_> {
    pub fn is_list(&self) -> bool {
        self.target.contains("list-type=2")
    }
}

/// An S3 error as raw HTTP. `headers` are whole lines, each with its `\r\n`.
pub fn error_answer(status: u16, code: &str, headers: &str) -> Vec<u8> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>from the proxy</Message></Error>"
    );
    let head = format!(
        "HTTP/1.1 {status} Trouble\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

/// Seeded faults with a given rate, for each request at most `in_a_row_max` times in a row.
#[derive(Debug, Clone)]
pub struct Faults {
    pub seed: u64,
    /// Rate of faults in first tries, in thousandths.
    pub per_mille: u64,
    /// After this many faults a target gets no more; 0: no limit.
    pub in_a_row_max: u64,
    pub kinds: Vec<Fault>,
}

impl Faults {
    pub fn decide(&self, request: &Request<'_>) -> Fault {
        if self.in_a_row_max > 0 && request.tried >= self.in_a_row_max {
            return Fault::None;
        }
        let mut hasher = DefaultHasher::new();
        (self.seed, request.target, request.tried).hash(&mut hasher);
        let number = hasher.finish();
        if number % 1000 >= self.per_mille {
            return Fault::None;
        }
        self.kinds[(number / 1000) as usize % self.kinds.len()].clone()
    }
}

type Decide = dyn Fn(&Request<'_>) -> Fault + Send + Sync;

struct Shared {
    upstream: SocketAddr,
    decide: Box<Decide>,
    tried: Mutex<HashMap<String, u64>>,
    ordinal: AtomicU64,
    faults: AtomicU64,
}

pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl Proxy {
    pub fn start(
        upstream: SocketAddr,
        decide: impl Fn(&Request<'_>) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            upstream,
            decide: Box::new(decide),
            tried: Mutex::default(),
            ordinal: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = Arc::clone(&shared);
        runtime.spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move { converse(client, &shared).await });
            }
        });
        Self { address, shared, runtime: Some(runtime) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Faults inflicted so far.
    pub fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Handles one client connection, request after request, until it is closed.
async fn converse(mut client: TcpStream, shared: &Shared) -> Option<()> {
    let _ = client.set_nodelay(true);
    let mut upstream: Option<TcpStream> = None;
    loop {
        let (request, length) = read_request(&mut client).await?;
        match shared.decide(&request[..length]) {
            Fault::Reset => return reset(&client),
            Fault::Answer(bytes) => client.write_all(&bytes).await.ok()?,
            Fault::Lost => {
                exchange(&mut upstream, shared.upstream, &request).await;
                return reset(&client);
            }
            fault => {
                // If the server is gone, the client sees the same as if the proxy were gone.
                let Some((head, body)) = exchange(&mut upstream, shared.upstream, &request).await else {
                    return reset(&client);
                };
                relay(&mut client, &head, &body, fault).await?;
            }
        }
    }
}

/// The connection is dropped by the caller; zero linger makes that a RST.
fn reset(client: &TcpStream) -> Option<()> {
    let _ = client.set_zero_linger();
    None
}

impl Shared {
    fn decide(&self, request: &[u8]) -> Fault {
        let head = String::from_utf8_lossy(request);
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let tried = {
            let mut all = self.tried.lock().unwrap();
            let tried = all.entry(target.to_owned()).or_default();
            *tried += 1;
            *tried - 1
        };
        let ordinal = self.ordinal.fetch_add(1, Ordering::Relaxed);
        let fault = (self.decide)(&Request { method, target, head: &head, tried, ordinal });
        if fault != Fault::None {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
        fault
    }
}

/// Reads a whole request; also returns the length of its head, including the empty line. Requests with a body
/// always have a length.
async fn read_request(stream: &mut TcpStream) -> Option<(Vec<u8>, usize)> {
    let mut request = Vec::with_capacity(2048);
    let head = loop {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        if let Some(at) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let lines = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
    let length = lines
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())
        .unwrap_or(0);
    if lines.contains("expect: 100-continue") && request.len() == head {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    while request.len() < head + length {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    Some((request, head))
}

/// Sends a request and reads its whole response.
async fn exchange(
    upstream: &mut Option<TcpStream>,
    address: SocketAddr,
    request: &[u8],
) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut stream = match upstream.take() {
        Some(stream) => stream,
        None => TcpStream::connect(address).await.ok()?,
    };
    let _ = stream.set_nodelay(true);
    stream.write_all(request).await.ok()?;
    let mut bytes = Vec::with_capacity(8192);
    let end = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let is_whole =
        |body: &[u8]| length.map_or_else(|| body.ends_with(b"0\r\n\r\n"), |length| body.len() >= length);
    let has_body = length.is_some() || head.contains("transfer-encoding: chunked");
    while has_body && !request.starts_with(b"HEAD") && !is_whole(&body) {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    *upstream = Some(stream);
    Some((bytes, body))
}

/// The answer with its body or a header changed.
fn changed(head: &[u8], body: &[u8], fault: &Fault) -> Option<(Vec<u8>, Vec<u8>)> {
    let (dropped, added, body) = match fault {
        Fault::Shortened(per_cent) => ("content-length", None, body[..body.len() * per_cent / 100].to_vec()),
        Fault::Unmeasured(per_cent) => (
            "content-length",
            Some("connection: close".to_owned()),
            body[..body.len() * per_cent / 100].to_vec(),
        ),
        Fault::Header(name, value) => (*name, Some(format!("{name}: {value}")), body.to_vec()),
        Fault::Gzip => {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(body).ok()?;
            ("content-encoding", Some("content-encoding: gzip".to_owned()), packed.finish().ok()?)
        }
        Fault::Replaced(from, to) => {
            ("content-length", None, String::from_utf8_lossy(body).replace(from, to).into_bytes())
        }
        _ => return None,
    };
    let text = String::from_utf8_lossy(head);
    let keeps = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        !line.is_empty() && name != dropped && name != "content-length" && name != "transfer-encoding"
    };
    let mut lines: Vec<String> = text.split("\r\n").filter(keeps).map(str::to_owned).collect();
    if !matches!(fault, Fault::Unmeasured(_) | Fault::Header("content-length", _)) {
        lines.push(format!("content-length: {}", body.len()));
    }
    lines.extend(added);
    Some(((lines.join("\r\n") + "\r\n\r\n").into_bytes(), body))
}

/// The body of a chunked answer, reassembled.
fn unchunked(head: &[u8], body: Vec<u8>) -> Vec<u8> {
    if !String::from_utf8_lossy(head).to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body;
    }
    let (mut whole, mut rest) = (Vec::new(), &body[..]);
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end])
            .ok()
            .and_then(|text| usize::from_str_radix(text.trim(), 16).ok())
            .unwrap_or(0);
        if length == 0 {
            break;
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 2 + length + 2..];
    }
    whole
}

/// Passes a response on with a fault. `None` if the connection ended with it.
async fn relay(client: &mut TcpStream, head: &[u8], body: &[u8], fault: Fault) -> Option<()> {
    if let Fault::Delay(pause) = fault {
        tokio::time::sleep(pause).await;
    }
    if let Some((head, body)) = changed(head, &unchunked(head, body.to_vec()), &fault) {
        client.write_all(&head).await.ok()?;
        client.write_all(&body).await.ok()?;
        if matches!(fault, Fault::Unmeasured(_)) {
            client.shutdown().await.ok()?;
            return None;
        }
        return Some(());
    }
    client.write_all(head).await.ok()?;
    let part = |per_cent: usize| &body[..body.len() * per_cent / 100];
    match fault {
        Fault::ResetInBody(per_cent) => {
            client.write_all(part(per_cent)).await.ok()?;
            // A reset overtakes data still in the socket; most of the part should arrive.
            tokio::time::sleep(Duration::from_millis(5)).await;
            return reset(client);
        }
        Fault::CutBody(per_cent) => {
            client.write_all(part(per_cent)).await.ok()?;
            client.shutdown().await.ok()?;
            return None;
        }
        Fault::Stall => {
            client.write_all(part(50)).await.ok()?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            return None;
        }
        Fault::Drip(pause) => {
            for byte in body {
                client.write_all(std::slice::from_ref(byte)).await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
        _ => client.write_all(body).await.ok()?,
    }
    Some(())
}
