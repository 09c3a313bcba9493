//! What the host works out for contracts, called by a contract as it is built; and what a stock contract costs.

use aceso_test_support::contract;
use aceso_types::sealed::SignedRoot;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    contracts::{execute, make, store},
    fixture::{Net, alice, bob},
    shipped::answered,
};

fn binary(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

#[test]
fn a_contract_has_the_host_work() {
    let mut net = Net::start();
    let code = store(&mut net, contract("probe"));
    let probe = make(&mut net, code, "{}");
    let vectors: Value =
        serde_json::from_str(include_str!("../../../../sdk/verify/tests/vectors/compact.json")).unwrap();
    let roots: Vec<SignedRoot> = serde_json::from_value(vectors["roots"]["roots"].clone()).unwrap();
    let receipt = hex::decode(vectors["believed"][2]["compact"].as_str().unwrap()).unwrap();
    let verify = |compact: &[u8], trusted: usize| {
        let (root, trusted) = (roots[0].root.encode(), roots[trusted].root.digest());
        json!({"verify_receipt": {"compact": binary(compact), "root": binary(root), "trusted": binary(trusted.0)}})
    };
    let hash = |function: &str| json!({"hash": {"function": function, "data": binary("abc")}});
    let two = [&[0; 31][..], &[2]].concat();
    let [one, other] = [
        "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb",
        "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8",
    ]
    .map(|point| hex::decode(point).unwrap());
    let mut forged = receipt.clone();
    *forged.last_mut().unwrap() ^= 1;
    let steps = json!([
        hash("keccak256"),
        hash("sha256"),
        hash("sha3"),
        hash("blake3"),
        {"g1_msm": {"points": binary(one), "scalars": binary(&two)}},
        {"g2_msm": {"points": binary(other), "scalars": binary(&two)}},
        {"g1_msm": {"points": binary([0xff; 48]), "scalars": binary(&two)}},
        verify(&receipt, 0),
        verify(&receipt, 1),
        verify(&forged, 0),
    ]);
    let outcomes: Vec<Value> =
        serde_json::from_slice(&answered(&execute(&mut net, &probe, &json!({"take": {"steps": steps}}).to_string())))
            .unwrap();
    let bytes = |outcome: &Value| hex::encode(STANDARD.decode(outcome["bytes"].as_str().unwrap()).unwrap());
    let told: Vec<String> = outcomes[..6].iter().map(bytes).collect();
    assert_eq!(
        told,
        [
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
            // Twice the generators.
            "a572cbea904d67468808c8eb50a9450c9721db309128012543902d0ac358a62ae28f75bb8f1c7c42c39a8c5529bf0f4e",
            "aa4edef9c1ed7f729f520e47730a124fd70662a904ba1074728114d1031e1572c6c886f6b57ec72a6178288c47c335771638533957d540a9d2370f17cc7ed5863bc0b995b8825e0ee1ea1e1e4d00dbae81f14b0bf3611b78c952aacab827a053",
        ]
    );
    assert_eq!(outcomes[6..8], [json!({"errno": 2}), json!({"number": 30})]);
    assert_eq!(outcomes[8], json!({"error": "the root is not the one that is trusted"}));
    // The last bit says whether a finding is there.
    assert!(outcomes[9]["error"].is_string(), "{}", outcomes[9]);
}

/// wasmd takes some 112,000 SDK gas for a transfer of cw20-base, which the token does step by step.
#[test]
fn a_token_transfer_costs_what_wasmd_takes() {
    let mut net = Net::start();
    let code = store(&mut net, contract("token"));
    let init = json!({"name": "t", "initial_balances": [{"address": alice().address(), "amount": "1000"}]});
    let token = make(&mut net, code, &init.to_string());
    let transfer = json!({"transfer": {"recipient": bob().address(), "amount": "1"}}).to_string();
    let gas: Vec<i64> = (0..2).map(|_| execute(&mut net, &token, &transfer).gas_used).collect();
    assert!(gas.iter().all(|gas| (112_000 * 85 / 100..=112_000 * 115 / 100).contains(gas)), "{gas:?}");
}
