//! Does the history that `docs/history.md` promises come about? The journey is played under a real CometBFT; a second
//! node, which follows from the first block on, writes its events into a real PostgreSQL; then every query of the page is
//! asked.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{
    demo,
    postgres::{Database, Running, Scratch, wait},
    prepare,
    shell::{program, quiet, root, say},
    test::Count,
    tools,
};

/// Every role's query is a case, and so is each step before.
pub(crate) fn suite() -> Result<Count> {
    let (postgres, engine) = (tools::postgresql()?, tools::cometbft()?);
    let schema = tools::cometbft_source("state/indexer/sink/psql/schema.sql")?;
    let page = Page::read(&root().join("docs/history.md"))?;
    let mut journey = demo::journey(&prepare::contracts()?)?;
    let pair = Programs { node: prepare::binaries()?.join("aceso"), engine };

    let scratch = Scratch::new()?;
    let words = scratch.0.join("keys/operator.mnemonic");
    quiet(pair.aceso(&["keys", "add", "operator", "--keyring-backend", "test"], &scratch.0))?;
    say("playing the journey under CometBFT");
    let fund = format!("{}=1000000000uaceso", words.display());
    journey.arg("--engine").arg(&pair.engine).arg("--home").arg(&scratch.0).args(["--fund", &fund, "--json"]);
    let report: Value = serde_json::from_slice(&journey.output()?.stdout).context("the journey did not report")?;
    ensure!(report["ok"] == true, "the journey failed: {report}");

    let database = Database::start(&postgres, &scratch.0)?;
    database.file(&schema)?;
    let [ours, gaps] = page.queries("Set up") else { bail!("the page sets up in two blocks of SQL") };
    database.ask(ours, &[])?;

    let mut cases = Cases(Count::default());
    let home = scratch.0.join("history");
    let (mut validator, mut node) = pair.network(&scratch.0.join("node"), &home, &database)?;
    cases.case("a node that joins writes what was before", || whole(&database, &report));
    cases.case("what comes is written while it runs", || live(&pair, &validator, &words, &database));
    cases.case("the node ends well, and its log is one of objects", || ended(&mut node, &home));
    validator.end()?;
    cases.case("no height is missing", || {
        ensure!(database.ask(gaps, &[])?.is_empty(), "there are gaps");
        Ok(())
    });
    let who = Who::find(&database)?;
    for (role, check) in ROLES {
        cases.case(role, || {
            let [query] = page.queries(role) else { bail!("{role} is to have one query") };
            check(&database, query, &who)
        });
    }
    Ok(cases.0)
}

struct Cases(Count);

impl Cases {
    fn case(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        match work() {
            Ok(()) => self.0.passed += 1,
            Err(error) => {
                eprintln!("error: {name}: {error:#}");
                self.0.failed += 1;
            }
        }
    }
}

/// The programs of a node.
struct Programs {
    node: PathBuf,
    engine: PathBuf,
}

/// An application with its engine.
struct Pair {
    app: Running,
    engine: Running,
    /// Where the engine's RPC and the application's REST listen, and where other engines connect.
    rpc: String,
    rest: String,
    p2p: String,
}

impl Pair {
    /// Ends both, the application first; the answer is whether it ended well.
    fn end(&mut self) -> Result<bool> {
        let well = self.app.end("TERM")?;
        self.engine.end("KILL")?;
        Ok(well)
    }
}

impl Programs {
    fn aceso(&self, arguments: &[&str], home: &Path) -> Command {
        let mut command = program(&self.node, arguments);
        command.arg("--home").arg(home);
        command
    }

    fn cometbft(&self, arguments: &[&str], home: &Path) -> Command {
        let mut command = program(&self.engine, arguments);
        command.arg("--home").arg(home);
        command
    }

    /// Starts the journey's validator again, and a node that follows it from the first block on and writes the history.
    fn network(&self, first: &Path, second: &Path, database: &Database) -> Result<(Pair, Pair)> {
        let settings = |home: &Path, text: String| fs::write(home.join("config/aceso.toml"), text);
        quiet(self.aceso(&["init", "--chain-id", "to-be-replaced"], second))?;
        fs::copy(first.join("config/genesis.json"), second.join("config/genesis.json"))?;
        quiet(self.cometbft(&["init"], second))?;
        let key: Value = serde_json::from_slice(&fs::read(second.join("config/attest_key.json"))?)?;
        let reader = key["pub_key"]["value"].as_str().context("the node has no attestation key")?;
        settings(first, format!("blob_readers = [{reader:?}]\n"))?;
        // The journey's own pace is one for a network of one.
        let validator = self.start(first, &[("CMT_CONSENSUS_TIMEOUT_COMMIT", "300ms".into())])?;
        settings(second, format!("blob_peers = [\"http://{}\"]\n", validator.rest))?;
        let name = quiet(self.cometbft(&["show-node-id"], first))?;
        let node = self.start(
            second,
            &[
                ("CMT_P2P_PERSISTENT_PEERS", format!("{}@{}", name.trim(), validator.p2p)),
                ("CMT_TX_INDEX_INDEXER", "psql".into()),
                ("CMT_TX_INDEX_PSQL_CONN", database.connection()),
            ],
        )?;
        Ok((validator, node))
    }

