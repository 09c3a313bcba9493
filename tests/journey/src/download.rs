//! The official data set, fetched once and kept.
//!
//! The file is asked for only where no image is at hand. Whoever has no network is not kept waiting: finding and
//! reaching the server have two seconds each. What comes is bounded, held against the checksum that its publisher
//! gives, and only then put in its place; a kept file is held against it again.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use md5::{Digest, Md5};
use ureq::Agent;

/// The data set's file, here and everywhere.
pub(crate) const FILE: &str = "pneumoniamnist.npz";
/// Where MedMNIST v2 publishes it (CC BY 4.0, Yang et al. 2023).
const URL: &str = "https://zenodo.org/records/10519652/files/pneumoniamnist.npz?download=1";
/// The MD5 that stands beside it. It finds damage; that nobody else answers is the transport's to see to.
const MD5: &str = "28209eda62fecd6e6a2d98b1501bb15f";
/// Most bytes that are taken; the file has four million.
const BYTES_MAX: u64 = 16 << 20;
/// How long it may take to find the server, and to reach it.
const REACH: Duration = Duration::from_secs(2);
/// How long the server may keep silent.
const SILENCE: Duration = Duration::from_secs(5);
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// After how many bytes it is said how far it has got.
const TOLD: usize = 1 << 20;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    /// The server is not found or not reached.
    #[error("no network: {host} is not reached ({reason})")]
    Unreached { host: String, reason: String },
    /// The server has it not.
    #[error("no download: {host} answers with status {status}")]
    Status { host: String, status: u16 },
    /// The connection ends, or nothing comes any more.
    #[error("no download: {host} stopped after {got} bytes ({reason})")]
    Cut { host: String, got: usize, reason: String },
    /// More comes than the file can have.
    #[error("no download: {host} has more than {max} bytes")]
    Oversized { host: String, max: u64 },
    /// Something else came.
    #[error("no download: what {host} gives has MD5 {got}, and its publisher says {want}")]
    Checksum { host: String, got: String, want: String },
    /// It cannot be kept.
    #[error("no download: cannot keep {path}: {source}", path = path.display())]
    Keep { path: PathBuf, source: std::io::Error },
}

/// A file to fetch, and where it is kept.
pub(crate) struct Download {
    url: String,
    md5: String,
    bytes_max: u64,
    reach: Duration,
    silence: Duration,
    folder: PathBuf,
}

impl Download {
    /// The official one, kept in a folder.
    pub(crate) fn official(folder: PathBuf) -> Self {
        Self { url: URL.into(), md5: MD5.into(), bytes_max: BYTES_MAX, reach: REACH, silence: SILENCE, folder }
    }

    /// The file, which is fetched where it is not kept yet; says how far it has got.
    pub(crate) fn fetch(&self, say: &mut dyn FnMut(&str)) -> Result<PathBuf, DownloadError> {
        let path = self.folder.join(FILE);
        if fs::read(&path).is_ok_and(|bytes| md5(&bytes) == self.md5) {
            return Ok(path);
        }
        say(&format!("fetching {}", self.url));
        let bytes = self.bytes(say)?;
        let got = md5(&bytes);
        if got != self.md5 {
            return Err(DownloadError::Checksum { host: self.host(), got, want: self.md5.clone() });
        }
        self.keep(&path, &bytes).map_err(|source| DownloadError::Keep { path: path.clone(), source })?;
        Ok(path)
    }

    fn bytes(&self, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, DownloadError> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .timeout_resolve(Some(self.reach))
            .timeout_connect(Some(self.reach))
            .timeout_recv_response(Some(self.silence))
            .timeout_per_read(Some(self.silence))
            .build();
        let unreached = |error: ureq::Error| DownloadError::Unreached { host: self.host(), reason: error.to_string() };
        let response = Agent::from(config).get(&self.url).call().map_err(unreached)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(DownloadError::Status { host: self.host(), status });
        }
        let oversized = || DownloadError::Oversized { host: self.host(), max: self.bytes_max };
        let promised = response.body().content_length();
        if promised.is_some_and(|length| length > self.bytes_max) {
            return Err(oversized());
        }

        let mut body = response.into_body().into_reader().take(self.bytes_max + 1);
        let (mut bytes, mut piece, mut told) = (Vec::new(), vec![0; 64 << 10], TOLD);
        loop {
            let cut = |reason: String| DownloadError::Cut { host: self.host(), got: bytes.len(), reason };
            let more = match body.read(&mut piece) {
                Ok(0) if promised.is_some_and(|length| length != bytes.len() as u64) => {
                    return Err(cut("the connection ended".into()));
                }
                Ok(0) => return Ok(bytes),
                Ok(more) => more,
                Err(e) => return Err(cut(e.to_string())),
            };
            bytes.extend_from_slice(piece.get(..more).unwrap_or_default());
            if bytes.len() as u64 > self.bytes_max {
                return Err(oversized());
            }
            if bytes.len() >= told {
                say(&format!("fetching {}: {} MiB", self.url, told >> 20));
                told += TOLD;
            }
        }
    }

    /// Who is asked.
    fn host(&self) -> String {
        let rest = self.url.split_once("://").map_or(&self.url[..], |(_, rest)| rest);
        rest.split_once('/').map_or(rest, |(host, _)| host).into()
    }

    /// Puts the file in its place whole or not at all, also when two fetch it at once.
    fn keep(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut draft = tempfile::NamedTempFile::new_in(&self.folder)?;
        std::io::Write::write_all(&mut draft, bytes)?;
        draft.persist(path).map_err(|e| e.error).map(drop)
    }
}

