//! What cw-orch's daemon does, unmodified: upload, instantiate, execute, migrate, wait for blocks, several accounts, its queries.

#[path = "../../node.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod node;

use std::sync::Arc;

use aceso_test_cw_orch::{Balance, ExecuteMsgFns, InstantiateMsg, MigrateMsg, QueryMsgFns, Token, aceso_dev};
use cosmrs::proto::cosmos::{
    authz::v1beta1::{GenericAuthorization, Grant, MsgGrant},
    feegrant::v1beta1::{BasicAllowance, MsgGrantAllowance},
};
use cosmwasm_std::{Uint128, coins};
use cw_orch::{
    anyhow,
    daemon::{CosmosOptions, Daemon, DaemonBuilder, DaemonState},
    prelude::*,
};
use node::Node;
use prost::Message;

/// A node that goes on making blocks, and a daemon whose state is forgotten.
fn open() -> anyhow::Result<(Node, Daemon)> {
    let node = Node::start(&["--empty-blocks", "1000"])?;
    let words = std::fs::read_to_string(node.words())?;
    let chain = aceso_dev(&node.grpc);
    // The files that `is_test` makes outlive the test, and the next run would go on with them.
    let file = node.folder().join("state.json").to_string_lossy().into_owned();
    let state = DaemonState::new(file, &Arc::new(chain.clone()), "default".into(), false, true)?;
    let daemon = DaemonBuilder::new(chain).mnemonic(words.trim()).state(state).build()?;
    Ok((node, daemon))
}

fn first(address: &Addr) -> InstantiateMsg {
    let initial_balances = vec![Balance { address: address.to_string(), amount: 100u128.into() }];
    InstantiateMsg { name: "test".into(), initial_balances }
}

/// Another account of the same words, with coins.
fn second(node: &Node, daemon: &Daemon) -> anyhow::Result<Daemon> {
    let words = std::fs::read_to_string(node.words())?;
    let options = CosmosOptions::default().mnemonic(words.trim()).hd_index(1);
    let other = daemon.rebuild().build_sender(options)?;
    daemon.bank_send(&other.sender_addr(), &coins(50_000_000, "uaceso"))?;
    Ok(other)
}

#[test]
fn a_contract_lives_from_its_code_to_its_migration() -> anyhow::Result<()> {
    let (_node, daemon) = open()?;
    let me = daemon.sender_addr();
    let token = Token::new(daemon.clone());
    assert!(!token.latest_is_uploaded()?);
    let uploaded = token.upload()?;
    assert_eq!(uploaded.uploaded_code_id()?, token.code_id()?);
    assert!(token.latest_is_uploaded()? && token.upload_if_needed()?.is_none());

    let made = token.instantiate(&first(&me), Some(&me), &[])?;
    assert_eq!(made.instantiated_contract_address()?, token.address()?);
    let moved = token.transfer(40u128, me.to_string())?;
    assert_eq!(moved.event_attr_value("wasm", "action")?, "transfer");
    assert!(moved.gas_used <= moved.gas_wanted && moved.height > 0);
    token.burn(30u128)?;
    assert_eq!(token.balance(me.to_string())?.balance.u128(), 70);

    token.upload()?;
    assert!(!token.is_running_latest()?);
    token.migrate(&MigrateMsg { name: Some("renamed".into()) }, token.code_id()?)?;
    assert!(token.is_running_latest()?);
    assert_eq!(token.token_info()?.name, "renamed");
    Ok(())
}

#[test]
fn a_contract_is_made_where_it_was_promised() -> anyhow::Result<()> {
    let (_node, daemon) = open()?;
    let me = daemon.sender_addr();
    let token = Token::new(daemon.clone());
    token.upload()?;
    let salt = cosmwasm_std::Binary::new(b"salt".to_vec());
    let promised = daemon.wasm_querier().instantiate2_addr(token.code_id()?, &me, salt.clone())?;
    token.instantiate2(&first(&me), Some(&me), &[], salt)?;
    assert_eq!(token.address()?.as_str(), promised);
    Ok(())
}

#[test]
fn several_accounts_act_each_in_its_own_name() -> anyhow::Result<()> {
    let (node, daemon) = open()?;
    let other = second(&node, &daemon)?;
    assert_ne!(other.sender_addr(), daemon.sender_addr());
    let token = Token::new(daemon.clone());
    token.upload()?;
    token.instantiate(&first(&daemon.sender_addr()), Some(&daemon.sender_addr()), &[])?;
    token.transfer(40u128, other.sender_addr().to_string())?;
    let theirs = token.call_as(other.sender());
    theirs.burn(15u128)?;
    assert_eq!(token.balance(other.sender_addr().to_string())?.balance.u128(), 25);
    // Only the admin migrates.
    let refused = theirs.migrate(&MigrateMsg { name: None }, token.code_id()?).unwrap_err();
    assert!(format!("{refused:?}").contains("can not migrate: unauthorized"), "{refused:?}");
    Ok(())
}

#[test]
fn what_a_contract_refuses_is_told_in_its_words() -> anyhow::Result<()> {
    let (node, daemon) = open()?;
    let me = daemon.sender_addr();
    let token = Token::new(daemon.clone());
    token.upload()?;
    let unnamed = daemon.instantiate(token.code_id()?, &serde_json::json!({}), Some("token"), None, &[]).unwrap_err();
    assert!(format!("{unnamed:?}").contains("missing field"), "{unnamed:?}");
    token.instantiate(&first(&me), None, &[])?;
    let too_many = token.burn(1_000u128).unwrap_err();
    assert!(format!("{too_many:?}").contains("execute wasm contract failed"), "{too_many:?}");
    let nowhere = daemon.execute(&serde_json::json!({"burn": {"amount": "1"}}), &[], &me).unwrap_err();
    assert!(format!("{nowhere:?}").contains("no such contract"), "{nowhere:?}");
    let unknown: Result<serde_json::Value, _> = daemon.query(&serde_json::json!({"nonsense": {}}), &token.address()?);
    assert!(format!("{:?}", unknown.unwrap_err()).contains("unknown variant"));
    // An account without coins is seen before it sends.
    let words = std::fs::read_to_string(node.words())?;
    let poor = daemon.rebuild().build_sender(CosmosOptions::default().mnemonic(words.trim()).hd_index(9))?;
    assert!(token.call_as(poor.sender()).burn(1u128).is_err());
    Ok(())
}

