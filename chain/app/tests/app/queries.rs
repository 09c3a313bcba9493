//! Questions as CosmJS, cw-orchestrator and Keplr ask them.

use cosmos_sdk_proto::{
    cosmos::{
        auth::v1beta1::QueryAccountRequest,
        bank::v1beta1::{
            QueryAllBalancesRequest, QueryAllBalancesResponse, QueryDenomMetadataRequest, QueryDenomMetadataResponse,
            QueryTotalSupplyRequest, QueryTotalSupplyResponse,
        },
        base::query::v1beta1::PageRequest,
        tx::{
            signing::v1beta1::SignMode,
            v1beta1::{AuthInfo, SimulateRequest, SimulateResponse, TxRaw},
        },
    },
    cosmwasm::wasm::v1::{
        QueryAllContractStateRequest, QueryAllContractStateResponse, QueryCodeRequest, QueryCodeResponse,
        QueryCodesRequest, QueryCodesResponse, QueryContractHistoryRequest, QueryContractHistoryResponse,
        QueryContractInfoRequest, QueryContractInfoResponse, QueryContractsByCodeRequest, QueryContractsByCodeResponse,
        QueryContractsByCreatorRequest, QueryContractsByCreatorResponse, QueryParamsRequest, QueryParamsResponse,
    },
};
use prost::Message;
use tendermint::v0_38::abci::request;

use crate::{
    contracts::{make, store},
    fixture::{Draft, Net, RICH, alice, bob, coins, height, nobody, send},
    guests::{NOTHING, echo},
};

#[test]
fn a_missing_account_has_the_sdks_words() {
    let net = Net::start();
    let request = QueryAccountRequest { address: nobody().address() };
    let answer = net.raw_query("/cosmos.auth.v1beta1.Query/Account", request.encode_to_vec());
    assert_eq!((answer.codespace.as_str(), answer.code.value()), ("sdk", 22));
    assert_eq!(
        answer.log,
        format!("rpc error: code = NotFound desc = account {} not found: key not found", nobody().address())
    );
    assert_eq!(answer.height.value(), 1);
}

#[test]
fn unknown_paths_are_unknown_requests() {
    let net = Net::start();
    for path in [
        "/cosmos.staking.v1beta1.Query/Delegation",
        "/cosmos.bank.v1beta1.Query/Nothing",
        "/store/unknown/key",
        "/",
        "",
        "no path",
    ] {
        let answer = net.raw_query(path, vec![]);
        assert_eq!((answer.codespace.as_str(), answer.code.value()), ("sdk", 6), "{path}: {}", answer.log);
        assert!(answer.height.value() > 0);
    }
    let garbage = net.raw_query("/cosmos.bank.v1beta1.Query/Balance", vec![0xff; 9]);
    assert_eq!(garbage.code.value(), 18);
    assert_eq!(net.raw_query("/app/version", vec![]).value, env!("CARGO_PKG_VERSION").as_bytes());
}

#[test]
fn the_bank_answers() {
    let net = Net::start();
    let request = QueryAllBalancesRequest { address: alice().address(), ..QueryAllBalancesRequest::default() };
    let all: QueryAllBalancesResponse = net.query("/cosmos.bank.v1beta1.Query/AllBalances", &request);
    assert_eq!((all.balances, all.pagination.unwrap().total), (coins(RICH), 1));
    let all: QueryTotalSupplyResponse =
        net.query("/cosmos.bank.v1beta1.Query/TotalSupply", &QueryTotalSupplyRequest { pagination: None });
    assert_eq!(all.supply, coins(2 * RICH));
    let known: QueryDenomMetadataResponse =
        net.query("/cosmos.bank.v1beta1.Query/DenomMetadata", &QueryDenomMetadataRequest { denom: "uaceso".into() });
    let known = known.metadata.unwrap();
    assert_eq!((known.base.as_str(), known.display.as_str()), ("uaceso", "aceso"));
}

#[test]
fn old_heights_stay_readable() {
    let mut net = Net::start();
    net.ok(&alice(), vec![send(&alice(), &nobody().address(), 5)]);
    net.block(vec![]);
    let request = QueryAllBalancesRequest { address: nobody().address(), ..QueryAllBalancesRequest::default() };
    let at = |wanted: u64| {
        net.app.query(request::Query {
            data: request.encode_to_vec().into(),
            path: "/cosmos.bank.v1beta1.Query/AllBalances".into(),
            height: height(wanted),
            prove: false,
        })
    };
    let balances = |wanted| QueryAllBalancesResponse::decode(at(wanted).value).unwrap().balances;
    assert_eq!((balances(1), balances(2), balances(0)), (vec![], coins(5), coins(5)));
    assert_eq!(at(2).height.value(), 2);
    assert_eq!(at(9).code.value(), 18);
}

