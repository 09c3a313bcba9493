//! The checks of a transaction that need no account: form, timeout, memo, size.

use crate::{
    code::{Code, Fault},
    gas,
    run::{Mode, Run},
    tx::{authenticate::Signers, decode::Tx},
};

/// Highest gas limit that is looked at: results carry it as a signed number.
const GAS_MAX: u64 = i64::MAX as u64;

/// The SDK's decorators from the extension options to the memo, in its order.
pub(crate) fn check(run: &Run<'_>, tx: &Tx, signers: &Signers) -> Result<(), Fault> {
    if !tx.body.extension_options.is_empty() {
        return Err(Code::UnknownExtension.plain());
    }
    basic(run, tx, signers)?;
    let (height, timeout) = (run.block.height.0, tx.body.timeout_height);
    if timeout > 0 && height > timeout {
        let words = format_args!("block height: {height}, timeout height: {timeout}");
        return Err(Code::TxTimeoutHeight.because(words));
    }
    let (memo, most) = (tx.body.memo.len(), run.chain.params.memo_bytes_max);
    if memo as u64 > most {
        let words = format_args!("maximum number of characters is {most} but received {memo} characters");
        return Err(Code::MemoTooLarge.because(words));
    }
    Ok(())
}

fn basic(run: &Run<'_>, tx: &Tx, signers: &Signers) -> Result<(), Fault> {
    if run.mode == Mode::Recheck {
        return Ok(());
    }
    if tx.msgs.is_empty() {
        return Err(Code::InvalidRequest.because("must contain at least one message"));
    }
    for msg in &tx.msgs {
        msg.check(&run.chain.prefix)?;
    }
    let gas = tx.gas_limit();
    if gas > GAS_MAX {
        return Err(Code::InvalidRequest.because(format_args!("invalid gas supplied; {gas} > {GAS_MAX}")));
    }
    #[allow(deprecated, reason = "the field is read to refuse it")]
    if tx.auth.tip.is_some() {
        return Err(Code::NotSupported.because("tips"));
    }
    if run.mode == Mode::Simulate {
        return Ok(());
    }
    if gas == 0 {
        return Err(Code::InvalidGasLimit.because("must provide positive gas"));
    }
    if let Some(most) = run.chain.block_gas.filter(|most| gas > *most) {
        return Err(Code::InvalidGasLimit.because(format_args!("tx gas limit {gas} exceeds block max gas {most}")));
    }
    if tx.signatures.is_empty() {
        return Err(Code::NoSignatures.plain());
    }
    let (want, got) = (signers.required.len(), tx.signatures.len());
    if want != got || tx.auth.signer_infos.len() != got {
        return Err(Code::Unauthorized.because(format_args!("wrong number of signers; expected {want}, got {got}")));
    }
    Ok(())
}

/// Charges for the transaction's bytes.
pub(crate) fn charge_size(run: &mut Run<'_>, tx: &Tx) -> Result<(), Fault> {
    run.meter.spend(gas::TX_BYTE.saturating_mul(tx.bytes as u64), "txSize")
}
