//! Requests that are signed for one thing and sent for another.

use super::*;

#[track_caller]
fn is_mismatch(sample: &Sample) {
    let verdict = sample.judged();
    assert!(
        matches!(verdict, Err(Denial::Mismatch { .. })),
        "{verdict:?}"
    );
}

#[track_caller]
fn is_incomplete(sample: &Sample) {
    let verdict = sample.judged();
    assert!(
        matches!(verdict, Err(Denial::Incomplete { .. })),
        "{verdict:?}"
    );
}

/// An ACS3 request that signs one header less.
fn leaving_out(name: &str) -> Sample {
    let header = acs3().header("authorization").unwrap().to_owned();
    let header = header.replace(&format!("{name};"), "");
    acs3().setting("authorization", &header)
}

#[test]
fn acs3_signs_all_that_the_server_acts_on() {
    for name in [
        "host",
        "content-type",
        "x-acs-action",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-signature-nonce",
    ] {
        is_incomplete(&leaving_out(name));
    }
    let header = acs3().header("authorization").unwrap().to_owned();
    let header = header.replace(";x-acs-version", "");
    is_incomplete(&acs3().setting("authorization", &header));
}

/// The denial says what would have been signed.
#[test]
fn an_incomplete_signature_is_told_what_to_sign() {
    let sample = acs3().without_header("x-acs-content-sha256");
    let Err(Denial::Incomplete { string_to_sign }) = sample.judged() else {
        panic!("{:?}", sample.judged());
    };
    let (name, hash) = string_to_sign.split_once('\n').unwrap();
    assert_eq!(name, "ACS3-HMAC-SHA256");
    assert_eq!(hash.len(), 64);
}

#[test]
fn a_signed_header_that_did_not_come_is_incomplete() {
    let header = acs3().header("authorization").unwrap().to_owned();
    let header = header.replace(";x-acs-version", ";x-acs-version;x-absent");
    is_incomplete(&acs3().setting("authorization", &header));
    let header = tc3().header("authorization").unwrap().to_owned();
    let header = header.replace(";host", ";host;x-absent");
    is_incomplete(&tc3().setting("authorization", &header));
    let header = header.replace(";host;x-absent", "");
    is_incomplete(&tc3().setting("authorization", &header));
    let header = header.replace("content-type", "host");
    is_incomplete(&tc3().setting("authorization", &header));
}

#[test]
fn a_second_host_breaks_a_signature_over_one() {
    for sample in [acs3(), tc3()] {
        is_mismatch(&sample.clone().with_header("host", "evil.example"));
        let host = sample.header("host").unwrap().to_owned();
        is_mismatch(&sample.with_header("host", &host));
    }
    // Of two neither is believed; what is left are the aliases.
    is_mismatch(&old().with_header("host", "127.0.0.1:8443"));
}

/// Two of one name are signed sorted, whichever way they came.
#[test]
fn repeated_headers_are_signed_together() {
    let header = acs3().header("authorization").unwrap().to_owned();
    let header = header.replace(";x-acs-version", ";x-acs-version;x-more");
    let sample = acs3().setting("authorization", &header);
    let there = |first, second| {
        let sample = sample.clone().with_header("x-more", first);
        sample.with_header("x-more", second)
    };
    let signed = there("b ", " a").signed(ALIBABA.1);
    assert_eq!(signed.judged(), Ok(()));
    let signed = signed.header("authorization").unwrap();
    assert_eq!(
        there("a", "b").setting("authorization", signed).judged(),
        Ok(())
    );
    let joined = sample.clone().with_header("x-more", "a,b");
    assert_eq!(joined.setting("authorization", signed).judged(), Ok(()));
    is_mismatch(&there("a", "c").setting("authorization", signed));
}

#[test]
fn a_body_has_to_be_the_one_signed() {
    let other = Sample {
        body: b"ClientToken=t-1&DryRun=False".to_vec(),
        ..acs3()
    };
    is_mismatch(&other);
    // Nor does it help to sign this body and name the hash of another.
    is_mismatch(&other.signed(ALIBABA.1));
    let hash = digest::sha256_hex(&other.body);
    is_mismatch(&acs3().setting("x-acs-content-sha256", &hash));
    let other = Sample {
        body: b"{}".to_vec(),
        ..tc3()
    };
    is_mismatch(&other);
}

