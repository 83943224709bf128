//! Signatures that the vendors' own code and documents computed.

use super::*;

fn vectors(scheme: &str) -> Vec<Value> {
    let mut vectors = lines(include_str!("../testdata/control/vectors.jsonl"));
    vectors.retain(|vector| vector["scheme"] == scheme);
    vectors
}

/// Its own time, from wherever it has it.
fn time(sample: &Sample) -> String {
    let parameter = |arrived: &Arrived<'_>| arrived.parameter("Timestamp").map(str::to_owned);
    let headers = ["x-acs-date", "x-tc-timestamp"];
    let header = headers.into_iter().find_map(|name| sample.header(name));
    let text = header.map(str::to_owned);
    let text = text
        .or_else(|| sample.arrived(parameter).flatten())
        .unwrap();
    match text.parse() {
        Ok(second) => Timestamp::from_second(second).unwrap().to_string(),
        Err(_) => text,
    }
}

/// Verifies a vector, and asks the server what it would have signed.
#[track_caller]
fn holds(vector: &Value) {
    let name = vector["name"].as_str().unwrap();
    let text = |member: &str| vector[member].as_str().unwrap();
    let sample = Sample::of(vector);
    let token = name.contains("sts").then_some(STS_TOKEN);
    let credentials = Credentials::new([credential((text("id"), text("secret")), token)]);
    let now = time(&sample);
    assert_eq!(sample.verdict(&credentials, &now), Ok(()), "{name}");
    let denial = Denial::Mismatch {
        string_to_sign: text("string_to_sign").to_owned(),
    };
    let verdict = sample.unsigned().verdict(&credentials, &now);
    assert_eq!(verdict, Err(denial), "{name}");
    let mut signed = sample.unsigned();
    signed.put_signature(&match text("scheme") {
        "rpc" | "old" => escaped(text("signature")),
        _ => text("signature").to_owned(),
    });
    assert_eq!(signed.verdict(&credentials, &now), Ok(()), "{name}");
}

#[test]
fn rpc_vectors_hold() {
    let vectors = vectors("rpc");
    assert_eq!(vectors.len(), 9);
    vectors.iter().for_each(holds);
}

#[test]
fn acs3_vectors_hold() {
    let vectors = vectors("acs3");
    assert_eq!(vectors.len(), 7);
    vectors.iter().for_each(holds);
}

#[test]
fn tc3_vectors_of_our_product_hold() {
    let mut vectors = vectors("tc3");
    assert_eq!(vectors.len(), 4);
    vectors.retain(|vector| vector["string_to_sign"].as_str().unwrap().contains("/vpc/"));
    assert_eq!(vectors.len(), 2);
    vectors.iter().for_each(holds);
}

/// The vendor's own are signed for `cvm`.
#[test]
fn a_tc3_signature_for_another_product_is_denied() {
    let vectors = vectors("tc3");
    let vector = vectors.iter().find(|vector| vector["name"] == VENDORS);
    let vector = vector.unwrap();
    let (id, secret) = (&vector["id"], &vector["secret"]);
    let key = (id.as_str().unwrap(), secret.as_str().unwrap());
    let sample = Sample::of(vector);
    let verdict = sample.verdict(&Credentials::new([credential(key, None)]), &time(&sample));
    assert!(matches!(verdict, Err(Denial::Mismatch { .. })));
}

const VENDORS: &str = "vendor-doc.DescribeInstances.content-type;host";

#[test]
fn old_tencent_vectors_hold() {
    let vectors = vectors("old");
    assert_eq!(vectors.len(), 22);
    vectors.iter().for_each(holds);
}
