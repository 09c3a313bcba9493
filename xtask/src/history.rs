//! Does the history that `docs/history.md` promises come about? The journey is played under a real CometBFT; its events
//! go into a real PostgreSQL, what was before through `reindex-event` and what comes through the running engine; then
//! every query of the page is asked.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::TcpListener,
    path::Path,
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
    let node = prepare::binaries()?.join("aceso");

    let scratch = Scratch::new()?;
    let words = scratch.0.join("keys/operator.mnemonic");
    quiet(aceso(&node, &["keys", "add", "operator"], &scratch.0))?;
    say("playing the journey under CometBFT");
    let fund = format!("{}=1000000000uaceso", words.display());
    journey.arg("--engine").arg(&engine).arg("--home").arg(&scratch.0).args(["--fund", &fund, "--json"]);
    let report: Value = serde_json::from_slice(&journey.output()?.stdout).context("the journey did not report")?;
    ensure!(report["ok"] == true, "the journey failed: {report}");

    let database = Database::start(&postgres, &scratch.0)?;
    database.file(&schema)?;
    for statement in page.queries("Set up").iter().filter(|block| !block.starts_with("SELECT")) {
        database.ask(statement, &[])?;
    }
    let home = scratch.0.join("node");
    let config = home.join("config/config.toml");
    let settings = format!("\n[tx_index]\nindexer = \"psql\"\npsql-conn = \"{}\"\n", database.connection());
    fs::write(&config, fs::read_to_string(&config)? + &settings)?;

    let mut cases = Cases(Count::default());
    cases.case("what was before is written afterwards", || reindexed(&engine, &home, &database, &report));
    cases.case("what comes is written while it runs", || live(&node, &engine, &home, &words, &database));
    cases.case("no height is missing", || {
        let gaps = page.queries("Set up").last().context("the page does not say how to find gaps")?;
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

/// Everything of the journey is there, once.
fn reindexed(engine: &Path, home: &Path, database: &Database, report: &Value) -> Result<()> {
    for _ in 0..2 {
        let told = quiet(cometbft(engine, &["reindex-event"], home))?;
        ensure!(told.contains("event re-index finished"), "{told}");
    }
    let steps = report["steps"].as_array().context("the journey has no steps")?;
    let hashes: Vec<&str> = steps.iter().filter_map(|step| step["tx"].as_str()).collect();
    ensure!(hashes.len() > 8, "the journey has {} transactions", hashes.len());
    for hash in hashes {
        let rows = database.ask("SELECT 1 FROM tx_results WHERE tx_hash = upper(:'hash')", &[("hash", hash)])?;
        ensure!(rows.len() == 1, "{hash} is there {} times", rows.len());
    }
    // Each payee of a claim is in its event under the same key.
    let repeated = database.ask("SELECT event FROM payments GROUP BY event HAVING count(*) = 4", &[])?;
    ensure!(repeated.len() == 2, "{} claims have four payments", repeated.len());
    Ok(())
}

/// A running engine writes blocks and a transaction; the node ends with success when it is asked to, and its log is one
/// of JSON objects.
fn live(node: &Path, engine: &Path, home: &Path, words: &Path, database: &Database) -> Result<()> {
    let [rpc, p2p] = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?]
        .map(|listener| listener.local_addr().map(|at| at.to_string()));
    let (rpc, p2p) = (rpc?, p2p?);
    let (socket, log) = (home.join("abci.sock"), home.join("log.json"));
    let abci = format!("unix://{}", socket.display());
    let height = || -> Result<u64> { Ok(database.one("SELECT max(height) FROM blocks")?.parse()?) };
    let before = height()?;

    let mut start = aceso(node, &["start", "--rest", "127.0.0.1:0", "--log", "info", "--log-format", "json"], home);
    let mut app = Running::start(start.args(["--abci", &abci]).stdout(Stdio::null()).stderr(File::create(&log)?))?;
    wait("the application listens", || Ok(socket.exists()))?;
    let mut start = cometbft(engine, &["start", "--proxy_app", &abci], home);
    start.args([format!("--rpc.laddr=tcp://{rpc}"), format!("--p2p.laddr=tcp://{p2p}")]);
    let _engine = Running::start(start.stdout(Stdio::null()).stderr(Stdio::null()))?;
    wait("blocks are written", || Ok(height()? > before + 3))?;

    // It cannot wait for its transaction: this engine answers no `tx`. So it is ended when the row is there.
    let own = quiet(aceso(node, &["keys", "show", "operator", "--json"], words.ancestors().nth(2).unwrap_or(home)))?;
    let own: Value = serde_json::from_str(&own)?;
    let address = own["address"].as_str().context("the operator has no address")?.to_owned();
    let words = words.to_str().context("the folder's name is not UTF-8")?;
    let mut send =
        program(node, &["tx", "send", &address, "7uaceso", "--from", words, "--node", &format!("http://{rpc}")]);
    let _send = Running::start(send.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let sent =
        "SELECT 1 FROM told WHERE type = 'transfer' AND said->>'amount' = '7uaceso' AND said->>'recipient' = :'to'";
    wait("a transaction is written", || Ok(database.ask(sent, &[("to", &address)])?.len() == 1))?;

    ensure!(app.end("TERM")?, "the application did not end well");
    let text = fs::read_to_string(&log)?;
    let lines = text.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>().context("the log")?;
    let committed = lines.iter().find(|line| line["message"] == "committed block" && line["txs"] == 1);
    let committed = committed.context("no block with a transaction is logged")?;
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
        // Two diagnoses at 1000000, by shares of 40, 30, 20 and 10 in a hundred.
        let paid: Vec<[&str; 2]> = rows.iter().map(|row| [row[2].as_str(), row[3].as_str()]).collect();
        ensure!(paid == [["2", "800000"], ["2", "600000"], ["2", "400000"], ["2", "200000"]], "{rows:?}");
        Ok(())
    }),
    ("Model author", |database, query, who| {
        let rows = database.ask(query, &[("author", &who.author)])?;
        let [row] = &rows[..] else { bail!("{rows:?}") };
        ensure!(row[1].parse::<u64>()? >= 2 && row[2].parse::<u64>()? > 0 && row[3] == "600000", "{rows:?}");
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

fn aceso(node: &Path, arguments: &[&str], home: &Path) -> Command {
    let mut command = program(node, arguments);
    command.arg("--home").arg(home);
    command
}

fn cometbft(engine: &Path, arguments: &[&str], home: &Path) -> Command {
    let mut command = program(engine, arguments);
    command.arg("--home").arg(home);
    command
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
