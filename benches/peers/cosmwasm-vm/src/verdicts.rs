//! Which contracts each engine takes, as the table of `README.md`.

use anyhow::Result;

use crate::{
    Options, codes,
    engines::{Ours, Theirs},
};

/// One row a file.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let (ours, theirs) = (Ours::new(folders[0].path(), 64 << 20)?, Theirs::new(folders[1].path(), 64 << 20)?);
    println!("| contract | KB | ours | cosmwasm-vm |\n|---|---|---|---|");
    for contract in codes::all(options)? {
        let mine = ours.put(&contract.wasm).err().map(|error| error.to_string());
        let other = theirs.put(&contract.wasm).err().map(|error| error.to_string());
        let word = |refused: Option<String>| refused.map_or_else(|| "takes it".into(), |why| short(&why));
        println!("| {} | {} | {} | {} |", contract.name, contract.wasm.len() / 1024, word(mine), word(other));
    }
    Ok(())
}

/// As much of a refusal as fits a table.
fn short(why: &str) -> String {
    let why = why.strip_prefix("Error during static Wasm validation: ").unwrap_or(why).replace(['|', '\n'], " ");
    match why.char_indices().nth(110) {
        Some((end, _)) => format!("{}…", &why[..end]),
        None => why,
    }
}
