//! The page: files of one directory, or a sentence in its place.

use std::path::{Component, Path, PathBuf};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

/// Only what this node serves; models and verifiers run as WebAssembly, pictures come from memory.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; \
                      manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Largest file that is served.
const FILE_MAX: u64 = 64 << 20;

const ABSENT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Aceso</title>\
<h1>Aceso</h1><p>This is the REST port of an Aceso node. The page for patients, physicians and insurers is not part of \
this build: building it needs Node.js 20 or newer. Install that, run <code>cargo xtask ui</code> and start the node \
with <code>--ui</code> and the directory that it names.</p>\
<p><a href=\"/health\">health</a> · <a href=\"/rpc/status\">status</a></p></html>";

/// The file under a path; nothing where there is none.
pub(crate) async fn page(root: Option<&Path>, path: &str) -> Option<Response> {
    let Some(root) = root else {
        return (path == "/").then(|| secured(Html(ABSENT).into_response()));
    };
    let relative = relative(path)?;
    let file = find(root.to_owned(), relative).await?;
    let kind = kind(&file);
    match tokio::fs::read(&file).await {
        Ok(bytes) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            ];
            Some(secured((StatusCode::OK, headers, bytes).into_response()))
        }
        Err(_) => None,
    }
}

/// The path below the directory: plain names only, `index.html` for a directory.
fn relative(path: &str) -> Option<PathBuf> {
    let decoded = decode(path.trim_start_matches('/'))?;
    let mut relative = PathBuf::from(&decoded);
    if decoded.is_empty() || decoded.ends_with('/') {
        relative.push("index.html");
    }
    let plain =
        |part: Component<'_>| matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
    relative.components().all(plain).then_some(relative)
}

/// Percent-decoding; nothing for a broken escape, a NUL or a backslash.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte == b'%' {
            let digits = [*rest.next()?, *rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let decoded = String::from_utf8(bytes).ok()?;
    (!decoded.contains(['\0', '\\'])).then_some(decoded)
}

/// The file, if it is one, not too large, and really below the directory: a link may not lead out.
async fn find(root: PathBuf, relative: PathBuf) -> Option<PathBuf> {
    let looked = tokio::task::spawn_blocking(move || {
        let root = root.canonicalize().ok()?;
        let file = root.join(relative).canonicalize().ok()?;
        let data = file.metadata().ok()?;
        (file.starts_with(&root) && data.is_file() && data.len() <= FILE_MAX).then_some(file)
    });
    looked.await.ok().flatten()
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_below_the_directory() {
        assert_eq!(relative("/").unwrap(), Path::new("index.html"));
        assert_eq!(relative("/a/").unwrap(), Path::new("a/index.html"));
        assert_eq!(relative("/assets/app%2Djs.js").unwrap(), Path::new("assets/app-js.js"));
        for path in
            ["/../x", "/a/../x", "/%2e%2e/x", "/a/%2e%2e%2fx", "/.git/x", "/a\\b", "/%00", "/%zz", "/%2", "/a/./b/.x"]
        {
            assert_eq!(relative(path), None, "{path}");
        }
        assert_eq!(relative("//etc/passwd").unwrap(), Path::new("etc/passwd"));
    }

    #[tokio::test]
    async fn links_do_not_lead_out() {
        let root = tempfile::tempdir().unwrap();
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(root.path().join("index.html"), "page").unwrap();
        std::os::unix::fs::symlink(secret.path(), root.path().join("leak.txt")).unwrap();
        let response = page(Some(root.path()), "/").await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        assert!(page(Some(root.path()), "/leak.txt").await.is_none());
        assert!(page(Some(root.path()), "/absent.js").await.is_none());
        assert!(page(None, "/").await.is_some() && page(None, "/x").await.is_none());
    }
}
