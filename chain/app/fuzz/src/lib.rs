//! What contracts, senders and askers hand to the application, as functions of bytes: each must be answered, the same again,
//! and nothing of it stays behind.
//!
//! How a fuzzer drives them is written in `inference-host/fuzz/src/lib.rs`; what it finds goes into `corpus/`, where
//! `tests/fuzz.rs` replays it for ever.

#[path = "../../tests/app/fixture.rs"]
#[allow(dead_code, reason = "the chain of the application's other tests")]
mod fixture;

use aceso_test_support::guests;
use cosmos_sdk_proto::cosmos::tx::v1beta1::SimulateRequest;
use cosmos_sdk_proto::cosmwasm::wasm::v1::{
    MsgExecuteContract, MsgInstantiateContract, MsgMigrateContract, MsgStoreCode, QuerySmartContractStateRequest,
};
use fixture::{Net, alice, block_of, coins, sdk};
use prost::Message;
use tendermint::v0_38::abci::response;

/// The code of the contract that answers as it is told.
const CODE: u64 = 1;
/// Its address: the first of this chain.
pub const SPEAKER: &str = "aceso14hj2tavq8fpesdwxxcu44rty3hh90vhujrvcmstl4zr3txmfvw9s07h6ny";

/// A chain with one contract, that answers as it is told.
fn chain() -> Net {
    let mut net = Net::start();
    let (sender, admin) = (alice().address(), alice().address());
    let stored = MsgStoreCode { sender: sender.clone(), wasm_byte_code: guests::speaker(), ..MsgStoreCode::default() };
    let made = MsgInstantiateContract {
        sender,
        admin,
        code_id: CODE,
        label: "speaker".into(),
        msg: b"{}".to_vec(),
        funds: coins(1_000),
    };
    net.ok(&alice(), vec![sdk(&stored), sdk(&made)]);
    // What follows is executed at the next height again and again, and never committed.
    net.height += 1;
    net
}

fn on_chain<T>(act: impl FnOnce(&mut Net) -> T) -> T {
    thread_local!(static CHAIN: std::cell::RefCell<Option<Net>> = const { std::cell::RefCell::new(None) });
    CHAIN.with_borrow_mut(|net| act(net.get_or_insert_with(chain)))
}

/// A block with this transaction alone, twice: the same roots and results.
fn execute(net: &mut Net, tx: &[u8]) -> response::FinalizeBlock {
    let [first, second] = [(); 2].map(|()| {
        let block = block_of(net.height, vec![tx.to_vec().into()]);
        net.app.finalize_block(block).unwrap_or_else(|stopped| panic!("the node stops: {stopped:?}"))
    });
    assert_eq!(first, second, "executed twice");
    let [result] = &first.tx_results[..] else { panic!("{} results of a transaction", first.tx_results.len()) };
    assert!(result.code.is_ok() || !(result.log.is_empty() || result.codespace.is_empty()), "refused without words");
    first
}

/// The same question twice: the same answer, with words if it is none.
fn ask(net: &Net, path: &str, data: &[u8]) -> response::Query {
    let [first, second] = [(); 2].map(|()| net.raw_query(path, data.to_vec()));
    assert_eq!(first, second, "asked twice");
    assert!(first.code.is_ok() || !(first.log.is_empty() || first.codespace.is_empty()), "refused without words");
    first
}

/// What a contract answers to a query, a migration or a message, or asks the chain: the first byte says which. Says whether it
/// was taken.
pub fn answer(bytes: &[u8]) -> bool {
    let Some((kind, said)) = bytes.split_first() else { return false };
    let spelled = |mark: &str| format!("\"{mark}{}\"", hex::encode(said)).into_bytes();
    on_chain(|net| {
        let (sender, contract) = (alice().address(), SPEAKER.to_owned());
        let msg = match kind {
            b'q' => {
                let request = QuerySmartContractStateRequest { address: contract, query_data: spelled("") };
                let answer = ask(net, "/cosmwasm.wasm.v1.Query/SmartContractState", &request.encode_to_vec());
                assert!(answer.value.len() < 8 << 20);
                return answer.code.is_ok();
            }
            b'm' => sdk(&MsgMigrateContract { sender, contract, code_id: CODE, msg: spelled("") }),
            b'a' => sdk(&MsgExecuteContract { sender, contract, msg: spelled("q"), funds: vec![] }),
            _ => sdk(&MsgExecuteContract { sender, contract, msg: spelled(""), funds: coins(5) }),
        };
        let tx = net.draft(&[&alice()], vec![msg]).sign();
        execute(net, &tx).tx_results.iter().all(|result| result.code.is_ok())
    })
}

/// A transaction: checked, simulated, and executed by a block that holds it all the same.
pub fn tx(bytes: &[u8]) {
    on_chain(|net| {
        let checked = net.check(bytes.to_vec());
        assert!(checked.code.is_ok() || !(checked.log.is_empty() || checked.codespace.is_empty()));
        #[allow(deprecated, reason = "the field is left empty")]
        let request = SimulateRequest { tx: None, tx_bytes: bytes.to_vec() };
        ask(net, "/cosmos.tx.v1beta1.Service/Simulate", &request.encode_to_vec());
        execute(net, bytes);
    });
}

/// A question: its path, the end of a line, its data.
pub fn query(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (path, data) = bytes.split_at(end);
    on_chain(|net| ask(net, &String::from_utf8_lossy(path), data.get(1..).unwrap_or_default()));
}
