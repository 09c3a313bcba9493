//! Taking heights out of the block store: the latest one when a chain goes back, the oldest ones when they need no
//! longer be kept. Each step is one durable transaction, so that whatever interrupts it finds whole heights.

use redb::ReadableTable;

use super::{
    header::tx_hash,
    index,
    store::{BLOCKS, COMMITS, HASHES, PARAMS, RESULTS, Store, StoreError, VALIDATORS},
};

/// Heights that one transaction takes out: few enough for their indexes to be held in memory.
const HEIGHTS_AT_ONCE: u64 = 100;

impl Store {
    /// The lowest block; 0 for none.
    pub(crate) fn earliest(&self) -> Result<u64, StoreError> {
        let txn = self.begin_read()?;
        let table = txn.open_table(BLOCKS).map_err(|e| self.fail(e))?;
        let first = table.first().map_err(|e| self.fail(e))?;
        Ok(first.map_or(0, |(height, _)| height.value()))
    }

    /// Takes the latest block out, with all that it added; the height that is the latest then. The first block stays.
    pub(crate) fn drop_latest(&self) -> Result<u64, StoreError> {
        let latest = self.decided()?;
        if latest <= self.earliest()? {
            return Ok(latest);
        }
        self.take_out(latest..=latest, |txn| {
            // What it said of the heights behind it.
            txn.open_table(VALIDATORS)?.remove(latest + 2)?;
            txn.open_table(PARAMS)?.remove(latest + 1)?;
            Ok(())
        })?;
        Ok(latest - 1)
    }

    /// Takes out all blocks below a height, which is not above the latest one; the lowest block that is left.
    pub(crate) fn drop_below(&self, height: u64) -> Result<u64, StoreError> {
        let height = height.min(self.decided()?);
        loop {
            let first = self.earliest()?;
            if first >= height {
                return Ok(first);
            }
            let last = height.min(first.saturating_add(HEIGHTS_AT_ONCE)) - 1;
            self.take_out(first..=last, |txn| {
                for height in first..=last {
                    txn.open_table(VALIDATORS)?.remove(height)?;
                    txn.open_table(PARAMS)?.remove(height)?;
                }
                Ok(())
            })?;
        }
    }

    /// Gives the space of what was taken out back to the disk.
    pub(crate) fn compact(&mut self) -> Result<(), StoreError> {
        // One pass moves what it can; there is more to gain until a pass gains nothing.
        while self.database_mut().compact().map_err(|e| self.fail(e))? {}
        Ok(())
    }

    fn take_out(
        &self,
        heights: std::ops::RangeInclusive<u64>,
        more: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let mut blocks = Vec::new();
        for height in heights {
            let (block, results) = (self.decided_block(height)?, self.results(height)?);
            blocks.extend(block.zip(results).map(|(block, results)| (height, block, results)));
        }
        let txn = self.begin_write()?;
        let taken = (|| {
            for (height, stored, results) in &blocks {
                for table in [BLOCKS, COMMITS, RESULTS] {
                    txn.open_table(table)?.remove(height)?;
                }
                txn.open_table(HASHES)?.remove(stored.id.hash.as_bytes())?;
                let hashes = stored.block.data.iter().map(|tx| tx_hash(tx).to_vec()).collect();
                index::remove(&txn, *height, hashes, results)?;
            }
            more(&txn)
        })();
        taken.map_err(|e: redb::Error| self.fail(e))?;
        txn.commit().map_err(|e| self.fail(e))
    }
}