#[test]
fn a_row_is_proven_against_the_next_headers_hash() {
    use ics23::CommitmentProof;
    let net = Net::start();
    let root = net.app.info().last_block_app_hash;
    let prove = |component: &str, key: &[u8]| {
        net.app.query(request::Query {
            data: key.to_vec().into(),
            path: format!("/store/{component}/key"),
            height: height(0),
            prove: true,
        })
    };
    let key = format!("balance/{}/uaceso", alice().address());
    let answer = prove("bank", key.as_bytes());
    let ops = answer.proof.unwrap().ops;
    let spec = aceso_state::proof_spec();
    let (row, component) =
        (CommitmentProof::decode(&ops[0].data[..]).unwrap(), CommitmentProof::decode(&ops[1].data[..]).unwrap());
    let component_root = ics23::calculate_existence_root::<ics23::HostFunctionsManager>(&match row.proof.clone() {
        Some(ics23::commitment_proof::Proof::Exist(exist)) => exist,
        other => panic!("{other:?}"),
    })
    .unwrap();
    assert_eq!(answer.value, RICH.to_be_bytes().to_vec());
    let verify = ics23::verify_membership::<ics23::HostFunctionsManager>;
    assert!(verify(&row, &spec, &component_root, key.as_bytes(), &answer.value));
    assert!(verify(&component, &spec, &root.as_bytes().to_vec(), b"bank", &component_root));
    let absent = prove("bank", b"balance/nobody/uaceso");
    assert!(absent.value.is_empty() && absent.proof.is_some());
    assert_eq!(prove("bank", b"").code.value(), 18);
}

#[test]
fn contracts_are_listed() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let made: Vec<String> = (0..3).map(|_| make(&mut net, id, NOTHING)).collect();
    let codes: QueryCodesResponse = net.query("/cosmwasm.wasm.v1.Query/Codes", &QueryCodesRequest { pagination: None });
    assert_eq!((codes.code_infos.len(), codes.code_infos[0].code_id), (1, 1));
    // CosmJS loops until there is no next key: the message must be there.
    assert!(codes.pagination.unwrap().next_key.is_empty());
    let code: QueryCodeResponse = net.query("/cosmwasm.wasm.v1.Query/Code", &QueryCodeRequest { code_id: id });
    assert_eq!(code.data, echo());
    let path = "/cosmwasm.wasm.v1.Query/ContractsByCode";
    let page = |key: Vec<u8>, reverse| {
        let pagination = Some(PageRequest { key, limit: 2, reverse, ..PageRequest::default() });
        net.query::<QueryContractsByCodeResponse>(path, &QueryContractsByCodeRequest { code_id: id, pagination })
    };
    let first = page(vec![], false);
    let second = page(first.pagination.unwrap().next_key, false);
    assert_eq!([first.contracts, second.contracts].concat(), made);
    assert!(second.pagination.unwrap().next_key.is_empty());
    assert_eq!(page(vec![], true).contracts, [made[2].clone(), made[1].clone()]);
    let by: QueryContractsByCreatorResponse = net.query(
        "/cosmwasm.wasm.v1.Query/ContractsByCreator",
        &QueryContractsByCreatorRequest { creator_address: alice().address(), pagination: None },
    );
    assert_eq!(by.contract_addresses, made);
    let info: QueryContractInfoResponse =
        net.query("/cosmwasm.wasm.v1.Query/ContractInfo", &QueryContractInfoRequest { address: made[0].clone() });
    let info = info.contract_info.unwrap();
    assert_eq!((info.code_id, info.creator, info.label.as_str()), (1, alice().address(), "label"));
    let history: QueryContractHistoryResponse = net.query(
        "/cosmwasm.wasm.v1.Query/ContractHistory",
        &QueryContractHistoryRequest { address: made[0].clone(), pagination: None },
    );
    assert_eq!((history.entries.len(), history.entries[0].msg.as_slice()), (1, NOTHING.as_bytes()));
    let history: QueryContractHistoryResponse = net.query(
        "/cosmwasm.wasm.v1.Query/ContractHistory",
        &QueryContractHistoryRequest { address: alice().address(), pagination: None },
    );
    assert_eq!(history.entries, []);
    let state: QueryAllContractStateResponse = net.query(
        "/cosmwasm.wasm.v1.Query/AllContractState",
        &QueryAllContractStateRequest { address: made[0].clone(), pagination: None },
    );
    assert_eq!((state.models.len(), state.models[0].key.as_slice()), (1, &b"reply"[..]));
    let params: QueryParamsResponse = net.query("/cosmwasm.wasm.v1.Query/Params", &QueryParamsRequest {});
    assert_eq!(params.params.unwrap().code_upload_access.unwrap().permission, 3);
    let missing = QueryContractInfoRequest { address: alice().address() };
    let answer = net.raw_query("/cosmwasm.wasm.v1.Query/ContractInfo", missing.encode_to_vec());
    assert!(answer.log.contains("codespace wasm code 22") && answer.log.contains("no such contract"), "{}", answer.log);
}