/// The type says whether a body is read as parameters: it has to be signed.
#[test]
fn the_type_of_a_body_is_signed() {
    is_mismatch(&acs3().setting("content-type", "text/plain"));
    let bare = Sample {
        body: Vec::new(),
        ..leaving_out("content-type").without_header("content-type")
    };
    let bare = bare.setting("x-acs-content-sha256", &digest::sha256_hex(b""));
    assert_eq!(bare.signed(ALIBABA.1).judged(), Ok(()));
}

#[test]
fn a_tc3_client_may_leave_its_body_unsigned_but_nobody_else() {
    let unsigned = tc3().with_header("x-tc-content-sha256", "UNSIGNED-PAYLOAD");
    is_mismatch(&unsigned);
    let unsigned = unsigned.signed(TENCENT.1);
    assert_eq!(unsigned.judged(), Ok(()));
    is_mismatch(&unsigned.without_header("x-tc-content-sha256"));
    let other = tc3().with_header("x-tc-content-sha256", "other");
    assert_eq!(other.judged(), Ok(()));
}

#[test]
fn a_signature_is_for_one_action() {
    is_mismatch(&rpc().changing("DescribeFlowLogs", "DeleteFlowLog"));
    is_mismatch(&acs3().setting("x-acs-action", "CreateFlowLog"));
    is_mismatch(&old().changing("DescribeFlowLogs", "DeleteFlowLog"));
    // TC3's SDKs sign it not; where it is signed, it counts, in lower case.
    assert_eq!(tc3().setting("x-tc-action", "Other").judged(), Ok(()));
    let header = tc3().header("authorization").unwrap().to_owned();
    let header = header.replace(";host", ";host;x-tc-action");
    let signed = tc3().setting("authorization", &header).signed(TENCENT.1);
    assert_eq!(signed.judged(), Ok(()));
    is_mismatch(&signed.setting("x-tc-action", "Other"));
}

/// RPC signs no header: its action is the parameter and never a header.
#[test]
fn the_action_is_where_it_is_signed() {
    let both = rpc().with_header("x-acs-action", "DeleteFlowLog");
    assert_eq!(both.scheme(), (Api::Alibaba, Scheme::AlibabaRpc));
    let action = |sample: &Sample| {
        let (_, scheme) = sample.scheme();
        let action = |arrived: &Arrived<'_>| scheme.action(arrived).map(str::to_owned);
        sample.arrived(action).flatten()
    };
    assert_eq!(action(&both).as_deref(), Some("DescribeFlowLogs"));
    let mut both = acs3();
    both.target.push_str("&Action=DescribeFlowLogs");
    assert_eq!(action(&both).as_deref(), Some("DeleteFlowlog"));
    is_mismatch(&both);
}

/// A request without Authorization is held against the style it has.
#[test]
fn an_unsigned_request_is_known_by_its_style() {
    let scheme = |sample: Sample| sample.without_header("authorization").scheme();
    assert_eq!(scheme(acs3()), (Api::Alibaba, Scheme::AlibabaV3));
    assert_eq!(scheme(tc3()), (Api::TencentV3, Scheme::TencentV3));
    assert_eq!(scheme(rpc()), (Api::Alibaba, Scheme::AlibabaRpc));
    let old = old().changing("/v2/index.php", "/");
    assert_eq!(scheme(old.clone()), (Api::TencentV3, Scheme::TencentOld));
    let elsewhere = old.changing("/?", "/other?");
    assert_eq!(scheme(elsewhere), (Api::Alibaba, Scheme::AlibabaRpc));
}

/// Of a parameter in query and form the form's is signed, and heard.
#[test]
fn the_earlier_of_two_parameters_is_neither_signed_nor_heard() {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let mut sample = Sample::new("POST", &rpc().target, &form, "PageSize=20").signed(ALIBABA.1);
    assert_eq!(sample.judged(), Ok(()));
    let size = |sample: &Sample| {
        sample.arrived(|arrived| {
            assert_eq!(
                arrived.merged()["PageSize"],
                arrived.parameter("PageSize").unwrap()
            );
            arrived.parameter("PageSize").map(str::to_owned)
        })
    };
    sample = sample.changing("PageSize=10", "PageSize=30");
    assert_eq!(sample.judged(), Ok(()));
    assert_eq!(size(&sample), Some(Some("20".to_owned())));
    sample.body = b"PageSize=21".to_vec();
    is_mismatch(&sample);
    // So is the later of two signatures or keys.
    let mut other = rpc();
    other.target.push_str("&Signature=bad");
    is_mismatch(&other);
    let mut other = rpc();
    other.target.push_str("&AccessKeyId=other");
    assert_eq!(other.judged(), Err(Denial::UnknownKey));
}