    fn start(&self, home: &Path, environment: &[(&str, String)]) -> Result<Pair> {
        let listeners = (0..3).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
        let at = |port: usize| -> Result<String> { Ok(listeners[port].local_addr()?.to_string()) };
        let (rpc, rest, p2p) = (at(0)?, at(1)?, at(2)?);
        drop(listeners);
        let socket = home.join("abci.sock");
        let abci = format!("unix://{}", socket.display());
        let log = File::create(home.join("app.log"))?;
        let mut app = self.aceso(&["start", "--log", "info", "--log-format", "json"], home);
        app.args(["--abci", &abci, "--rest", &rest, "--grpc", "off"]).stdout(Stdio::null()).stderr(log);
        let app = Running::start(&mut app)?;
        wait("the application listens", || Ok(socket.exists()))?;
        let mut engine = self.cometbft(&["start", "--proxy_app", &abci], home);
        engine.args([format!("--rpc.laddr=tcp://{rpc}"), format!("--p2p.laddr=tcp://{p2p}")]);
        engine.envs([("CMT_P2P_ALLOW_DUPLICATE_IP", "true"), ("CMT_P2P_ADDR_BOOK_STRICT", "false")]);
        engine.envs(environment.iter().map(|(name, value)| (*name, value)));
        engine.stdout(File::create(home.join("engine.log"))?).stderr(Stdio::null());
        Ok(Pair { app, engine: Running::start(&mut engine)?, rpc, rest, p2p })
    }
}

/// Everything of the journey is there, once.
fn whole(database: &Database, report: &Value) -> Result<()> {
    let steps = report["steps"].as_array().context("the journey has no steps")?;
    let hashes: Vec<&str> = steps.iter().filter_map(|step| step["tx"].as_str()).collect();
    ensure!(hashes.len() > 8, "the journey has {} transactions", hashes.len());
    for hash in hashes {
        let rows = || database.ask("SELECT 1 FROM tx_results WHERE tx_hash = upper(:'hash')", &[("hash", hash)]);
        wait("the journey is written", || Ok(!rows()?.is_empty()))?;
        ensure!(rows()?.len() == 1, "{hash} is there more than once");
    }
    // Each payee of a claim is in its event under the same key. The last claim is among what was refused or paid after.
    let repeated = "SELECT event FROM payments GROUP BY event HAVING count(*) = 4";
    wait("three claims are written", || Ok(database.ask(repeated, &[])?.len() == 3))
}

/// A transaction of this moment is written.
fn live(pair: &Programs, validator: &Pair, words: &Path, database: &Database) -> Result<()> {
    let home = words.ancestors().nth(2).context("the words lie in no home")?;
    let own: Value = serde_json::from_str(&quiet(pair.aceso(&["keys", "show", "operator", "--json"], home))?)?;
    let to = own["address"].as_str().context("the operator has no address")?;
    let (words, rpc) = (words.to_string_lossy(), format!("http://{}", validator.rpc));
    quiet(program(&pair.node, &["tx", "send", to, "7uaceso", "--from", &words, "--node", &rpc]))?;
    let sent =
        "SELECT 1 FROM told WHERE type = 'transfer' AND said->>'amount' = '7uaceso' AND said->>'recipient' = :'to'";
    wait("a transaction is written", || Ok(database.ask(sent, &[("to", to)])?.len() == 1))
}

/// Asked to stop, a node ends with success, and has said so; every line that it logged is a JSON object.
fn ended(node: &mut Pair, home: &Path) -> Result<()> {
    ensure!(node.end()?, "the application did not end well");
    let text = fs::read_to_string(home.join("app.log"))?;
    let lines = text.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>().context("the log")?;
    let committed = lines.iter().find(|line| line["message"] == "committed block" && line["reads"] == 1);
    let committed = committed.context("no block with a read is logged")?;
    ensure!(committed["spans"][0]["name"] == "block" && committed["gas"].as_u64() > Some(10_000), "{committed}");
    ensure!(lines.iter().any(|line| line["message"] == "asked to stop"), "nobody says that it was asked to stop");
    Ok(())
}

