//! A PostgreSQL server for a test, and processes that end with their owner.

use std::{
    fs::{self, File},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{program, quiet};

/// How long a process may take to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Whom PostgreSQL runs as where we are root, whom it refuses: `nobody`.
const NOBODY: u32 = 65534;

/// A folder that goes when it is dropped. Its name is short, because sockets lie in it, and everybody may pass.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("aceso-history-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A database server of our own: no port, one socket, one user who is trusted.
pub(crate) struct Database {
    bin: PathBuf,
    folder: PathBuf,
    server: Running,
}

impl Database {
    pub(crate) fn start(bin: &Path, scratch: &Path) -> Result<Self> {
        let folder = scratch.join("postgres");
        fs::create_dir(&folder)?;
        let is_root = quiet(program("id", &["-u"]))?.trim() == "0";
        if is_root {
            chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        let command = |name: &str, arguments: &[&str]| {
            let mut command = if is_root {
                let mut command = program("setpriv", &["--clear-groups"]);
                command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]).arg(bin.join(name));
                command
            } else {
                program(bin.join(name), &[])
            };
            command.args(arguments).arg("-D").arg(folder.join("data")).current_dir(&folder);
            command
        };
        quiet(command("initdb", &["-U", "aceso", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]))?;
        let socket = format!("unix_socket_directories={}", folder.display());
        let mut start = command("postgres", &["-c", "listen_addresses=", "-c", "fsync=off", "-c", &socket]);
        start.stdout(Stdio::null()).stderr(File::create(scratch.join("postgres.log"))?);
        let server = Running::start(&mut start)?;
        let database = Self { bin: bin.into(), folder, server };
        wait("the database answers", || Ok(database.ask("SELECT 1", &[]).is_ok()))?;
        Ok(database)
    }

    pub(crate) fn connection(&self) -> String {
        format!("host={} dbname=postgres user=aceso sslmode=disable", self.folder.display())
    }

    fn psql(&self) -> Command {
        let mut psql = program(self.bin.join("psql"), &["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]);
        psql.arg("-d").arg(self.connection());
        psql
    }

    pub(crate) fn file(&self, path: &Path) -> Result<()> {
        let mut psql = self.psql();
        psql.arg("-f").arg(path);
        quiet(psql).map(drop)
    }

    /// The rows that SQL answers, given psql's variables.
    pub(crate) fn ask(&self, sql: &str, variables: &[(&str, &str)]) -> Result<Vec<Vec<String>>> {
        let file = self.folder.with_file_name("ask.sql");
        fs::write(&file, sql)?;
        let mut psql = self.psql();
        for (name, value) in variables {
            psql.args(["-v", &format!("{name}={value}")]);
        }
        psql.arg("-f").arg(&file);
        let answer = quiet(psql)?;
        Ok(answer.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    /// The only value that SQL answers.
    pub(crate) fn one(&self, sql: &str) -> Result<String> {
        let rows = self.ask(sql, &[])?;
        let [row] = &rows[..] else { bail!("{} rows for {sql}", rows.len()) };
        row.first().cloned().with_context(|| format!("no column for {sql}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Its fast way to stop; asked otherwise it waits for whoever is connected.
        let _ = self.server.end("INT");
    }
}

/// A process that ends with its owner.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("cannot start {}", command.get_program().display()))?))
    }

    /// Sends a signal and answers whether it ended with success.
    pub(crate) fn end(&mut self, signal: &str) -> Result<bool> {
        quiet(program("kill", &[&format!("-{signal}"), &self.0.id().to_string()]))?;
        let mut ended = None;
        wait("it ends", || {
            ended = self.0.try_wait()?;
            Ok(ended.is_some())
        })?;
        Ok(ended.is_some_and(|status| status.success()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until it is done; fails with what was waited for.
pub(crate) fn wait(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !done()? {
        ensure!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        sleep(Duration::from_millis(50));
    }
    Ok(())
}