fn md5(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::{SocketAddr, TcpListener, TcpStream},
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Instant,
    };

    use super::*;

    /// A server on the loopback that answers every request alike, each connection in a thread of its own.
    pub(crate) struct Server {
        pub(crate) url: String,
        served: Arc<AtomicUsize>,
    }

    impl Server {
        fn start(answer: impl Fn(&mut TcpStream) + Clone + Send + 'static) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let served = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&served);
            std::thread::spawn(move || {
                while let Ok((mut stream, _)) = listener.accept() {
                    counted.fetch_add(1, Ordering::Relaxed);
                    let answer = answer.clone();
                    std::thread::spawn(move || {
                        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                        answer(&mut stream);
                    });
                }
            });
            Self { url: format!("http://{address}/{FILE}"), served }
        }

        /// Answers with a head and a body, as they are.
        fn raw(status: &str, head: &str, body: Vec<u8>) -> Self {
            let head = format!("HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n");
            Self::start(move |stream| {
                // A client that has seen enough goes away.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            })
        }

        /// Answers with a file, as a server should.
        pub(crate) fn whole(file: Vec<u8>) -> Self {
            Self::raw("200 OK", &format!("Content-Length: {}\r\n", file.len()), file)
        }

        /// How many came.
        pub(crate) fn served(&self) -> usize {
            self.served.load(Ordering::Relaxed)
        }
    }

    /// Where nobody listens.
    pub(crate) fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    /// A download of this file, by somebody who has little patience.
    pub(crate) fn download(url: &str, file: &[u8], folder: &Path) -> Download {
        Download {
            url: url.into(),
            md5: md5(file),
            bytes_max: 1 << 20,
            reach: Duration::from_secs(2),
            silence: Duration::from_millis(300),
            folder: folder.into(),
        }
    }

    /// What comes of a server's answer where this file is expected; nothing may be kept.
    fn refused(server: &Server) -> DownloadError {
        let folder = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let error = download(&server.url, b"the file", folder.path()).fetch(&mut |_| ()).unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(5), "{error} took {:?}", begun.elapsed());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{error}");
        assert!(!error.to_string().contains('\n'));
        error
    }

    #[test]
    fn a_file_is_fetched_once_and_checked_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::whole(b"the file".to_vec());
        let download = download(&server.url, b"the file", &folder.path().join("made/here"));
        let path = download.fetch(&mut |_| ()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"the file");
        assert_eq!(download.fetch(&mut |_| ()).unwrap(), path);
        assert_eq!(server.served(), 1);
        fs::write(&path, b"the fil").unwrap();
        download.fetch(&mut |_| ()).unwrap();
        assert_eq!((fs::read(&path).unwrap(), server.served()), (b"the file".to_vec(), 2));
    }

    #[test]
    fn it_is_said_how_far_it_has_got() {
        let folder = tempfile::tempdir().unwrap();
        let file = vec![7; (1 << 20) - 1];
        let server = Server::whole([&file[..], &[7]].concat());
        let mut said = Vec::new();
        let whole = download(&server.url, &[&file[..], &[7]].concat(), folder.path());
        whole.fetch(&mut |what| said.push(what.to_owned())).unwrap();
        assert_eq!(said, [format!("fetching {}", server.url), format!("fetching {}: 1 MiB", server.url)]);
    }

    #[test]
    fn another_file_is_not_taken() {
        let error = refused(&Server::whole(b"another file".to_vec()));
        assert!(matches!(&error, DownloadError::Checksum { want, .. } if *want == md5(b"the file")), "{error}");
        let error = refused(&Server::raw("404 Not Found", "Content-Length: 8\r\n", b"the file".to_vec()));
        assert!(matches!(error, DownloadError::Status { status: 404, .. }), "{error}");
    }

    #[test]
    fn half_a_file_is_not_taken() {
        let error = refused(&Server::raw("200 OK", "Content-Length: 8\r\n", b"the".to_vec()));
        assert!(matches!(error, DownloadError::Cut { got: 3, .. }), "{error}");
        // Without a length the checksum notices.
        let error = refused(&Server::raw("200 OK", "", b"the".to_vec()));
        assert!(matches!(error, DownloadError::Checksum { .. }), "{error}");
    }

    #[test]
    fn no_more_is_read_than_the_file_can_have() {
        let error = refused(&Server::raw("200 OK", "Content-Length: 1048577\r\n", Vec::new()));
        assert!(matches!(error, DownloadError::Oversized { .. }), "{error}");
        let error = refused(&Server::raw("200 OK", "", vec![7; 3 << 20]));
        assert!(matches!(error, DownloadError::Oversized { .. }), "{error}");
    }

    #[test]
    fn a_server_that_keeps_silent_is_left() {
        let never = Server::start(|_| std::thread::sleep(Duration::from_secs(20)));
        let error = refused(&never);
        assert!(matches!(error, DownloadError::Unreached { .. }), "{error}");
        let midway = Server::start(|stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nthe").unwrap();
            std::thread::sleep(Duration::from_secs(20));
        });
        let error = refused(&midway);
        assert!(matches!(error, DownloadError::Cut { got: 3, .. }), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("file");
        fs::write(&taken, b"").unwrap();
        let server = Server::whole(b"the file".to_vec());
        let error = download(&server.url, b"the file", &taken).fetch(&mut |_| ()).unwrap_err();
        assert!(matches!(&error, DownloadError::Keep { .. }), "{error}");
    }
}