/// A role's heading on the page, and what its query must answer.
type Role = (&'static str, fn(&Database, &str, &Who) -> Result<()>);

const ROLES: [Role; 6] = [
    ("Patient", |database, query, who| {
        let rows = database.ask(query, &[("patient", &who.patient)])?;
        let with = |answer: &str| rows.iter().filter(|row| row[2] == answer).count();
        ensure!(with("permitted") >= 2 && with("refused") >= 1 && with("read") >= 2, "{rows:?}");
        ensure!(rows.iter().any(|row| row[2] == "refused" && !row[6].is_empty()), "no refusal has a reason: {rows:?}");
        ensure!(database.ask(query, &[("patient", &who.physician)])?.is_empty(), "the physician owns images");
        Ok(())
    }),
    ("Physician", |database, query, who| {
        let rows = database.ask(query, &[("physician", &who.physician)])?;
        let receipts = rows.iter().filter(|row| row[3] == "permitted" && !row[5].is_empty() && row[6].len() == 64);
        ensure!(receipts.count() >= 2 && rows.iter().any(|row| row[3] == "refused" && row[5].is_empty()), "{rows:?}");
        Ok(())
    }),
    ("Insurer", |database, query, who| {
        let rows = database.ask(query, &[("insurance", &who.insurance)])?;
        // Diagnoses at 1000000 by shares of 40, 30, 20 and 10 in a hundred; the author has had 1000 for each before.
        let paid: Vec<[&str; 3]> = rows.iter().map(|row| [row[0].as_str(), row[2].as_str(), row[3].as_str()]).collect();
        let twice = ["800000", "598000", "400000", "200000"].map(|paid| ["1", "2", paid]);
        let once = ["400000", "299000", "200000", "100000"].map(|paid| ["2", "1", paid]);
        ensure!(paid == [twice, once].concat(), "{rows:?}");
        Ok(())
    }),
    ("Model author", |database, query, who| {
        let rows = database.ask(query, &[("author", &who.author)])?;
        let [row] = &rows[..] else { bail!("{rows:?}") };
        let reads: u64 = row[1].parse()?;
        ensure!(reads >= 3 && row[2].parse::<u64>()? == reads * 1000 && row[3] == "897000", "{rows:?}");
        Ok(())
    }),
    ("Operator", |database, query, _| {
        let rows = database.ask(query, &[])?;
        let sum = |column: usize| rows.iter().filter_map(|row| row[column].parse::<u64>().ok()).sum::<u64>();
        let counted =
            |table: &str| -> Result<u64> { Ok(database.one(&format!("SELECT count(*) FROM {table}"))?.parse()?) };
        ensure!((sum(1), sum(2)) == (counted("blocks")?, counted("tx_results")?) && sum(3) > 0, "{rows:?}");
        Ok(())
    }),
    ("Auditor", |database, query, _| {
        let unpermitted = |rows: &[Vec<String>]| rows.iter().filter_map(|row| row[4].parse::<u64>().ok()).sum::<u64>();
        let rows = database.ask(query, &[])?;
        ensure!(rows.len() >= 2 && unpermitted(&rows) == 0, "{rows:?}");
        // Without the guards' answers it must notice.
        let hidden = format!(
            "BEGIN; UPDATE attributes SET value = 'refused' WHERE composite_key = 'journal.answer' \
             AND value = 'permitted'; {query} ROLLBACK;"
        );
        ensure!(unpermitted(&database.ask(&hidden, &[])?) >= 2, "reads without a yes are not noticed");
        Ok(())
    }),
];

/// Who took part, as the history shows it.
struct Who {
    patient: String,
    physician: String,
    author: String,
    insurance: String,
}

impl Who {
    fn find(database: &Database) -> Result<Self> {
        Ok(Self {
            patient: database.one("SELECT owner FROM images WHERE guard IS NOT NULL ORDER BY height LIMIT 1")?,
            physician: database.one("SELECT actor FROM claims LIMIT 1")?,
            author: database.one("SELECT author FROM journal WHERE answer = 'read' LIMIT 1")?,
            insurance: database.one("SELECT insurance FROM claims LIMIT 1")?,
        })
    }
}

/// The SQL of a page by the headings that it stands under.
struct Page(BTreeMap<String, Vec<String>>);

impl Page {
    fn read(path: &Path) -> Result<Self> {
        Ok(Self::parse(&fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?))
    }

    fn parse(text: &str) -> Self {
        let blocks = |section: &str| -> Vec<String> {
            let blocks = section.split("```sql\n").skip(1);
            blocks.filter_map(|block| block.split_once("```")).map(|(sql, _)| sql.to_owned()).collect()
        };
        let sections = text.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'));
        Self(sections.map(|(heading, section)| (heading.to_owned(), blocks(section))).collect())
    }

    fn queries(&self, heading: &str) -> &[String] {
        self.0.get(heading).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_found_under_their_headings() {
        let page =
            Page::parse("# T\n\n## Set up\n```sql\nA;\n```\ntext\n```sql\nB;\n```\n\n## Patient\n```sh\nno\n```\n");
        assert_eq!(page.queries("Set up"), ["A;\n", "B;\n"]);
        assert!(page.queries("Patient").is_empty() && page.queries("Nobody").is_empty());
    }

    #[test]
    fn every_role_has_a_query() {
        let page = Page::read(&root().join("docs/history.md")).unwrap();
        assert_eq!(page.queries("Set up").len(), 2);
        assert!(ROLES.iter().all(|(role, _)| page.queries(role).len() == 1));
    }
}