#[test]
fn every_one_of_several_parameters_is_signed_by_acs3() {
    let twice = acs3().changing("FlowLogId=ecr-flog-1", "FlowLogId=a&FlowLogId=ecr-flog-1");
    is_mismatch(&twice);
    let twice = twice.signed(ALIBABA.1);
    assert_eq!(twice.judged(), Ok(()));
    is_mismatch(&twice.changing("FlowLogId=a&", ""));
}

#[test]
fn a_tencent_client_may_know_the_server_by_another_name() {
    let signed = |host| old().setting("host", host).signed(TENCENT.1);
    for host in ["vpc.api.qcloud.com", "vpc.tencentcloudapi.com"] {
        assert_eq!(
            signed(host).setting("host", "127.0.0.1:8099").judged(),
            Ok(())
        );
    }
    // Behind a port that the client leaves out.
    assert_eq!(
        signed("localhost").setting("host", "localhost:80").judged(),
        Ok(())
    );
    assert_eq!(signed("http://h:1").judged(), Ok(()));
    is_mismatch(&signed("cvm.api.qcloud.com").setting("host", "127.0.0.1:8099"));
    is_mismatch(&signed("localhost:80").setting("host", "localhost"));
}

/// Names are signed with `.` for `_`: before they are sorted, after it, or, in
/// Node, not where a name begins with it.
#[test]
fn underscores_are_signed_in_three_ways() {
    let target = "/v2/index.php?SecretId=AKIDtestSecretId&Nonce=1&Timestamp=1767323045\
        &a_b=1&aZ=2&_x_y=3&Signature=bad";
    let sample = Sample::new("GET", target, &[("host", "h")], "");
    let common = "Nonce=1&SecretId=AKIDtestSecretId&Timestamp=1767323045&";
    for text in [
        format!(".x.y=3&{common}a.b=1&aZ=2"),
        format!("{common}.x.y=3&aZ=2&a.b=1"),
        format!("{common}_x_y=3&aZ=2&a.b=1"),
    ] {
        let text = format!("GETh/v2/index.php?{text}");
        let mut signed = sample.clone();
        let signature = hmac_sha1(TENCENT.1.as_bytes(), &[&text]);
        signed.put_signature(&escaped(&STANDARD.encode(signature)));
        assert_eq!(signed.judged(), Ok(()), "{text}");
    }
    let text = format!("GETh/v2/index.php?{common}a_b=1&aZ=2&_x_y=3");
    let mut signed = sample;
    let signature = hmac_sha1(TENCENT.1.as_bytes(), &[&text]);
    signed.put_signature(&escaped(&STANDARD.encode(signature)));
    is_mismatch(&signed);
}

/// Such a value is signed or left out; it cannot take a signed one's place.
#[test]
fn values_that_begin_with_at_may_be_left_out_on_post() {
    let form = [
        ("host", "127.0.0.1:8443"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let post = |body| Sample::new("POST", &old().target, &form, body);
    let plain = post("name=n").signed(TENCENT.1);
    assert_eq!(plain.judged(), Ok(()));
    let with = |body: &str| Sample {
        body: body.as_bytes().to_vec(),
        ..plain.clone()
    };
    assert_eq!(with("name=n&file=%40f").judged(), Ok(()));
    assert_eq!(post("name=n&file=%40f").signed(TENCENT.1).judged(), Ok(()));
    is_mismatch(&with("name=%40n"));
    is_mismatch(&with("name=n&name=%40n"));
    is_mismatch(&with("name=n&file=f"));
    // Only there: not on GET, not in API 3.0.
    let mut get = old();
    get.target.push_str("&file=%40f");
    is_mismatch(&get);
    let v3 = post("name=n")
        .changing("/v2/index.php", "/")
        .signed(TENCENT.1);
    assert_eq!(v3.judged(), Ok(()));
    is_mismatch(&Sample {
        body: b"name=n&file=%40f".to_vec(),
        ..v3
    });
}
