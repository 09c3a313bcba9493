//! `cargo run --bin deploy -- http://127.0.0.1:9090 dev.mnemonic`

use aceso_test_cw_orch::{Balance, ExecuteMsgFns, InstantiateMsg, MigrateMsg, QueryMsgFns, Token, aceso_dev};
use cw_orch::{anyhow, daemon::DaemonBuilder, prelude::*};

fn main() -> anyhow::Result<()> {
    let [grpc, words] = std::env::args().skip(1).collect::<Vec<_>>().try_into().expect("a URL and a file");
    let words = std::fs::read_to_string(words)?;
    // What is deployed is noted in $STATE_FILE, by default ~/.cw-orchestrator/state_local.json.
    let chain = DaemonBuilder::new(aceso_dev(&grpc)).mnemonic(words.trim()).build()?;
    let me = chain.sender_addr();

    let token = Token::new(chain);
    token.upload()?;
    let initial_balances = vec![Balance { address: me.to_string(), amount: 100u128.into() }];
    token.instantiate(&InstantiateMsg { name: "test".into(), initial_balances }, Some(&me), &[])?;
    token.transfer(1u128, me.to_string())?;
    token.migrate(&MigrateMsg { name: Some("renamed".into()) }, token.code_id()?)?;
    println!("{} {}", token.address()?, token.token_info()?.name);
    Ok(())
}
