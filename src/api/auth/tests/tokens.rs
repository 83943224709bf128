//! Session tokens: right, wrong, absent.

use super::*;

/// Requests of the temporary key with a token, or without one.
fn requests(token: Option<&str>) -> [Sample; 4] {
    let mut rpc = rpc().changing(ALIBABA.0, STS.0);
    let mut old = old().changing(TENCENT.0, STS.0);
    let mut acs3 = unsigned_acs3();
    let mut tc3 = tc3();
    for (sample, id) in [(&mut acs3, ALIBABA.0), (&mut tc3, TENCENT.0)] {
        let header = sample.header("authorization").unwrap().replace(id, STS.0);
        *sample = sample.clone().setting("authorization", &header);
    }
    if let Some(token) = token {
        let parameter = escaped(token);
        rpc = rpc.changing("&PageSize", &format!("&SecurityToken={parameter}&PageSize"));
        old = old.changing("&Nonce", &format!("&Token={parameter}&Nonce"));
        tc3 = tc3.with_header("x-tc-token", token);
        let header = acs3.header("authorization").unwrap();
        let header = header.replace(";x-acs-version", ";x-acs-security-token;x-acs-version");
        acs3 = acs3.setting("authorization", &header);
        acs3 = acs3.with_header("x-acs-security-token", token);
    }
    [rpc, acs3, tc3, old].map(|sample| sample.signed(STS.1))
}

#[test]
fn the_right_token_is_believed() {
    for sample in requests(Some(STS_TOKEN)) {
        assert_eq!(sample.judged(), Ok(()));
    }
}

#[test]
fn a_wrong_token_is_denied() {
    for token in ["tok/en+=", "tok/en+==x", "TOK/EN+=="] {
        for sample in requests(Some(token)) {
            assert_eq!(sample.judged(), Err(Denial::TokenMismatch));
        }
    }
}

#[test]
fn a_temporary_key_needs_its_token() {
    for sample in requests(None) {
        assert_eq!(sample.judged(), Err(Denial::TokenMissing));
    }
}

#[test]
fn what_can_be_no_token_is_malformed() {
    for token in ["to ken", "tök"] {
        for sample in requests(Some(token)) {
            assert_eq!(sample.judged(), Err(Denial::TokenMalformed));
        }
    }
}

#[test]
fn a_lasting_key_has_no_token() {
    let lasting = Credentials::new([credential(STS, None)]);
    for sample in requests(Some(STS_TOKEN)) {
        let verdict = sample.verdict(&lasting, SIGNED_AT);
        assert_eq!(verdict, Err(Denial::TokenMismatch));
    }
    for sample in requests(None) {
        assert_eq!(sample.verdict(&lasting, SIGNED_AT), Ok(()));
    }
}

/// It is signed where the scheme signs it, so that nobody can exchange it.
#[test]
fn an_exchanged_token_breaks_the_signature() {
    let [rpc, acs3, tc3, old] = requests(Some("other"));
    let mine = escaped(STS_TOKEN);
    for sample in [
        rpc.changing("SecurityToken=other", &format!("SecurityToken={mine}")),
        acs3.setting("x-acs-security-token", STS_TOKEN),
        old.changing("Token=other", &format!("Token={mine}")),
    ] {
        let verdict = sample.judged();
        assert!(matches!(verdict, Err(Denial::Mismatch { .. })));
    }
    // TC3's SDKs do not sign it.
    assert_eq!(tc3.setting("x-tc-token", STS_TOKEN).judged(), Ok(()));
}

#[test]
fn an_unsigned_token_leaves_acs3_incomplete() {
    let sample = acs3().with_header("x-acs-security-token", STS_TOKEN);
    assert!(matches!(sample.judged(), Err(Denial::Incomplete { .. })));
}
