//! Sending coins.

use cosmos_sdk_proto::cosmos::bank::v1beta1::{
    Input, MsgMultiSend, Output, QuerySupplyOfRequest, QuerySupplyOfResponse,
};
use expect_test::expect;

use crate::fixture::{DENOM, Net, RICH, alice, bob, code, coins, nobody, responses, sdk, send, text, told};

#[test]
fn coins_move_and_everyone_hears_of_it() {
    let mut net = Net::start();
    let result = net.ok(&alice(), vec![send(&alice(), &nobody().address(), 5)]);
    assert_eq!(net.balance(&nobody().address()), 5);
    assert_eq!(net.balance(&alice().address()), RICH - 5 - 250_000);
    assert_eq!(responses(&result)[0].type_url, "/cosmos.bank.v1beta1.MsgSendResponse");
    assert_eq!((result.log.as_str(), result.gas_wanted), ("", 10_000_000));
    let told: String = told(&result)
        .join("\n")
        .replace(&alice().address(), "alice")
        .replace(&nobody().address(), "nobody")
        .split('\n')
        .map(|line| format!("{}\n", line.chars().take(96).collect::<String>()))
        .collect();
    expect![[r#"
        coin_spent spender=alice amount=250000uaceso
        coin_received receiver=aceso17xpfvakm2amg962yls6f84z3kell8c5lw29zrc amount=250000uaceso
        transfer recipient=aceso17xpfvakm2amg962yls6f84z3kell8c5lw29zrc sender=alice amount=250000uaceso
        message sender=alice
        tx fee=250000uaceso fee_payer=alice
        tx acc_seq=alice/0
        tx signature=s7uZYTq6xftP6D8tWFZi0zXEKCLRNwszb4Mkb+jI2ipt0aGPMHRAGWaVdpRaZjQztnoVLAgGESuM+92rSj7
        message action=/cosmos.bank.v1beta1.MsgSend sender=alice module=bank msg_index=0
        coin_spent spender=alice amount=5uaceso msg_index=0
        coin_received receiver=nobody amount=5uaceso msg_index=0
        transfer recipient=nobody sender=alice amount=5uaceso msg_index=0
        message sender=alice msg_index=0
    "#]]
    .assert_eq(&told);
    expect!["63426"].assert_eq(&result.gas_used.to_string());
}

#[test]
fn an_account_is_made_when_it_first_receives() {
    let mut net = Net::start();
    assert_eq!(net.account(&nobody().address()), None);
    net.ok(&alice(), vec![send(&alice(), &nobody().address(), 300_000)]);
    assert_eq!(net.account(&nobody().address()).unwrap().pub_key, None);
    net.ok(&nobody(), vec![send(&nobody(), &alice().address(), 1)]);
    let account = net.account(&nobody().address()).unwrap();
    assert_eq!((account.sequence, account.pub_key.is_some()), (1, true));
}

#[test]
fn more_than_one_has_is_refused_in_the_sdks_words() {
    let mut net = Net::start();
    net.ok(&alice(), vec![send(&alice(), &nobody().address(), 250_007)]);
    let result = net.run(&nobody(), vec![send(&nobody(), &alice().address(), 8)]);
    assert_eq!(code(&result), ("sdk", 5));
    assert_eq!(
        result.log,
        "failed to execute message; message index: 0: spendable balance 7uaceso is smaller than 8uaceso: \
         insufficient funds"
    );
    // The fee and the sequence stay taken.
    assert_eq!(net.balance(&nobody().address()), 7);
    assert_eq!(net.account(&nobody().address()).unwrap().sequence, 1);
}

#[test]
fn all_messages_of_a_transaction_count_or_none() {
    let mut net = Net::start();
    let msgs = vec![send(&alice(), &nobody().address(), 5), send(&alice(), &bob().address(), RICH)];
    let result = net.run(&alice(), msgs);
    assert_eq!(code(&result), ("sdk", 5));
    assert_eq!((net.balance(&nobody().address()), net.balance(&bob().address())), (0, RICH));
    assert!(result.data.is_empty() && told(&result).iter().all(|line| !line.contains("msg_index")));
}

#[test]
fn one_sends_to_many() {
    let mut net = Net::start();
    let many = |input: u128| {
        let output = |address: String, amount| Output { address, coins: coins(amount) };
        sdk(&MsgMultiSend {
            inputs: vec![Input { address: alice().address(), coins: coins(input) }],
            outputs: vec![output(bob().address(), 2), output(nobody().address(), 3)],
        })
    };
    net.ok(&alice(), vec![many(5)]);
    assert_eq!((net.balance(&bob().address()), net.balance(&nobody().address())), (RICH + 2, 3));
    assert_eq!(code(&net.run(&alice(), vec![many(6)])), ("bank", 4));
    let supply: QuerySupplyOfResponse =
        net.query("/cosmos.bank.v1beta1.Query/SupplyOf", &QuerySupplyOfRequest { denom: DENOM.into() });
    assert_eq!(supply.amount.unwrap().amount, (2 * RICH).to_string());
}

#[test]
fn nobody_pays_into_a_module() {
    use sha2::{Digest, Sha256};
    let mut net = Net::start();
    let collector = text(&Sha256::digest(b"fee_collector")[..20]);
    let result = net.run(&alice(), vec![send(&alice(), &collector, 1)]);
    assert_eq!(code(&result), ("sdk", 4));
    assert!(result.log.ends_with("is not allowed to receive funds: unauthorized"), "{}", result.log);
    assert_eq!(net.balance(&collector), 250_000);
}
