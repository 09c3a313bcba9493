//! Network namespaces: one machine for each validator, with an address, a line of some rate, and routes to cut.
//!
//! All hang on one bridge in the namespace of this process, which can reach every one of them whatever is cut between
//! them. A cut is a pair of blackhole routes: packets vanish, connections stay open and time out, as on a dead line.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Address of this process on the bridge; validators have the ones from 1 on.
pub(crate) const HERE: &str = "10.77.0.254";

/// The namespaces of a network. Dropping it removes them.
#[derive(Debug)]
pub(crate) struct Spaces {
    prefix: String,
    count: usize,
}

impl Spaces {
    /// Makes `count` namespaces.
    ///
    /// # Errors
    /// With what to install or to be, where the system does not let us.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let spaces = Self { prefix: format!("an{}", std::process::id() % 100_000), count };
        let bridge = spaces.bridge();
        ip(&format!("link add {bridge} type bridge"))
            .context("network namespaces need root and iproute2 (Debian: `apt-get install iproute2`)")?;
        ip(&format!("addr add {HERE}/24 dev {bridge}"))?;
        ip(&format!("link set {bridge} up"))?;
        for number in 0..count {
            let (space, line) = (spaces.name(number), spaces.line(number));
            ip(&format!("netns add {space}"))?;
            ip(&format!("link add {line} type veth peer name eth0 netns {space}"))?;
            ip(&format!("link set {line} master {bridge} up"))?;
            ip(&format!("-n {space} addr add {}/24 dev eth0", address(number)))?;
            ip(&format!("-n {space} link set eth0 up"))?;
            ip(&format!("-n {space} link set lo up"))?;
        }
        Ok(spaces)
    }

    fn bridge(&self) -> String {
        format!("{}br", self.prefix)
    }

    fn line(&self, number: usize) -> String {
        format!("{}v{number}", self.prefix)
    }

    fn name(&self, number: usize) -> String {
        format!("{}n{number}", self.prefix)
    }

    /// A command that runs in a validator's namespace; its process is the program itself.
    pub(crate) fn command(&self, number: usize, program: &std::path::Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(number)]).arg(program);
        command
    }

    /// Cuts everything between validators of different groups, and joins those of one.
    pub(crate) fn partition(&self, groups: &[&[usize]]) -> Result<()> {
        let group = |number: usize| groups.iter().position(|group| group.contains(&number));
        for one in 0..self.count {
            for other in (0..self.count).filter(|other| *other != one) {
                let route = format!("-n {} route", self.name(one));
                let to = address(other);
                if group(one) == group(other) {
                    // There may be no such route.
                    let _ = ip(&format!("{route} del blackhole {to}/32"));
                } else {
                    ip(&format!("{route} replace blackhole {to}/32"))?;
                }
            }
        }
        Ok(())
    }

    /// Joins everything again.
    pub(crate) fn heal(&self) -> Result<()> {
        let all: Vec<usize> = (0..self.count).collect();
        self.partition(&[&all])
    }

    /// Lets a validator send no more than so many kilobits a second; none is no limit.
    pub(crate) fn rate(&self, number: usize, kilobits: Option<u32>) -> Result<()> {
        let space = self.name(number);
        // There may be none yet.
        let _ = call("tc", &format!("-n {space} qdisc del dev eth0 root"));
        match kilobits {
            Some(rate) => call(
                "tc",
                &format!("-n {space} qdisc add dev eth0 root tbf rate {rate}kbit burst 32kbit latency 400ms"),
            ),
            None => Ok(()),
        }
    }
}

impl Drop for Spaces {
    fn drop(&mut self) {
        for number in 0..self.count {
            // The line goes with its namespace.
            let _ = ip(&format!("netns del {}", self.name(number)));
        }
        let _ = ip(&format!("link del {}", self.bridge()));
    }
}

/// The address of a validator.
pub(crate) fn address(number: usize) -> String {
    format!("10.77.0.{}", number + 1)
}

fn ip(arguments: &str) -> Result<()> {
    call("ip", arguments)
}

fn call(program: &str, arguments: &str) -> Result<()> {
    let output = Command::new(program).args(arguments.split(' ')).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
