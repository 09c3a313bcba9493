//! fjall: a log-structured merge tree, its journal and worker threads in one folder.

use std::path::Path;

use anyhow::Result;
use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable as _};

use crate::engine::{CACHE_BYTES, Engine, Row, Table};

pub struct Fjall {
    db: Database,
    latest: Keyspace,
    nodes: Keyspace,
    history: Keyspace,
}

impl Engine for Fjall {
    const NAME: &'static str = "fjall";

    fn open(dir: &Path) -> Result<Self> {
        // The settings of `chain/state/src/disk.rs`.
        let db = Database::builder(dir.join("state"))
            .cache_size(CACHE_BYTES as u64)
            .max_journaling_size(128 << 20)
            .open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(32 << 20);
        let latest = db.keyspace("latest", options)?;
        let history = db.keyspace("history", options)?;
        let nodes = db.keyspace("nodes", || {
            options()
                .expect_point_read_hits(true)
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
        })?;
        Ok(Self { db, latest, nodes, history })
    }

    fn commit(&mut self, rows: &[Row]) -> Result<()> {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncAll));
        for row in rows {
            let table = match row.table {
                Table::Latest => &self.latest,
                Table::Nodes => &self.nodes,
                Table::History => &self.history,
            };
            match &row.value {
                Some(value) => batch.insert(table, row.key.as_slice(), value.as_slice()),
                None => batch.remove(table, row.key.as_slice()),
            }
        }
        batch.commit()?;
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.latest.get(key)?.map(|value| value.to_vec()))
    }

    fn scan(&self, start: &[u8], count: usize, ascending: bool) -> Result<usize> {
        let snapshot = self.db.snapshot();
        let mut seen = 0;
        if ascending {
            for row in snapshot.range(&self.latest, start..).take(count) {
                seen += usize::from(!row.value()?.to_vec().is_empty());
            }
        } else {
            for row in snapshot.range(&self.latest, ..start).rev().take(count) {
                seen += usize::from(!row.value()?.to_vec().is_empty());
            }
        }
        Ok(seen)
    }
}