#[test]
fn an_account_acts_for_another_and_one_pays_for_another() -> anyhow::Result<()> {
    let (node, daemon) = open()?;
    let (other, me) = (second(&node, &daemon)?, daemon.sender_addr());
    let grant = |type_url: &str, value: Vec<u8>| prost_types::Any { type_url: type_url.into(), value };
    let generic = GenericAuthorization { msg: "/cosmos.bank.v1beta1.MsgSend".into() }.encode_to_vec();
    let authorization = cosmrs::Any { type_url: "/cosmos.authz.v1beta1.GenericAuthorization".into(), value: generic };
    let allowance = BasicAllowance { spend_limit: vec![], expiration: None }.encode_to_vec();
    let allowance = cosmrs::Any { type_url: "/cosmos.feegrant.v1beta1.BasicAllowance".into(), value: allowance };
    let (granter, grantee) = (me.to_string(), other.sender_addr().to_string());
    let authorize = MsgGrant {
        granter: granter.clone(),
        grantee: grantee.clone(),
        grant: Some(Grant { authorization: Some(authorization), expiration: None }),
    };
    let allow = MsgGrantAllowance { granter, grantee, allowance: Some(allowance) };
    daemon.commit_any(
        vec![
            grant("/cosmos.authz.v1beta1.MsgGrant", authorize.encode_to_vec()),
            grant("/cosmos.feegrant.v1beta1.MsgGrantAllowance", allow.encode_to_vec()),
        ],
        None,
    )?;
    let balance = |address: &Addr| anyhow::Ok(daemon.bank_querier().balance(address, Some("uaceso".into()))?[0].amount);
    let words = std::fs::read_to_string(node.words())?;
    let options = || CosmosOptions::default().mnemonic(words.trim()).hd_index(1);

    let (mine, theirs) = (balance(&me)?, balance(&other.sender_addr())?);
    let acting = daemon.rebuild().build_sender(options().authz_granter(&me))?;
    acting.bank_send(&other.sender_addr(), &coins(7, "uaceso"))?;
    // The coins are the granter's, the fee is not.
    assert_eq!(balance(&me)?, mine - Uint128::new(7));
    assert!(balance(&other.sender_addr())? < theirs + Uint128::new(7));

    let (mine, theirs) = (balance(&me)?, balance(&other.sender_addr())?);
    let invited = daemon.rebuild().build_sender(options().fee_granter(&me))?;
    invited.bank_send(&me, &coins(1, "uaceso"))?;
    assert_eq!(balance(&other.sender_addr())?, theirs - Uint128::new(1));
    assert!(balance(&me)? < mine);
    Ok(())
}

#[test]
fn blocks_are_waited_for_and_read() -> anyhow::Result<()> {
    let (_node, daemon) = open()?;
    let before = daemon.block_info()?;
    assert_eq!(before.chain_id, "aceso-dev");
    daemon.next_block()?;
    daemon.wait_blocks(2)?;
    let after = daemon.block_info()?;
    assert!(after.height >= before.height + 3 && after.time > before.time, "{before:?} {after:?}");
    let node = daemon.node_querier();
    assert_eq!(node.block_by_height(before.height)?.height, before.height);
    assert!(node.block_height()? >= after.height);
    let sent = daemon.bank_send(&daemon.sender_addr(), &coins(5, "uaceso"))?;
    let found = node.find_tx(sent.txhash.clone())?;
    assert_eq!((found.height, found.code), (sent.height, 0));
    Ok(())
}

#[test]
fn balances_and_codes_are_queried() -> anyhow::Result<()> {
    let (node, daemon) = open()?;
    let other = second(&node, &daemon)?;
    let bank = daemon.bank_querier();
    assert_eq!(bank.balance(&other.sender_addr(), Some("uaceso".into()))?, coins(50_000_000, "uaceso"));
    assert_eq!(bank.supply_of("uaceso")?.amount, bank.total_supply()?[0].amount);
    let token = Token::new(daemon.clone());
    token.upload()?;
    let wasm = daemon.wasm_querier();
    assert_eq!(wasm.code(token.code_id()?)?.creator, daemon.sender_addr());
    assert_eq!(wasm.code_id_hash(token.code_id()?)?, wasm.local_hash(&token)?);
    token.instantiate(&first(&daemon.sender_addr()), None, &[])?;
    let info = wasm.contract_info(&token.address()?)?;
    assert_eq!((info.code_id, info.creator), (token.code_id()?, daemon.sender_addr()));
    assert!(!wasm.raw_query(&token.address()?, b"token_info".to_vec())?.is_empty());
    Ok(())
}

#[test]
fn the_program_of_the_documentation_deploys() -> anyhow::Result<()> {
    let (node, _) = open()?;
    let state = tempfile::tempdir()?;
    let mut deploy = std::process::Command::new(env!("CARGO_BIN_EXE_deploy"));
    deploy.arg(&node.grpc).arg(node.words()).env("STATE_FILE", state.path().join("state.json"));
    let output = deploy.output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = told.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("aceso1") && last.ends_with(" renamed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(state.path().join("state_local.json").exists());
    Ok(())
}