/// CosmJS: no sign mode, one empty signature. Keplr: no public key, 64 zeros. cw-orchestrator: a real signature over a
/// fee of nothing.
#[test]
fn each_clients_way_to_simulate_is_answered() {
    let net = Net::start();
    let simulate = |tx_bytes: Vec<u8>| {
        #[allow(deprecated, reason = "the field is left empty")]
        let request = SimulateRequest { tx: None, tx_bytes };
        net.raw_query("/cosmos.tx.v1beta1.Service/Simulate", request.encode_to_vec())
    };
    let used = |tx: Vec<u8>| {
        let answer = simulate(tx);
        assert!(answer.code.is_ok(), "{}", answer.log);
        SimulateResponse::decode(answer.value).unwrap().gas_info.unwrap().gas_used
    };
    let mut draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 5)]);
    (draft.gas, draft.fee, draft.mode) = (0, vec![], SignMode::Unspecified);
    let cosmjs = used(draft.with(vec![vec![]]));
    let mut auth = AuthInfo::decode(&draft.auth()[..]).unwrap();
    auth.signer_infos[0].public_key = None;
    let keplr = used(
        TxRaw { body_bytes: draft.body(), auth_info_bytes: auth.encode_to_vec(), signatures: vec![vec![0; 64]] }
            .encode_to_vec(),
    );
    (draft.mode, draft.fee) = (SignMode::Direct, coins(0));
    let orch = used(draft.sign());
    assert!([cosmjs, keplr, orch].iter().all(|gas| (20_000..120_000).contains(gas)), "{cosmjs} {keplr} {orch}");
    // Nothing stays of it.
    assert_eq!((net.balance(&bob().address()), net.account(&alice().address()).unwrap().sequence), (RICH, 0));
    draft.signers[0].2 = 4;
    let answer = simulate(draft.sign());
    assert_eq!(answer.code.value(), 6);
    assert!(answer.log.contains("account sequence mismatch, expected 0, got 4"), "{}", answer.log);
    assert_eq!(simulate(b"garbage".to_vec()).code.value(), 18);
}

/// Whoever asks for just what a simulation has found gets through, whichever client asks, also the first time that an
/// account signs and the first time that anybody pays a fee; and none is told a tenth more than it takes.
#[test]
fn what_is_simulated_suffices_when_it_is_run() {
    let shapes: [fn(&mut Draft) -> Vec<u8>; 5] = [
        // `aceso tx`: no key, no mode, no signature, no fee.
        |draft| simulated(draft, false, vec![vec![]]),
        // CosmJS: the same with the key. Keplr: no key, and zeros for a signature. Nobody: not even a place for it.
        |draft| simulated(draft, true, vec![vec![]]),
        |draft| simulated(draft, false, vec![vec![0; 64]]),
        |draft| simulated(draft, true, vec![]),
        // cw-orchestrator: a real signature over a fee of nothing.
        |draft| {
            (draft.gas, draft.fee) = (0, coins(0));
            draft.sign()
        },
    ];
    for (place, shape) in shapes.into_iter().enumerate() {
        let mut net = Net::start();
        let mut found = Vec::new();
        for _ in 0..3 {
            let mut draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 5)]);
            let tx_bytes = shape(&mut draft);
            let ask = |net: &Net| -> u64 {
                #[allow(deprecated, reason = "the field is left empty")]
                let request = SimulateRequest { tx: None, tx_bytes: tx_bytes.clone() };
                let answer: SimulateResponse = net.query("/cosmos.tx.v1beta1.Service/Simulate", &request);
                answer.gas_info.unwrap().gas_used
            };
            let gas = ask(&net);
            assert_eq!(ask(&net), gas, "the same on the same state");
            let mut draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 5)]);
            (draft.gas, draft.fee) = (gas, coins(u128::from(gas)));
            let result = net.deliver(draft.sign());
            let used = u64::try_from(result.gas_used).unwrap();
            assert!(result.code.is_ok(), "{place}: {}", result.log);
            assert!(used <= gas && gas - used < used / 10, "{place}: {gas} {used}");
            found.push(used);
        }
        // The first fee makes the account that fees go to, and a first signature leaves the account's key in the state.
        let [first, second, third] = found[..] else { panic!("{found:?}") };
        assert!(first > second + 5_000 && second.abs_diff(third) < 200, "{found:?}");
    }
}

/// The transaction of a draft as clients simulate it that do not sign.
fn simulated(draft: &mut Draft, with_key: bool, signatures: Vec<Vec<u8>>) -> Vec<u8> {
    (draft.gas, draft.fee, draft.mode) = (0, vec![], SignMode::Unspecified);
    let mut auth = AuthInfo::decode(&draft.auth()[..]).unwrap();
    auth.signer_infos[0].public_key = auth.signer_infos[0].public_key.take().filter(|_| with_key);
    TxRaw { body_bytes: draft.body(), auth_info_bytes: auth.encode_to_vec(), signatures }.encode_to_vec()
}
