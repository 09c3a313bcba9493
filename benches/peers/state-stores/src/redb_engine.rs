//! redb: a copy-on-write B-tree in one file.

use std::path::Path;

use anyhow::Result;
use redb::{Database, ReadOnlyTable, ReadableDatabase as _, TableDefinition};

use crate::engine::{CACHE_BYTES, Engine, Row, Table};

type Bytes = &'static [u8];
const LATEST: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("latest");
const NODES: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("nodes");
const HISTORY: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("history");

pub struct Redb {
    db: Database,
    latest: Option<ReadOnlyTable<Bytes, Bytes>>,
}

impl Engine for Redb {
    const NAME: &'static str = "redb";

    fn open(dir: &Path) -> Result<Self> {
        let db = Database::builder().set_cache_size(CACHE_BYTES).create(dir.join("state.redb"))?;
        Ok(Self { db, latest: None })
    }

    fn commit(&mut self, rows: &[Row]) -> Result<()> {
        let write = self.db.begin_write()?;
        {
            let mut latest = write.open_table(LATEST)?;
            let mut nodes = write.open_table(NODES)?;
            let mut history = write.open_table(HISTORY)?;
            for row in rows {
                let table = match row.table {
                    Table::Latest => &mut latest,
                    Table::Nodes => &mut nodes,
                    Table::History => &mut history,
                };
                match &row.value {
                    Some(value) => drop(table.insert(row.key.as_slice(), value.as_slice())?),
                    None => drop(table.remove(row.key.as_slice())?),
                }
            }
        }
        write.commit()?;
        self.latest = Some(self.db.begin_read()?.open_table(LATEST)?);
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(latest) = &self.latest else {
            return Ok(None);
        };
        Ok(latest.get(key)?.map(|value| value.value().to_vec()))
    }

    fn scan(&self, start: &[u8], count: usize, ascending: bool) -> Result<usize> {
        let Some(latest) = &self.latest else {
            return Ok(0);
        };
        let mut seen = 0;
        if ascending {
            for row in latest.range(start..)?.take(count) {
                seen += usize::from(!row?.1.value().to_vec().is_empty());
            }
        } else {
            for row in latest.range(..start)?.rev().take(count) {
                seen += usize::from(!row?.1.value().to_vec().is_empty());
            }
        }
        Ok(seen)
    }
}
