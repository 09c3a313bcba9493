//! Does a compact receipt verify in a contract of any CosmWasm chain, and what does it cost there?
//!
//! `cargo run --release -- receipts VERIFIER.wasm VECTORS.json`, with the contract `tests/contracts/verifier` as `README.md` makes it
//! and `sdk/verify/tests/vectors/compact.json`. The engine is cosmwasm-vm 3.0.10 as published. Prints one JSON object
//! for each receipt with the engine's gas and the time of the call; ends with an error where one is believed that should not
//! be, or the other way round.

use std::{fs, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use cosmwasm_std::{Binary, ContractResult, Response};
use cosmwasm_vm::{
    Instance,
    testing::{
        MockApi, MockQuerier, MockStorage, execute, instantiate, mock_env, mock_info, mock_instance_with_gas_limit,
    },
};
use serde_json::{Value, json};

/// The gas of wasmd's simulations, ten times over.
const LIMIT: u64 = 5_000_000_000_000;

type World = Instance<MockApi, MockStorage, MockQuerier>;

/// Runs all vectors; the arguments are the contract and the vectors.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [wasm, vectors] = arguments else {
        bail!("the contract and the vectors are wanted: VERIFIER.wasm VECTORS.json");
    };
    let wasm = fs::read(wasm).with_context(|| format!("cannot read {wasm}"))?;
    let vectors: Value = serde_json::from_slice(&fs::read(vectors).with_context(|| format!("cannot read {vectors}"))?)?;
    let roots = vectors["roots"]["roots"].as_array().context("there are no roots")?;
    let encoded = vectors["encoded"].as_array().context("there are no encoded roots")?;

    let mut recorded = 0;
    for (list, expected) in [("believed", true), ("refused", false)] {
        for vector in vectors[list].as_array().with_context(|| format!("there is no list {list:?}"))? {
            let mut world = world(&wasm, roots, encoded)?;
            let compact = binary(&vector["compact"])?;
            let (gas, start) = (world.get_gas_left(), Instant::now());
            let answer = send(&mut world, json!({"record": {"compact": compact}}));
            let (gas, ms) = (gas - world.get_gas_left(), start.elapsed().as_secs_f64() * 1e3);
            ensure!(answer.is_ok() == expected, "{}: {answer:?}", vector["name"]);
            recorded += usize::from(expected);
            if expected {
                println!("{}", json!({"case": vector["name"], "gas": gas, "ms": ms}));
            }
        }
    }
    ensure!(recorded > 0, "there are no vectors");
    Ok(())
}

/// The contract with all roots taken.
fn world(wasm: &[u8], roots: &[Value], encoded: &[Value]) -> Result<World> {
    let mut world = mock_instance_with_gas_limit(wasm, LIMIT);
    let first = json!({"root": binary(&encoded[0]["root"])?, "members_min": 1, "power_min_bps": 1});
    let made: ContractResult<Response> = instantiate(&mut world, mock_env(), mock_info("anybody", &[]), first);
    ensure!(made.is_ok(), "{made:?}");
    for (next, encoded) in roots.iter().zip(encoded).skip(1) {
        let root = binary(&encoded["root"])?;
        let advance =
            json!({"root": root, "signers": binary(&next["signers"])?, "signature": binary(&next["signature"])?});
        let taken = send(&mut world, json!({"advance": advance}));
        ensure!(taken.is_ok(), "{taken:?}");
    }
    Ok(world)
}

fn send(world: &mut World, msg: Value) -> ContractResult<Response> {
    execute(world, mock_env(), mock_info("anybody", &[]), msg)
}

fn binary(hexadecimal: &Value) -> Result<Binary> {
    Ok(hex::decode(hexadecimal.as_str().context("hexadecimal is wanted")?)?.into())
}
